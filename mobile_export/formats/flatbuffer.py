"""Editing a .tflite file at the level of its schema: names, signature, element types at the edges, value ranges.

A model is the schema's object form: lists of subgraphs, tensors, operators and buffers that refer to each other by
index. Weights stay views of the bytes they were read from, so reading a model and editing it cost nothing; writing
copies each weight once.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.errors import ConversionError, MissingToolError

SIGNATURE = "serving_default"
"""The name under which TensorFlow's own converter files a model's only signature."""

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
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingToolError(
            f'ai-edge-litert cannot be imported ({error}); run: pip install "mobile-export[convert]"'
        ) from error
    return schema_py_generated


def read_model(content: bytes | bytearray) -> Any:
    """The object form of a .tflite file that its runtime has accepted, or that a converter has just written."""
    schema()
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(content)


def write_model(model: Any) -> bytes:
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
    return bytes(builder.Output())


def _aligned_builder(size: int) -> Any:
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, size: int, count: int, alignment: int) -> int:  # noqa: N802
            wanted = WEIGHTS_ALIGNMENT if size == 1 and count >= WEIGHTS_ALIGNMENT else alignment
            started: int = super().StartVector(size, count, wanted)
            return started

    return Builder(size)


def publish(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Name the edges of `model`, in file order, and describe them in its only signature.

    Tensor names become unique in the whole file. An output that is also an input, a constant or an earlier output
    becomes a copy of that tensor, since a tensor has one name.

    Raises:
        ConversionError: such a tensor cannot be copied.
    """
    main = model.subgraphs[0]
    _separate_outputs(model, outputs)
    public = dict(zip(main.outputs, outputs, strict=True)) | dict(zip(main.inputs, inputs, strict=True))
    taken = set(public.values())
    for index, name in public.items():
        main.tensors[index].name = name.encode()
    for subgraph in model.subgraphs:
        for index, tensor in enumerate(subgraph.tensors):
            if subgraph is not main or index not in public:
                tensor.name = _free_name((tensor.name or b"tensor").decode(), taken).encode()
    signature = schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    signature.inputs = [_tensor_map(name, i) for name, i in zip(inputs, main.inputs, strict=True)]
    signature.outputs = [_tensor_map(name, i) for name, i in zip(outputs, main.outputs, strict=True)]
    model.signatureDefs = [signature]


def set_interface(model: Any, dtype: str) -> None:
    """Give the quantized edges of an int8 model the element type `dtype`, by a conversion operator at each.

    Edges that are not quantized (token ids, class numbers) stay what they are. `publish` the result.
    """
    if dtype == "int8":
        return
    types, operators = schema().TensorType, schema().BuiltinOperator
    main = model.subgraphs[0]
    wanted = {"float32": types.FLOAT32, "uint8": types.UINT8}[dtype]
    leave = operators.DEQUANTIZE if dtype == "float32" else operators.QUANTIZE
    entries, exits = [], []
    for place, inner in enumerate(main.inputs):
        if _is_int8(main.tensors[inner]):
            main.inputs[place] = outer = _outer_tensor(main, inner, wanted)
            entries.append(_operator(model, operators.QUANTIZE, outer, inner))
    for place, inner in enumerate(main.outputs):
        if _is_int8(main.tensors[inner]):
            main.outputs[place] = outer = _outer_tensor(main, inner, wanted)
            exits.append(_operator(model, leave, inner, outer))
    main.operators = [*entries, *main.operators, *exits]


def has_dynamic_sizes(model: Any) -> bool:
    """Whether an input has a dynamic dimension behind the batch."""
    main = model.subgraphs[0]
    signatures = [main.tensors[index].shapeSignature for index in main.inputs]
    return any(size < 0 for signature in signatures if signature is not None for size in signature[1:])


def set_default_shapes(model: Any, shapes: Sequence[Sequence[int]]) -> None:
    """Give each input the size that it has before anyone resizes it; dynamic dimensions stay dynamic."""
    main = model.subgraphs[0]
    for index, shape in zip(main.inputs, shapes, strict=True):
        main.tensors[index].shape = list(shape)


