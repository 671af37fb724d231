"""What counts towards the size of a network, and where it is too large."""

import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import FunctionDef, NodeDef
from mobile_export.transforms.calls import MOST_INPUTS, MOST_NODES
from mobile_export.transforms.growth import Size, inlined_sizes, refuse_oversized


def function(name: str, *called: str) -> FunctionDef:
    """One argument, passed through a Relu, and through the functions `called`."""
    made = FunctionDef()
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=1)
    made.node_def.add(name="relu", op="Relu", input=["a"])
    for index, other in enumerate(called):
        made.node_def.add(name=f"call{index}", op="PartitionedCall", input=["a"]).attr["f"].func.name = other
    return made


def test_calls_count_with_all_that_they_bring() -> None:
    functions = {f.signature.name: f for f in (function("h", "g", "g"), function("g", "f"), function("f"))}
    assert inlined_sizes(functions) == {"f": (1, 1), "g": (3, 3), "h": (9, 9)}


def test_counting_stops_above_the_limits() -> None:
    functions = {f"f{k}": function(f"f{k}", f"f{k + 1}", f"f{k + 1}") for k in range(2000)}
    assert inlined_sizes({**functions, "f2000": function("f2000")})["f0"] == (MOST_NODES + 1, MOST_INPUTS + 1)


@pytest.mark.parametrize(("over", "said"), [((1, 0), "100000 nodes"), ((0, 1), "500000 inputs of nodes")])
def test_one_too_many(over: tuple[int, int], said: str) -> None:
    most = Size(MOST_NODES, MOST_INPUTS)
    assert Size.of([NodeDef(input=["a", "^b"]), NodeDef()]) == (2, 2)
    refuse_oversized(most, Size(0, 0))
    with pytest.raises(ModelError, match=f"more than {said}"):
        refuse_oversized(most, Size(*over))
