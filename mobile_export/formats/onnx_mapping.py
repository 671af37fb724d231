"""TensorFlow operators to ONNX operators: the only module that knows how to call tf2onnx.

tf2onnx gets a skeleton with the small constants that it reads (shapes, axes). Kernels and matrices, of which it only
changes the layout, are placeholders to it, and what it would do to each of them is done to the array afterwards. Other
weights are handed over when it asks for one, and taken out again before it builds the model. Its optimizers, which
take most of its time, are left out.
"""

import gc
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.errors import ConversionError
from mobile_export.formats.onnx_kernels import fill_in
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, data_inputs, node_name, short
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.graphs.tensors import dtype_number_of, numpy_dtype, write_shape
from mobile_export.quantize.onnx_graph import walk
from mobile_export.session import import_tensorflow
from mobile_export.tools import import_tool

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[np.generic]

OPSET = 17
"""The first with LayerNormalization as one operator; every ONNX Runtime since 1.12 knows it, mobile builds included."""

LARGE_BYTES = 4096
"""Constants above this size are weights; what tf2onnx reads as values (shapes, axes, paddings) is far below."""

_WITH_KERNEL = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"})
"""Operators whose second input is one."""

_LOOPS = frozenset({"LoopCond", "StatelessWhile", "While"})
_KNOWN_LOOPS = "; of loops it knows those that read one list and fill another one, both in order"
_HANDLER_ERRORS = (  # tf2onnx's handlers raise whatever their code runs into
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
)


def map_operators(graph: Graph) -> "tuple[ModelProto, dict[str, str]]":
    """`graph` in ONNX's operators, and the public name of each of its input and output tensors.

    Raises:
        ConversionError: an operator has no counterpart, or tf2onnx fails on it.
    """
    skeleton = _cut(graph)
    weights = _weights(skeleton)
    kernels = _kernels(skeleton, weights)
    try:
        model = _mapped(graph, skeleton, weights, kernels)
    except ConversionError:
        if not kernels:
            raise
        model = _mapped(graph, skeleton, weights, {})  # some operator wants to see its kernel
    return model, _public(skeleton)


def _public(skeleton: Graph) -> dict[str, str]:
    return {spec.tensor: spec.name for spec in (*skeleton.inputs, *skeleton.outputs)}


def _mapped(graph: Graph, skeleton: Graph, weights: Mapping[str, Array], kernels: Mapping[str, Array]) -> "ModelProto":
    """The model of `skeleton`, in which `kernels` are placeholders until it is there; errors are about `graph`."""
    tf = import_tensorflow()
    with _recorded_errors() as records, tf.Graph().as_default() as tf_graph:
        try:
            tf.import_graph_def(_skeleton_def(skeleton, weights, kernels), name="")
            seen = {name: array for name, array in weights.items() if name not in kernels}
            model = _run_tf2onnx(tf_graph, skeleton, seen)
        except (*_HANDLER_ERRORS, tf.errors.OpError) as error:
            raise _explained(error, records, graph) from error
    del tf_graph
    gc.collect()  # tf2onnx's graph is full of cycles, and of copies of the weights
    fill_in(model.graph, {f"{name}:0": array for name, array in kernels.items()})
    _refuse_unmapped(model, _public(skeleton), graph)
    return model


def _cut(graph: Graph) -> Graph:
    """What lies between inputs and outputs, with a Placeholder for each input and an Identity for each output.

    So an output may be an input, a constant, or another output's tensor.
    """
    cut = graph.copy()
    for node in list(cut.nodes.values()):
        _simplify(cut, node)
    inputs = tuple(_add_placeholder(cut, spec) for spec in graph.inputs)
    cut.redirect({old.tensor: new.tensor for old, new in zip(graph.inputs, inputs, strict=True)})
    outputs = tuple(_add_identity(cut, spec) for spec in cut.outputs)
    cut.inputs, cut.outputs = inputs, outputs
    cut.remove(set(cut.nodes) - cut.reachable(spec.tensor for spec in (*inputs, *outputs)))
    return cut


def _simplify(cut: Graph, node: NodeDef) -> None:
    """Drop what means nothing in ONNX, and put what tf2onnx does not know in terms of what it does.

    Erfc(x)  =>  Sub(1, Erf(x))  (the exact gelu)
    PlaceholderWithDefault(x)  =>  Identity(x)
    """
    node.input[:] = data_inputs(node)
    node.attr.pop("_class", None)  # colocation
    if node.op == "PlaceholderWithDefault":
        node.CopyFrom(_typed(node.name, "Identity", "T", attribute(node, "dtype").type, node.input))
    elif node.op == "Erfc":
        dtype = attribute(node, "T").type
        one = cut.add_constant(f"{node.name}/one", np.ones((), numpy_dtype(dtype)))
        erf = _typed(cut.free_name(f"{node.name}/erf"), "Erf", "T", dtype, node.input)
        cut.nodes[erf.name] = erf
        node.CopyFrom(_typed(node.name, "Sub", "T", dtype, (one, erf.name)))


def _add_placeholder(cut: Graph, spec: TensorSpec) -> TensorSpec:
    node = _typed(cut.free_name("input"), "Placeholder", "dtype", dtype_number_of(spec.dtype), ())
    write_shape(node.attr["shape"].shape, spec.shape)
    cut.nodes[node.name] = node
    return replace(spec, tensor=f"{node.name}:0")


