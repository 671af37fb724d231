"""Lists of transforms: what is refused before the first one runs."""

import re

import pytest

from mobile_export.errors import TargetError
from mobile_export.graph_transform_tool.run import transform
from mobile_export.transform_string import parse_calls
from tests.graph_text import parse

GRAPH = """
x = Placeholder float32[2]
y = Relu(x)
"""


@pytest.mark.parametrize("name", ["y:a", "y::1", "y:", "^y:9", "gone:a", ""])
@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_names_that_no_tensor_has(name: str, kind: str) -> None:
    named = {"inputs": ["x"], "outputs": ["y"]} | {kind: [name]}
    with pytest.raises(TargetError, match=f"^{kind}: {re.escape(repr(name))} names no tensor; write NODE"):
        transform(parse(GRAPH), **named, calls=parse_calls("remove_device"))


def test_tensors_and_inputs_that_are_not_there_are_taken() -> None:
    done = transform(parse(GRAPH), ["x:0", "gone"], ["y:0"], parse_calls("remove_device"))
    assert [spec.tensor for spec in (*done.graph.inputs, *done.graph.outputs)] == ["x:0", "y:0"]
