"""From a live model (a Keras model, or a tf.Module) to the graph that it computes at inference."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, node_name
from mobile_export.graphs.names import identifiers
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.graphs.tensors import Array, read_shape
from mobile_export.network.trained import Trained
from mobile_export.session import import_tensorflow

_RESOURCE = 20  # TensorFlow's number
_LONGEST = 240  # characters of an error that are shown


def trace(model: Any, where: str, notes: Sequence[str] = ()) -> Trained:
    """The inference graph of `model`, with its variables as nodes of their own; nothing is written to disk.

    Args:
        model: a Keras model of either generation, called with `training=False` on its declared inputs; or what has a
            tf.function with an input signature, as itself or as its `__call__`.
        where: what is read, for errors.
        notes: what people should know of how the model was made.

    Raises:
        ModelError: the model declares no inputs, takes or gives no plain tensors, or fails when it is called.
    """
    call = _keras_call(model, where) if is_keras(model) else _signed_call(model, where)
    try:
        function = call.trace()
    except Exception as error:  # the model's own code runs, and may raise anything
        raise ModelError(f"{where}: calling the model failed: {brief(error)}") from error
    results = _named_results(function.structured_outputs, call.outputs)
    for name, result in results:
        if not isinstance(result, import_tensorflow().Tensor):
            raise ModelError(f"{where}: the output {name!r} is a {type(result).__name__}; let the model give a tensor")
    names = identifiers([*call.inputs, *(name for name, _ in results)])
    inputs = function.graph.inputs[: len(call.inputs)]
    outputs = function.graph.outputs
    tensors = [(tensor.name, tensor) for tensor in (*inputs, *outputs)]
    specs = [_spec(name, *tensor) for name, tensor in zip(names, tensors, strict=True)]
    graph_def, variables = _with_variables(function.graph)
    graph = Graph.from_graph_def(graph_def, specs[: len(inputs)], specs[len(inputs) :])

    def value(name: str) -> Array:
        if name not in variables:
            raise ModelError(f"{where}: no value is known for the variable {name!r}")
        return np.asarray(variables[name].numpy())

    return Trained(graph, value, tuple(notes))


def is_keras(model: Any) -> bool:
    """Whether `model` is a Keras model of either generation."""
    origins = {base.__module__.partition(".")[0] for base in type(model).__mro__ if base.__name__ == "Model"}
    return bool(origins & {"keras", "tf_keras"})


def brief(error: BaseException) -> str:
    """What `error` says, in whole sentences on one line of bounded length; of Keras's long ones, the cause inside."""
    said = str(error)
    for before in ("Exception encountered:", "Example error message for object"):
        said = said.rpartition(before)[2]
    said = " ".join(said.split())
    if len(said) > _LONGEST:
        said = said[:_LONGEST].rpartition(". ")[0] or f"{said[:_LONGEST]}…"
    return f"{type(error).__name__}: {said.rstrip('.')}"


@dataclass(frozen=True)
class _Call:
    """How a model is called.

    Attributes:
        inputs: names of the inputs, in the order in which the function takes them.
        outputs: names that the model gives its outputs, if it does.
        trace: the concrete function.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    trace: Callable[[], Any]


def _keras_call(model: Any, where: str) -> _Call:
    tf = import_tensorflow()
    structure = _declared_inputs(model, where)
    names = [name for name, _ in _paths(structure, lambda tensor: str(tensor.name))]
    flat = tf.nest.flatten(structure)
    sparse = [name for name, tensor in zip(names, flat, strict=True) if _is_composite(tensor)]
    if sparse:
        raise ModelError(f"{where}: the input {sparse[0]!r} is sparse or ragged; build the model on plain tensors")
    named = zip(identifiers(names), flat, strict=True)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=name) for name, tensor in named]

    def serve(*tensors: Any) -> Any:
        return model(tf.nest.pack_sequence_as(structure, tensors), training=False)

    function = tf.function(serve, autograph=False)
    return _Call(names, getattr(model, "output_names", None) or (), lambda: function.get_concrete_function(*specs))


def _declared_inputs(model: Any, where: str) -> Any:
    """The structure of a Keras model's inputs, with symbolic tensors or TensorSpecs as leaves."""
    if not model.built:
        raise ModelError(f"{where}: the model has no weights yet; give it an Input, or call it once on an example")
    if getattr(model, "inputs", None):
        try:
            return model.input
        except AttributeError:  # of a Sequential that nothing has called
            return model.inputs[0]
    if hasattr(model, "save_spec") and model.save_spec() is not None:
        (inputs, *_), _ = model.save_spec()
        return import_tensorflow().nest.map_structure(_named_spec, inputs)
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    if len(shapes) == 1:
        return _specs_of(next(iter(shapes.values())), model.input_dtype)
    raise ModelError(
        f"{where}: the model declares no inputs; make it with keras.Input, or return a tf.function with an "
        "input_signature"
    )


def _named_spec(spec: Any) -> Any:
    """`spec`, with the batch left open."""
    shape = [None, *spec.shape[1:]] if spec.shape.rank else spec.shape
    return import_tensorflow().TensorSpec(shape, spec.dtype, name=spec.name or "input")


