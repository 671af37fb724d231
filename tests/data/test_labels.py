"""What texts become, once all of them were seen."""

from typing import Any

import numpy as np
import pytest

from mobile_export.data.labels import TextLabels
from mobile_export.errors import ModelError


def decided(*labels: str, classes: tuple[str, ...] | None = None, numbers: bool = True) -> np.ndarray:
    found = TextLabels(classes, numbers)
    for place, label in enumerate(labels):
        found.see(label, f"line {place}")
    found.decide()
    return found.read(labels)


@pytest.mark.parametrize(
    ("labels", "dtype", "values"),
    [
        (["0", "-7", "12"], np.int64, [0, -7, 12]),
        (["0", "-7.5", "1e3"], np.float64, [0, -7.5, 1000]),
        (["-0", "12"], np.float64, [0, 12]),
        (["007", "12"], "<U3", ["007", "12"]),
        (["1", "1e999"], "<U5", ["1", "1e999"]),
        (["1234567890123456789", "2"], np.float64, [1234567890123456789.0, 2]),
        (["dog", "cat"], np.int64, [1, 0]),
        (["dog", "cow"], "<U3", ["dog", "cow"]),
        (["", "a"], "<U1", ["", "a"]),
    ],
)
def test_the_narrowest_type_that_holds_all(labels: list[str], dtype: Any, values: list[Any]) -> None:
    found = decided(*labels, classes=("cat", "dog"))
    assert (found.dtype, found.tolist()) == (dtype, values)


def test_numbers_may_be_names_of_classes() -> None:
    assert decided("7", "3", classes=("3", "7")).tolist() == [7, 3]
    assert decided("7", "3", classes=("3", "7"), numbers=False).tolist() == [1, 0]
    assert decided("7", "3", numbers=False).tolist() == ["7", "3"]


def test_a_part_has_the_type_of_all() -> None:
    labels = TextLabels(None)
    for label in ("1", "2.5", "3"):
        labels.see(label, "here")
    labels.decide()
    assert labels.read(["1"]).dtype == np.float64


@pytest.mark.parametrize("labels", [["1", ""], ["", "0.5"], ["cat", "", ""]])
def test_a_missing_label(labels: list[str]) -> None:
    with pytest.raises(ModelError, match=rf"line {labels.index('')}: has no label; add it, or leave the sample out"):
        decided(*labels, classes=("cat",))


def test_a_long_label() -> None:
    with pytest.raises(ModelError, match="line 0: the label has 5000 characters, and at most 4096 are read"):
        decided("a" * 5000)
