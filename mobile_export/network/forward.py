"""From a whole training graph to the forward network between the public inputs and outputs.

The branches that inference takes are chosen before the variables are frozen: the others write to them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mobile_export.advice import naming_cuts
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, canonical, format_shape, node_name
from mobile_export.graphs.ops import PLACEHOLDERS
from mobile_export.graphs.safety import refuse_perilous
from mobile_export.graphs.tensors import numpy_dtype
from mobile_export.network import answers, signature
from mobile_export.network.cones import training_switches
from mobile_export.network.freeze import freeze
from mobile_export.network.trained import Trained
from mobile_export.target import Constant, Input, Model, Output
from mobile_export.transforms.add_default_attributes import add_default_attributes
from mobile_export.transforms.drop_control_edges import drop_control_edges
from mobile_export.transforms.drop_unread_results import drop_unread_results
from mobile_export.transforms.growth import Size, refuse_oversized, refuse_recursion
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.resolve_switches import resolve_switches
from mobile_export.transforms.strip import strip

_DROPPED_ATTRIBUTES = ("_class", "_output_shapes")
"""Colocation and recorded shapes: meaningless or wrong once parts of the graph are gone."""


def forward_graph(trained: Trained, model: Model) -> Graph:
    """Choose inputs and outputs, keep what lies between, and give it its weights.

    Args:
        trained: the model as it was saved.
        model: what the target says of inputs, outputs and constants.

    Returns:
        The frozen graph. It has no inputs when neither the target nor a signature names any: which placeholders the
        network really needs shows only when dropout and switches are gone (see `find_inputs`).

    Raises:
        ModelError: a named tensor does not exist, inputs or outputs are ambiguous, or what computes the outputs has
            operators that are never run here, or that no model may have.
    """
    refuse_recursion(trained.graph)
    graph = trained.graph.copy()
    signed = graph.inputs
    _fix_constants(graph, model.constants)
    graph.inputs = _named_inputs(graph, model)
    _switch_training_off(graph)
    graph.outputs = _outputs(graph, model)
    if not model.inputs:
        graph.inputs = _needed(graph, signed)
    graph = freeze(_network(graph), trained.value)
    with naming_cuts(graph, trained.tables):
        return _described(graph, model)


def _needed(graph: Graph, inputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Those of a signature's inputs that the outputs depend on, and that no constant of the target has replaced."""
    needed = graph.reachable(spec.tensor for spec in graph.outputs)
    names = [node_name(spec.tensor) for spec in inputs]
    return tuple(
        spec for name, spec in zip(names, inputs, strict=True) if name in needed and graph.nodes[name].op != "Const"
    )


def _network(graph: Graph) -> Graph:
    """What inference runs of `graph`, on whatever device there is.

    Raises:
        ModelError: it has an operator that no model may have, also where that would be dropped, or it has no end.
    """
    graph = strip(graph)
    refuse_oversized(Size.of(graph.nodes.values()))
    graph = resolve_switches(add_default_attributes(graph))
    with naming_cuts(graph):
        refuse_perilous(graph)
    for step in (inline_functions, resolve_switches, drop_control_edges, drop_unread_results):
        graph = step(graph)
    inner = [node for function in graph.library.function for node in function.node_def]
    for node in [*graph.nodes.values(), *inner]:
        node.device = ""
        for key in _DROPPED_ATTRIBUTES:
            node.attr.pop(key, None)
    return graph


def _fix_constants(graph: Graph, constants: Sequence[Constant]) -> None:
    for index, constant in enumerate(constants):
        tensor = signature.check_tensor(graph, constant.tensor, f"model.constants[{index}]")
        node = graph.nodes[node_name(tensor)]
        dtype = numpy_dtype(attribute(node, "dtype").type)
        if dtype is None:
            raise ModelError(f"model.constants[{index}]: {tensor!r} is no placeholder of a numeric type")
        if node.op not in PLACEHOLDERS:
            raise ModelError(
                f"model.constants[{index}]: {tensor!r} is no placeholder ({node.op}); name the one before it"
            )
        if not _represents(dtype, constant.value):
            raise ModelError(f"model.constants[{index}]: {tensor!r} is {dtype} and cannot be {constant.value}")
        graph.set_constant(node.name, np.asarray(constant.value, dtype))