def set_ranges(model: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Write calibrated (min, max) into the float tensors of those names, as TensorFlow's quantizer reads them."""
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            found = ranges.get(tensor.name.decode())
            if found and tensor.type == schema().TensorType.FLOAT32:
                tensor.quantization = schema().QuantizationParametersT()
                tensor.quantization.min, tensor.quantization.max = [found[0]], [found[1]]


def float_operators(content: bytes | bytearray) -> list[str]:
    """The operators that compute on float tensors, each with the tensor it writes, in file order.

    QUANTIZE and DEQUANTIZE are not named: at the edges they are the interface, and inside they surround an operator
    that is.
    """
    model = read_model(content)
    types, operators = schema().TensorType, schema().BuiltinOperator
    floats = {types.FLOAT32, types.FLOAT16, types.FLOAT64}
    conversions = {operators.QUANTIZE, operators.DEQUANTIZE}
    found = []
    for subgraph, operator, code in walk(model):
        touched = [subgraph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
        if code not in conversions and any(tensor.type in floats for tensor in touched):
            written = subgraph.tensors[operator.outputs[0]].name.decode() if len(operator.outputs) else ""
            found.append(f"{_operator_names()[code]} ({written!r})")
    return found


def walk(model: Any) -> Iterator[tuple[Any, Any, int]]:
    """Every operator, with its subgraph and its builtin code, in file order."""
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            yield subgraph, operator, max(code.builtinCode, code.deprecatedBuiltinCode)


def operator_code(model: Any, code: int) -> int:
    """The place of a builtin operator in the file's table, added if need be."""
    for index, known in enumerate(model.operatorCodes):
        if max(known.builtinCode, known.deprecatedBuiltinCode) == code:
            return index
    added = schema().OperatorCodeT()
    added.builtinCode, added.deprecatedBuiltinCode, added.version = code, min(code, 127), 1
    model.operatorCodes.append(added)
    return len(model.operatorCodes) - 1


def add_constant(model: Any, subgraph: Any, name: bytes, value: NDArray[np.generic]) -> int:
    """A tensor of `subgraph` that holds `value` (float32 or int32)."""
    types = schema().TensorType
    index = _add_tensor(subgraph, name, types.FLOAT32 if value.dtype == np.float32 else types.INT32, list(value.shape))
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    subgraph.tensors[index].buffer = len(model.buffers) - 1
    return index


@cache
def _operator_names() -> dict[int, str]:
    names = vars(schema().BuiltinOperator).items()
    return {code: name for name, code in names if isinstance(code, int)}


def _separate_outputs(model: Any, outputs: Sequence[str]) -> None:
    main = model.subgraphs[0]
    constant = {i for i, tensor in enumerate(main.tensors) if model.buffers[tensor.buffer].data is not None}
    named = constant | set(main.inputs)
    for place, index in enumerate(main.outputs):
        if index in named:
            main.outputs[place] = _copy(model, index, outputs[place])
        named.add(index)


def _copy(model: Any, index: int, output: str) -> int:
    """Append a RESHAPE to the same shape: every runtime and delegate knows it, for any element type."""
    main = model.subgraphs[0]
    source = main.tensors[index]
    shape = source.shapeSignature if source.shapeSignature is not None else source.shape
    if shape is None or not len(shape) or sum(size < 0 for size in shape) > 1:
        raise ConversionError(
            f"output {output!r} is the same tensor as an input, a constant or another output, and has no shape that "
            "allows a copy of it; leave it out, or give it at most one dynamic dimension"
        )
    sizes = add_constant(model, main, b"shape", np.array(shape, np.int32))
    copied = _add_tensor(main, source.name, source.type, source.shape, source.shapeSignature)
    main.operators.append(_operator(model, schema().BuiltinOperator.RESHAPE, index, copied, sizes))
    return copied


def _is_int8(tensor: Any) -> bool:
    quantization = tensor.quantization
    return tensor.type == schema().TensorType.INT8 and quantization is not None and quantization.scale is not None


def _outer_tensor(main: Any, inner: int, dtype: int) -> int:
    """A tensor of `dtype` that takes the name of the int8 edge `inner`, and its scale unless it is float."""
    tensor = main.tensors[inner]
    name, tensor.name = tensor.name, tensor.name + b"_int8"
    outer = _add_tensor(main, name, dtype, tensor.shape, tensor.shapeSignature)
    if dtype == schema().TensorType.UINT8:
        quantization = schema().QuantizationParametersT()
        quantization.scale = tensor.quantization.scale
        quantization.zeroPoint = [int(tensor.quantization.zeroPoint[0]) + 128]
        main.tensors[outer].quantization = quantization
    return outer


def _add_tensor(subgraph: Any, name: bytes, dtype: int, shape: Any, signature: Any = None) -> int:
    tensor = schema().TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.shapeSignature = name, dtype, shape, signature
    tensor.buffer = 0  # the empty one, by convention
    subgraph.tensors.append(tensor)
    return len(subgraph.tensors) - 1


def _operator(model: Any, code: int, read: int, written: int, *more: int) -> Any:
    operator = schema().OperatorT()
    operator.opcodeIndex = operator_code(model, code)
    operator.inputs, operator.outputs = [read, *more], [written]
    return operator


def _tensor_map(name: str, index: int) -> Any:
    entry = schema().TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def _free_name(name: str, taken: set[str]) -> str:
    free, k = name, 0
    while free in taken:
        k += 1
        free = f"{name}_{k}"
    taken.add(free)
    return free
