"""Integer operators in QDQ form: each stands in float between DequantizeLinear and QuantizeLinear.

ONNX Runtime fuses the three. Activations are uint8, weights int8: kernels of x86 and of ARM take both as they are. Int8
activations are fast on x86 only after a rewrite that the session's options decide on, and that an .ort file would fix
for one kind of processor. x86 before VNNI adds products in 16 bits and may saturate; phones do not, so weights keep all
their bits, and such a machine judges a file too hard rather than too mild.

A tensor keeps its name: under it stands what its readers see. The unrounded value is `NAME/exact`, and the integers are
`NAME/quantized`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mobile_export.graphs.tensors import Array
from mobile_export.quantize.onnx_graph import Editor
from mobile_export.quantize.onnx_operators import CARRYING, Weighted, channel_axes, data_inputs
from mobile_export.quantize.onnx_plan import OnnxPlan
from mobile_export.quantize.onnx_ranges import METHODS, Histogram
from mobile_export.quantize.onnx_weights import Affine, Int8, int32_bias, least_scale
from mobile_export.quantize.scheme import Scheme

if TYPE_CHECKING:
    from onnx import NodeProto

SHARES = Affine(1 / 256, 0)
"""Of what Softmax answers, whatever it did in calibration: on finer scales ONNX Runtime's kernel answers 0."""


class IntegerOperators:
    """Those of one graph.

    Attributes:
        _affine: tensor → the scale of its integers.
        _views: float tensor → the same, rounded, for integer operators.
    """

    def __init__(self, editor: Editor, scheme: Scheme, decided: OnnxPlan, histograms: Mapping[str, Histogram]) -> None:
        self._editor, self._scheme, self._plan, self._histograms = editor, scheme, decided, histograms
        self._affine: dict[str, Affine] = {}
        self._views: dict[str, str] = {}

    def compute(self, node: "NodeProto") -> None:
        """Write one node that the plan computes in integers, and the conversions around it."""
        read = [node.input[place] for place in data_inputs(node)]
        layer = self._plan.layers.get(node.name)
        if layer is not None and node.op_type in ("Conv", "Gemm", "MatMul") and 1 in layer.weights:
            node.input[0] = self._view(read[0])
            self._quantize_weights(node, layer, self._affine[read[0]].scale)
        else:
            for place in data_inputs(node):
                node.input[place] = self._view(node.input[place])
        written = [name for name in node.output if name and name not in self._plan.inner]
        exact = {name: self._editor.free(f"{name}/exact") for name in written}
        node.output[:] = [exact.get(name, name) for name in node.output]
        self._editor.keep(node)
        for name in written:
            self._affine[name] = self._scale_of(node, read[0], name)
            self._round_trip(exact[name], name, name)

    def _scale_of(self, node: "NodeProto", read: str, written: str) -> Affine:
        if node.op_type in CARRYING:
            return self._affine[read]
        return SHARES if node.op_type == "Softmax" else self._range_of(written)

    def _view(self, name: str) -> str:
        """`name` as integer operators read it: rounded by whoever wrote it, or here."""
        if name in self._plan.inner or (name in self._affine and name not in self._views):
            return name
        if name not in self._views:
            self._affine[name] = self._range_of(name)
            rounded = self._editor.free(f"{name}/rounded")
            self._views[name] = self._round_trip(name, name, rounded)
        return self._views[name]

    def _range_of(self, name: str) -> Affine:
        if name in self._editor.constants:
            value = self._editor.value(name)
            return Affine.of(float(value.min(initial=0)), float(value.max(initial=0)))
        return Affine.of(*METHODS[self._scheme.ranges](self._histograms[name]))

    def _round_trip(self, real: str, name: str, output: str) -> str:
        """`output` = `real` in the integers of `name` and back."""
        affine = self._affine[name]
        parameters = [
            self._editor.constant("scale", np.array(affine.scale, np.float32)),
            self._editor.constant("zero_point", np.array(affine.zero_point, np.uint8)),
        ]
        if real in self._editor.constants:
            integers = self._editor.constant(f"{name}/uint8", affine.quantize(self._editor.value(real)))
        else:
            integers = self._editor.free(f"{name}/quantized")
            self._editor.node("QuantizeLinear", [real, *parameters], integers)
        return self._editor.node("DequantizeLinear", [integers, *parameters], output)

    def _quantize_weights(self, node: "NodeProto", layer: Weighted, activations: float) -> None:
        """Int8 weights, and a bias in int32 on the scale of the products."""
        weights, editor = node.input[1], self._editor
        real = editor.value(weights)
        axes = channel_axes(layer, 1)
        axis = axes[0] if len(axes) == 1 and self._scheme.per_channel else None
        bias = node.input[2] if len(node.input) > 2 else ""
        offsets = np.broadcast_to(editor.value(bias).ravel() if bias else np.float32(0), real.shape[axes[0]])
        least = least_scale(offsets, activations)
        least = least.max() if axis is None else least.reshape([-1 if k == axis else 1 for k in range(real.ndim)])
        int8 = Int8.of(real, () if axis is None else (axis,), self._scheme.weights, least)
        node.input[1] = self._dequantized(weights, int8.values, int8.scale, axis)
        if bias:
            scale = np.float32(activations) * int8.scale.reshape(-1)
            node.input[2] = self._dequantized(bias, int32_bias(offsets, scale), scale, None if axis is None else 0)

    def _dequantized(self, name: str, values: Array, scale: Array, axis: int | None) -> str:
        steps = scale.reshape(() if axis is None else -1)
        parameters = [
            self._editor.constant(f"{name}/{values.dtype}", values),
            self._editor.constant("scale", steps),
        ]
        if values.dtype == np.int8:  # without, ONNX Runtime does not see an integer operator; of a bias it is clear
            parameters.append(self._editor.constant("zero_point", np.zeros_like(steps, np.int8)))
        attributes = {} if axis is None else {"axis": axis}
        return self._editor.node("DequantizeLinear", parameters, self._editor.free(f"{name}/rounded"), **attributes)
