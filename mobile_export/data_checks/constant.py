"""Samples that hold something."""

from collections.abc import Iterator

import numpy as np

from mobile_export.data_checks.evidence import Evidence, Issue, SampleSet, is_image
from mobile_export.graphs.tensors import Real, real_rows

BLANK, MOSTLY_BLANK = 0.1, 0.5
"""Share of samples without any content that is suspicious, and that is wrong."""
_COLOURS = 3


def constant(evidence: Evidence) -> Iterator[Issue]:
    """Blank samples, samples that are all the same, and images without one of their colours."""
    for data in evidence.sets:
        if data.is_still:
            yield Issue("error", f"{data.key}: all {data.count} samples are the same; bring different ones")
            continue
        yield from _blank(data)
        for name, array in data.samples.items():
            if is_image(array) and array.shape[3] == _COLOURS:
                yield from _colourless(data.key, name, np.ptp(real_rows(array).reshape(-1, _COLOURS), axis=0))


def _blank(data: SampleSet) -> Iterator[Issue]:
    """A sample is blank where every input of more than one value has the same value everywhere."""
    spreads = [np.ptp(real_rows(array), axis=1) for array in data.samples.values() if array[0].size > 1]
    share = float((np.max(spreads, axis=0) == 0).mean()) if spreads else 0.0
    if share >= BLANK:
        yield Issue(
            "error" if share >= MOSTLY_BLANK else "warning",
            f"{data.key}: {share:.0%} of the samples have the same value everywhere; remove them, or look at how they "
            "are read",
        )


def _colourless(key: str, name: str, spread: Real) -> Iterator[Issue]:
    still = np.flatnonzero(spread == 0)
    if 0 < still.size < _COLOURS:
        yield Issue(
            "warning",
            f"{key}: channel {still[0]} of {name!r} has the same value in every image; look at how images are read",
        )
