"""A .tflite file as a network: tensors are watched by making them outputs, so that its usual kernels compute them."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export import machine
from mobile_export.errors import ConversionError, NotRunnableError
from mobile_export.formats.flatbuffer import (
    add_tensor,
    operator_name,
    read_model,
    schema,
    select_tf_ops,
    walk,
    write_model,
)
from mobile_export.formats.tflite_edges import publish
from mobile_export.formats.tflite_layers import Operations
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.graphs.tensors import Array
from mobile_export.watching.network import Node, Quantization, Values, Watch, Watched

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


class TFLiteNetwork:
    """The main subgraph of a .tflite file; a `Network`."""

    folds_conversions = False
    fused = frozenset[str]()

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            ConversionError: LiteRT does not load it.
            NotRunnableError: it needs TensorFlow's own operators.
        """
        self.edges = TFLiteRunner(path).inputs
        self._content = path.read_bytes()
        if select_tf_ops(self._content):
            raise NotRunnableError(f"{path}: cannot be explained: no interpreter here has the Flex delegate")
        self._model = read_model(self._content)
        main = self._model.subgraphs[0]
        self._names = _unique([(tensor.name or b"").decode(errors="replace") for tensor in main.tensors])
        self._indices = {name: index for index, name in enumerate(self._names)}
        self.inputs = {edge.name: self._names[index] for edge, index in zip(self.edges, main.inputs, strict=True)}
        types = {number: name.lower() for name, number in vars(schema().TensorType).items() if isinstance(number, int)}
        self.types = {name: types.get(main.tensors[i].type, "") for name, i in self._indices.items()}
        found = {name: _quantization(main.tensors[i], self.types[name]) for name, i in self._indices.items()}
        self.quantized = {name: quantization for name, quantization in found.items() if quantization is not None}
        self.nodes = tuple(self._node(operator, code) for sub, operator, code in walk(self._model) if sub is main)

    @cached_property
    def layers(self) -> Collection[str]:
        return frozenset(layer.name for layer in Operations(self._model).layers)

    def _node(self, operator: Any, code: int) -> Node:
        kind = operator_name(code)
        read = () if operator.inputs is None else operator.inputs
        inputs, outputs = (tuple(self._names[i] if i >= 0 else "" for i in side) for side in (read, operator.outputs))
        return Node(kind, inputs, outputs, kind in _CONVERSIONS)

    def channel_axis(self, rank: int) -> int:
        return rank - 1

    def is_constant(self, name: str) -> bool:
        return self._model.buffers[self._model.subgraphs[0].tensors[self._indices[name]].buffer].data is not None

    def constant(self, name: str) -> Array | None:
        tensor = self._model.subgraphs[0].tensors[self._indices[name]]
        data = self._model.buffers[tensor.buffer].data
        blocks = tensor.quantization is not None and tensor.quantization.details is not None
        if data is None or blocks or tensor.sparsity is not None:
            return None
        stored = _stored(np.frombuffer(data, np.uint8), self.types[name], tuple(map(int, _list(tensor.shape))))
        if stored is None:
            return None
        if name in self.quantized:
            return self.quantized[name].dequantize(stored) if self.quantized[name].fits(stored.shape) else None
        return stored.astype(np.float32) if stored.dtype.kind == "f" else None

    def watched(self, names: Sequence[str], cut: bool = False) -> Watched:
        model = read_model(self._content)
        main = model.subgraphs[0]
        entries = [int(index) for index in main.inputs]
        exits = {name: self._indices[name] for name in names}
        if cut:
            written = _cut(main, set(exits.values()))
            entries += [index for index in exits.values() if index in written and index not in entries]
            exits = {name: written[index] for name, index in exits.items() if index in written}
        main.inputs, main.outputs = entries, list(exits.values())
        inputs = [self._names[index] for index in entries]
        publish(model, inputs, list(exits))
        return Watched(write_model(model), tuple(inputs), {name: name for name in exits})

    def watch(self, names: Sequence[str], cut: bool = False) -> Watch:
        return _Watching(self.watched(names, cut), self.types, self.quantized)


