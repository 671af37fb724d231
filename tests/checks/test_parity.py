"""Parity: every measure at its limit, and files that answer nonsense, which no precision lets through."""

import numpy as np
import pytest

from mobile_export.checks import Evidence, Measurement
from mobile_export.checks.parity import DEFAULTS, RANKED, parity
from mobile_export.formats import FORMATS
from mobile_export.target import Limits


def compare(reference, answers, precision: str = "int8", **limits: float) -> dict[str, Measurement]:
    if not isinstance(reference, dict):
        reference, answers = {"y": reference}, {"y": answers}
    evidence = Evidence(precision, reference, answers, None, size=1, zipped_size=1, frozen_size=1)
    return {m.name: m for m in parity(evidence, Limits(**limits))}


def failed(found: dict[str, Measurement]) -> set[str]:
    return {name for name, measurement in found.items() if not measurement.passed}


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def with_noise(answers: np.ndarray, sqnr: float) -> np.ndarray:
    """`answers`, and noise that lies `sqnr` dB below their spread over samples."""
    drawn = np.random.default_rng(1).normal(size=answers.shape)
    drawn *= np.sqrt(answers.var(axis=0).mean() / np.square(drawn).mean())
    return answers + drawn * 10 ** (-sqnr / 20)


def int8(answers: np.ndarray) -> np.ndarray:
    """As an int8 edge holds them, its range that of the answers."""
    step = np.ptp(answers) / 255
    return answers.min() + np.rint((answers - answers.min()) / step) * step


RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(64, 10))
PROBABILITIES = softmax(4 * LOGITS)
CLASSES = RNG.integers(0, 10, 64)
EVERY_PRECISION = pytest.mark.parametrize("precision", DEFAULTS)

# Answers small enough to work every measure out by hand.
REFERENCE = np.array([[0.0, 4.0], [2.0, 0.0], [4.0, 1.0]])
ANSWERS = np.array([[0.0, 4.0], [2.0, 0.0], [4.0, 5.0]])


@pytest.mark.parametrize(
    ("measure", "value", "missed"),
    [
        ("max_abs", 4.0, 3.99),
        ("max_rel", 1.0, 0.99),
        ("cosine", 41 / np.sqrt(37 * 61), 0.864),
        ("sqnr", 10 * np.log10((8 + 26 / 3) / 16), 0.18),
        # deviations -2 7/3 -5/3 2 -2/3 (0 is not notable) and -2 1 -3 2 2: ranks 1 5 2 4 3 and 2 3 1 4.5 4.5
        ("rank_agreement", 5.5 / np.sqrt(10 * 9.5), 0.57),
        ("top1_agreement", 2 / 3, 0.67),
    ],
)
def test_measure_passes_at_its_value_and_fails_beyond(measure: str, value: float, missed: float) -> None:
    found = compare(REFERENCE, ANSWERS)[measure]
    assert found.value == pytest.approx(value, rel=1e-12)
    assert compare(REFERENCE, ANSWERS, **{measure: found.value})[measure].passed
    assert not compare(REFERENCE, ANSWERS, **{measure: missed})[measure].passed


@pytest.mark.parametrize(
    ("precision", "answers", "missed"),
    [
        ("float32", LOGITS + 0.99e-4 * np.abs(LOGITS).max(), set()),
        ("float32", LOGITS + 1.01e-4 * np.abs(LOGITS).max(), {"max_rel"}),
        ("float32", with_noise(LOGITS, 59), {"max_rel", "sqnr"}),
        ("float16", with_noise(LOGITS, 30.1), set()),
        ("float16", with_noise(LOGITS, 29.9), {"sqnr"}),
        ("float16", with_noise(LOGITS, 15), {"sqnr", "rank_agreement"}),
        ("dynamic", with_noise(LOGITS, 10.1), set()),
        ("dynamic", with_noise(LOGITS, 9.9), {"sqnr"}),
        ("dynamic", with_noise(LOGITS, 5), {"sqnr", "rank_agreement"}),
        ("int8", with_noise(LOGITS, 10.1), set()),
        ("int8", with_noise(LOGITS, 9.9), {"sqnr"}),
        ("int8", with_noise(LOGITS, 5), {"sqnr", "rank_agreement"}),
    ],
)
def test_default_limits(precision: str, answers: np.ndarray, missed: set[str]) -> None:
    assert failed(compare(LOGITS, answers, precision)) == missed


def test_every_precision_that_can_be_built_has_default_limits() -> None:
    assert {precision for unit in FORMATS.values() for precision in unit.precisions} <= set(DEFAULTS)


