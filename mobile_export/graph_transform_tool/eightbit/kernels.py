"""Which operators have an eight-bit kernel in TensorFlow, and how its inputs lie.

    Conv2D(x, w)          QuantizedConv2D(x, w, x.min, x.max, w.min, w.max)
    Concat(axis, a, b)    QuantizedConcat(axis, a, b, a.min, b.min, a.max, b.max)

and for normalization

    BatchNormWithGlobalNormalization(x, m, …)
    QuantizedBatchNormWithGlobalNormalization(x, x.min, x.max, m, m.min, m.max, …)
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mobile_export.graph_transform_tool.eightbit.nodes import FLOAT, QINT32, QUINT8, codes_of, new_node
from mobile_export.graphs.graph import attribute, control_inputs, data_inputs
from mobile_export.graphs.protos import AttrValue, NodeDef


@dataclass(frozen=True)
class Kernel:
    """The eight-bit form of an operator.

    Attributes:
        types: attributes that hold the element types of its inputs.
        result: the attribute that holds the type of its answer, qint32; none where that is quint8.
        copied: attributes that it has in common with the float operator.
        plain: the index of the input that stays as it is, a shape or an axis.
        order: how its inputs lie: values, then the range of each; values, minima, maxima; or each value with its range.
    """

    types: tuple[str, ...]
    result: str = ""
    copied: tuple[str, ...] = ()
    plain: int | None = None
    order: Literal["ranges last", "grouped", "together"] = "ranges last"


_ARITHMETIC = Kernel(("T1", "T2"), "Toutput")
_POOL = Kernel(("T",), copied=("ksize", "strides", "padding"))
_RELU = Kernel(("Tinput",))

KERNELS: dict[str, Kernel] = {
    "Add": _ARITHMETIC,
    "AvgPool": _POOL,
    "BiasAdd": Kernel(("T1", "T2"), "out_type"),
    "Concat": Kernel(("T",), copied=("N",), plain=0, order="grouped"),
    "Conv2D": Kernel(("Tinput", "Tfilter"), "out_type", copied=("strides", "padding")),
    "MatMul": Kernel(("T1", "T2"), "Toutput", copied=("transpose_a", "transpose_b")),
    "MaxPool": _POOL,
    "Mul": _ARITHMETIC,
    "Relu": _RELU,
    "Relu6": _RELU,
    "Reshape": Kernel(("T",), copied=("Tshape",), plain=1),
    "ResizeBilinear": Kernel(("T",), copied=("align_corners", "half_pixel_centers"), plain=1),
}
"""By the float operator."""


@functools.cache
def _defaults() -> dict[str, AttrValue]:
    """Left out where they say nothing: kernels of old versions do not know them."""
    return {"Tshape": AttrValue(type=3), "half_pixel_centers": AttrValue(b=False)}


def has_kernel(node: NodeDef, kernels: Mapping[str, Kernel] = KERNELS) -> bool:
    """Whether one of `kernels` computes what `node` does.

    They know float32, channels last, no gaps, no explicit padding, and in convolutions one stride for both axes.
    """
    strides = attribute(node, "strides").list.i
    return (
        node.op in kernels
        and bool(quantized_inputs(node, kernels[node.op]))
        and attribute(node, "T").type == FLOAT
        and attribute(node, "data_format").s in (b"", b"NHWC")
        and attribute(node, "padding").s != b"EXPLICIT"
        and all(dilation == 1 for dilation in attribute(node, "dilations").list.i)
        and (node.op != "Conv2D" or len(set(strides[1:3])) == 1)
    )


def quantized_inputs(node: NodeDef, kernel: Kernel) -> list[str]:
    """The inputs of `node` that its eight-bit form reads as codes, each once."""
    return list(dict.fromkeys(tensor for index, tensor in enumerate(data_inputs(node)) if index != kernel.plain))


def eightbit_form(node: NodeDef, kernel: Kernel, name: str, codes: Mapping[str, str]) -> NodeDef:
    """The eight-bit form of `node`, which waits for what that waits for; its outputs are codes and their range.

    Args:
        codes: for each of `quantized_inputs`, the node that makes codes of it.
    """
    form = new_node(
        f"Quantized{node.op}",
        name,
        (*_inputs(node, kernel, codes), *control_inputs(node)),
        **dict.fromkeys(kernel.types, QUINT8),
    )
    if kernel.result:
        form.attr[kernel.result].type = QINT32
    for key in kernel.copied:
        if key in node.attr and node.attr[key] != _defaults().get(key):
            form.attr[key].CopyFrom(node.attr[key])
    return form


def _inputs(node: NodeDef, kernel: Kernel, codes: Mapping[str, str]) -> list[str]:
    plain = [tensor for index, tensor in enumerate(data_inputs(node)) if index == kernel.plain]
    triples = [codes_of(codes[tensor]) for index, tensor in enumerate(data_inputs(node)) if index != kernel.plain]
    if kernel.order == "together":
        return [tensor for triple in triples for tensor in triple]
    values, minima, maxima = (list(column) for column in zip(*triples, strict=True))
    values[kernel.plain or 0 : kernel.plain or 0] = plain
    if kernel.order == "grouped":
        return [*values, *minima, *maxima]
    return [*values, *(end for ends in zip(minima, maxima, strict=True) for end in ends)]
