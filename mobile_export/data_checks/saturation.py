"""Bytes for a network that takes small numbers."""

from collections.abc import Iterator

import numpy as np

from mobile_export.data_checks.evidence import Evidence, Issue
from mobile_export.graphs.tensors import real_rows

CERTAINTY = 1 - 1e-6
"""Probability that sound networks give a class in less than 6 % of samples, and those that are fed values a hundred
times too large in 40 to 96 %."""
MOST = 0.4
"""Share of samples with such an answer that is suspicious."""
_BYTE = 255


def saturation(evidence: Evidence) -> Iterator[Issue]:
    """Whole numbers up to 255 on which many answers are certain; where neither labels nor batch norms know better."""
    data = evidence.calibration
    if data is None or evidence.scored is not None or evidence.fits or data.answers.ndim < 2:
        return
    answers = real_rows(data.answers)
    chooses = answers.min() >= 0 and bool(np.allclose(answers.sum(axis=1), 1, atol=1e-3))
    share = float((answers.max(axis=1) > CERTAINTY).mean())
    if not chooses or share < MOST:
        return
    for each in evidence.inputs:
        values = data.samples[each.name]
        if values.dtype.kind == "f" and values.max() > _BYTE / 2 and bool((values == np.rint(values)).all()):
            yield Issue(
                "warning",
                f"{data.key}: {each.name!r} holds whole numbers up to {values.max():.0f}, and the reference is quite "
                f"certain of its answer to {share:.0%} of the samples: it may take smaller values; if training divided "
                f"by 255, set scale = {1 / _BYTE:.9g} in {each.place}, and bring data.evaluation with labels",
            )
