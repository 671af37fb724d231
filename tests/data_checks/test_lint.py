"""Whole lints: of a small network that was trained on real images, and of data that is wrong in one way."""

import time
from pathlib import Path

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.target import Preprocessing
from tests.data_checks.evidence import colour_judge, digits, linted, pictures, said, trained_digits

CALIBRATION, EVALUATION = digits("calibration")["image"], digits("evaluation")["image"]
LABELS = digits("evaluation")["label"]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return trained_digits()


@pytest.fixture(scope="module")
def judge() -> Graph:
    return colour_judge()


def test_sound_data_is_quiet(tmp_path: Path, graph: Graph) -> None:
    assert linted(tmp_path, graph, CALIBRATION, EVALUATION, LABELS, expected=0.95) == []


def test_sound_raw_data_is_quiet(tmp_path: Path, graph: Graph) -> None:
    raw = [np.rint(images * 255).astype(np.uint8) for images in (CALIBRATION, EVALUATION)]
    assert linted(tmp_path, graph, *raw, LABELS, preprocessing=Preprocessing(scale=1 / 255)) == []


def test_folded_preprocessing_is_done_here(tmp_path: Path, graph: Graph) -> None:
    raw = np.rint(CALIBRATION * 255).astype(np.uint8)
    assert linted(tmp_path, graph, raw, preprocessing=Preprocessing(scale=1 / 255, fold=True)) == []


@pytest.mark.parametrize("count", [32, 200])
def test_sound_calibration_alone_is_quiet(tmp_path: Path, graph: Graph, count: int) -> None:
    assert linted(tmp_path, graph, CALIBRATION[:count]) == []


def test_it_costs_little(tmp_path: Path, graph: Graph) -> None:
    begun = time.process_time()
    linted(tmp_path, graph, CALIBRATION, EVALUATION, LABELS)
    assert time.process_time() - begun < 10  # about 0.5 s; on a busy machine the clock of the process runs, too


def test_normalized_twice(tmp_path: Path, graph: Graph) -> None:
    how = Preprocessing(scale=1 / 255)
    findings = linted(tmp_path, graph, CALIBRATION, EVALUATION, LABELS, preprocessing=how)
    assert said(findings) == {("normalization", "error"), ("misread", "error")}
    assert all("after × 255; remove scale from model.inputs[0].preprocessing" in f.message for f in findings)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda x: x * 255, "after ÷ 255; store the samples so, or set scale = 0.00392156863 in"),
        (lambda x: x * 2 - 1, "after (x + 1) ÷ 2; store the samples so, or set scale = 0.5, mean = -0.5 in"),
    ],
)
def test_not_normalized_as_in_training(tmp_path: Path, fused: bool, change, advice: str) -> None:
    (finding,) = linted(tmp_path, trained_digits(fused), change(CALIBRATION))
    assert (finding.check, finding.severity) == ("normalization", "error")
    assert advice in finding.message


def test_only_the_file_is_wrong(tmp_path: Path, graph: Graph) -> None:
    findings = linted(tmp_path, graph, CALIBRATION / 255, EVALUATION, LABELS)
    (finding,) = (finding for finding in findings if finding.check == "normalization")
    assert finding.message.startswith("data.calibration: ")
    assert finding.message.endswith("after × 255; store the samples so")
    assert ("likeness", "error") in said(findings)


def test_a_graph_that_divides_is_fed_bytes(tmp_path: Path) -> None:
    graph = trained_digits(bytes_inside=True)
    assert linted(tmp_path, graph, CALIBRATION * 255, EVALUATION * 255, LABELS) == []
    (tmp_path / "twice").mkdir()
    findings = linted(tmp_path / "twice", graph, CALIBRATION)
    assert said(findings) == {("normalization", "error"), ("ranges", "error")}


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, shape: rng.random(shape),
        lambda rng, shape: rng.standard_normal(shape),
        lambda rng, shape: rng.integers(0, 256, shape),
        lambda rng, shape: rng.integers(0, 256, shape) / 255,
        lambda rng, shape: rng.uniform(-1, 1, shape),
    ],
)
def test_random_calibration(tmp_path: Path, graph: Graph, draw) -> None:
    drawn = draw(np.random.default_rng(0), CALIBRATION.shape).astype(np.float32)
    (finding,) = (f for f in linted(tmp_path, graph, drawn) if f.check == "noise")
    assert finding.severity == "error"
    assert "random numbers" in finding.message


