"""The shapes of what loops collect in lists.

TensorFlow learns them while it runs. TensorFlow Lite keeps a list in one tensor, and has to know them before.
"""

from collections import defaultdict

from mobile_export.graphs.graph import LOOP_OPS, Graph, attribute, node_name
from mobile_export.graphs.protos import FunctionDefLibrary, NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.session import Session
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.patterns import gated_nodes, values_where_known
from mobile_export.transforms.tensor_lists import Shape, add_element_shape

_ORIGIN = "_mobile_export_origin"
"""Attribute on nodes of unrolled loops: the function that they come from (empty: the graph), and their name there."""

_LOOPS = frozenset({"StatelessWhile", "While"})
_SHAPE_INPUT = {"TensorListFromTensor": 1, "TensorListReserve": 0, "TensorListStack": 1}
_INT32 = 3  # TensorFlow's number

_Place = tuple[str, str]
"""A function's name, empty for the graph itself, and that of a node in it."""


def fix_element_shapes(graph: Graph) -> Graph:
    """Write the shape of their elements into lists that loops read, and fill to be stacked, where it can be inferred.

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
    turn = _first_turns(graph)
    if not any(node.op in _SHAPE_INPUT for node in turn.nodes.values()):
        return {}
    with Session(turn) as session:
        items = _items(turn, session)
    declared = values_where_known(turn, [turn.nodes[name].input[_SHAPE_INPUT[turn.nodes[name].op]] for name in items])
    shapes: dict[_Place, set[Shape | None]] = defaultdict(set)
    for name, found in items.items():
        node = turn.nodes[name]
        function, original = attribute(node, _ORIGIN).list.s
        known = _is_full(declared.get(node.input[_SHAPE_INPUT[node.op]]))
        shapes[function.decode(), original.decode()] |= {None} if known else found
    return {place: shape for place, (shape, *others) in shapes.items() if shape is not None and not others}


def _items(turn: Graph, session: Session) -> dict[str, set[Shape | None]]:
    """By node that says its elements' shape: the shapes of all that is an element; None where one is not known."""
    set_in: dict[str, set[Shape | None]] = defaultdict(set)
    for node in turn.nodes.values():
        if node.op == "TensorListSetItem":
            set_in[_list_of(turn, node)].add(_full(session.shape(node.input[2])))
    found = {}
    for node in turn.nodes.values():
        if node.op == "TensorListFromTensor":
            rows = session.shape(node.input[0])
            found[node.name] = {_full(rows[1:]) if rows else None}
        elif node.op == "TensorListStack" and turn.nodes[made := _list_of(turn, node)].op == "TensorListReserve":
            known = set_in[made] - {None}  # what is stacked has one shape
            found[node.name] = found[made] = known or {None}
    return found


def _full(shape: Shape | None) -> Shape | None:
    return None if shape is None or min(shape, default=0) < 0 else shape


def _is_full(declared: Array | None) -> bool:
    return declared is not None and declared.ndim == 1 and bool((declared >= 0).all())


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
    return str(node.name)


def _write_in_function(graph: Graph, function: str, name: str, shape: Shape) -> None:
    nodes = next(f for f in graph.library.function if f.signature.name == function).node_def
    part = Graph(nodes={node.name: node for node in nodes})
    constant = add_element_shape(part, part.nodes[name], shape, gated=())
    _read_shape_from(part.nodes[name], f"{constant}:output:0")
    nodes.extend(Graph({constant: part.nodes[constant]}, part.constants).to_graph_def().node)


def _read_shape_from(node: NodeDef, tensor: str) -> None:
    node.input[_SHAPE_INPUT[node.op]] = tensor
    if node.op != "TensorListStack":
        node.attr["shape_type"].type = _INT32
