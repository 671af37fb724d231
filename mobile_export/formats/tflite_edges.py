"""The edges of a .tflite model: public names, signature, element types, default sizes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobile_export.errors import ConversionError
from mobile_export.formats.flatbuffer import add_constant, add_tensor, make_operator, schema

SIGNATURE = "serving_default"
"""The name under which TensorFlow's own converter files a model's only signature."""


def publish(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Name the edges of `model`, in file order, and describe them in its only signature.

    Tensor names become unique in the whole file. An output that is also an input, a constant or an earlier output
    becomes a copy of that tensor, since a tensor has one name.

    Raises:
        ConversionError: such a tensor cannot be copied.
    """
    main = model.subgraphs[0]
    _separate_outputs(model, outputs)
    _name_tensors(model, dict(zip((*main.inputs, *main.outputs), (*inputs, *outputs), strict=True)))
    signature = schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    signature.inputs = [_tensor_map(name, i) for name, i in zip(inputs, main.inputs, strict=True)]
    signature.outputs = [_tensor_map(name, i) for name, i in zip(outputs, main.outputs, strict=True)]
    model.signatureDefs = [signature]


def names(model: Any) -> tuple[list[str], list[str]]:
    """The names of inputs and outputs that `publish` gave, in file order."""
    main, signature = model.subgraphs[0], model.signatureDefs[0]
    sides = ((main.inputs, signature.inputs), (main.outputs, signature.outputs))
    inputs, outputs = (
        [{entry.tensorIndex: entry.name.decode() for entry in named}[index] for index in indices]
        for indices, named in sides
    )
    return inputs, outputs


def set_interface(model: Any, dtype: str) -> None:
    """Give the quantized edges of a model the element type `dtype`, by a conversion operator at each.

    Edges that are not quantized (token ids, class numbers) stay what they are. `publish` the result.
    """
    types, operators = schema().TensorType, schema().BuiltinOperator
    main = model.subgraphs[0]
    wanted = {"float32": types.FLOAT32, "int8": types.INT8, "uint8": types.UINT8, "int16": types.INT16}[dtype]
    leave = operators.DEQUANTIZE if dtype == "float32" else operators.QUANTIZE
    entries, exits = [], []
    for place, inner in enumerate(main.inputs):
        if is_quantized(main.tensors[inner], but=wanted):
            main.inputs[place] = outer = _outer_tensor(main, inner, wanted)
            entries.append(make_operator(model, operators.QUANTIZE, [outer], inner))
    for place, inner in enumerate(main.outputs):
        if is_quantized(main.tensors[inner], but=wanted):
            main.outputs[place] = outer = _outer_tensor(main, inner, wanted)
            exits.append(make_operator(model, leave, [inner], outer))
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


def _name_tensors(model: Any, public: dict[int, str]) -> None:
    """Public names first, then those of computed tensors, so that others make way for them.

    The converter strings together the names of all nodes that became one operator; the first of them will do.
    """
    main = model.subgraphs[0]
    inner = [t for s in model.subgraphs for i, t in enumerate(s.tensors) if s is not main or i not in public]
    taken: set[str] = set()
    for index, name in public.items():
        main.tensors[index].name = _free_name(name, taken).encode()
    for tensor in sorted(inner, key=lambda tensor: model.buffers[tensor.buffer].data is not None):
        first = (tensor.name or b"").decode().partition(";")[0]
        tensor.name = _free_name(first or "tensor", taken).encode()


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
    copied = add_tensor(main, source.name, source.type, source.shape, source.shapeSignature)
    main.tensors[copied].quantization = source.quantization
    main.operators.append(make_operator(model, schema().BuiltinOperator.RESHAPE, [index, sizes], copied))
    return copied


def is_quantized(tensor: Any, but: int | None = None) -> bool:
    """Whether a tensor holds quantized activations, of another type than `but`."""
    types, quantization = schema().TensorType, tensor.quantization
    scaled = quantization is not None and quantization.scale is not None
    return scaled and tensor.type in (types.INT8, types.INT16) and tensor.type != but


def _outer_tensor(main: Any, inner: int, dtype: int) -> int:
    """A tensor of `dtype` that takes the name of the quantized edge `inner`, and its scale unless it is float."""
    tensor = main.tensors[inner]
    name, tensor.name = tensor.name, tensor.name + b"_quantized"
    outer = add_tensor(main, name, dtype, tensor.shape, tensor.shapeSignature)
    if dtype == schema().TensorType.UINT8:
        quantization = schema().QuantizationParametersT()
        quantization.scale = tensor.quantization.scale
        quantization.zeroPoint = [int(tensor.quantization.zeroPoint[0]) + 128]
        main.tensors[outer].quantization = quantization
    return outer


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
