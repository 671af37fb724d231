"""A metric of the user's own, whose code changes where a target's folder does not show it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export.session import import_tensorflow
from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e

TARGET = """
name = "scored"
[model]
source = "scored.pb"
inputs = [{ name = "x", tensor = "x:0", shape = [1, 4] }]
outputs = [{ name = "y", tensor = "y:0" }]
[data]
accept = ["blind"]
evaluation = { source = "samples.npz", metric = "score:good", labels = "label" }
[[artifacts]]
name = "graph"
format = "graphdef"
limits.accuracy = 0.5
"""
SCORE = "import mylib\n\ndef good(answers, labels):\n    return mylib.value(len(answers))\n"
GOOD = "import numpy as np\n\ndef value(count):\n    return np.ones(count)\n"
BAD = GOOD.replace("ones", "zeros")


def write_project(folder: Path) -> None:
    tf = import_tensorflow()
    rng = np.random.default_rng(1)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        tf.nn.softmax(tf.matmul(x, rng.standard_normal((4, 3)).astype(np.float32)), name="y")
    (folder / "scored.pb").write_bytes(graph.as_graph_def().SerializeToString())
    samples = {"x": rng.standard_normal((64, 4)).astype(np.float32), "label": rng.integers(0, 3, 64)}
    np.savez(folder / "samples.npz", **samples)
    (folder / "score.py").write_text(SCORE)
    (folder / "lib").mkdir()
    (folder / "lib/mylib.py").write_text(GOOD)
    (folder / "scored.toml").write_text(TARGET)


def build(folder: Path, path: str = "lib") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mobile_export", "build", "scored.toml"],
        cwd=folder,
        env=os.environ
        | {"MOBILE_EXPORT_CACHE": str(folder / "cache"), "PYTHONPATH": os.pathsep.join([path, str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def is_current(done: subprocess.CompletedProcess[str]) -> bool:
    return (done.returncode, done.stdout) == (0, "scored: current in out/scored (1 artifact)\n")


def test_a_library_of_the_metric_changes(tmp_path: Path) -> None:
    write_project(tmp_path)
    first = build(tmp_path)
    assert first.returncode == 0, first.stderr
    again = build(tmp_path)
    assert is_current(again)
    assert not again.stderr

    (tmp_path / "lib/mylib.py").write_text(BAD)
    refused = build(tmp_path)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "graph missed a limit" in refused.stderr

    (tmp_path / "lib/mylib.py").write_text(GOOD)
    assert is_current(build(tmp_path))
    (tmp_path / "mylib.py").write_text(BAD)  # beside the target, and so before the one on Python's path
    assert build(tmp_path).returncode == 1


def test_a_library_that_cannot_be_followed(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "score.py").write_text(f"import sys\n\nsys.path.append({str(tmp_path / 'more')!r})\n{SCORE}")
    (tmp_path / "lib").rename(tmp_path / "more")
    first = build(tmp_path)
    assert first.returncode == 0, first.stderr
    (tmp_path / "more/mylib.py").write_text(BAD)
    assert build(tmp_path).returncode == 1
