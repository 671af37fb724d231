"""In which element types a file's weights are stored, whatever it is called."""

from pathlib import Path
from typing import Any

import pytest

from mobile_export.formats import QUANTIZABLE, Request
from tests.formats.tf_graphs import make_graph, samples_for, weights

SIZE = 3 * 3 * 8 * 32


def build(tf: Any) -> tuple[list[Any], list[Any]]:
    x = tf.placeholder(tf.float32, [None, 8, 8, 8], "input")
    return [x], [tf.nn.relu(tf.nn.conv2d(x, weights(0, 3, 3, 8, 32), 1, "SAME"), name="output")]


TYPES = {"float32": "float32", "float16": "float16", "weight_int8": "int8", "int8": "int8", "weight_int4": "int4"}


@pytest.mark.parametrize(
    ("name", "precision"),
    [(name, precision) for name, unit in QUANTIZABLE.items() for precision in TYPES if precision in unit.precisions],
)
def test_types(name: str, precision: str, tmp_path: Path) -> None:
    unit = QUANTIZABLE[name]
    graph = make_graph(build, ["image"], ["features"])
    path = tmp_path / f"file{unit.suffix}"
    unit.write(graph, [Request("a", path, precision, allow_float_operators=True)], samples_for(graph))
    stored = unit.stored(path)
    assert stored[TYPES[precision]] >= SIZE
    assert sum(stored.values()) < SIZE + 200
