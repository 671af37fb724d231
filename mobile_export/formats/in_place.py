"""Constants that TensorFlow may write into.

A kernel puts its result into the memory of an input that nobody else holds; many operators on elements do. A mapped
constant is memory that cannot be written: the process ends there (measured with MemmappedEnv of 2.21).
"""

from mobile_export.graphs.graph import Graph, attribute, node_name
from mobile_export.graphs.protos import NodeDef

_PASSES_ON = frozenset(
    """
    Bitcast CheckNumerics Enter Exit ExpandDims Identity IdentityN Merge NextIteration PreventGradient Reshape Slice
    Snapshot Split SplitV Squeeze StopGradient StridedSlice Switch Transpose Unpack
    """.split()
)
"""Their results may be the memory that they read."""

_ONLY_READ = {
    op: frozenset(inputs)
    for inputs, operators in (
        ((0, 1), "BatchMatMul BatchMatMulV2 BatchMatMulV3 Conv2D Conv3D DepthwiseConv2dNative Dilation2D MatMul"),
        ((0, 1, 2), "Conv2DBackpropInput Conv3DBackpropInputV2 Dequantize FusedPadConv2D Gather GatherNd GatherV2"),
        ((0, 1, 2, 3), "FusedResizeAndPadConv2D"),
        ((0, 1, 2, 3, 4, 5), "QuantizedConv2D QuantizedMatMul"),
        ((1,), "BiasAdd"),
        ((1, 2, 3, 4), "BatchNormWithGlobalNormalization FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3"),
        ((1, 2, 3, 4, 5), "QuantizedBiasAdd"),
    )
    for op in operators.split()
}
"""The inputs that an operator only reads; of others it is not known."""


def written_in_place(graph: Graph) -> set[str]:
    """Nodes whose memory a kernel may take for its result, directly or through nodes that pass it on."""
    passing = {name for name, node in graph.nodes.items() if node.op in _PASSES_ON}
    found: set[str] = set()
    todo = [
        node_name(tensor)
        for name, node in graph.nodes.items()
        if name not in passing
        for index, tensor in enumerate(node.input)
        if not tensor.startswith("^") and not _only_reads(node, index)
    ]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            if name in passing:
                todo += [node_name(tensor) for tensor in graph.nodes[name].input if not tensor.startswith("^")]
    return found


def _only_reads(node: NodeDef, index: int) -> bool:
    if node.op == "Cast":
        return bool(attribute(node, "SrcT").type != attribute(node, "DstT").type)
    return index in _ONLY_READ.get(node.op, ())
