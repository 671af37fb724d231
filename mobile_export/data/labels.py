"""Labels that a file holds as text."""

import math
import re
from collections.abc import Sequence

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_REAL = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
"""Numbers as they are written; 007 is none, so that codes and plates stay text, and -0 is no whole one."""
_LONGEST = 4096
"""Characters of a label."""


class TextLabels:
    """What labels are, once all were seen: whole numbers, real numbers, names of classes, or text.

    Whole numbers are taken as they are; names become their places in the list of classes if all of them are in it.

    Args:
        numbers: whether texts may stand for numbers.
    """

    def __init__(self, classes: Sequence[str] | None, numbers: bool = True) -> None:
        self._classes = {name: number for number, name in enumerate(classes or ())}
        self._whole = self._real = numbers
        self._known = bool(self._classes)
        self._width = 1
        self._empty: str | None = None

    def see(self, label: str, where: str) -> None:
        """Take note of a label.

        Args:
            where: its file and its place there, for errors.

        Raises:
            ModelError: it is longer than a label may be.
        """
        if len(label) > _LONGEST:
            raise ModelError(f"{where}: the label has {len(label)} characters, and at most {_LONGEST} are read")
        self._width = max(self._width, len(label))
        if not label:
            self._empty = self._empty or where
            return
        self._whole = self._whole and _WHOLE.fullmatch(label) is not None
        self._real = self._real and _REAL.fullmatch(label) is not None and math.isfinite(float(label))
        self._known = self._known and label in self._classes

    def decide(self) -> None:
        """All were seen.

        Raises:
            ModelError: one is missing among numbers or classes; among texts it is an empty text.
        """
        if self._empty is not None and (self._whole or self._real or self._known):
            raise ModelError(f"{self._empty}: has no label; add it, or leave the sample out")

    def read(self, labels: Sequence[str]) -> Array:
        """An array of the same type for all that were seen."""
        if self._whole:
            return np.array([int(label) for label in labels], np.int64)
        if self._real:
            return np.array([float(label) for label in labels], np.float64)
        if self._known:
            return np.array([self._classes[label] for label in labels], np.int64)
        return np.array(labels, f"<U{self._width}")
