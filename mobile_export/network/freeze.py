"""Variables become constants."""

import re
from collections.abc import Callable, Collection, MutableMapping
from typing import NamedTuple

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, attribute, called_functions, data_inputs, node_name
from mobile_export.graphs.ops import VARIABLES
from mobile_export.graphs.protos import FunctionDef, FunctionDefLibrary, NodeDef
from mobile_export.graphs.tensors import Array, dtype_name, numpy_dtype, read_shape, write_shape
from mobile_export.transforms.patterns import drop_unused_functions

_CARRIERS = frozenset("Identity Switch Merge Enter Exit NextIteration".split())
_UPDATE = re.compile(r"Assign|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|(Resource)?(Sparse)?Apply|ResourceScatter")
_INT32, _RESOURCE = 3, 20  # TensorFlow's numbers


class Kind(NamedTuple):
    """What is known of the value that has taken a variable's place: TensorFlow's DataType, and the shape."""

    dtype: int
    shape: tuple[int, ...]


Kinds = MutableMapping[str, Kind]
"""By the names of the nodes that hold a value, or pass it on."""


def freeze(graph: Graph, read: Callable[[str], Array], kept: Collection[str] = ()) -> Graph:
    """Give every variable that the graph reads its trained value.

        Conv2D(x, Identity(VariableV2))           =>  Conv2D(x, Identity(Const))
        Conv2D(x, ReadVariableOp(VarHandleOp))    =>  Conv2D(x, Identity(Const))
        ResourceGather(VarHandleOp, i)            =>  GatherV2(Const, i, 0)

    Variables may pass through branches and loops; functions that take one get a copy that takes its value.

    Args:
        graph: stripped to what the outputs need.
        read: the value of a variable by its node's name.
        kept: variables that stay variables.

    Raises:
        ModelError: the value's shape or type is not the variable's, or the forward graph writes to a variable.
    """
    graph = graph.copy()
    kinds: Kinds = {}
    for name, node in list(graph.nodes.items()):
        if node.op in VARIABLES and name not in kept:
            value = _checked(node, read(name))
            kinds[name] = Kind(attribute(node, "dtype").type, value.shape)
            graph.set_constant(name, value)
    functions = _Functions(graph)
    for name in graph.topological_order():
        functions.freeze_node(graph.nodes[name], kinds, graph.add_constant)
    graph.library = functions.library()
    drop_unused_functions(graph)
    return graph


def _checked(node: NodeDef, value: Array) -> Array:
    shape = read_shape(attribute(node, "shape").shape)
    declared = dtype_name(attribute(node, "dtype").type)
    if value.dtype.name != declared:
        raise ModelError(f"variable {node.name!r} is {declared} in the graph and {value.dtype} in the checkpoint")
    fits = shape is None or (
        len(shape) == value.ndim and all(s in (-1, v) for s, v in zip(shape, value.shape, strict=True))
    )
    if not fits and shape != ():  # an old graph may leave the shape out, which reads as a scalar
        raise ModelError(
            f"variable {node.name!r} has shape {list(shape or ())} in the graph and {list(value.shape)} in the "
            "checkpoint: graph and checkpoint are not of the same training run"
        )
    return value


def _read_value(node: NodeDef, kind: Kind, kinds: Kinds, add_constant: Callable[[str, Array], str]) -> None:
    """Make a reader of a variable read the value, which is a `kind`, and a carrier pass it on."""
    if node.op.removeprefix("Ref") in _CARRIERS:
        if attribute(node, "T").type == _RESOURCE or node.op.startswith("Ref"):
            node.op = node.op.removeprefix("Ref")
            node.attr["T"].type = kind.dtype
            node.attr.pop("_output_shapes", None)
            kinds[node.name] = kind
    elif node.op == "ReadVariableOp":
        _become(node, "Identity", T=kind.dtype)
    elif node.op == "VariableShape":
        _become(node, "Shape", T=kind.dtype, out_type=attribute(node, "out_type").type or _INT32)
    elif node.op == "ResourceGatherNd":
        _become(node, "GatherNd", Tparams=kind.dtype, Tindices=attribute(node, "Tindices").type)
    elif node.op == "ResourceGather":
        batch_dims, indices = attribute(node, "batch_dims").i, attribute(node, "Tindices").type
        _become(node, "GatherV2", Tparams=kind.dtype, Tindices=indices, Taxis=indices)
        node.attr["batch_dims"].i = batch_dims
        node.input.insert(2, add_constant(f"{node.name}/axis", np.asarray(batch_dims, numpy_dtype(indices))))
    elif _UPDATE.match(node.op):
        raise ModelError(f"node {node.name!r} ({node.op}) changes a variable inside the forward graph; cut it off")


def _become(node: NodeDef, op: str, **types: int) -> None:
    """Change the operator; of the attributes, only that of colocation still holds."""
    node.op = op
    for key in list(node.attr):
        if key != "_class":
            del node.attr[key]
    for key, number in types.items():
        node.attr[key].type = number


