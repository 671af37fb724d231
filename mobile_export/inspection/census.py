"""What a graph holds, counted: the network itself, and what training left around it. Nothing is run."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from math import prod

from mobile_export.graphs.graph import Graph, node_name
from mobile_export.graphs.ops import LOSSES, VARIABLES
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.safety import all_nodes
from mobile_export.inspection.findings import Network
from mobile_export.session import Session

_SHADOW = "/ExponentialMovingAverage"  # what the name of a variable's moving average adds to its own
_LOOPS = frozenset("LoopCond While StatelessWhile".split())
_BRANCHES = frozenset("If StatelessIf Case StatelessCase Switch RefSwitch".split())
_UNCOUNTED = frozenset({"Const", "Placeholder"})
_OTHER = ""

_LEFTOVERS = {
    "saver": r"(^|/)save(_\d+)?/| ((Sharded)?(Save|Restore)\w*|ShardedFilename|MergeV2Checkpoints)$",
    "summaries": r"Summary\w*$",
    "input pipeline": r" \w*(Queue|Iterator|Dataset|Reader)\w*$| (Parse\w*Example\w*|Decode\w+)$",
    "optimizer": r" (Resource)?(Sparse)?Apply\w+$",
    "gradients": r"(^|/)gradients(_\d+)?/| \w*(Grad(V\d)?|BackpropFilter\w*|BroadcastGradientArgs)$",
    "losses": f" ({'|'.join(sorted(LOSSES))})$",
    "assertions": r" (Assert|Print(V2)?|CheckNumerics)$",
    "variables' initial values and updates": r" (Assign\w*|\w*IsInitialized\w*|Scatter\w*)$",
}
"""What training leaves, by how `name operator` looks; the first that fits counts."""

_KINDS = [(kind, re.compile(pattern)) for kind, pattern in _LEFTOVERS.items()]


def operators(graph: Graph) -> dict[str, int]:
    """How many nodes of each operator there are, those of functions that are called included, the most first."""
    counted = Counter(node.op for node, _ in all_nodes(graph) if node.op not in _UNCOUNTED)
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def network(graph: Graph) -> Network:
    """Count a frozen graph."""
    counted = operators(graph)
    parameters = sum(array.size for array in graph.constants.values() if array.dtype.kind == "f")
    return Network(
        operators=counted,
        parameters=parameters,
        weight_bytes=4 * parameters,
        macs=_macs(graph),
        loops=sum(counted.get(op, 0) for op in _LOOPS),
        branches=sum(counted.get(op, 0) for op in _BRANCHES),
    )


def _macs(graph: Graph) -> int | None:
    """For the shapes that `graph` has; inside of functions nothing is counted."""
    total = 0
    with Session(graph) as session:
        for node in graph.nodes.values():
            factor = _weights_an_element(graph, node)
            if factor is None:
                continue
            shape = session.shape(f"{node.name}:0")
            if shape is None or min(shape, default=0) < 0 or factor < 0:
                return None
            total += prod(shape) * factor
    return total


def _weights_an_element(graph: Graph, node: NodeDef) -> int | None:
    """How many weights make one element of what a layer gives out; -1 where they are not known, None for no layer."""
    if node.op not in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "BatchMatMul"):
        return None
    weights = graph.constants.get(node_name(node.input[1]))
    if weights is None:
        return -1
    if node.op == "DepthwiseConv2dNative":
        return prod(weights.shape[:2])
    transposed = node.attr["transpose_b"].b or node.attr["adj_y"].b if "MatMul" in node.op else False
    return prod(weights.shape[:3]) if node.op == "Conv2D" else weights.shape[-1 if transposed else -2]


def leftovers(graph: Graph, kept: Collection[str]) -> dict[str, int]:
    """How many nodes of `graph` outside of `kept` are of each kind that training leaves.

    A slot is a variable named below one of the network's, as optimizers name what they remember of it.
    """
    counted = Counter(_kind(node, kept) for name, node in graph.nodes.items() if name not in kept)
    counted.pop(_OTHER, None)
    return dict(counted.most_common())


def _kind(node: NodeDef, kept: Collection[str]) -> str:
    if node.op in VARIABLES:
        if node.name.endswith(_SHADOW):
            return "moving averages"
        return "optimizer slots" if node.name.rpartition("/")[0] in kept else "other variables"
    return next((kind for kind, looks in _KINDS if looks.search(f"{node.name} {node.op}")), _OTHER)


def shadows(graph: Graph, kept: Collection[str]) -> int:
    """How many of the network's variables have a moving average beside them."""
    variables = [name for name in kept if name in graph.nodes and graph.nodes[name].op in VARIABLES]
    return sum(name + _SHADOW in graph.nodes for name in variables)


def devices(graph: Graph) -> dict[str, int]:
    """How many nodes are pinned to each device."""
    pinned: Mapping[str, int] = Counter(node.device for node in graph.nodes.values() if node.device)
    return dict(sorted(pinned.items()))
