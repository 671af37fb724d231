"""Prints beside what is computed."""

from collections import defaultdict
from collections.abc import Mapping

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import LOOP_OPS, Graph, node_name, port
from mobile_export.graphs.protos import NodeDef
from mobile_export.transforms.operators import Functions, node_outputs

_SUFFIX = "__print__"
_NOT_PRINTED = LOOP_OPS | {"Switch", "RefSwitch"}
"""The one must be read by its Merge itself; of the other, an output that is not taken would take the print with it."""


def insert_logging(graph: Graph, parameters: Parameters) -> Graph:
    """Print what nodes give out, whenever it is read.

        y = Relu(x)  =>  x__print__ = Print(x, x); y = Relu(x__print__)

    Of nodes of the operators `op`, and with names that begin with one of `prefix`, where these are given. A line is
    `;Op;` if `show_op`, `;NODE__print__;` if `show_name`, `message`, and `summarize` elements of every output that is
    read; there are as many as `first_n`, or no end.
    """
    graph = graph.copy()
    functions = {function.signature.name: function for function in graph.library.function}
    ports = _ports_read(graph)
    prints: dict[str, NodeDef] = {}
    for name, node in graph.nodes.items():
        if not ports[name] or node.op in _NOT_PRINTED or not _is_meant(node, parameters):
            continue
        dtypes = _dtypes(node, functions)
        if dtypes:  # else it computes nothing, and is only waited for
            read = [port for port in sorted(ports[name]) if port < len(dtypes)]
            prints[name] = _print(graph.free_name(f"{name}{_SUFFIX}"), node, {port: dtypes[port] for port in read})
            prints[name].attr["T"].type = dtypes[0]
            _configure(prints[name], node.op, parameters)
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            if port(tensor) == 0 and node_name(tensor) in prints:
                node.input[index] = prints[node_name(tensor)].name
    graph.nodes = {
        after.name: after for name, node in graph.nodes.items() for after in (node, prints.get(name)) if after
    }
    return graph


def _ports_read(graph: Graph) -> Mapping[str, set[int]]:
    """Of each node, the outputs that are read; who only waits for it counts as a reader of the first."""
    found: dict[str, set[int]] = defaultdict(set)
    for node in graph.nodes.values():
        for tensor in node.input:
            found[node_name(tensor)].add(max(port(tensor), 0))
    return found


def _is_meant(node: NodeDef, parameters: Parameters) -> bool:
    ops, prefixes = parameters.all("op"), parameters.all("prefix")
    return (not ops or node.op in ops) and (not prefixes or node.name.startswith(tuple(prefixes)))


def _dtypes(node: NodeDef, functions: Functions) -> list[int]:
    """Of all its outputs."""
    outputs = node_outputs(node, functions)
    if outputs is None:
        raise ModelError(
            f"node {node.name!r}: TensorFlow has no operator {node.op!r}, so that the types of what it gives out are "
            "not known; leave it out with op=… or prefix=…"
        )
    return [dtype for output in outputs for dtype in output.dtypes]


def _print(name: str, node: NodeDef, dtypes: Mapping[int, int]) -> NodeDef:
    """A node that hands on the first output of `node`, and prints those in `dtypes`."""
    printing = NodeDef(name=name, op="Print", input=[node.name, *(f"{node.name}:{port}" for port in dtypes)])
    printing.attr["U"].list.type.extend(dtypes.values())
    return printing


def _configure(printing: NodeDef, op: str, parameters: Parameters) -> None:
    """Say what a line begins with, and how much it shows."""
    shown = f";{op};" if parameters.boolean("show_op", False) else ""
    shown += f";{printing.name};" if parameters.boolean("show_name", False) else ""
    printing.attr["message"].s = (shown + parameters.string("message", "")).encode()
    printing.attr["first_n"].i = parameters.integer("first_n", -1)
    printing.attr["summarize"].i = parameters.integer("summarize", 1024)
