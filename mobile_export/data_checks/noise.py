"""Samples that were drawn by a random generator."""

import math
from collections.abc import Iterator

import numpy as np

from mobile_export.data_checks.evidence import Evidence, Issue, is_image
from mobile_export.graphs.tensors import Array, Real, real_rows

WHITE = 0.05
"""Correlation of neighbours that no picture has: photographs have 0.9, drawings 0.7, textures 0.3."""
FITTED = 0.01
"""Distance of the distribution from a uniform or normal one, beyond what chance explains, that no real data has."""
_CHANCE = 1.95
"""Of Kolmogorov and Smirnov's distance times the root of the count: what chance exceeds once in a thousand times."""
_ENOUGH = 1000
"""Values without which nothing can be told."""
_SAMPLES = 16
"""Without which nothing can be told of columns."""
_CHANCED = 1.5
"""Squared correlation of columns, times samples, of which 1 is what chance makes."""
_LOOKED_AT = 1 << 21
"""Values whose neighbours are looked at."""
_MOST = 100_000
"""Values whose distribution is looked at."""
_DISTINCT = 64
"""Different integers below which they are categories, which may well be equally common."""
_SHADES = 16
"""Different values below which images are plans or boards, whose neighbours need not be alike."""


def noise(evidence: Evidence) -> Iterator[Issue]:
    """White images, and other samples that are white and of a generator's distribution."""
    for data in evidence.sets:
        for name, array in data.samples.items():
            if array.dtype.kind not in "fiu" or array.size < _ENOUGH or array[0].size < 2 or not _is_white(array):
                continue
            kind = _distribution(array)
            drawn = f"{kind} random numbers" if kind else "random numbers"
            if kind or (is_image(array) and np.unique(array[:_SAMPLES]).size > _SHADES):
                yield Issue(
                    "error" if kind and is_image(array) else "warning",
                    f"{data.key}: {name!r} looks like {drawn}: values beside each other have nothing to do with each "
                    "other; bring samples like those that the app will feed, for on noise ranges are measured that the "
                    "model never sees",
                )


def _is_white(array: Array) -> bool:
    """Whether values beside each other are uncorrelated along every axis of a sample, and those far apart, too."""
    values = np.asarray(array[: max(_SAMPLES, _LOOKED_AT // array[0].size)], np.float64)
    values = values - values.mean(axis=(1, 2) if is_image(array) else None, keepdims=True)  # one is darker than another
    axes = (1, 2) if is_image(array) else range(1, values.ndim)
    chance = 4 / math.sqrt(values.size)
    if any(abs(_correlation(values, axis)) > max(WHITE, chance) for axis in axes if values.shape[axis] > 1):
        return False
    return is_image(array) or _are_independent(real_rows(array))


def _correlation(values: Real, axis: int) -> float:
    """Of neighbours along `axis`, around 0."""
    along = np.moveaxis(values, axis, 0)
    first, second = along[:-1], along[1:]
    spread = math.sqrt(float(np.square(first).mean() * np.square(second).mean()))
    return float((first * second).mean()) / spread if spread else 1.0


def _are_independent(rows: Real) -> bool:
    """Whether columns are as uncorrelated over samples as independent ones: their squared correlation is 1/samples."""
    columns = rows[:, np.unique(np.linspace(0, rows.shape[1] - 1, min(rows.shape[1], 256)).astype(int))]
    spread: Real = columns.std(axis=0)
    if len(columns) < _SAMPLES or not (spread > 0).all():
        return False
    standard = (columns - columns.mean(axis=0)) / spread
    correlations = np.square(standard.T @ standard / len(standard))
    np.fill_diagonal(correlations, 0)
    pairs = correlations.size - len(correlations)
    return bool(correlations.sum() / pairs * len(columns) < _CHANCED)


def _distribution(array: Array) -> str | None:
    """The random generator's distribution that values follow; None where they follow neither."""
    values = real_rows(array).reshape(-1)
    values = np.sort(values[:: max(1, values.size // _MOST)])
    if array.dtype.kind in "iu":
        low, high = float(values[0]), float(values[-1]) + 1
        if np.unique(values).size < _DISTINCT:
            return None
        values = values + 0.5  # the middle of what an integer stands for
    else:
        low, high = float(values[0]), float(values[-1])
    uniform = (values - low) / (high - low)
    if _fits(uniform, 1 / (high - low) if array.dtype.kind in "iu" else 0.0):
        return "uniform"
    standard = (values - values.mean()) / values.std()
    normal = np.array([math.erf(v / math.sqrt(2)) for v in standard[:: max(1, standard.size // 10_000)]]) / 2 + 0.5
    return "normal" if _fits(normal, 0.0) else None


def _fits(expected: Real, step: float) -> bool:
    """Whether sorted values of a cumulative distribution lie where as many draws from it would."""
    found = (np.arange(expected.size) + 0.5) / expected.size
    return float(np.abs(found - expected).max()) < max(FITTED, _CHANCE / math.sqrt(expected.size)) + step