def _add_identity(cut: Graph, spec: TensorSpec) -> TensorSpec:
    source = short(spec.tensor)
    node = _typed(cut.free_name("output"), "Identity", "T", dtype_number_of(spec.dtype), (source,))
    cut.nodes[node.name] = node
    return replace(spec, tensor=f"{node.name}:0")


def _typed(name: str, op: str, attribute: str, number: int, inputs: Iterable[str]) -> NodeDef:
    node = NodeDef(name=name, op=op, input=list(inputs))
    node.attr[attribute].type = number
    return node


def _weights(cut: Graph) -> dict[str, Array]:
    """The constants to keep out of the skeleton: none that a function's constant shares its name with.

    tf2onnx looks both up in one table.
    """
    inner = {node.name for function in cut.library.function for node in function.node_def}
    return {name: array for name, array in cut.constants.items() if array.nbytes > LARGE_BYTES and name not in inner}


def _kernels(cut: Graph, weights: Mapping[str, Array]) -> dict[str, Array]:
    """The weights that are read as kernels and matrices, and as nothing else."""
    others = {
        node_name(name)
        for node in cut.nodes.values()
        for place, name in enumerate(node.input)
        if place != 1 or node.op not in _WITH_KERNEL
    }
    others |= {node_name(spec.tensor) for spec in cut.outputs}
    return {name: array for name, array in weights.items() if name not in others}


def _skeleton_def(cut: Graph, weights: Mapping[str, Array], kernels: Mapping[str, Array]) -> GraphDef:
    """The GraphDef in which `weights` have type and shape, and no value; `kernels` are placeholders."""
    graph_def = cut.to_graph_def(without=weights)
    for node in graph_def.node:
        if node.name in kernels:
            node.CopyFrom(_typed(node.name, "Placeholder", "dtype", node.attr["dtype"].type, ()))
            write_shape(node.attr["shape"].shape, kernels[node.name].shape)
        elif node.name in weights:
            tensor = node.attr["value"].tensor
            tensor.dtype = node.attr["dtype"].type
            write_shape(tensor.tensor_shape, weights[node.name].shape)
    return graph_def


class _Bytes(Mapping[str, bytes]):
    """Arrays as tf2onnx's `const_node_values`, each copied only while it is asked for."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> bytes:
        return self._arrays[name].tobytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def _run_tf2onnx(tf_graph: Any, cut: Graph, weights: Mapping[str, Array]) -> "ModelProto":
    mapped = import_tool("tf2onnx.tfonnx").process_tf_graph(
        tf_graph,
        opset=OPSET,
        input_names=[spec.tensor for spec in cut.inputs],
        output_names=[spec.tensor for spec in cut.outputs],
        const_node_values=_Bytes(weights),
    )
    taken = _take_weights(mapped)
    model: ModelProto = mapped.make_model("")
    for tensor in model.graph.initializer:
        if tensor.name in taken:
            tensor.raw_data = taken.pop(tensor.name)
    for node in walk(model.graph):
        if node.op_type == "Identity":  # of TensorListFromTensor it keeps the second input, a shape
            del node.input[1:]
    return model


def _take_weights(mapped: Any) -> dict[str, bytes]:
    """Move large values out of tf2onnx's graph, which copies them thrice to make a model."""
    taken = {}
    for node in mapped.get_nodes():
        if node.is_const() and len(data := node.attr["value"].t.raw_data) > LARGE_BYTES:
            taken[node.output[0]] = data
            node.attr["value"].t.ClearField("raw_data")
    return taken


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _recorded_errors() -> Iterator[list[logging.LogRecord]]:
    """Collect the errors that tf2onnx logs, and keep all that it logs from the terminal."""
    recorder, logger = _Recorder(), logging.getLogger("tf2onnx")
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(recorder)
    try:
        yield recorder.records
    finally:
        logger.removeHandler(recorder)
        logger.propagate = propagated


def _explained(error: Exception, records: Sequence[logging.LogRecord], graph: Graph) -> ConversionError:
    """One sentence; tf2onnx names the node that it failed on only in its log."""
    cause = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    loops = [name for name, node in graph.nodes.items() if node.op in _LOOPS]
    for record in records:
        name = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if isinstance(name, str) and name in graph.nodes:
            known = _KNOWN_LOOPS if name in loops else ""
            said = f"tf2onnx cannot convert {graph.nodes[name].op} (node {name!r}): {cause}{known}"
            return ConversionError(said, [name])
    return ConversionError(f"tf2onnx cannot convert the graph: {cause}{_KNOWN_LOOPS if loops else ''}")


def _refuse_unmapped(model: "ModelProto", public: Mapping[str, str], graph: Graph) -> None:
    """tf2onnx leaves operators that it does not know as they are, and adds inputs as it needs them."""
    import onnx

    left = [n for n in walk(model.graph) if not onnx.defs.has(n.op_type, OPSET, n.domain)]
    if left:
        named = ", ".join(sorted(f"{node.op_type} (node {node.name!r})" for node in left)[:5])
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise ConversionError(
            f"ONNX has no counterpart of these TensorFlow operators: {named}{more}",
            nodes=[node.name for node in left if node.name in graph.nodes],
        )
    unfed = [node_name(info.name) for info in model.graph.input if info.name not in public]
    if unfed:
        raise ConversionError(f"the outputs depend on the placeholder {unfed[0]!r}, which is not an input")
