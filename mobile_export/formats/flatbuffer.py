"""Editing a .tflite file at the level of its schema.

A model is the schema's object form: lists of subgraphs, tensors, operators and buffers that refer to each other by
index. Weights stay views of the bytes they were read from, so reading a model and editing it cost nothing; writing
copies each weight once.
"""

import mmap
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.errors import ConversionError
from mobile_export.graphs.tensors import Array
from mobile_export.tools import import_tool

Content = bytes | bytearray | memoryview
"""A .tflite file."""

MAX_BYTES = (1 << 31) - (64 << 20)
"""Weights that a flatbuffer can hold beside its tables: its offsets are signed 32-bit numbers."""

WEIGHTS_ALIGNMENT = 16
"""The schema asks for weights aligned so; the Python builder by itself aligns bytes to 4."""


@cache
def schema() -> Any:
    """The generated classes of the .tflite schema.

    Raises:
        MissingToolError: ai-edge-litert is not installed.
    """
    return import_tool("ai_edge_litert.schema_py_generated")


def map_file(path: Path) -> memoryview:
    """A file's content, read as it is needed."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_model(content: Content) -> Any:
    """The object form of a .tflite file that its runtime has accepted, or that a converter has just written."""
    schema()
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(content)


def type_name(number: int) -> str:
    """What the schema calls an element type, such as `float32`."""
    names: dict[str, Any] = vars(schema().TensorType)
    return next(name.lower() for name, value in names.items() if value == number)


def write_model(model: Any) -> bytes:
    """A .tflite file; see `packed`."""
    return bytes(packed(model))


def packed(model: Any) -> memoryview:
    """A .tflite file with all weights inside the flatbuffer, where runtimes of any age look for them.

    Raises:
        ConversionError: it would be larger than 2 GB.
    """
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    weights = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    if weights > MAX_BYTES:
        raise ConversionError("the model is larger than 2 GB, which is all that a .tflite file can hold")
    builder = _aligned_builder(weights + weights // 64 + (1 << 16))
    builder.Finish(model.Pack(builder), b"TFL3")
    return memoryview(builder.Bytes)[builder.Head() :]


def _aligned_builder(size: int) -> Any:
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, size: int, count: int, alignment: int) -> int:  # noqa: N802
            wanted = WEIGHTS_ALIGNMENT if size == 1 and count >= WEIGHTS_ALIGNMENT else alignment
            started: int = super().StartVector(size, count, wanted)
            return started

        def CreateNumpyVector(self, array: Array) -> int:  # noqa: N802
            """As inherited, without two copies of weights on the way."""
            if array.dtype != np.uint8:
                return int(super().CreateNumpyVector(array))
            self.StartVector(1, array.size, 1)
            head = self.Head() - array.size
            memoryview(self.Bytes)[head : self.Head()] = array.data
            self.head = head
            self.vectorNumElems = array.size
            return int(self.EndVector())

    builder = Builder(1)
    builder.Bytes, builder.head = np.zeros(size, np.uint8).data, size  # zeros that take no memory until written to
    return builder


def set_ranges(model: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Write calibrated (min, max) into the float tensors of those names, as TensorFlow's quantizer reads them."""
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            found = ranges.get(tensor.name.decode())
            if found and tensor.type == schema().TensorType.FLOAT32:
                tensor.quantization = schema().QuantizationParametersT()
                tensor.quantization.min, tensor.quantization.max = [found[0]], [found[1]]


