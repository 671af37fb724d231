"""Weights in eight bits."""

from mobile_export.graph_transform_tool.stored_constants import min_first, store_constants
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.weights import float_constants
from mobile_export.graphs.graph import Graph


def quantize_weights(graph: Graph, parameters: Parameters) -> Graph:
    """Store constants of at least `minimum_size` elements in eight bits:

        w = Const  =>  w = Dequantize(w_quantized_const, w_quantized_min, w_quantized_max)

    Constants with values that eight bits cannot hold, infinity or NaN, stay.
    """
    fewest = parameters.integer("minimum_size", 1024)
    if fewest < 0:
        raise parameters.error(f"minimum_size: {fewest} is no number of elements; write 0 or more, such as 1024")
    quantized = {name: min_first(array) for name, array in float_constants(graph, fewest).items()}
    stored = {name: found for name, found in quantized.items() if found is not None}
    return store_constants(graph, stored, ("_quantized_const", "_quantized_min", "_quantized_max"), "MIN_FIRST")
