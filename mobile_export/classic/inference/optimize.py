"""All steps of optimize_for_inference, one after another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mobile_export.classic.inference.fold_batch_norms import fold_batch_norms
from mobile_export.classic.inference.fuse_decomposed_batch_norm import fuse_decomposed_batch_norm
from mobile_export.classic.inference.fuse_resize_and_conv import fuse_resize_and_conv, images
from mobile_export.classic.inference.placeholders_to_const import LEARNING_PHASE, is_switch, placeholders_to_const
from mobile_export.classic.inference.remove_training_nodes import remove_training_nodes
from mobile_export.classic.inference.strip_unused import strip_unused
from mobile_export.errors import ConversionError, ModelError, nearest
from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.fused_convolution import FUSED_TYPES
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, canonical, node_name
from mobile_export.graphs.ops import PLACEHOLDERS
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import dtype_name
from mobile_export.transforms.convolutions import NORM_OPERANDS

_FLOAT = 1
_SHOWN = 5


@dataclass(frozen=True)
class Request:
    """What is asked of a graph.

    Attributes:
        inputs: names of the nodes that are fed, with TensorFlow's number of their element type, where it is given.
        outputs: names of the nodes whose values are taken.
        constants: values of boolean placeholders, by a part of their names.
        toco_compatible: whether to keep resizes and paddings apart from convolutions.
    """

    inputs: Mapping[str, int | None]
    outputs: Sequence[str]
    constants: Mapping[str, bool]
    toco_compatible: bool = False


@dataclass(frozen=True)
class Optimized:
    """A graph, and what people should know of it, a sentence each."""

    graph: Graph
    notes: Sequence[str]


def optimize(graph: Graph, request: Request) -> Optimized:
    """Run all steps.

    Raises:
        ModelError: the graph is malformed, or has no such nodes.
    """
    _check(graph, request)
    graph = replace(graph, inputs=_specs(request.inputs), outputs=_specs(request.outputs))
    notes = _undone(graph, request)
    types = {name: _type(graph.nodes[name], wanted) for name, wanted in request.inputs.items()}
    graph = placeholders_to_const(graph, {LEARNING_PHASE: False, **request.constants})
    graph = strip_unused(graph, types)
    graph = remove_training_nodes(graph)
    graph = fuse_decomposed_batch_norm(graph)
    graph = fold_batch_norms(graph)
    if not request.toco_compatible:
        graph = fuse_resize_and_conv(graph)
    graph.nodes = _constants_first(graph)
    update_colocations(graph)
    if problems := graph.problems():
        raise ConversionError(f"the graph did not survive its optimization: {'; '.join(problems[:_SHOWN])}")
    return Optimized(graph, [*notes, *_left(graph, request)])


def _check(graph: Graph, request: Request) -> None:
    if problems := graph.problems():
        raise ModelError(f"the graph is malformed: {'; '.join(problems[:_SHOWN])}; export the model again")
    for kind, names in (("input", request.inputs), ("output", request.outputs)):
        for name in names:
            if name not in graph.nodes:
                raise ModelError(f"the graph has no {kind} {name!r}{nearest(name, graph.nodes)}")


def _specs(names: Iterable[str]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, canonical(name), "", None) for name in names)


def _own_type(node: NodeDef) -> int:
    """TensorFlow's number of the type that `node` says its result has; 0 where it says nothing."""
    return int(attribute(node, "DstT" if node.op == "Cast" else "dtype").type)


def _type(node: NodeDef, wanted: int | None) -> int:
    """The type of the placeholder in the place of the input `node`. Readers of a placeholder take no other than its."""
    if node.op in PLACEHOLDERS:
        return _own_type(node) or wanted or _FLOAT
    return wanted or _own_type(node) or _FLOAT


def _undone(graph: Graph, request: Request) -> list[str]:
    """What of the request is not done."""
    notes = []
    for name, wanted in request.inputs.items():
        own = _own_type(graph.nodes[name])
        if wanted and wanted != _type(graph.nodes[name], wanted):
            notes.append(
                f"the input {name!r} stays {dtype_name(own)}, which its readers take, not {dtype_name(wanted)}"
            )
    for key in request.constants:
        if not any(key in name and is_switch(graph, name) for name in graph.nodes):
            notes.append(f"no boolean placeholder has {key!r} in its name; nothing was made a constant for it")
    return notes


def _left(graph: Graph, request: Request) -> list[str]:
    """What the result is without, or still has."""
    notes = [f"the input {name!r} is gone: no output needs it" for name in request.inputs if name not in graph.nodes]
    norms = [name for name, node in graph.nodes.items() if node.op in NORM_OPERANDS]
    if norms:
        more = f" and {len(norms) - _SHOWN} more" if len(norms) > _SHOWN else ""
        notes.append(
            f"batch norms that stay, since before them is no convolution of constants that is theirs alone: "
            f"{', '.join(map(repr, norms[:_SHOWN]))}{more}"
        )
    fused = [node for node in graph.nodes.values() if node.op in FUSED_TYPES]
    known = images(graph) if fused else {}
    if any(node_name(node.input[0]) not in known for node in fused):
        notes.append(
            f"feed one image at a time: TensorFlow's {fused[0].op} gives every image of a batch the answer of the "
            "first; for batches use --toco_compatible"
        )
    return notes


def _constants_first(graph: Graph) -> dict[str, NodeDef]:
    """The nodes, with those constants that steps added moved from the end to before their first reader."""
    order: dict[str, NodeDef] = {}
    for name, node in graph.nodes.items():
        for source in map(node_name, node.input):
            if source in graph.constants:
                order.setdefault(source, graph.nodes[source])
        order.setdefault(name, node)
    return order
