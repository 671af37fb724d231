"""Word and character error rates of what a recognizer spells out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from mobile_export.errors import MissingToolError
from mobile_export.graphs.tensors import Array, Real
from mobile_export.metrics.metric import STRICT, Statistics, finite_samples, ratio


@dataclass(frozen=True, config=STRICT)
class _Transcripts(ABC):
    """Insertions, deletions and substitutions that make answers of labels, over the labels' length; may exceed 1.

    The highest-scored class of each step is taken. With `decode = "ctc"`, classes that repeat are one, and the
    `blank` says nothing; with `"argmax"`, every step counts unless it is the blank. `alphabet` has the character (or,
    as a list, the text) of each class in order, without the blank.

    Attributes:
        blank: a class; counted from the end if negative. Default: with ctc the last, with argmax there is none.
        alphabet: needed where labels are text; where they are class numbers, those are compared if there is none.
    """

    decode: Literal["ctc", "argmax"] = "ctc"
    blank: int | None = None
    alphabet: str | tuple[str, ...] = ""

    higher_is_better = False
    bounds = (0.0, np.inf)
    is_mean = False

    @abstractmethod
    def _units(self, text: str) -> Sequence[Hashable]:
        """What is counted in a text."""

    def problem(self, labels: Array, answers: Array) -> str | None:
        if answers.ndim != 3:
            return f"need an output of shape [samples, steps, classes], and it is {list(answers.shape)}"
        classes = answers.shape[2]
        if not -classes <= (self.blank or 0) < classes:
            return f"are compared without the blank {self.blank}, and the model has the classes 0 to {classes - 1}"
        spelled = classes - (self._blank(classes) is not None)
        if self.alphabet and len(self.alphabet) != spelled:
            blank = " without the blank" if spelled < classes else ""
            return f"are spelled with an alphabet of {len(self.alphabet)}; the model has {spelled} classes{blank}"
        if self._are_texts(labels):
            return self._text_problem(labels)
        if self.alphabet and labels.dtype.kind == "f":
            return f"are {labels.dtype}; a text a sample is expected, so store texts that look like numbers in an .npz"
        if labels.dtype.kind not in "iu" or labels.ndim != 2:
            return (
                f"are {labels.dtype} of shape {list(labels.shape)}; a text a sample is expected, "
                "or class numbers of shape [samples, length], padded with -1"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < -1 or high >= classes:
            return f"lie between {low} and {high}; the model has the classes 0 to {classes - 1}, and -1 is padding"
        return "are all empty" if high < 0 else None

    def _are_texts(self, labels: Array) -> bool:
        """Whether a label is a text; those of digits alone come as numbers out of tables."""
        return labels.dtype.kind == "U" or (bool(self.alphabet) and labels.dtype.kind in "iu" and labels.ndim == 1)

    def _text_problem(self, labels: Array) -> str | None:
        if labels.size != len(labels):
            return f"have shape {list(labels.shape)}; one text a sample is expected"
        if not self.alphabet:
            return "are text; give the metric the alphabet in which the model answers"
        return None if any(str(text).strip() for text in labels.reshape(-1)) else "are all empty"

    def _blank(self, classes: int) -> int | None:
        if self.blank is None:
            return classes - 1 if self.decode == "ctc" else None
        return self.blank % classes

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Edits, and the label's length; an answer that is not finite says nothing right."""
        distance, texts = _edit_distance(), self._are_texts(labels)
        blank = self._blank(answers.shape[2])
        classes = [number for number in range(answers.shape[2]) if number != blank]
        spelling = dict(zip(classes, self.alphabet, strict=True)) if self.alphabet else {}

        def read(numbers: NDArray[np.int64]) -> Sequence[Hashable]:
            said = [int(number) for number in numbers if number >= 0 and number != blank]
            return self._units("".join(spelling[number] for number in said)) if spelling else said

        rows = []
        for answer, label, finite in zip(answers.argmax(axis=2), labels, finite_samples(answers), strict=True):
            true = self._units(str(label.reshape(-1)[0])) if texts else read(label)
            if self.decode == "ctc":
                answer = answer[np.insert(np.diff(answer) != 0, 0, True)]
            rows.append((distance(read(answer), true) if finite else max(len(true), 1), len(true)))
        return np.array(rows, np.float64)

    def score(self, statistics: Statistics, weights: Real) -> Real:
        edits, length = (weights @ statistics).T
        return ratio(edits, length)

    def blind(self, labels: Array) -> float | None:
        """1, that of always answering nothing."""
        return 1.0


@dataclass(frozen=True, config=STRICT)
class WordError(_Transcripts):
    """Edits of words, which white space parts; without an alphabet, each class is a word."""

    def _units(self, text: str) -> Sequence[Hashable]:
        return text.split()


@dataclass(frozen=True, config=STRICT)
class CharacterError(_Transcripts):
    """Edits of characters, spaces among them."""

    def _units(self, text: str) -> Sequence[Hashable]:
        return text


def _edit_distance() -> Callable[[Sequence[Hashable], Sequence[Hashable]], int]:
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        raise MissingToolError('rapidfuzz is not installed; run: pip install "mobile-export[convert]"') from None
    return Levenshtein.distance