def float_operators(model: Any, planned: Collection[str] = ()) -> list[str]:
    """The operators that compute on float tensors, each with the tensor it writes, in file order.

    Those that write the tensors `planned` are meant to, and are not named.

    QUANTIZE and DEQUANTIZE are not named: at the edges they are the interface, and inside they surround an operator
    that is.
    """
    types, operators = schema().TensorType, schema().BuiltinOperator
    floats = {types.FLOAT32, types.FLOAT16, types.FLOAT64}
    conversions = {operators.QUANTIZE, operators.DEQUANTIZE}
    found = []
    for subgraph, operator, code in walk(model):
        touched = [subgraph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
        if code not in conversions and any(tensor.type in floats for tensor in touched):
            written = subgraph.tensors[operator.outputs[0]].name.decode() if len(operator.outputs) else ""
            found += [f"{operator_name(code)} ({written!r})"] if written not in planned else []
    return found


def select_tf_ops(content: Content) -> list[str]:
    """TensorFlow's own operators that the Flex delegate would have to run; of a file that its runtime has accepted."""
    model = schema().Model.GetRootAs(content)
    names = [model.OperatorCodes(index).CustomCode() or b"" for index in range(model.OperatorCodesLength())]
    return [name.decode().removeprefix("Flex") for name in names if name.startswith(b"Flex")]


def walk(model: Any) -> Iterator[tuple[Any, Any, int]]:
    """Every operator, with its subgraph and its builtin code, in file order."""
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            yield subgraph, operator, max(code.builtinCode, code.deprecatedBuiltinCode)


def reads(operator: Any) -> list[int]:
    """The tensors that an operator reads, in its order, without those that are left out."""
    return [] if operator.inputs is None else [int(index) for index in operator.inputs if index >= 0]


def constant(model: Any, tensor: Any) -> Any:
    """The bytes of a tensor's value; None of one that is computed or set."""
    return model.buffers[tensor.buffer].data


def set_constant(model: Any, tensor: Any, value: Array) -> None:
    """Make a constant of `tensor`."""
    buffer = schema().BufferT()
    buffer.data = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1


def drop_unused(model: Any) -> None:
    """Take away tensors of the main subgraph, operators' codes and buffers that nothing refers to any more."""
    main, operators = model.subgraphs[0], [o for subgraph in model.subgraphs for o in subgraph.operators]
    edges = [(main, side) for side in ("inputs", "outputs")]
    edges += [(operator, side) for operator in main.operators for side in ("inputs", "outputs", "intermediates")]
    edges = [(holder, side) for holder, side in edges if getattr(holder, side) is not None]
    used = sorted({int(index) for holder, side in edges for index in getattr(holder, side)} - {-1})
    places = {index: place for place, index in enumerate(used)} | {-1: -1}
    for holder, side in edges:
        setattr(holder, side, [places[int(index)] for index in getattr(holder, side)])
    main.tensors = [main.tensors[index] for index in used]
    model.operatorCodes = _kept(model.operatorCodes, [(operator, "opcodeIndex") for operator in operators])
    tensors = [(tensor, "buffer") for subgraph in model.subgraphs for tensor in subgraph.tensors]
    named = [(entry, "buffer") for entry in model.metadata or ()]
    model.buffers = _kept(model.buffers, [*tensors, *named], {0})


def _kept(table: list[Any], references: list[tuple[Any, str]], always: Collection[int] = ()) -> list[Any]:
    """The entries of `table` that `references` name, which get their new places."""
    used = sorted({getattr(holder, key) for holder, key in references}.union(always))
    places = {index: place for place, index in enumerate(used)}
    for holder, key in references:
        setattr(holder, key, places[getattr(holder, key)])
    return [table[index] for index in used]


def operator_code(model: Any, code: int) -> int:
    """The place of a builtin operator in the file's table, added if need be."""
    for index, known in enumerate(model.operatorCodes):
        if max(known.builtinCode, known.deprecatedBuiltinCode) == code:
            return index
    added = schema().OperatorCodeT()
    added.builtinCode, added.deprecatedBuiltinCode, added.version = code, min(code, 127), 1
    model.operatorCodes.append(added)
    return len(model.operatorCodes) - 1


def add_constant(model: Any, subgraph: Any, name: bytes, value: Array) -> int:
    """A tensor of `subgraph` that holds `value` (float32 or int32)."""
    types = schema().TensorType
    index = add_tensor(subgraph, name, types.FLOAT32 if value.dtype == np.float32 else types.INT32, list(value.shape))
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    subgraph.tensors[index].buffer = len(model.buffers) - 1
    return index


def add_tensor(subgraph: Any, name: bytes, dtype: int, shape: Any, signature: Any = None) -> int:
    """A tensor of `subgraph` that an operator writes or an app sets; `signature` marks dynamic sizes with -1."""
    tensor = schema().TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.shapeSignature = name, dtype, shape, signature
    tensor.buffer = 0  # the empty one, by convention
    subgraph.tensors.append(tensor)
    return len(subgraph.tensors) - 1


def make_operator(model: Any, code: int, inputs: list[int], output: int) -> Any:
    """An operator without options, not yet in any subgraph."""
    operator = schema().OperatorT()
    operator.opcodeIndex = operator_code(model, code)
    operator.inputs, operator.outputs = inputs, [output]
    return operator


def operator_name(code: int) -> str:
    """What the schema calls a builtin operator; CUSTOM for one that it does not know."""
    return _operator_names().get(code, "CUSTOM")


@cache
def _operator_names() -> dict[int, str]:
    names = vars(schema().BuiltinOperator).items()
    return {code: name for name, code in names if isinstance(code, int)}
