"""A case is counted once it held, and as what it is."""

from collections import Counter

import pytest

from mobile_export.errors import TargetError
from tests.graph_text import parse
from tests.graph_transform_tool import harness
from tests.graph_transform_tool.harness import agree, same_answers

CONV = """
x = Placeholder float32[6,2]
w = Const float32[2,3] ~1
c = MatMul(x, w)
s = Const float32[3] ~2
y = Mul(c, s)
input x = x:0
output y = y:0
"""


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    monkeypatch.setattr(harness, "TALLY", counted)
    return counted


def test_a_case_that_fails_is_not_counted(tally: Counter[tuple[str, str]]) -> None:
    square = CONV.replace("[6,2]", "[6,3]").replace("[2,3]", "[3,3]").replace("w)", "w) transpose_b=true")
    for hold in (agree, same_answers):
        with pytest.raises(AssertionError):
            hold(parse(square), "fold_batch_norms")
    with pytest.raises(TargetError):
        agree(parse(CONV), "remove_nodes(op=MatMul, max_inputs=none)")
    assert not tally


def test_kinds(tally: Counter[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    graph = parse(CONV)
    agree(graph, "fold_batch_norms")
    agree(graph, "fold_batch_norms", normal=lambda graph: graph)
    agree(graph, "fold_batch_norms", ignored_attributes=["T"])
    same_answers(graph, "fold_batch_norms")
    rounded = harness.ours(graph, "fold_batch_norms")
    rounded.constants["w"] = rounded.constants["w"] * (1 + 1e-6)
    rounded.constants["w"] = rounded.constants["w"].astype("float32")
    monkeypatch.setattr(harness, "ours", lambda *_: rounded)
    agree(graph, "fold_batch_norms")
    with pytest.raises(AssertionError):
        agree(graph, "fold_batch_norms", tolerance=0)
    kinds = {"exact": 1, "exact up to rounding": 1, "exact in normal form": 1, "equal in meaning": 2}
    assert tally == {("fold_batch_norms", kind): count for kind, count in kinds.items()}
