"""What checks of the data look at, and what they say."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mobile_export.data_checks.readings import Reading
from mobile_export.data_checks.traces import Factor, Range
from mobile_export.graphs.tensors import Array
from mobile_export.metrics import Metric, Statistics
from mobile_export.samples import Samples
from mobile_export.target import Preprocessing

STORE = "store the samples so"
"""The advice where the target is not to blame."""

_SMALL = 16
"""Values of a sample."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Issue:
    """What one check found: a sentence with numbers, and what to change."""

    severity: Severity
    message: str


@dataclass(frozen=True)
class Finding:
    """An issue, and the name of the check that found it, by which a target may accept it."""

    check: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.check})"


@dataclass(frozen=True)
class ModelInput:
    """A public input.

    Attributes:
        place: the target's key of its preprocessing, for people.
        preprocessing: what happens to raw values already.
    """

    name: str
    dtype: str
    place: str
    preprocessing: Preprocessing

    def advice(self, reading: Reading) -> str:
        """What to do when samples must be read as `reading` does; integers are never preprocessed."""
        return reading.advice(self.preprocessing, self.place) if self.dtype.startswith("float") else STORE


@dataclass(frozen=True)
class SampleSet:
    """Calibration or evaluation data.

    Attributes:
        key: the target's, which messages name.
        count: of all samples.
        samples: some of them, spread over all, as the reference graph takes them; without labels.
        digests: of all samples, as far as they were hashed.
        labels: of `samples`.
        answers: of the reference to `samples`, at the output that is scored, otherwise at the first.
    """

    key: str
    count: int
    samples: Samples
    digests: tuple[bytes, ...]
    labels: Array | None
    answers: Array

    @property
    def is_still(self) -> bool:
        """Whether all samples are the same."""
        return len(self.digests) > 1 and len(set(self.digests)) == 1

    @property
    def is_small(self) -> bool:
        """Whether samples have so few values that the same one comes again by chance."""
        size: int = sum(array[0].size for array in self.samples.values())
        return size <= _SMALL


@dataclass(frozen=True)
class NormFit:
    """How far the data of one set is from what a batch norm saw in training.

    Attributes:
        key: of the set.
        input: whose data is read in other ways in `others`.
        distance: of the data as it is, in the measure of `Norm.distance`.
        others: distances of other readings.
    """

    key: str
    input: ModelInput
    norm: str
    distance: float
    others: tuple[tuple[Reading, float], ...] = ()


@dataclass(frozen=True)
class Retrial:
    """Scores of the reference on the same samples, as they are and read in another way.

    Attributes:
        certainty: the highest confidence with which the other reading is better.
    """

    input: ModelInput
    reading: Reading
    given: float
    score: float
    certainty: float
    samples: int


@dataclass(frozen=True)
class Scored:
    """How the reference does on evaluation data.

    Attributes:
        name: of the metric.
        expected: what the target says that the model scored in training.
        statistics: of all evaluation samples.
    """

    metric: Metric
    name: str
    expected: float | None
    labels_key: str
    statistics: Statistics
    retrials: tuple[Retrial, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Everything that was gathered about the data of one target; None and empty where there is no such thing."""

    inputs: tuple[ModelInput, ...]
    calibration: SampleSet | None = None
    evaluation: SampleSet | None = None
    fits: tuple[NormFit, ...] = ()
    steps: tuple[Range | Factor, ...] = ()
    scored: Scored | None = None

    @property
    def sets(self) -> tuple[SampleSet, ...]:
        """Those that there are."""
        return tuple(each for each in (self.calibration, self.evaluation) if each is not None)

    def input(self, name: str) -> ModelInput:
        """The input of that public name."""
        return next(each for each in self.inputs if each.name == name)


def is_image(array: Array) -> bool:
    """Whether samples look like images: height, width, and the channels of grey, colour or colour with opacity."""
    return array.ndim == 4 and array.shape[3] in (1, 3, 4) and min(array.shape[1:3]) >= 8


def spaced(count: int, most: int) -> NDArray[np.int64]:
    """The numbers of at most `most` of `count` samples, far from each other: many files are sorted by class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
