"""Which files stand beside which, and that both sides are of the same model."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import artifacts
from benchmarks.artifacts import ANONYMOUS, FILES, LARGE, LATENCY, MAPPED, OFFICIAL, OURS, PLAIN, Bench, name
from mobile_export.formats import FORMATS, Request
from mobile_export.samples import save_samples
from mobile_export.timing import File
from tests.graph_text import parse

GRAPH = """
x = Placeholder float32[1,8]
w = Const float32[8,8] ~{seed}
y = MatMul(x, w) transpose_a=false transpose_b=false
input x = x:0
output y = y:0
"""


def bench(folder: Path, seeds: dict[str, int]) -> Bench:
    """Graph files by name, whose weights are the same where their seeds are."""
    samples = folder / "samples.npz"
    save_samples(samples, {"x": np.ones((1, 8), np.float32)})
    files = {which: File("graphdef", folder / f"{index}.pb") for index, which in enumerate(seeds)}
    for which, seed in seeds.items():
        FORMATS["graphdef"].write(parse(GRAPH.format(seed=seed)), [Request("a", files[which].path)], None)
    return Bench("model", files, samples)


def test_two_models_are_not_compared(tmp_path: Path) -> None:
    ours, theirs = (name("tflite", "float32", side) for side in (OURS, OFFICIAL))
    artifacts.refuse_different_models(bench(tmp_path, {ours: 1, theirs: 1}))
    with pytest.raises(SystemExit, match=r"model: tflite float32 official answers otherwise"):
        artifacts.refuse_different_models(bench(tmp_path, {ours: 1, theirs: 2}))


@pytest.mark.parametrize(("size", "marked"), [(LARGE + 1, True), (10, False)])
def test_a_row_has_ours_first_and_a_mark_where_the_figure_is_steady(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, marked: bool
) -> None:
    (tmp_path / "file").touch()
    with (tmp_path / "file").open("r+b") as file:
        file.truncate(size)  # sparse
    pairs = {name(f, p, side): File(f, tmp_path / "file") for f, p in FILES for side in (OURS, OFFICIAL)}
    alone = (name(MAPPED, "float32", OFFICIAL), name(PLAIN, "float32", OFFICIAL))
    files = {which: file for which, file in pairs.items() if which not in alone}
    figures = {which: [2.0 if OURS in which else 1.0] for which in files} | {name(MAPPED, "float32", OURS): [0.5]}
    monkeypatch.setattr(
        artifacts, "latencies", lambda *_: [(f"{LATENCY}1", "s", figures), (f"{LATENCY}2", "s", figures)]
    )
    monkeypatch.setattr(artifacts, "footprints", lambda *_: [(ANONYMOUS, "B", figures)])
    rows = artifacts.measured(Bench("model", files, tmp_path), runs=1)
    assert {row.ratio for row in rows if row.group == "model" and row.what.endswith("1")} == {2.0}
    mapped = [row for row in rows if row.group == "model, memory-mapped"]
    assert [row.ratio for row in mapped] == [0.25, 0.25, 0.25, 1.0]
    assert [row.met for row in mapped] == [None, None, True if marked else None, None]
    assert {row.what for row in rows if row.met is False} == {
        f"{form} {precision}: {LATENCY}1" for form, precision in FILES if form not in (MAPPED, PLAIN)
    }
