"""Layers that answer 0 to all calibration samples, as real networks have some: their scale must not break a kernel."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats import QUANTIZABLE, Request
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import run_samples
from mobile_export.session import Session
from tests.formats.tf_graphs import make_graph, samples_for, weights


def build(tf: Any) -> tuple[list[Any], list[Any]]:
    x = tf.placeholder(tf.float32, [None, 8, 8, 16], "input")
    h = tf.nn.relu(tf.nn.conv2d(x, weights(0, 3, 3, 16, 16), 1, "SAME"))
    dead = tf.nn.relu(tf.nn.conv2d(h, weights(1, 3, 3, 16, 16), 1, "SAME") - 1000.0)
    after = tf.nn.relu(tf.nn.conv2d(dead, weights(2, 3, 3, 16, 16), 1, "SAME"))
    return [x], [tf.reduce_mean(h + after, [1, 2], name="output")]


@pytest.mark.parametrize("ranges", ["minmax", "percentile"])
@pytest.mark.parametrize(
    ("name", "precision"), [(name, p) for name, unit in QUANTIZABLE.items() for p in unit.calibrated]
)
def test_they_load_and_answer(name: str, precision: str, ranges: str, tmp_path: Path) -> None:
    graph = make_graph(build, ["image"], ["features"])
    samples = samples_for(graph, 16)
    path = tmp_path / f"file{QUANTIZABLE[name].suffix}"
    scheme = Scheme(precision, ranges=ranges)
    request = Request("dead", path, precision, allow_float_operators=True, scheme=scheme)
    QUANTIZABLE[name].write(graph, [request], samples)
    with Session(graph) as session:
        expected = run_samples(session, samples)["features"]
    found = run_samples(QUANTIZABLE[name].open(path), samples)["features"]
    assert np.square(found - expected).mean() < 0.01 * np.square(expected - expected.mean(0)).mean()
