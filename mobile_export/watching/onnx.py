"""An .onnx file as a network: tensors are watched by making them outputs, without ONNX Runtime's optimizations.

Operators between DequantizeLinear and QuantizeLinear are then computed in float on rounded values, which is what the
file says; fused integer kernels differ from that by a rounding here and there.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats.onnx_runner import OnnxRunner, load, run, serialize, session_options
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.onnx_graph import all_bodies, attribute_of, inner_nodes, walk
from mobile_export.quantize.onnx_operators import weighted_operators
from mobile_export.watching.network import Node, Quantization, Values, Watch, Watched

_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
_INTEGER = ("ConvInteger", "MatMulInteger")
_ACTIVATIONS = ("Relu", "Clip")
_REAL = frozenset({"float32", "float16", "bfloat16", "float64"})


class ONNXNetwork:
    """The main graph of an .onnx file; a `Network`."""

    folds_conversions = True

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            ModelError: its weights lie in other files.
            ConversionError: ONNX Runtime does not load it.
        """
        import onnx
        from google.protobuf.message import DecodeError

        try:
            self._model = onnx.load(path, load_external_data=False)
        except DecodeError as error:
            raise ConversionError(f"{path.name}: is damaged: it is no ONNX model") from error
        graph = self._model.graph
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(graph)):
            raise ModelError(f"{path}: keeps weights in other files; only single files are explained")
        self.edges = OnnxRunner(path).inputs
        self.inputs = {edge.name: edge.name for edge in self.edges}
        self._constants = {tensor.name: tensor for tensor in graph.initializer} | dict(_constant_nodes(graph))
        self.types = dict(_types(self._model)) | {
            name: _type_name(tensor.data_type) for name, tensor in self._constants.items()
        }
        self._widened: set[str] = set()  # integer constants made real by operators, where a file has no other way
        self.quantized = {name: found for name, found in self._quantizations() if found is not None}
        self.nodes = tuple(self._node(node) for node in graph.node if node.op_type != "Constant")

    @cached_property
    def layers(self) -> Collection[str]:
        found = weighted_operators(self._model.graph)
        return frozenset(name for name, layer in found.items() if name in layer.node.output)  # as conversions name them

    @cached_property
    def fused(self) -> Collection[str]:
        """What lies between integers, and between quantizing as it runs and the real sums: its fusions go over it."""
        outputs = {output.name for output in self._model.graph.output}
        return (set(self._between_integers()) | set(self._of_integer_sums())) - outputs

    def _between_integers(self) -> set[str]:
        readers = Counter(name for node in self.nodes for name in node.inputs)
        found: set[str] = set()
        for node in reversed(self.nodes):
            if node.kind == "DequantizeLinear":
                found |= set(node.outputs)
            elif node.kind == "QuantizeLinear" or (node.kind in _ACTIVATIONS and set(node.outputs) <= found):
                found |= {name for name in node.inputs[:1] if readers[name] == 1}
        return found

    def _of_integer_sums(self) -> set[str]:
        sums: set[str] = set()
        scales: set[str] = set()
        for node in self.nodes:
            if node.kind in _INTEGER or (node.kind == "Cast" and set(node.inputs) <= sums):
                sums |= set(node.outputs)
            elif node.kind == "DynamicQuantizeLinear" or (
                node.kind == "Mul" and all(name in scales or self.is_constant(name) for name in node.inputs)
            ):
                scales |= set(node.outputs)
        return sums | scales

    def _node(self, node: Any) -> Node:
        captured = [name for inner in inner_nodes(node) for name in inner.input]
        recast = node.op_type == "Cast" and {self.types.get(node.input[0]), self.types.get(node.output[0])} <= _REAL
        converts = node.op_type in _CONVERSIONS or recast or node.output[0] in self._widened
        return Node(node.op_type, (*node.input, *captured), tuple(node.output), converts)

    def channel_axis(self, rank: int) -> int:
        return 1 if rank > 3 else rank - 1

    def is_constant(self, name: str) -> bool:
        return name in self._constants

    def constant(self, name: str) -> Array | None:
        stored = self._stored(name)
        if stored is not None and name in self.quantized:
            return self.quantized[name].dequantize(stored) if self.quantized[name].fits(stored.shape) else None
        return stored.astype(np.float32) if stored is not None and stored.dtype.kind == "f" else None

    def watched(self, names: Sequence[str], cut: bool = False) -> Watched:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        inputs, written = list(self.inputs.values()), {name: name for name in names}
        if cut:
            written = _cut(model.graph, frozenset(names))
            inputs += written
            model.graph.input.extend(
                onnx.helper.make_tensor_value_info(name, self._number(name), None) for name in written
            )
        del model.graph.output[:]
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(output, self._number(name), None) for name, output in written.items()
        )
        return Watched(serialize(model), tuple(inputs), written)

    def watch(self, names: Sequence[str], cut: bool = False) -> Watch:
        return _Watching(self.watched(names, cut), self.types)

    def _number(self, name: str) -> int:
        import onnx

        return int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.types[name])))

    def _stored(self, name: str) -> Array | None:
        from onnx import numpy_helper

        if name not in self._constants:
            return None
        array = numpy_helper.to_array(self._constants[name])
        narrow = array.dtype.name in ("int4", "uint4")
        stored: Array = array.astype(np.int8) if narrow else array
        return stored if stored.dtype.kind in "fiu" else None

    def _quantizations(self) -> Iterator[tuple[str, Quantization | None]]:
        readers = {name: node for node in self._model.graph.node for name in node.input}
        writers = {name: node for node in self._model.graph.node for name in node.output}
        for node in self._model.graph.node:
            if node.op_type in _CONVERSIONS:
                axis = attribute_of(node, "axis", 1)
                name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
                yield name, self._quantization(name, node.input[1], node.input[2] if len(node.input) > 2 else "", axis)
            elif node.op_type in _INTEGER:
                yield node.input[1], self._scaled_later(node, readers, writers)
            elif node.op_type == "Cast" and node.input[0] in self._constants:
                scaled = readers.get(node.output[0])
                if scaled is not None and scaled.op_type == "Mul" and scaled.input[1] in self._constants:
                    self._widened |= {node.output[0], scaled.output[0]}
                    yield node.input[0], self._quantization(node.input[0], scaled.input[1])

    def _scaled_later(self, node: Any, readers: Mapping[str, Any], writers: Mapping[str, Any]) -> Quantization | None:
        """Of the weights of an operator whose sums are multiplied with both scales, the product of which is another."""
        cast = readers.get(node.output[0])
        product = readers.get(cast.output[0]) if cast is not None else None
        scales = writers.get(product.input[1]) if product is not None and len(product.input) > 1 else None
        scale = next((name for name in (scales.input if scales is not None else ()) if name in self._constants), None)
        if scale is None:
            return None
        return self._quantization(node.input[1], scale, axis=0 if node.op_type == "ConvInteger" else -1)

    def _quantization(self, name: str, scale: str, zero_point: str = "", axis: int = 0) -> Quantization | None:
        """Of the tensor `name`; a scale of many dimensions says by its shape to which of them it belongs."""
        steps, zero = self._stored(scale), self._stored(zero_point)
        dtype = self.types.get(name) or self.types.get(zero_point) or "uint8"
        if steps is None or max(steps.shape, default=1) != steps.size or not dtype.startswith(("int", "uint")):
            return None
        axis = int(np.argmax(steps.shape)) if steps.ndim > 1 else axis
        zeros = np.zeros(1, np.int64) if zero is None else zero.astype(np.int64).reshape(-1)
        if zeros.size not in (1, steps.size):
            return None
        return Quantization(dtype, steps.astype(np.float64).reshape(-1), np.broadcast_to(zeros, steps.size), axis)


