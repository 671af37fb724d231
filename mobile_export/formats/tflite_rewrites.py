"""Small rewrites of a .tflite model around quantization, where the quantizers leave float behind for no reason."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mobile_export.formats.flatbuffer import (
    add_constant,
    add_tensor,
    make_operator,
    operator_code,
    operator_name,
    schema,
    walk,
)
from mobile_export.formats.tflite_edges import is_quantized


def ease_quantization(model: Any) -> bool:
    """Replace float operators that no quantizer knows by equal ones that all know; whether there were any.

        NEG(x)     =>  MUL(x, -1)
        SQUARE(x)  =>  MUL(x, x)

    A PReLU written as relu(x) - a·relu(-x) holds the first, a hand-written norm the second.
    """
    operators, options = schema().BuiltinOperator, schema().BuiltinOptions
    found = [
        (subgraph, operator, code)
        for subgraph, operator, code in walk(model)
        if code in (operators.NEG, operators.SQUARE)
        and subgraph.tensors[operator.inputs[0]].type == schema().TensorType.FLOAT32
    ]
    for subgraph, operator, code in found:
        factor = operator.inputs[0]
        if code == operators.NEG:
            factor = add_constant(model, subgraph, b"minus_one", np.array(-1, np.float32))
        operator.inputs = [operator.inputs[0], factor]
        operator.opcodeIndex = operator_code(model, operators.MUL)
        operator.builtinOptionsType, operator.builtinOptions = options.MulOptions, schema().MulOptionsT()
    return bool(found)


def keep_integers(model: Any) -> None:
    """Take away dequantization that a quantized model does not need: order and form survive scaling.

    ARG_MAX(DEQUANTIZE(q))  =>  ARG_MAX(q)                   and ARG_MIN; where q is int8
    ARG_MAX(DEQUANTIZE(q))  =>  ARG_MAX(CAST(q, int32))      where it is int16, which has no such kernel
    SHAPE(DEQUANTIZE(q))    =>  SHAPE(q)
    output DEQUANTIZE(q)    =>  output q
    """
    main, operators = model.subgraphs[0], schema().BuiltinOperator
    dequantized = _dequantized(model)
    kept: list[Any] = []
    for subgraph, operator, code in list(walk(model)):
        inner = dequantized.get(operator.inputs[0]) if subgraph is main and len(operator.inputs) else None
        if inner is not None and code in (operators.ARG_MAX, operators.ARG_MIN, operators.SHAPE):
            if code != operators.SHAPE and main.tensors[inner].type == schema().TensorType.INT16:
                kept.append(_cast(model, inner))
                inner = kept[-1].outputs[0]
            operator.inputs[0] = inner
        kept += [operator] if subgraph is main else []
    main.operators = kept
    main.outputs = [dequantized.get(index, index) for index in main.outputs]
    _drop_unread(main, dequantized)


def _cast(model: Any, index: int) -> Any:
    """An operator that gives the integers of a tensor of the main subgraph as int32."""
    main, types = model.subgraphs[0], schema().TensorType
    source = main.tensors[index]
    wide = add_tensor(main, source.name + b"_int32", types.INT32, source.shape, source.shapeSignature)
    operator = make_operator(model, schema().BuiltinOperator.CAST, [index], wide)
    operator.builtinOptionsType, operator.builtinOptions = schema().BuiltinOptions.CastOptions, schema().CastOptionsT()
    operator.builtinOptions.inDataType, operator.builtinOptions.outDataType = types.INT16, types.INT32
    return operator


def use_integer_kernels(model: Any) -> None:
    """Let operators compute in integers that the quantizer left in float though the runtime has integer kernels.

    QUANTIZE(LEAKY_RELU(DEQUANTIZE(q)))  =>  LEAKY_RELU(q)            with a scale of its own at both ends
    QUANTIZE(LEAKY_RELU(DEQUANTIZE(q)))  =>  QUANTIZE(LEAKY_RELU(q))  where that is to be int8 and q is int16
    TILE(DEQUANTIZE(q))                  =>  DEQUANTIZE(TILE(q))      which moves values and keeps their scale
    """
    main, types = model.subgraphs[0], schema().TensorType
    names = {types.INT8: "int8", types.INT16: "int16"}
    dequantized, readers = _dequantized(model), _readers(model)
    for subgraph, operator, code in list(walk(model)):
        inner = dequantized.get(operator.inputs[0]) if subgraph is main and len(operator.inputs) else None
        if inner is None or names[main.tensors[inner].type] not in _KERNELS.get(operator_name(code), ()):
            continue
        if operator_name(code) in _MOVING:
            operator.inputs[0] = inner
            for place, output in enumerate(operator.outputs):
                dequantized[output] = _move_inside(model, operator, place, readers.get(output, ()))
        else:
            _compute_inside(main, operator, inner, readers.get(operator.outputs[0], ()))
    _drop_unread(main, dequantized)


def _move_inside(model: Any, operator: Any, place: int, readers: Iterable[tuple[str, Any]]) -> int:
    """Let `operator` write integers with the scale of its input, which are dequantized for those who read floats."""
    main, output = model.subgraphs[0], operator.outputs[place]
    source, floats = main.tensors[operator.inputs[0]], main.tensors[output]
    moved = add_tensor(main, floats.name + b"_moved", source.type, floats.shape, floats.shapeSignature)
    main.tensors[moved].quantization = source.quantization
    operator.outputs[place] = moved
    behind = next(index for index, other in enumerate(main.operators) if other is operator) + 1
    main.operators.insert(behind, make_operator(model, schema().BuiltinOperator.DEQUANTIZE, [moved], output))
    for kind, reader in readers:
        if kind == "QUANTIZE":
            reader.inputs = [moved]
    return moved


def _compute_inside(main: Any, operator: Any, inner: int, readers: Iterable[tuple[str, Any]]) -> None:
    """Let `operator` read the integers `inner` and write such, if all that read its result make integers of it."""
    read, written = list(readers), main.tensors[operator.outputs[0]]
    if not read or any(kind != "QUANTIZE" for kind, _ in read) or operator.outputs[0] in main.outputs:
        return
    source, wanted = main.tensors[inner], main.tensors[read[0][1].outputs[0]]
    scale = _scale_in(source.type, wanted)
    if scale is not None:
        operator.inputs[0] = inner
        written.type, written.quantization = source.type, scale
        _write_at_once(main, operator, [reader for _, reader in read], scale)


def _scale_in(dtype: int, tensor: Any) -> Any:
    """Parameters for `dtype` with the range of a quantized tensor; None where they would be coarser than its own."""
    if tensor.type == dtype:
        return tensor.quantization
    if dtype == schema().TensorType.INT8:
        return None
    scale, zero_point = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    symmetric = schema().QuantizationParametersT()
    symmetric.scale = [scale * max(128 + zero_point, 127 - zero_point) / 32767]
    symmetric.zeroPoint = [0]
    return symmetric


def _write_at_once(main: Any, operator: Any, requantizing: list[Any], scale: Any) -> None:
    """Let `operator` write the tensor that one of those who read its result only copies, now that both have `scale`."""
    copying = next((o for o in requantizing if main.tensors[o.outputs[0]].quantization is scale), None)
    if copying is not None:
        operator.outputs = copying.outputs
        main.operators = [other for other in main.operators if other is not copying]
        for other in requantizing:
            other.inputs = copying.outputs


_MOVING = {
    "BATCH_TO_SPACE_ND": ("int8", "int16"),
    "DEPTH_TO_SPACE": ("int8",),
    "REVERSE_V2": ("int8", "int16"),
    "SPACE_TO_BATCH_ND": ("int8", "int16"),
    "SPLIT_V": ("int8", "int16"),
    "TILE": ("int8", "int16"),
}
_KERNELS = _MOVING | {
    "ABS": ("int8", "int16"),
    "ELU": ("int8",),
    "EXP": ("int8", "int16"),
    "HARD_SWISH": ("int8",),
    "LEAKY_RELU": ("int8", "int16"),
    "LOG": ("int8", "int16"),
    "RELU": ("int8", "int16"),
    "RELU6": ("int8", "int16"),
    "RELU_N1_TO_1": ("int8",),
}
"""What LiteRT's kernels were found to compute right, of what litert-quantizer does not know."""


def _dequantized(model: Any) -> dict[int, int]:
    """Float tensor of the main subgraph → the quantized activation that it is made from."""
    main, kind = model.subgraphs[0], schema().BuiltinOperator.DEQUANTIZE
    found = {o.outputs[0]: o.inputs[0] for s, o, code in walk(model) if s is main and code == kind}
    return {
        output: inner
        for output, inner in found.items()
        if is_quantized(main.tensors[inner]) and model.buffers[main.tensors[inner].buffer].data is None
    }


def _readers(model: Any) -> dict[int, list[tuple[str, Any]]]:
    """The operators that read each tensor of the main subgraph, each with its kind."""
    found: dict[int, list[tuple[str, Any]]] = {}
    for subgraph, operator, code in walk(model):
        for index in operator.inputs if subgraph is model.subgraphs[0] else ():
            found.setdefault(index, []).append((operator_name(code), operator))
    return found


def _drop_unread(main: Any, dequantized: dict[int, int]) -> None:
    read = {index for operator in main.operators for index in operator.inputs} | set(main.outputs)
    main.operators = [o for o in main.operators if o.outputs[0] in read or o.outputs[0] not in dequantized]
