"""Softmax in integers, also where no class is likely."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats import QUANTIZABLE, Request
from mobile_export.runner import run_samples
from mobile_export.session import Session
from tests.formats.tf_graphs import make_graph, samples_for, weights


@pytest.mark.parametrize("form", ["onnx", "ort"])
@pytest.mark.parametrize(("classes", "sharpness"), [(4, 0.1), (10, 0.2), (10, 3.0), (50, 1.0)])
def test_unlikely_classes_are_not_lost(classes: int, sharpness: float, form: str, tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 24], "input")
        h = tf.nn.relu(tf.matmul(x, weights(0, 24, 32)))
        return [x], [tf.nn.softmax(tf.matmul(h, weights(1, 32, classes)) * sharpness, name="output")]

    graph = make_graph(build, ["features"], ["shares"])
    samples = samples_for(graph, 64)
    path = tmp_path / f"file{QUANTIZABLE[form].suffix}"
    QUANTIZABLE[form].write(graph, [Request("a", path, "int8")], samples)
    with Session(graph) as session:
        expected = run_samples(session, samples)["shares"]
    found = run_samples(QUANTIZABLE[form].open(path), samples)["shares"]
    assert np.abs(found - expected).max() < 0.02 + 0.05 * expected.max()
    assert found.max() > 0.8 * expected.max()
