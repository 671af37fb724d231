from typing import Any

import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats.flatbuffer import read_model, write_model
from mobile_export.formats.tflite_converter import convert
from mobile_export.formats.tflite_layers import PRECISIONS, Operations
from mobile_export.quantize.scheme import Scheme
from tests.formats.tf_graphs import make_graph, weights


def network(tf: Any) -> tuple[list[Any], list[Any]]:
    """Two branches that meet, a pooling between layers, and a layer at the end."""
    x = tf.placeholder(tf.float32, [1, 8, 8, 4], name="x")
    h = tf.nn.max_pool2d(tf.nn.conv2d(x, weights(1, 3, 3, 4, 4), 1, "SAME", name="first"), 2, 2, "SAME", name="pool")
    left = tf.nn.conv2d(h, weights(2, 3, 3, 4, 4), 1, "SAME", name="left")
    right = tf.nn.depthwise_conv2d(h, weights(3, 3, 3, 4, 1), [1, 1, 1, 1], "SAME", name="right")
    flat = tf.reshape(tf.add(left, right, name="sum"), [1, 64])
    return [x], [tf.nn.softmax(tf.matmul(flat, weights(4, 64, 3), name="last"))]


@pytest.fixture(scope="module")
def operations() -> Operations:
    return Operations(read_model(convert(make_graph(network, ["x"], ["y"]))))


def named(operations: Operations) -> dict[str, str]:
    """Layers by what they were called when they were built."""
    return {
        part: layer.name
        for layer in operations.layers
        for part in ("first", "left", "right", "last")
        if part in layer.name
    }


def planned(operations: Operations, scheme: Scheme) -> dict[str, str]:
    return {operation.kind: precision for operation, precision in operations.precisions(scheme).items()}


def test_layers_with_what_they_read(operations: Operations) -> None:
    name = named(operations)
    found = {layer.name: layer for layer in operations.layers}
    assert list(found) == [name[part] for part in ("first", "left", "right", "last")]
    assert [layer.operator for layer in found.values()] == [
        "CONV_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
    ]
    assert [layer.weights for layer in found.values()] == [144, 144, 36, 192]
    assert found[name["first"]].inputs == ()
    assert found[name["left"]].inputs == found[name["right"]].inputs == (name["first"],)
    assert found[name["last"]].inputs == (name["left"], name["right"])


def test_a_file_of_others_may_leave_out_names_and_inputs(operations: Operations) -> None:
    model = read_model(write_model(operations.model))
    model.subgraphs[0].operators[0].inputs = None
    model.subgraphs[0].operators[1].inputs = [-1, *model.subgraphs[0].operators[1].inputs]
    model.subgraphs[0].tensors[0].name = None
    assert len(Operations(model).layers) == 3


def test_one_precision_throughout(operations: Operations) -> None:
    for precision in PRECISIONS:
        assert {*operations.precisions(Scheme(precision)).values()} == {precision}


@pytest.mark.parametrize(
    ("precise", "pool", "add", "softmax"),
    [
        (["first"], "int8", "int8", "int8"),  # nothing that reads the pooling is finer
        (["first", "left"], "int16x8", "int8", "int8"),
        (["left", "last"], "int8", "int16x8", "int16x8"),
        (["first", "left", "right"], "int16x8", "int8", "int8"),
    ],
)
def test_operators_between_layers_follow_the_coarser_side(
    operations: Operations, precise: list[str], pool: str, add: str, softmax: str
) -> None:
    name = named(operations)
    found = planned(operations, Scheme.mixed("int8", {name[part]: "int16x8" for part in precise}))
    assert (found["MAX_POOL_2D"], found["ADD"], found["SOFTMAX"]) == (pool, add, softmax)


def test_between_layers_that_compute_in_float_all_is_float(operations: Operations) -> None:
    name = named(operations)
    scheme = Scheme.mixed("int8", {name["left"]: "weight_int8", name["last"]: "float16"})
    found = planned(operations, scheme)
    assert (found["MAX_POOL_2D"], found["ADD"], found["SOFTMAX"]) == ("int8", "float32", "float32")
    assert found["FULLY_CONNECTED"] == "float16"


def test_an_unknown_layer_is_named_with_the_nearest(operations: Operations) -> None:
    last = named(operations)["last"]
    with pytest.raises(ConversionError, match=f"no layer '{last}x'; the nearest names are .*'{last}'"):
        operations.precisions(Scheme.mixed("int8", {f"{last}x": "float16"}))


def test_a_layer_gets_the_next_precision_that_it_can_have() -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        words = tf.placeholder(tf.int32, [None, 6], name="words")
        h = tf.reduce_mean(tf.gather(weights(1, 10, 16), words), 1)
        return [words], [tf.matmul(h, weights(2, 16, 5))]

    operations = Operations(read_model(convert(make_graph(build, ["words"], ["y"]))))
    assert [layer.operator for layer in operations.layers] == ["GATHER", "FULLY_CONNECTED"]
    assert planned(operations, Scheme("weight_int4"))["GATHER"] == "float32"
    assert planned(operations, Scheme("int16x8"))["GATHER"] == "int16x8"
    assert planned(operations, Scheme("float16"))["GATHER"] == "float32"
