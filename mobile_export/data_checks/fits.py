"""How data fits what the first batch norms saw in training."""

from collections.abc import Iterator, Sequence

import numpy as np

from mobile_export.data_checks.evidence import ModelInput, NormFit, SampleSet, spaced
from mobile_export.data_checks.readings import Reading, possible_readings
from mobile_export.data_checks.traces import Norm, first_norms
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.runner import batches
from mobile_export.samples import Samples
from mobile_export.session import Session

NORMED = 64
"""Samples that are run up to the first batch norms."""
FITTING, UNFIT = 0.3, 0.5
"""Distances from what a batch norm saw in training: that of sound data is below the first, and beyond the second other
readings are tried. Sound data of four networks (digits, small photographs, spoken words) lay at 0.01 to 0.25, even with
8 samples; data that was shifted, scaled or random at 0.55 and more."""
_MOST = 4
"""Batch norms that are looked at."""
_VALUES = 1 << 22
"""Values of inputs that are run at once, and samples, at most."""
_BATCH = 16


def norm_fits(
    session: Session, graph: Graph, inputs: Sequence[ModelInput], sets: Sequence[SampleSet]
) -> Iterator[NormFit]:
    """How each set fits each norm; for each input that reaches it, how other readings of that would."""
    for norm in first_norms(graph)[:_MOST]:
        behind = graph.reachable([norm.tensor])
        reaching = [each for each, spec in zip(inputs, graph.inputs, strict=True) if node_name(spec.tensor) in behind]
        for data in sets:
            samples = {name: array[spaced(len(array), NORMED)] for name, array in data.samples.items()}
            distance = _distance(session, graph, samples, norm)
            for each in reaching:
                others = _others(session, graph, samples, norm, each) if distance > UNFIT else []
                yield NormFit(data.key, each, norm.name, distance, tuple(others))


def _others(
    session: Session, graph: Graph, samples: Samples, norm: Norm, each: ModelInput
) -> Iterator[tuple[Reading, float]]:
    for reading in possible_readings(samples[each.name]):
        read = {**samples, each.name: reading.apply(samples[each.name])}
        try:
            yield reading, _distance(session, graph, read, norm)
        except ModelError:  # it was certainly not meant so
            continue


def _distance(session: Session, graph: Graph, samples: Samples, norm: Norm) -> float:
    size = max(array[0].size for array in samples.values())
    values = squares = np.zeros(len(norm.mean))
    seen = 0
    for wanted, whole, batch in batches(session.inputs, samples, max(1, min(_BATCH, _VALUES // size))):
        (reached,) = session.evaluate([norm.tensor], {spec.tensor: batch[spec.name] for spec in graph.inputs})
        rows = reached[:wanted] if len(reached) == whole else reached
        flat = np.moveaxis(rows, norm.axis, -1).reshape(-1, len(norm.mean))
        values = values + flat.sum(axis=0, dtype=np.float64)
        squares = squares + np.einsum("ij,ij->j", flat, flat, dtype=np.float64)
        seen += len(flat)
    return norm.distance(values / seen, squares / seen)
