"""What a file is fed when it is measured: one batch, in the values and element types that it takes itself."""

from collections.abc import Sequence

from mobile_export.data.preprocess import Recipes, preprocess, real
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge, batches
from mobile_export.samples import Samples


def feeds(inputs: Sequence[Edge], samples: Samples, recipes: Recipes) -> dict[str, Array]:
    """The first batch of raw `samples`, preprocessed by `recipes`; one sample where the batch is dynamic."""
    _, _, batch = next(batches(inputs, samples, most=1))
    return {edge.name: edge.quantize(_ready(edge, batch[edge.name], recipes)) for edge in inputs}


def _ready(edge: Edge, raw: Array, recipes: Recipes) -> Array:
    return preprocess(raw, recipes[edge.name], real(edge).dtype) if edge.name in recipes else raw
