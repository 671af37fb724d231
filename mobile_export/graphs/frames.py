"""Loops of TensorFlow 1 are cycles through nodes of five operators; one that is put together wrong ends the process.

    Merge(Enter(x), NextIteration(body)) → Switch(·, LoopCond) → Exit, or body

What lies between Enter and Exit is a frame, and frames lie in frames. TensorFlow takes for granted that a graph's loops
are of this form: it aborts where it loads others, or reads memory that is not its own where it runs them.
"""

from collections.abc import Iterator, Mapping

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import LOOP_OPS, Graph, attribute, data_inputs, node_name
from mobile_export.graphs.protos import FunctionDef, NodeDef

_ARITY = {"Enter": 1, "Exit": 1, "LoopCond": 1, "NextIteration": 1, "Switch": 2}

Frame = tuple[str, ...]
"""Names of the loops around a node, the outermost first."""


def refuse_broken_loops(graph: Graph) -> None:
    """Refuse a graph that has a loop, also in a function, that TensorFlow would not survive.

    Raises:
        ModelError: names the node.
    """
    fed = {node_name(spec.tensor) for spec in graph.inputs}
    nodes = {name: NodeDef(name=name) if name in fed else node for name, node in graph.nodes.items()}
    _check(nodes, [node_name(spec.tensor) for spec in graph.outputs], "")
    for function in graph.library.function:
        results = [node_name(tensor) for tensor in function.ret.values()]
        _check(_nodes(function), results, f" of the function {function.signature.name!r}")


def _nodes(function: FunctionDef) -> dict[str, NodeDef]:
    arguments = {argument.name: NodeDef(name=argument.name) for argument in function.signature.input_arg}
    return {**arguments, **{node.name: node for node in function.node_def}}


def _check(nodes: Mapping[str, NodeDef], results: list[str], where: str) -> None:
    if not any(_kind(node) in _ARITY for node in nodes.values()):
        return
    problem = next(_problems(Graph(dict(nodes)), results), None)
    if problem is not None:
        raise ModelError(f"{problem[0]}{where} {problem[1]}; export the model again")


def _problems(graph: Graph, results: list[str]) -> Iterator[tuple[str, str]]:
    """Nodes, and what is wrong with them, as the end of a sentence."""
    for node in graph.nodes.values():
        wrong = _wrong_inputs(graph, node)
        if wrong:
            yield _named(node), wrong
    frames: dict[str, Frame] = {}
    for name in graph.topological_order():
        node = graph.nodes[name]
        around = {frames[node_name(i)] for i in node.input if node_name(i) in frames}
        if len(around) > 1:
            yield _named(node), "reads from inside of a loop and from outside"
        frame = next(iter(around), ())
        if _kind(node) in ("Exit", "NextIteration") and not frame:
            yield _named(node), "stands outside of any loop"
        frames[name] = _frame_of_output(node, frame)
    for node in graph.nodes.values():
        back = [i for i in node.input if _is_back_edge(graph, i)]
        if any(frames[node_name(i)] != frames[node.name] for i in back):
            yield _named(node), "begins the turns of another loop"
    for name in results:
        if frames.get(name):
            yield _named(graph.nodes[name]), "is a result, and stands inside of a loop"


def _wrong_inputs(graph: Graph, node: NodeDef) -> str:
    data = data_inputs(node)
    kind = _kind(node)
    if kind in _ARITY and len(data) != _ARITY[kind]:
        return f"has {len(data)} inputs instead of {_ARITY[kind]}"
    if kind == "Merge" and len(data) != attribute(node, "N").i:
        return f"has {len(data)} inputs instead of {attribute(node, 'N').i}"
    back = [name for name in node.input if _is_back_edge(graph, name)]
    if back and kind != "Merge":
        return f"reads {back[0]!r}, which only a Merge can"
    if back and (len(back) > 1 or len(data) != 2 or back[0] not in data):
        return "does not begin a loop with one value, and its turns with another"
    return ""


def _is_back_edge(graph: Graph, tensor: str) -> bool:
    producer = graph.producer(tensor)
    return producer is not None and producer.op in LOOP_OPS


def _frame_of_output(node: NodeDef, frame: Frame) -> Frame:
    if _kind(node) == "Enter":
        return (*frame, attribute(node, "frame_name").s.decode("utf-8", "replace"))
    return frame[:-1] if _kind(node) == "Exit" else frame


def _kind(node: NodeDef) -> str:
    kind: str = node.op.removeprefix("Ref")
    return kind


def _named(node: NodeDef) -> str:
    return f"{node.op} (node {node.name!r})"
