"""What nodes that go wait for reaches what stays: once each, and not without an end."""

import time

import pytest

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.waits import Waits


def test_what_is_collected() -> None:
    waits = Waits("t")
    waits.add("free", [], [])
    waits.add("a", ["x"], ["free"])
    waits.add("b", ["y", "z"], ["a"])
    waits.add("c", ["x"], ["free"])
    waits.add("d", [], ["b", "c", "a"])
    assert "d" in waits
    assert "x" not in waits
    assert list(waits) == ["free", "a", "b", "c", "d"]
    assert (waits.any(["free"]), waits.any(["free", "a"])) == (False, True)
    assert waits.collect(["free"]) == waits.collect([]) == []
    assert waits.collect(["d", "a"]) == ["y", "z", "x"]


def test_a_chain_is_kept_in_little_and_collected_from_its_end() -> None:
    started = time.process_time()
    waits = Waits("t")
    waits.add("0", ["n0"], [])
    for i in range(1, 100_000):
        waits.add(str(i), [f"n{i}"], [str(i - 1)])
    assert len(waits.collect(["99999"])) == 100_000
    assert time.process_time() - started < 5


def test_collecting_again_and_again_is_refused() -> None:
    waits = Waits("t")
    waits.add("a", map(str, range(1000)), [])
    for _ in range(499):
        waits.collect(["a"])
    with pytest.raises(ModelError, match="t: what stays would have to wait for more than 500000 nodes"):
        waits.collect(["a"])