def _represents(dtype: np.dtype[np.generic], value: float) -> bool:
    if dtype.kind == "b":
        return value in (0, 1)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype.name)
        return value == int(value) and limits.min <= value <= limits.max
    return True


def _outputs(graph: Graph, model: Model) -> tuple[TensorSpec, ...]:
    """Output specs without dtype and shape yet: the target's, the signature's, or what the graph shows."""
    if model.outputs:
        return tuple(
            TensorSpec(o.name, _tensor(graph, o, graph.outputs, f"model.outputs[{i}]"), "", None)
            for i, o in enumerate(model.outputs)
        )
    if graph.outputs:
        return graph.outputs
    found = answers.find_outputs(graph)
    names = signature.public_names(graph, found)
    specs = [TensorSpec(name, tensor, "", None) for name, tensor in zip(names, found, strict=True)]
    if not answers.are_clear(graph, found):
        raise signature.ambiguous("output", _typed(replace(graph, outputs=tuple(specs))))
    return tuple(specs)


def _typed(graph: Graph) -> list[TensorSpec]:
    """The outputs of `graph`, which are candidates, as TensorFlow infers them, or as far as their nodes say."""
    specs = graph.outputs
    try:
        return list(signature.describe(_network(graph), [s.tensor for s in specs], [s.name for s in specs]))
    except ModelError:
        return [signature.declared(graph, spec.name, spec.tensor) for spec in specs]


def _tensor(graph: Graph, named: Input | Output, signed: Sequence[TensorSpec], key: str) -> str:
    """The tensor that the target names, itself or by its name in the model's own signature."""
    if named.tensor is not None:
        return signature.check_tensor(graph, named.tensor, f"{key}.tensor")
    for spec in signed:
        if spec.name == named.name:
            return spec.tensor
    if not signed:
        raise ModelError(f"{key}.tensor: missing; this model has no signature of its own, so name the tensor")
    raise ModelError(
        f"{key}: the model's signature has no {named.name!r}; it has {', '.join(spec.name for spec in signed)}; name "
        "one of them, or add the tensor"
    )


def _named_inputs(graph: Graph, model: Model) -> tuple[TensorSpec, ...]:
    specs = []
    for index, named in enumerate(model.inputs):
        key = f"model.inputs[{index}]"
        spec = signature.input_spec(graph, named.name, _tensor(graph, named, graph.inputs, key))
        if not spec.dtype:
            raise ModelError(
                f"{key}.tensor: the type of {(named.tensor or spec.tensor)!r} is not known; name a tensor behind it"
            )
        specs.append(spec)
    return tuple(specs)


def _switch_training_off(graph: Graph) -> None:
    for name in training_switches(graph):
        if not graph.is_input(name):
            graph.set_constant(name, np.asarray(False))


def find_inputs(graph: Graph, served: Graph) -> Graph:
    """`graph` with the inputs that `served`, its inference-only form, still reads.

    Raises:
        ModelError: there is none.
    """
    found = signature.find_inputs(served)
    if not found:
        raise signature.ambiguous("input", [])
    specs = signature.describe(graph, found, signature.public_names(graph, found))
    return replace(graph, inputs=specs)


def _described(graph: Graph, model: Model) -> Graph:
    """Fill in dtypes and shapes; a shape in the target must fit the graph's."""
    names = [spec.name for spec in (*graph.inputs, *graph.outputs)]
    tensors = [spec.tensor for spec in (*graph.inputs, *graph.outputs)]
    specs = signature.describe(graph, tensors, names)
    graph.inputs, graph.outputs = specs[: len(graph.inputs)], specs[len(graph.inputs) :]
    for index, (spec, wanted) in enumerate(zip(graph.inputs, model.inputs, strict=False)):
        if wanted.shape is not None and not _fits(wanted.shape, spec.shape):
            raise ModelError(
                f"model.inputs[{index}].shape: {format_shape(wanted.shape)} does not fit {canonical(spec.tensor)!r}, "
                f"which is {format_shape(spec.shape)} in the model"
            )
    return graph


def _fits(wanted: tuple[int, ...], shape: tuple[int, ...] | None) -> bool:
    """Whether `wanted` can stand for `shape`; the first dimension, the batch, may always change."""
    if shape is None:
        return True
    if len(wanted) != len(shape):
        return False
    return all(have in (-1, want) for want, have in zip(wanted[1:], shape[1:], strict=True))
