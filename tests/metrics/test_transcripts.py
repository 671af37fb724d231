import sys

import numpy as np
import pytest

from mobile_export.errors import MissingToolError
from mobile_export.metrics.metric import score_of
from mobile_export.metrics.transcripts import CharacterError, WordError

ALPHABET = "abc "


def spelled(*texts: str, classes: str = "abc _") -> np.ndarray:
    """Answers whose best classes spell each text, step by step."""
    return np.eye(len(classes), dtype=np.float32)[[[classes.index(one) for one in text] for text in texts]]


def score(metric: WordError | CharacterError, answers: np.ndarray, labels: np.ndarray) -> float:
    assert metric.problem(labels, answers) is None
    return score_of(metric, metric.statistics(answers, labels))


@pytest.mark.parametrize(
    ("steps", "label", "words", "characters"),
    [
        ("aab_cc", "abc", 0, 0),
        ("a_a_bb", "aab", 0, 0),  # a blank parts what repeats
        ("aaaabb", "aab", 1, 1 / 3),
        ("ab_ c_", "ab c", 0, 0),
        ("ab_ a_", "ab c", 1 / 2, 1 / 4),
        ("ab____", "ab c", 1 / 2, 2 / 4),
        ("______", "ab c", 1, 1),
        ("a b c_", "c", 2, 4),  # errors may exceed the label
        ("b_ a_c", "b ac b", 1 / 3, 2 / 6),
        ("  a  b", "a b", 0, 1 / 3),
    ],
)
def test_ctc(steps: str, label: str, words: float, characters: float) -> None:
    answers, labels = spelled(steps), np.array([label])
    assert score(WordError(alphabet=ALPHABET), answers, labels) == pytest.approx(words)
    assert score(CharacterError(alphabet=ALPHABET), answers, labels) == pytest.approx(characters)


def test_edits_of_all_samples_over_the_length_of_all() -> None:
    answers, labels = spelled("abc___", "a_____"), np.array(["abb", "c"])
    assert score(CharacterError(alphabet=ALPHABET), answers, labels) == pytest.approx(2 / 4)


def test_class_numbers_as_labels() -> None:
    answers, labels = spelled("a_b_cc", "a_ _bb"), np.array([[0, 1, 2, -1], [0, 3, 2, -1]])
    for alphabet, words in ((ALPHABET, 1 / 3), ("", 1 / 6)):  # without one, each class is a word
        assert score(WordError(alphabet=alphabet), answers, labels) == pytest.approx(words)
        assert score(CharacterError(alphabet=alphabet), answers, labels) == pytest.approx(1 / 6)


def test_texts_of_digits_alone_come_as_numbers() -> None:
    """Out of a table: `12` is a number there, and the model spells it 1, 2."""
    answers = spelled("1_2", "7__", classes="127_")
    for metric in (WordError(alphabet="127"), CharacterError(alphabet="127")):
        assert score(metric, answers, np.array([12, 7])) == 0
    assert score(CharacterError(alphabet="127"), answers, np.array([12, 1])) == pytest.approx(1 / 3)
    assert score(CharacterError(alphabet="127"), answers, np.array([[0, 1], [2, -1]])) == 0  # of two, they are classes


def test_blanks_in_labels_are_padding() -> None:
    assert score(CharacterError(), spelled("a_b_cc"), np.array([[0, 1, 2, 4, 4]])) == 0


def test_the_blank_may_be_any_class() -> None:
    answers = spelled("__a_bb", classes="_ab")
    for blank in (0, -3):
        assert score(CharacterError(blank=blank, alphabet="ab"), answers, np.array(["ab"])) == 0


def test_argmax_takes_every_step() -> None:
    answers = spelled("aab", classes="abc ")
    assert score(CharacterError(decode="argmax", alphabet=ALPHABET), answers, np.array(["aab"])) == 0
    padded = spelled("aab__")
    assert score(CharacterError(decode="argmax", blank=-1, alphabet=ALPHABET), padded, np.array(["aab"])) == 0


def test_classes_may_be_spelled_by_more_than_a_character() -> None:
    answers = spelled("ab_", classes="ab_")
    assert score(WordError(alphabet=("yes ", "no")), answers, np.array(["yes no"])) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_says_nothing_right(value: float) -> None:
    answers = spelled("abc_", "abc_")
    answers[1, 3, 0] = value
    assert score(CharacterError(alphabet=ALPHABET), answers, np.array(["abc", "abc"])) == 0.5


def test_without_the_package_that_measures_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(MissingToolError, match=r"rapidfuzz is not installed; run: pip install"):
        score(CharacterError(), spelled("a_"), np.array([[0]]))


def test_blind() -> None:
    assert WordError().blind(np.array(["a"])) == 1.0


TEXT = np.array(["ab", "c"])


@pytest.mark.parametrize(
    ("labels", "shape", "parameters", "said"),
    [
        (TEXT, (2, 5), {}, "need an output of shape [samples, steps, classes], and it is [2, 5]"),
        (TEXT, (2, 9, 5), {}, "are text; give the metric the alphabet in which the model answers"),
        (
            TEXT,
            (2, 9, 6),
            {"alphabet": ALPHABET},
            "are spelled with an alphabet of 4; the model has 5 classes without the blank",
        ),
        (
            TEXT,
            (2, 9, 5),
            {"alphabet": ALPHABET, "decode": "argmax"},
            "are spelled with an alphabet of 4; the model has 5 classes",
        ),
        (
            TEXT,
            (2, 9, 5),
            {"alphabet": ALPHABET, "blank": 5},
            "are compared without the blank 5, and the model has the classes 0 to 4",
        ),
        (np.array(["", " "]), (2, 9, 5), {"alphabet": ALPHABET}, "are all empty"),
        (TEXT.reshape(1, 2), (1, 9, 5), {"alphabet": ALPHABET}, "have shape [1, 2]; one text a sample is expected"),
        (np.full((2, 3), -1), (2, 9, 5), {}, "are all empty"),
        (
            np.array([[0, 5]]),
            (1, 9, 5),
            {},
            "lie between 0 and 5; the model has the classes 0 to 4, and -1 is padding",
        ),
        (
            np.array([0.5, 1.0]),
            (2, 9, 5),
            {"alphabet": ALPHABET},
            "are float64; a text a sample is expected, so store texts that look like numbers in an .npz",
        ),
        (
            np.array([0.0, 1.0]),
            (2, 9, 5),
            {},
            "are float64 of shape [2]; a text a sample is expected, or class numbers of shape [samples, length], "
            "padded with -1",
        ),
    ],
)
def test_wrong_labels(labels: np.ndarray, shape: tuple[int, ...], parameters: dict, said: str) -> None:
    assert WordError(**parameters).problem(labels, np.zeros(shape)) == said
