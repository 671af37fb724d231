"""The kernels of TensorFlow Mobile, as a delegate sees them."""

from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.lint.kernels import Kernels
from tests.kernels.graphs import conv_net, half_precision
from tests.lint.models import left


def test_a_graph_that_it_runs(tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(half_precision().SerializeToString())
    coverage = Kernels().survey(tmp_path / "graph.pb")
    assert (coverage.findings, coverage.operators, coverage.note) == ((), 5, "counts kernels")


def test_a_graph_that_is_newer(tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(conv_net().SerializeToString())
    coverage = Kernels().survey(tmp_path / "graph.pb")
    found = left(coverage)
    assert found["norm"] == ("FusedBatchNormV3<T=float32, U=float32>", "there is no kernel for FusedBatchNormV3")
    assert "'explicit_paddings' is unknown there" in found["conv"][1]
    assert len(coverage.findings) == 2 < coverage.operators
    assert "it does not load the file" in coverage.note


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match=r"graph\.pb"):
        Kernels().survey(tmp_path / "graph.pb")
