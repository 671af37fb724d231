"""The samples that are run on devices: some at random, and those of which the reference is least sure.

Kernels that differ move an answer by a little. Where a softmax is sure of itself, that little is rounded away, and a
random draw may see nothing of it; where two classes are close, it shows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export.graphs.tensors import Array, Real
from mobile_export.samples import Samples, load_samples, save_samples
from mobile_export.target import DeviceSettings, Target

_DRAWN = "device_samples.npz"
_SAMPLE, _ANSWER = "samples/", "answers/"


@dataclass(frozen=True)
class Drawn:
    """What is run on devices.

    Attributes:
        rows: which samples they are of those that were drawn from, ascending.
        weights: how many of those each stands for; a score with these weights is an estimate of the score of all.
        samples: as they came, by input.
        answers: what the reference answers to them, in real values, by output.
    """

    rows: Array
    weights: Real
    samples: Samples
    answers: Samples

    def save(self, folder: Path) -> None:
        """Leave it in the work folder."""
        samples = {_SAMPLE + name: array for name, array in self.samples.items()}
        answers = {_ANSWER + name: array for name, array in self.answers.items()}
        save_samples(folder / _DRAWN, {"rows": self.rows, "weights": self.weights, **samples, **answers})


def load_drawn(folder: Path) -> Drawn:
    """What `refer` has left there, of a target of which `is_run_on_devices` is true."""
    stored = load_samples(folder / _DRAWN)
    samples, answers = (
        {name.removeprefix(kind): array for name, array in stored.items() if name.startswith(kind)}
        for kind in (_SAMPLE, _ANSWER)
    )
    return Drawn(stored["rows"], stored["weights"], samples, answers)


def is_run_on_devices(target: Target) -> bool:
    """Whether samples are drawn, since something of the target may be run on a device."""
    return not target.device.skip and bool(target.runs_on or any(artifact.runs_on for artifact in target.artifacts))


def draw(asked: DeviceSettings, count: int, margins: Real | None) -> tuple[Array, Real]:
    """Half by the seed, half those of the smallest margins; all by the seed where there are none.

    Args:
        count: how many there are to draw from.
        margins: how sure the reference is of each; NaN where it gives no number.

    Returns:
        Their places, ascending, and how many samples each of them stands for: the least sure ones for themselves, the
        others for all the rest.
    """
    unsure = np.argsort(margins, kind="stable")[: asked.samples // 2] if margins is not None else np.array([], np.int64)
    order = np.random.default_rng(asked.seed).permutation(count)
    rest = order[~np.isin(order, unsure)]
    others = rest[: asked.samples - len(unsure)]
    weights = np.ones(count)
    weights[others] = len(rest) / max(len(others), 1)
    rows = np.sort(np.concatenate([unsure, others]))
    return rows, weights[rows]


def margins_of(answers: Array) -> Real | None:
    """Between the two highest scores of each sample, where there is one score a class: [samples, classes]."""
    if answers.ndim != 2 or answers.shape[1] < 2 or answers.dtype.kind not in "fV":
        return None
    highest = np.partition(answers.astype(np.float64), -2, axis=1)
    with np.errstate(invalid="ignore"):  # of two that are infinite
        margins: Real = highest[:, -1] - highest[:, -2]
    return margins
