"""The shapes of what loops collect in lists.

TensorFlow learns them while it runs. TensorFlow Lite keeps a list in one tensor, and has to know them before.
"""

from collections import defaultdict

from mobile_export.graph import LOOP_OPS, Graph, attribute, node_name
from mobile_export.protos import FunctionDefLibrary, NodeDef
from mobile_export.session import Session
from mobile_export.tensors import Array
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.patterns import gated_nodes, values_where_known
from mobile_export.transforms.tensor_lists import Shape, add_element_shape

_ORIGIN = "_mobile_export_origin"
"""Attribute on nodes of unrolled loops: the function that they come from (empty: the graph), and their name there."""

_LOOPS = frozenset({"StatelessWhile", "While"})
_SHAPE_INPUT = {"TensorListReserve": 0, "TensorListStack": 1}
_INT32 = 3  # TensorFlow's number

_Place = tuple[str, str]
"""A function's name, empty for the graph itself, and that of a node in it."""


def fix_element_shapes(graph: Graph) -> Graph:
    """Write the shape of its elements into each list that a loop fills and that is stacked, where it can be inferred.

        l = TensorListReserve(-1, n)                     l = TensorListReserve([1,8], n)
        TensorListStack(While(l, …), -1)            =>   TensorListStack(While(l, …), [1,8])
        in the body: TensorListSetItem(l, i, h)

    Where h is [1,8] in the first turn of the loop, so are all elements: TensorFlow stacks no others.
    """
    graph = graph.copy()
    library = FunctionDefLibrary()
    library.CopyFrom(graph.library)
    graph.library = library
    while found := _inferred(graph):  # again, since one loop may read what another one has stacked
        gated = gated_nodes(graph)
        for (function, name), shape in found.items():
            if function:
                _write_in_function(graph, function, name, shape)
            else:
                node = graph.nodes[name]
                _read_shape_from(node, add_element_shape(graph, node, shape, gated))
    return graph


def _inferred(graph: Graph) -> dict[_Place, Shape]:
    """The shapes that are known and not written yet; in a function, those that are the same wherever it is called."""
    inner = [node for function in graph.library.function for node in function.node_def]
    if not any(node.op == "TensorListStack" for node in (*graph.nodes.values(), *inner)):
        return {}
    turn = _first_turns(graph)
    items: dict[str, set[Shape | None]] = defaultdict(set)
    with Session(turn) as session:
        for node in turn.nodes.values():
            if node.op == "TensorListSetItem":
                items[_list_of(turn, node)].add(session.shape(node.input[2]))
    stacks = [node for node in turn.nodes.values() if node.op == "TensorListStack"]
    lists = [(node, list_) for node in stacks if (list_ := turn.nodes[_list_of(turn, node)]).op == "TensorListReserve"]
    declared = values_where_known(turn, [node.input[_SHAPE_INPUT[node.op]] for pair in lists for node in pair])
    shapes: dict[_Place, set[Shape | None]] = defaultdict(set)
    for stack, list_ in lists:
        for node in (stack, list_):
            known = _is_full(declared.get(node.input[_SHAPE_INPUT[node.op]]))
            shapes[_place(node)] |= {None} if known else items[list_.name]
    return {place: only for place, found in shapes.items() if len(found) == 1 and (only := _full(*found)) is not None}


def _full(shape: Shape | None) -> Shape | None:
    return None if shape is None or min(shape, default=0) < 0 else shape


def _is_full(declared: Array | None) -> bool:
    return declared is not None and declared.ndim == 1 and bool((declared >= 0).all())


def _place(node: NodeDef) -> _Place:
    function, name = attribute(node, _ORIGIN).list.s
    return function.decode(), name.decode()


def _first_turns(graph: Graph) -> Graph:
    """`graph` with each loop's body once in its place; to infer shapes from, not to be run."""
    turn = graph.copy()
    turn.library = FunctionDefLibrary()
    turn.library.CopyFrom(graph.library)
    parts = {"": list(turn.nodes.values())} | {f.signature.name: list(f.node_def) for f in turn.library.function}
    for function, nodes in parts.items():
        for node in nodes:
            if node.op in _SHAPE_INPUT:
                node.attr[_ORIGIN].list.s.extend([function.encode(), node.name.encode()])
            elif node.op in _LOOPS:
                _call_body(node)
    _unroll(turn)
    return inline_functions(turn)


def _call_body(loop: NodeDef) -> None:
    call = NodeDef(name=loop.name, op="PartitionedCall", input=loop.input)
    call.attr["f"].func.CopyFrom(attribute(loop, "body").func)
    for key in ("Tin", "Tout"):
        call.attr[key].list.CopyFrom(attribute(loop, "T").list)
    loop.CopyFrom(call)


def _unroll(turn: Graph) -> None:
    """Let what enters a loop of TensorFlow 1 pass through it once."""
    operators = {name: node.op for name, node in turn.nodes.items()}
    redirected = {}
    for node in turn.nodes.values():
        sources = [operators[node_name(i)] for i in node.input]
        if node.op == "Merge" and LOOP_OPS & set(sources):
            entering = [i for i, source in zip(node.input, sources, strict=True) if source not in LOOP_OPS]
            _pass_on(node, entering[0])
        elif node.op in ("Enter", "Exit", *LOOP_OPS):
            _pass_on(node, node.input[0])
        elif node.op == "Switch" and sources[1] == "LoopCond":
            _pass_on(node, node.input[0])
            redirected[f"{node.name}:1"] = f"{node.name}:0"
    turn.redirect(redirected)


def _pass_on(node: NodeDef, tensor: str) -> None:
    identity = NodeDef(name=node.name, op="Identity", input=[tensor])
    identity.attr["T"].CopyFrom(attribute(node, "T"))
    node.CopyFrom(identity)


def _list_of(turn: Graph, node: NodeDef) -> str:
    """The name of the node that makes the list which `node` reads first."""
    while node.op in ("Identity", "TensorListSetItem", "TensorListStack"):
        node = turn.nodes[node_name(node.input[0])]
    return node.name


def _write_in_function(graph: Graph, function: str, name: str, shape: Shape) -> None:
    nodes = next(f for f in graph.library.function if f.signature.name == function).node_def
    part = Graph(nodes={node.name: node for node in nodes})
    constant = add_element_shape(part, part.nodes[name], shape, gated=())
    _read_shape_from(part.nodes[name], f"{constant}:output:0")
    nodes.extend(Graph({constant: part.nodes[constant]}, part.constants).to_graph_def().node)


def _read_shape_from(node: NodeDef, tensor: str) -> None:
    node.input[_SHAPE_INPUT[node.op]] = tensor
    if node.op == "TensorListReserve":
        node.attr["shape_type"].type = _INT32
