"""Switches of training, by their names."""

import pytest

from mobile_export.network.cones import training_switches
from tests.sources.training import graph_of, tf, tf1


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *[
            (name, True)
            for name in "is_training istraining training train phase phase_train keras_learning_phase_1".split()
        ],
        *[(name, True) for name in "model/is_training Placeholder/training_mode tower_train is_train_2".split()],
        *[(name, False) for name in "constrain trained strain is_training/x retrain training_images".split()],
    ],
)
def test_training_switches(name: str, is_one: bool) -> None:
    graph = graph_of(lambda: (tf1.placeholder(tf.bool, [], name), tf1.placeholder(tf.float32, [], "is_train")))
    assert training_switches(graph) == [name] * is_one
