"""What holds for every metric, and how a target's choice becomes one."""

import tracemalloc

import numpy as np
import pytest

from mobile_export.errors import TargetError
from mobile_export.metrics import METRIC_PARAMETERS, METRICS, Metric, make_metric
from mobile_export.metrics.interval import estimate_drop, estimate_score, needed_samples
from mobile_export.metrics.metric import best, score_of, worst
from mobile_export.target import MetricChoice

RNG = np.random.default_rng(0)
CLASSES = np.arange(60) % 4
SCORES = (np.eye(4)[CLASSES] + RNG.random((60, 4))).astype(np.float32)
MAPS = RNG.integers(0, 4, (60, 3, 3))
VALUES = RNG.normal(size=(60, 3))
SPOKEN = np.stack([CLASSES, CLASSES[::-1]], axis=1)
# Of each metric: parameters, answers that are partly right, and labels.
CASES = {
    "top1": ({}, SCORES, CLASSES),
    "top_k": ({"k": 2}, SCORES, CLASSES),
    "auc": ({"positive": 2}, SCORES, CLASSES),
    "precision": ({"average": "macro"}, SCORES, CLASSES),
    "recall": ({"average": "macro"}, SCORES, CLASSES),
    "f1": ({"average": "macro"}, SCORES, CLASSES),
    "mae": ({}, VALUES + 0.1, VALUES),
    "mse": ({}, VALUES + 0.1, VALUES),
    "r2": ({}, VALUES + 0.1, VALUES),
    "cosine": ({}, VALUES + 0.1, VALUES),
    "mean_iou": ({}, np.eye(4)[MAPS] + RNG.random((60, 3, 3, 4)), MAPS),
    "word_error": ({}, np.eye(5)[SPOKEN] + RNG.random((60, 2, 5)), SPOKEN),
    "character_error": ({}, np.eye(5)[SPOKEN] + RNG.random((60, 2, 5)), SPOKEN),
}


@pytest.fixture(params=METRICS)
def case(request: pytest.FixtureRequest) -> tuple[Metric, np.ndarray, np.ndarray]:
    parameters, answers, labels = CASES[request.param]
    return make_metric(MetricChoice(request.param, parameters)), answers, labels


def better(metric: Metric, one: float, other: float) -> bool:
    return one > other if metric.higher_is_better else one < other


def test_batches_change_nothing(case) -> None:
    metric, answers, labels = case
    assert metric.problem(labels, answers[:7]) is None
    whole = metric.statistics(answers, labels)
    parts = [metric.statistics(answers[start : start + 7], labels[start : start + 7]) for start in range(0, 60, 7)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.dtype == np.float64
    assert np.allclose(metric.score(whole, np.array([np.ones(60), np.full(60, 0.3)])), score_of(metric, whole))


def test_shuffled_labels_score_worse_and_about_as_the_blind(case) -> None:
    metric, answers, labels = case
    score = score_of(metric, metric.statistics(answers, labels))
    shuffled = score_of(metric, metric.statistics(answers, np.random.default_rng(1).permutation(labels)))
    blind = metric.blind(labels)
    assert better(metric, score, shuffled)
    assert better(metric, score, blind)
    assert not better(metric, shuffled, blind + (0.3 if metric.higher_is_better else -0.3))


def test_answers_that_are_not_finite_score_worst(case) -> None:
    metric, answers, labels = case
    score = score_of(metric, metric.statistics(np.full_like(answers, np.nan), labels))
    nothing_read = np.isinf(worst(metric)) and np.isfinite(score)  # a transcript of nothing
    assert score == (1.0 if nothing_read else worst(metric))
    assert better(metric, best(metric), score)


def judged(case: tuple[Metric, np.ndarray, np.ndarray], rows: slice) -> str | None:
    """Do all that is done with samples; says what was wrong with the labels, if anything was."""
    metric, answers, labels = case[0], case[1][rows], case[2][rows]
    problem = metric.problem(labels, answers)
    if problem is None:
        metric.blind(labels)
        best_and_worst = [metric.statistics(given, labels) for given in (answers, np.full_like(answers, np.nan))]
        for statistics in best_and_worst:
            estimate_score(metric, statistics).interval()
            estimate_drop(metric, best_and_worst[0], statistics).certainty(0.02)
        needed_samples(metric, best_and_worst[0], best_and_worst[0], 0.02, 0.95)
    return problem


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_samples_are_scored_or_refused(case, count: int) -> None:
    """Without a warning, which would be an error here."""
    refused = [judged(case, slice(start, start + count)) for start in range(4)]
    assert all(each is None or "are needed" in each or "the same in all" in each for each in refused)
    assert count == 1 or None in refused


LARGE = np.broadcast_to(np.random.default_rng(0).random(1000).astype(np.float32), (100_000, 1000))  # 400 MB, if held
LARGE_MAPS = np.broadcast_to(MAPS[0].repeat(16, 0).repeat(16, 1).astype(np.uint8), (20_000, 48, 48))  # as int64 370 MB
LARGE_TEXTS = np.broadcast_to(np.arange(1000) % 4, (100_000, 1000))  # 800 MB


@pytest.mark.parametrize(
    ("name", "labels", "answers"),
    [
        *((name, LARGE, LARGE[:8]) for name in ("mae", "mse", "r2", "cosine")),
        ("mean_iou", LARGE_MAPS, np.zeros((8, 48, 48, 4))),
        *((name, LARGE_TEXTS, np.zeros((8, 9, 5))) for name in ("word_error", "character_error")),
    ],
)
def test_labels_are_never_held_as_a_whole(name: str, labels: np.ndarray, answers: np.ndarray) -> None:
    metric = METRICS[name]()
    tracemalloc.start()
    if metric.problem(labels, answers) is None:
        metric.blind(labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 110e6


def test_parameters() -> None:
    assert METRIC_PARAMETERS["top1"] == ()
    assert METRIC_PARAMETERS["top_k"] == ("k",)
    assert METRIC_PARAMETERS["word_error"] == ("decode", "blank", "alphabet")


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("top_k", {"k": 0}, "top_k: k: input should be greater than or equal to 1 (it is 0)"),
        ("top_k", {"k": "5"}, "top_k: k: input should be a valid integer (it is '5')"),
        ("top_k", {"k": True}, "top_k: k: input should be a valid integer (it is True)"),
        ("f1", {"average": "mean"}, "f1: average: input should be 'binary', 'macro' or 'micro' (it is 'mean')"),
        ("auc", {"positive": -1}, "auc: positive: input should be greater than or equal to 0 (it is -1)"),
        ("word_error", {"decode": "beam"}, "word_error: decode: input should be 'ctc' or 'argmax' (it is 'beam')"),
        ("mae", {"k": 1}, "mae: k: unexpected keyword argument (it is 1)"),
    ],
)
def test_wrong_parameters(name: str, parameters: dict, said: str) -> None:
    with pytest.raises(TargetError) as raised:
        make_metric(MetricChoice(name, parameters))
    assert str(raised.value) == said