class _Functions:
    """The functions of a graph, and copies of them that take values in place of variables."""

    def __init__(self, graph: Graph) -> None:
        self._functions = {function.signature.name: function for function in graph.library.function}
        self._frozen: dict[tuple[str, tuple[Kind | None, ...]], str] = {}

    def library(self) -> FunctionDefLibrary:
        """All of them."""
        return FunctionDefLibrary(function=self._functions.values())

    def freeze_node(self, node: NodeDef, kinds: Kinds, add_constant: Callable[[str, Array], str]) -> None:
        """Make `node` take values where it takes variables."""
        given = [kinds.get(node_name(name)) for name in data_inputs(node)]
        if any(given) and any(name in self._functions for name in called_functions(node)):
            self._freeze_call(node, given)
        elif given and given[0] is not None:
            _read_value(node, given[0], kinds, add_constant)

    def _freeze_call(self, node: NodeDef, given: list[Kind | None]) -> None:
        """Functions and types of a call, branch or loop; of the inputs, `given` are values now."""
        key = "T" if "T" in node.attr else "Tin"
        kinds = given[len(given) - len(node.attr[key].list.type) :]  # what chooses a branch is no argument of it
        _replace_types(node, key, kinds)
        node.attr.pop("_output_shapes", None)
        called = [
            v for value in node.attr.values() for v in ([value.func] if value.HasField("func") else value.list.func)
        ]
        for function in called:
            self._check_call(node, function.name, len(kinds))
            function.name = self._freeze_function(function.name, tuple(kinds))
        if "Tout" in node.attr:
            node.attr["Tout"].list.type[:] = [o.type for o in self._functions[called[0].name].signature.output_arg]
        for index, shape in enumerate(attribute(node, "output_shapes").list.shape):
            kind = kinds[index] if key == "T" and index < len(kinds) else None  # a loop gives back what it takes
            if kind is not None:
                write_shape(shape, kind.shape)

    def _check_call(self, node: NodeDef, name: str, given: int) -> None:
        if name not in self._functions or len(self._functions[name].signature.input_arg) != given:
            raise ModelError(
                f"node {node.name!r} calls the function {name!r}, which is not there or takes something else"
            )

    def _freeze_function(self, name: str, kinds: tuple[Kind | None, ...]) -> str:
        """The name of the copy of function `name` that takes values of `kinds` (None: what it took before)."""
        if (name, kinds) in self._frozen:
            return self._frozen[name, kinds]
        frozen = f"{name}_frozen_{len(self._frozen)}"
        self._frozen[name, kinds] = frozen
        function = FunctionDef()
        function.CopyFrom(self._functions[name])
        function.signature.name = frozen
        self._functions[frozen] = function
        held = _take_values(function, kinds)

        def add_constant(name: str, value: Array) -> str:
            node = Graph()
            node.set_constant(name, value)
            function.node_def.extend(node.to_graph_def().node)
            return f"{name}:output:0"

        reads = [node for node in function.node_def if node.op == "ReadVariableOp"]
        for node in list(function.node_def):
            self.freeze_node(node, held, add_constant)
        _rename_results(function, [node.name for node in reads if node.op == "Identity"])
        for output in function.signature.output_arg:
            result = held.get(node_name(function.ret[output.name]))
            if result is not None:
                output.type = result.dtype
                output.ClearField("handle_data")
        return frozen


def _replace_types(node: NodeDef, key: str, kinds: list[Kind | None]) -> None:
    types = node.attr[key].list.type
    if len(types) != len(kinds):
        raise ModelError(f"node {node.name!r} has {len(kinds)} arguments and the types of {len(types)}")
    types[:] = [old if kind is None else kind.dtype for kind, old in zip(kinds, types, strict=True)]


def _rename_results(function: FunctionDef, reads: list[str]) -> None:
    """In functions, results go by name: what a ReadVariableOp calls `value`, an Identity calls `output`."""
    renamed = {f"{name}:value:0": f"{name}:output:0" for name in reads}
    for node in function.node_def:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for key, name in function.ret.items():
        function.ret[key] = renamed.get(name, name)


def _take_values(function: FunctionDef, kinds: tuple[Kind | None, ...]) -> Kinds:
    """Change the types and shapes of arguments: what was said of the variables there is wrong for the values."""
    held: Kinds = {}
    function.attr.pop("_input_shapes", None)
    for index, (argument, kind) in enumerate(zip(function.signature.input_arg, kinds, strict=True)):
        if kind is not None:
            held[argument.name] = kind
            argument.type = kind.dtype
            argument.ClearField("handle_data")
            function.arg_attr.pop(index, None)
            write_shape(function.arg_attr[index].attr["_output_shapes"].list.shape.add(), kind.shape)
            function.resource_arg_unique_id.pop(index, None)
    return held
