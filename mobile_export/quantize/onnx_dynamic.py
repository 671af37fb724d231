"""Matrix products of integers, whose float operands are quantized as they come.

Convolutions are not computed so: ONNX Runtime's ConvInteger is as slow as float on x86 with uint8 weights, which have
one scale for all channels, and three times slower with int8 weights.
"""

from typing import TYPE_CHECKING

import numpy as np

from mobile_export.quantize.onnx_graph import Editor, attribute_of
from mobile_export.quantize.onnx_operators import Weighted
from mobile_export.quantize.onnx_stored import widened
from mobile_export.quantize.onnx_weights import Int8
from mobile_export.quantize.scheme import Scheme

if TYPE_CHECKING:
    from onnx import NodeProto


class DynamicProducts:
    """Those of one graph; what several of them read is quantized once."""

    def __init__(self, editor: Editor, scheme: Scheme) -> None:
        self._editor, self._scheme = editor, scheme
        self._done: dict[str, tuple[str, str, str]] = {}

    def takes(self, layer: Weighted) -> bool:
        """Whether it is a product that is computed so, and not inside a body."""
        node = layer.node
        return (
            self._scheme.of(node.name) == "dynamic"
            and not layer.inner
            and node.op_type in ("Gemm", "MatMul")
            and list(layer.weights) == [1]
            and len(layer.weights[1].dims) == 2
            and attribute_of(node, "alpha", 1.0) == attribute_of(node, "beta", 1.0) == 1
            and not attribute_of(node, "transA", 0)
        )

    def compute(self, node: "NodeProto") -> None:
        """Gemm(x, w, b)  =>  Add(Mul(Cast(MatMulInteger(q, int8 w)), scale), b), where q, s = DynamicQuantize(x)"""
        editor, written = self._editor, node.output[0]
        real = editor.value(node.input[1])
        real = real.T if attribute_of(node, "transB", 0) else real
        int8 = Int8.of(np.ascontiguousarray(real), (1,) if self._scheme.per_channel else (), self._scheme.weights)
        values, scale, zero = self._quantized(node.input[0])
        weights = editor.constant(f"{node.input[1]}/int8", int8.values)
        weights_zero = editor.constant("zero_point", np.zeros((), np.int8))
        weights_scale = editor.constant("scale", int8.scale.reshape(-1))
        sums = editor.node("MatMulInteger", [values, weights, zero, weights_zero], editor.free(f"{written}/sums"))
        product = widened(editor, sums, editor.free(f"{written}/steps"))
        scales = editor.node("Mul", [scale, weights_scale], editor.free(f"{written}/scale"))
        bias = node.input[2] if len(node.input) > 2 else ""
        if bias:
            product = editor.node("Mul", [product, scales], editor.free(f"{written}/unbiased"))
        editor.node("Add" if bias else "Mul", [product, bias or scales], written)

    def _quantized(self, name: str) -> tuple[str, str, str]:
        from onnx import helper

        if name not in self._done:
            outputs = [self._editor.free(f"{name}/{part}") for part in ("quantized", "scale", "zero_point")]
            self._editor.keep(helper.make_node("DynamicQuantizeLinear", [name], outputs))
            self._done[name] = (outputs[0], outputs[1], outputs[2])
        return self._done[name]
