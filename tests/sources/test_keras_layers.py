"""Orders of layers: all that tf_keras itself writes are found, and it never gets one that it would look for in vain."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mobile_export.sources.keras_layers import check_order
from tests.sources.keras_models import MODELS, Make, tf_keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own


def config_of(make: Make) -> Any:
    return json.loads(make(tf_keras).to_json())


def interleaved(k: Any) -> Any:
    """A layer that is called at several depths, and a model that is called twice."""
    x = k.Input((4,), name="x")
    shared, between = k.layers.Dense(4, name="shared"), k.layers.Dense(4, name="between")
    inner = k.Input((4,))
    model = k.Model(inner, k.layers.Dense(4)(inner), name="inner")
    listed = k.Sequential([k.layers.Dense(4)], name="listed")
    return k.Model(x, listed(model(shared(between(shared(model(x)))))))


@pytest.mark.parametrize("make", [*MODELS.values(), interleaved])
def test_models_of_tf_keras_have_an_order(make: Make) -> None:
    config = config_of(make)
    check_order(config)
    tf_keras.models.model_from_json(json.dumps(config))


def named(config: Any, name: str) -> Any:
    return next(layer for layer in config["config"]["layers"] if layer["name"] == name)


def circle(config: Any) -> None:
    named(config, "between")["inbound_nodes"][0][0][:2] = ["shared", 1]


def no_such_call(config: Any) -> None:
    named(config, "between")["inbound_nodes"][0][0][1] = 7


def no_number(config: Any) -> None:
    named(config, "between")["inbound_nodes"][0][0][1] = "0x"


def no_such_layer(config: Any) -> None:
    named(config, "between")["inbound_nodes"][0][0][0] = "nobody"


def nothing_before(config: Any) -> None:
    named(config, "between")["inbound_nodes"] = []


@pytest.mark.parametrize("change", [circle, no_such_call, no_number, no_such_layer, nothing_before])
def test_what_tf_keras_would_look_for_in_vain(change: Callable[[Any], None]) -> None:
    config = config_of(interleaved)
    change(config)
    with pytest.raises(ValueError, match=r"the layer '\w+' takes what no layer gives before it"):
        check_order({"config": {"layers": [{"class_name": "Functional", **config}]}})