class _Watching:
    """LiteRT's interpreter of a file whose outputs are the tensors that are watched."""

    def __init__(self, file: Watched, types: Mapping[str, str], quantized: Mapping[str, Quantization]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._types, self._quantized = types, quantized
        self._shapes: list[tuple[int, ...]] = []
        try:
            self._interpreter = Interpreter(model_content=file.content, num_threads=machine.threads())
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"LiteRT does not load the file with its tensors as outputs: {error}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._fed = {name: detail["index"] for name, detail in zip(file.inputs, inputs, strict=True)}
        self._watched = {name: detail["index"] for name, detail in zip(file.outputs, outputs, strict=True)}

    def __call__(self, feeds: Mapping[str, Array]) -> Values:
        stored = [self._to_stored(name, feeds[name]) for name in self._fed]
        try:
            self._resize([array.shape for array in stored])
            for index, array in zip(self._fed.values(), stored, strict=True):
                self._interpreter.set_tensor(index, array)
            self._interpreter.invoke()
            found = {name: self._interpreter.get_tensor(index) for name, index in self._watched.items()}
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"LiteRT does not run the file with its tensors as outputs: {error}") from error
        return {
            name: self._quantized[name].dequantize(array) if name in self._quantized else array
            for name, array in found.items()
        }

    def _to_stored(self, name: str, real: Array) -> Array:
        if name in self._quantized:
            return self._quantized[name].quantize(real)
        return np.asarray(real, self._types[name], order="C")

    def _resize(self, shapes: list[tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        for index, shape in zip(self._fed.values(), shapes, strict=True):
            self._interpreter.resize_tensor_input(index, shape)
        self._interpreter.allocate_tensors()
        self._shapes = shapes


def _cut(main: Any, watched: set[int]) -> dict[int, int]:
    """Let operators write copies of the tensors `watched`: the copy of each that is written."""
    written: dict[int, int] = {}
    for operator in main.operators:
        outputs = [int(index) for index in operator.outputs]
        for place, index in enumerate(outputs):
            if index in watched:
                tensor = main.tensors[index]
                outputs[place] = add_tensor(main, tensor.name, tensor.type, tensor.shape, tensor.shapeSignature)
                main.tensors[outputs[place]].quantization = tensor.quantization
                written[index] = outputs[place]
        operator.outputs = outputs
    return written


def _quantization(tensor: Any, dtype: str) -> Quantization | None:
    found = tensor.quantization
    if found is None or found.scale is None or not len(found.scale) or not dtype.startswith(("int", "uint")):
        return None
    scale = np.array(found.scale, np.float64)
    zero_point = np.array(_list(found.zeroPoint) or [0], np.int64)
    if zero_point.size not in (1, scale.size):
        return None
    return Quantization(dtype, scale, np.broadcast_to(zero_point, scale.shape), int(found.quantizedDimension))


def _stored(data: Array, dtype: str, shape: tuple[int, ...]) -> Array | None:
    """The values of a buffer, of the file's own type; None for what is no number, or not of that shape."""
    if dtype == "int4":  # two in a byte, the lower half first
        halves = np.stack([data << 4, data & 0xF0], axis=1).view(np.int8) >> 4
        values: Array = halves.reshape(-1)[: int(np.prod(shape))]
    elif dtype in ("float32", "float16", "int8", "uint8", "int16", "int32", "int64"):
        values = data.view(dtype)
    else:
        return None
    return values.reshape(shape) if values.size == np.prod(shape) else None


def _list(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _unique(names: list[str]) -> list[str]:
    """Each name once: those that occur before get their place behind it."""
    taken: set[str] = set()
    found = []
    for index, name in enumerate(names):
        found.append(name if name not in taken else f"{name}#{index}")
        taken.add(found[-1])
    return found
