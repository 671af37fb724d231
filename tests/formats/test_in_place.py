"""Constants that TensorFlow writes into are not mapped: its MemmappedEnv would end the process."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.formats.in_place import written_in_place
from mobile_export.formats.memmapped import Package
from mobile_export.graphs.graph import Graph
from tests.graph_text import parse

HEAD = """
x = Placeholder float32[100,100]
c = Const float32[100,100] ~1
"""
TAIL = """
y = Identity(last)
input x = x
output y = y:0
"""
WRITTEN = {
    "added": "last = AddV2(x, c)",
    "multiplied": "last = Mul(c, x)",
    "through a ReLU": "r = Relu(c)\nlast = Add(x, r)",
    "through an Identity": "i = Identity(c)\nlast = Add(x, i)",
    "behind a reshape": "s = Const int32[2]: 100 100\nr = Reshape(c, s)\nlast = Mul(r, x)",
    "read by both": "m = MatMul(x, c)\nlast = Add(m, c)",
}
READ = {
    "weights": "last = MatMul(x, c)",
    "weights behind an Identity": "i = Identity(c)\nlast = MatMul(x, i)",
    "an output": "last = MatMul(x, x)\noutput c = c:0",
}
X = np.random.default_rng(0).normal(size=(100, 100)).astype(np.float32)


def graph_of(body: str) -> Graph:
    return parse(HEAD + body + TAIL)


@pytest.mark.parametrize("body", WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_stays_in_the_graph_and_runs(body: str, tmp_path: Path, memmapped_env: Path) -> None:
    from tests.native.memmapped_env import run

    graph = graph_of(body)
    assert "c" in written_in_place(graph)
    package = Package.of(graph)
    assert not package.regions
    path = tmp_path / "graph.mmpb"
    package.write(path)
    plain = tmp_path / "graph.pb"
    plain.write_bytes(graph.to_graph_def().SerializeToString())
    np.testing.assert_array_equal(
        run(memmapped_env, path, ("x", X), "y").output, run(memmapped_env, plain, ("x", X), "y").output
    )


@pytest.mark.parametrize("body", READ.values(), ids=READ)
def test_what_is_only_read_is_mapped(body: str) -> None:
    graph = graph_of(body)
    assert "c" not in written_in_place(graph)
    assert len(Package.of(graph).regions) == 1


def test_it_would_end_the_process(tmp_path: Path, memmapped_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why all this is: TensorFlow's own reader, on a file as its own converter writes it."""
    from tests.native.memmapped_env import run

    monkeypatch.setattr("mobile_export.formats.memmapped.written_in_place", lambda _: set())
    Package.of(graph_of(WRITTEN["added"])).write(tmp_path / "graph.mmpb")
    with pytest.raises(RuntimeError, match="exit code -11"):
        run(memmapped_env, tmp_path / "graph.mmpb", ("x", X), "y")