def test_shuffled_labels(tmp_path: Path, graph: Graph) -> None:
    shuffled = np.random.default_rng(0).permutation(LABELS)
    assert said(linted(tmp_path, graph, CALIBRATION, EVALUATION, shuffled)) == {("blind", "error")}


def test_shuffled_samples(tmp_path: Path, graph: Graph) -> None:
    shuffled = np.random.default_rng(1).permutation(EVALUATION)
    assert said(linted(tmp_path, graph, CALIBRATION, shuffled, LABELS)) == {("blind", "error")}


def test_labels_that_count_from_one(tmp_path: Path, graph: Graph) -> None:
    below_nine = LABELS < 9
    findings = linted(tmp_path, graph, CALIBRATION, EVALUATION[below_nine], LABELS[below_nine] + 1)
    assert said(findings) == {("labels", "error")}
    assert "far better with -1 on each" in findings[0].message


def test_swapped_channels(tmp_path: Path, judge: Graph) -> None:
    images = pictures(300)
    labels = images.mean((1, 2)).argmax(axis=1)
    assert linted(tmp_path, judge, images[:100], images[100:], labels[100:]) == []
    (tmp_path / "bgr").mkdir()
    findings = linted(tmp_path / "bgr", judge, images[:100], images[100:, ..., ::-1], labels[100:])
    (finding,) = (finding for finding in findings if finding.check == "misread")
    assert finding.severity == "error"
    assert 'after reversing its channels; store the samples so, or set channel_order = "bgr" in' in finding.message


def test_channels_swapped_by_the_target(tmp_path: Path, judge: Graph) -> None:
    images = pictures(200)
    labels = images.mean((1, 2)).argmax(axis=1)
    how = Preprocessing(channel_order="bgr")
    (finding,) = linted(tmp_path, judge, None, images, labels, preprocessing=how)
    assert "remove channel_order from model.inputs[0].preprocessing" in finding.message


def test_an_expected_score(tmp_path: Path, graph: Graph) -> None:
    worse = trained_digits()
    worse.constants = {
        name: value * (np.random.default_rng(0).random(value.shape) < 0.3) if value.shape == (588, 10) else value
        for name, value in graph.constants.items()
    }
    findings = linted(tmp_path, worse, CALIBRATION, EVALUATION, LABELS, expected=0.95)
    assert ("expected", "error") in said(findings)


def test_what_is_accepted_is_not_said(tmp_path: Path, graph: Graph) -> None:
    accept = ("normalization", "misread")
    assert linted(tmp_path, graph, CALIBRATION * 255, EVALUATION * 255, LABELS, accept=accept) == []


def test_no_data_no_findings(tmp_path: Path, graph: Graph) -> None:
    assert linted(tmp_path, graph) == []


def test_findings_name_their_check(tmp_path: Path, graph: Graph) -> None:
    (finding,) = linted(tmp_path, graph, CALIBRATION[:8])
    assert str(finding).endswith("(amount)")


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_samples(count: int, tmp_path: Path, judge: Graph) -> None:
    images = pictures(count)
    labels = images.mean((1, 2)).argmax(axis=1)
    findings = linted(tmp_path, judge, images, pictures(count, seed=1), labels, expected=0.5)
    assert ("amount", "error") in said(findings)
    assert said(findings) <= {("amount", "error"), ("classes", "warning"), ("constant", "error")}