@EVERY_PRECISION
@pytest.mark.parametrize(
    ("reference", "constant"),
    [
        (LOGITS, LOGITS.mean(axis=0)),
        (LOGITS, LOGITS[0]),
        (LOGITS, 0.0),
        (PROBABILITIES, PROBABILITIES.mean(axis=0)),
        (PROBABILITIES, 0.1),
        (5 + 1e-5 * LOGITS, 5 + 1e-5 * LOGITS.mean(axis=0)),  # within 1e-5 of every answer
        (np.where(np.arange(64) == 7, 1.0, 0.0)[:, None], 0.0),  # right on all samples but one
        (CLASSES, CLASSES[0]),
        (CLASSES[:, None], round(CLASSES.mean())),
    ],
)
def test_a_constant_answer_fails(precision: str, reference: np.ndarray, constant) -> None:
    answers = np.broadcast_to(constant, reference.shape).astype(reference.dtype)
    assert "sqnr" in failed(compare(reference, answers, precision))


@EVERY_PRECISION
@pytest.mark.parametrize(
    "answers",
    [
        np.full_like(LOGITS, np.nan),
        np.full_like(LOGITS, np.inf),
        np.where(np.arange(640).reshape(64, 10) == 600, np.nan, LOGITS),
        np.where(np.arange(640).reshape(64, 10) == 600, np.inf, LOGITS),
        np.where(np.arange(640).reshape(64, 10) == 600, -np.inf, LOGITS),
        LOGITS[:, :9],
        LOGITS[:63],
        LOGITS[::-1],
        -LOGITS,
        LOGITS[:, np.roll(np.arange(10), 1)],
    ],
    ids=["nan", "inf", "a nan", "an inf", "a -inf", "narrow", "short", "reversed", "negated", "columns moved"],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # inf - inf
def test_a_wrong_answer_fails(precision: str, answers: np.ndarray) -> None:
    assert "sqnr" in failed(compare(LOGITS, answers, precision))


@EVERY_PRECISION
@pytest.mark.parametrize("reference", [np.full((8, 10), 0.1), np.zeros((8, 10)), np.full(8, 3)])
def test_a_reference_that_does_not_move_cannot_be_judged(precision: str, reference: np.ndarray) -> None:
    sqnr = compare(reference, reference, precision)["sqnr"]
    assert not sqnr.passed
    assert sqnr.note == "the model answers the same to every sample; bring [data] evaluation or calibration"


def test_one_sample_does_not_show_how_answers_differ() -> None:
    sqnr = compare(LOGITS[:1], LOGITS[:1])["sqnr"]
    assert not sqnr.passed
    assert sqnr.note == "one sample does not show how answers differ; bring more in [data] evaluation or calibration"
    assert compare(LOGITS[:2], LOGITS[:2])["sqnr"].passed


@EVERY_PRECISION
def test_a_missing_output_fails(precision: str) -> None:
    sqnr = compare({"y": LOGITS, "z": LOGITS}, {"y": LOGITS}, precision)["sqnr"]
    assert (sqnr.passed, sqnr.note) == (False, "output 'z' is missing")


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good")])
def test_the_worst_of_several_outputs_counts(order: tuple[str, str]) -> None:
    answers = {"good": REFERENCE, "bad": ANSWERS}
    found = compare(dict.fromkeys(order, REFERENCE), {name: answers[name] for name in order})
    alone = compare(REFERENCE, ANSWERS)
    assert {name: m.value for name, m in found.items()} == {name: m.value for name, m in alone.items()}


def test_one_output_that_cannot_be_judged_fails_all() -> None:
    assert "sqnr" in failed(compare({"y": LOGITS, "z": LOGITS * 0}, {"y": LOGITS, "z": LOGITS * 0}))


@EVERY_PRECISION
@pytest.mark.parametrize(
    "reference",
    [
        CLASSES,
        CLASSES.astype(np.int32)[:, None],
        np.uint8(20 * np.abs(LOGITS)),
        LOGITS > 0,
        LOGITS.reshape(64, 5, 2, 1),
        5 + 1e-4 * LOGITS,
    ],
)
def test_equal_answers_pass_whatever_their_type_and_rank(precision: str, reference: np.ndarray) -> None:
    assert failed(compare(reference, reference.copy(), precision)) == set()


@pytest.mark.parametrize("shape", [(64,), (64, 1)])
@pytest.mark.parametrize(
    ("wrong", "agreement", "missed"), [(1, 63 / 64, set()), (32, 32 / 64, {"sqnr", "rank_agreement"})]
)
def test_class_numbers(shape: tuple[int, ...], wrong: int, agreement: float, missed: set[str]) -> None:
    answers = CLASSES.copy()
    answers[:wrong] = (answers[:wrong] + 5) % 10
    found = compare(CLASSES.reshape(shape), answers.reshape(shape))
    assert failed(found) == missed
    assert found["top1_agreement"].value == agreement


def test_only_outputs_that_choose_a_class_have_a_top_class() -> None:
    boxes, value = LOGITS.reshape(64, 5, 2), LOGITS[:, :1]
    assert "top1_agreement" not in compare({"boxes": boxes, "value": value}, {"boxes": boxes, "value": value})
    both = compare({"boxes": boxes, "scores": LOGITS}, {"boxes": -boxes, "scores": LOGITS})
    assert both["top1_agreement"].value == 1
    assert failed(compare(boxes, boxes, top1_agreement=0.5)) == {"top1_agreement"}


def test_rounding_of_answers_that_hardly_move_is_no_noise() -> None:
    reference = 1 + 1e-5 * LOGITS
    assert failed(compare(reference, reference + 5e-7 * np.sign(LOGITS), "float32")) == set()
    assert failed(compare(reference, reference + 5e-6 * np.sign(LOGITS), "float32")) == {"sqnr"}


def test_random_samples_are_said_to_be_random() -> None:
    evidence = Evidence("int8", {"y": LOGITS}, {"y": -LOGITS}, None, 1, 1, 1, drawn=True)
    (sqnr,) = [m for m in parity(evidence, Limits()) if m.name == "sqnr"]
    assert not sqnr.passed
    assert "random samples" in sqnr.note


def test_a_count_that_stays_the_same_beside_outputs_that_move_is_judged_by_its_magnitude() -> None:
    count = np.full((64, 1), 10.0)
    assert failed(compare({"y": LOGITS, "count": count}, {"y": LOGITS, "count": count}, "float32")) == set()
    wrong = compare({"y": LOGITS, "count": count}, {"y": LOGITS, "count": count + 1}, "float32")
    assert {"sqnr", "max_rel"} <= failed(wrong)
    assert "sqnr" in failed(compare({"count": count}, {"count": count}))
    saturated = compare({"y": LOGITS, "score": count / 10}, {"y": LOGITS, "score": count / 10})["sqnr"]
    assert not saturated.passed
    assert "to every sample in 'score';" in saturated.note


def image_net(samples: int = 128) -> np.ndarray:
    """Probabilities of 1,000 classes, the right one at 0.86 in the mean."""
    rng = np.random.default_rng(0)
    scores = 2 * rng.normal(size=(samples, 1000))
    scores[np.arange(samples), rng.integers(0, 1000, samples)] += 12
    return softmax(scores)


@pytest.mark.parametrize(
    ("precision", "reference", "answers"),
    [
        ("float32", LOGITS, LOGITS * (1 + 1e-6 * RNG.normal(size=LOGITS.shape))),
        ("float32", PROBABILITIES, PROBABILITIES.astype(np.float32)),
        ("float16", LOGITS, LOGITS.astype(np.float16)),
        ("float16", PROBABILITIES, softmax(4 * with_noise(LOGITS, 50)).astype(np.float16)),
        ("float16", image_net(), image_net().astype(np.float16)),
        ("dynamic", LOGITS, with_noise(LOGITS, 25)),
        ("int8", LOGITS, int8(LOGITS)),
        ("int8", LOGITS, int8(with_noise(LOGITS, 20))),
        ("int8", PROBABILITIES, int8(PROBABILITIES)),
        ("int8", PROBABILITIES, int8(softmax(4 * with_noise(LOGITS, 25)))),
        ("int8", softmax(100 * LOGITS), int8(softmax(100 * with_noise(LOGITS, 25)))),  # all but one-hot
        ("int8", PROBABILITIES[:, :1], int8(PROBABILITIES[:, :1])),
        ("int8", image_net(), int8(image_net())),
    ],
)
def test_a_sound_file_passes(precision: str, reference: np.ndarray, answers: np.ndarray) -> None:
    assert failed(compare(reference, answers, precision)) == set()


def test_ranks_of_many_values_are_taken_over_all_columns() -> None:
    reference = np.random.default_rng(0).normal(size=(RANKED * 3 // 4, 2))
    answers = np.stack([reference[:, 0], reference[::-1, 1]], axis=1)
    assert compare(reference, answers)["rank_agreement"].value == pytest.approx(0.5, abs=0.1)


def test_an_answer_of_another_shape_fails() -> None:
    reference = RNG.normal(size=(8, 5, 1))
    assert failed(compare(reference, reference.reshape(8, 1, 5), "float32"))


def test_imaginary_parts_count() -> None:
    reference = RNG.normal(size=(8, 5)) + 1j * RNG.normal(size=(8, 5))
    assert not failed(compare(reference, reference.copy(), "float32"))
    assert failed(compare(reference, reference.real + 99j, "float32"))