def _specs_of(shapes: Any, dtype: str) -> Any:
    """TensorSpecs for the shapes that a subclassed model of Keras 3 was built on."""
    if isinstance(shapes, Mapping):
        return {key: _specs_of(shape, dtype) for key, shape in shapes.items()}
    if any(isinstance(size, list | tuple | Mapping) for size in shapes):
        return [_specs_of(shape, dtype) for shape in shapes]
    return import_tensorflow().TensorSpec([None, *shapes[1:]], dtype, name="input")


def _is_composite(tensor: Any) -> bool:
    """Whether a symbolic tensor stands for a sparse or ragged one."""
    spec = getattr(tensor, "type_spec", None)
    described = spec is not None and type(spec).__name__ != "TensorSpec"
    return described or bool(getattr(tensor, "sparse", False)) or bool(getattr(tensor, "ragged", False))


def _signed_call(model: Any, where: str) -> _Call:
    """The model's own tf.function, whose input signature says what it takes."""
    function = _signed(model)
    if function is None:
        raise ModelError(
            f"{where}: {type(model).__name__!r} is no Keras model, and its __call__ is no tf.function with an "
            "input_signature; add @tf.function(input_signature=[...])"
        )
    arguments = import_tensorflow().nest.flatten(function.input_signature)
    names = [spec.name or f"input_{index}" for index, spec in enumerate(arguments)]
    return _Call(names, (), function.get_concrete_function)


def is_signed(model: Any) -> bool:
    """Whether `model` is or has a tf.function whose input signature says what it takes."""
    return _signed(model) is not None


def _signed(model: Any) -> Any:
    function: Any = model if hasattr(model, "get_concrete_function") else getattr(model, "__call__", None)  # noqa: B004
    return function if getattr(function, "input_signature", None) is not None else None


def _named_results(results: Any, declared: Sequence[str]) -> list[tuple[str, Any]]:
    """Each tensor that a call gives, in the order of the function graph's outputs, and a name for it."""
    found = [(name, tensor) for name, tensor in _paths(results, lambda _: "output") if tensor is not None]
    if not isinstance(results, Mapping) and len(declared) == len(found):
        return [(name, tensor) for name, (_, tensor) in zip(declared, found, strict=True)]
    return found


def _paths(structure: Any, leaf_name: Callable[[Any], str], path: str = "") -> list[tuple[str, Any]]:
    """The leaves of `structure` as tf.nest orders them, by key where they have one, else by their own name."""
    if isinstance(structure, Mapping):
        parts = [(f"{path}_{key}" if path else str(key), structure[key]) for key in sorted(structure)]
    elif isinstance(structure, list | tuple):
        parts = [(f"{path}_{index}" if path else "", part) for index, part in enumerate(structure)]
    else:
        return [(path or leaf_name(structure), structure)]
    return [leaf for name, part in parts for leaf in _paths(part, leaf_name, name)]


def _spec(name: str, tensor: str, symbolic: Any) -> TensorSpec:
    return TensorSpec(name, tensor, symbolic.dtype.name, read_shape(symbolic.shape.as_proto()))


def _with_variables(func_graph: Any) -> tuple[GraphDef, dict[str, Any]]:
    """The nodes of a function's graph, and its variables by node name.

    What a function captures are placeholders in its graph. Here variables become VarHandleOps under their own names,
    other values Consts, and tables HashTableV2s, which have no value.
    """
    graph_def = GraphDef.FromString(func_graph.as_graph_def().SerializeToString())
    owners = {id(variable.handle): variable for variable in func_graph.variables}
    nodes = {node.name: node for node in graph_def.node}
    variables, renamed = {}, {}
    for captured, placeholder in func_graph.captures:
        node = nodes[node_name(placeholder.name)]
        variable = owners.get(id(captured))
        if variable is not None:
            name = _free_name(variable, nodes)
            nodes[name], variables[name], renamed[node.name] = node, variable, name
            _become_variable(node, name, variable)
        elif node.attr["dtype"].type == _RESOURCE:
            node.op = "HashTableV2"
            node.attr.clear()
        else:
            _become_constant(node, captured)
    for node in graph_def.node:
        node.input[:] = [_renamed(name, renamed) for name in node.input]
    return graph_def, variables


def _free_name(variable: Any, nodes: Mapping[str, NodeDef]) -> str:
    base = re.sub(r"[^\w./-]", "_", node_name(variable.name), flags=re.ASCII).lstrip("_-/") or "variable"
    name, k = base, 0
    while name in nodes:
        k += 1
        name = f"{base}_{k}"
    return name


def _become_variable(node: NodeDef, name: str, variable: Any) -> None:
    node.name, node.op = name, "VarHandleOp"
    node.attr.clear()
    node.attr["dtype"].type = variable.dtype.as_datatype_enum
    node.attr["shape"].shape.ParseFromString(variable.shape.as_proto().SerializeToString())
    node.attr["shared_name"].s = name.encode()


def _become_constant(node: NodeDef, captured: Any) -> None:
    value = import_tensorflow().make_tensor_proto(captured.numpy())
    node.op = "Const"
    node.attr.clear()
    node.attr["dtype"].type = value.dtype
    node.attr["value"].tensor.ParseFromString(value.SerializeToString())


def _renamed(name: str, renamed: Mapping[str, str]) -> str:
    control = "^" if name.startswith("^") else ""
    old = node_name(name)
    return f"{control}{renamed[old]}{name.removeprefix('^')[len(old) :]}" if old in renamed else name
