"""Eight-bit calculations."""

from mobile_export.graph_transform_tool.eightbit.fake_quants import (
    convert_fake_quants,
    hoist_fake_quants,
    merge_adjacent_requantizes,
)
from mobile_export.graph_transform_tool.eightbit.nodes import Range
from mobile_export.graph_transform_tool.eightbit.operators import quantize_operators
from mobile_export.graph_transform_tool.eightbit.placeholders import quantize_placeholders
from mobile_export.graph_transform_tool.eightbit.round_trips import pass_round_trips
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.transforms.merge_duplicate_nodes import merge_duplicate_nodes
from mobile_export.graphs.graph import Graph


def quantize_nodes(graph: Graph, parameters: Parameters) -> Graph:
    """Compute in eight bits what has an eight-bit kernel.

        Relu(MatMul(x, w))  =>  Dequantize(QuantizedRelu(Requantize(QuantizedMatMul(QuantizeV2(x), QuantizeV2(w)))))

    Parameters: ignore_op, any number of operators that stay float; input_min and input_max, which make quint8 of the
    float inputs, over this range; fallback_min and fallback_max, the range of everything that is computed in 32 bits
    and was not trained with FakeQuants.
    """
    inputs, fallback = _range(parameters, "input"), _range(parameters, "fallback")
    if inputs:
        graph = quantize_placeholders(graph, inputs)
    graph = convert_fake_quants(hoist_fake_quants(graph))
    graph = quantize_operators(graph, parameters.all("ignore_op"), fallback)
    graph = merge_adjacent_requantizes(graph)
    graph = merge_duplicate_nodes(graph, Parameters("merge_duplicate_nodes", {}))
    return pass_round_trips(graph)


def _range(parameters: Parameters, kind: str) -> Range | None:
    names = f"{kind}_min", f"{kind}_max"
    given = [name for name in names if name in parameters]
    if not given:
        return None
    if len(given) == 1:
        raise parameters.error(f"{given[0]} is given alone; give both {names[0]} and {names[1]}")
    low, high = (parameters.number(name, 0) for name in names)
    if low >= high:
        raise parameters.error(f"{names[0]} is {low:g} and {names[1]} {high:g}; the first must be the smaller one")
    return Range(low, high)