class _Watching:
    """A session of a file whose outputs are the tensors that are watched."""

    def __init__(self, file: Watched, types: Mapping[str, str]) -> None:
        options = session_options(level="DISABLE_ALL")
        self._session = load(file.content, options, "the file with its tensors as outputs")
        self._file, self._types = file, types

    def __call__(self, feeds: Mapping[str, Array]) -> Values:
        given = {name: np.asarray(feeds[name], self._types[name]) for name in self._file.inputs}
        found = run(self._session, given)
        return {name: found[output] for name, output in self._file.outputs.items()}


def _cut(graph: Any, names: Collection[str]) -> dict[str, str]:
    """Let operators write copies of the tensors `names`: the copy of each that is written."""
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    written: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name in names:
                copy = f"{name}/own"
                while copy in taken:
                    copy += "_"
                node.output[place] = written[name] = copy
    return written


def _constant_nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    for node in graph.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")


def _tensors(graph: Any) -> Iterator[Any]:
    """All constants of a graph, and of those in its operators."""
    for each in (graph, *(body for node in graph.node for body in all_bodies(node))):
        yield from each.initializer
    for attribute in (attribute for node in walk(graph) for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)


def _types(model: Any) -> Iterator[tuple[str, str]]:
    """Element types, as far as ONNX can tell them."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    for info in (*graph.input, *graph.output, *graph.value_info):
        yield info.name, _type_name(info.type.tensor_type.elem_type)


def _type_name(number: int) -> str:
    from onnx import helper

    try:
        return str(helper.tensor_dtype_to_np_dtype(number).name)
    except KeyError:  # none, or of no array
        return ""
