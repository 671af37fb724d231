"""Weights that are stored narrow and computed with in float32.

ONNX Runtime widens them once, when it loads the file, and packs them as it does float weights: answers take no longer.
DequantizeLinear, the other way to say it, it would run at every answer.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from mobile_export.errors import ConversionError
from mobile_export.quantize.onnx_graph import Editor
from mobile_export.quantize.onnx_operators import Weighted, channel_axes
from mobile_export.quantize.onnx_weights import LARGEST_FLOAT16, Int8
from mobile_export.quantize.scheme import Scheme

if TYPE_CHECKING:
    from onnx import NodeProto

SMALL = 256
"""Weights and constants with no more values stay float32: the operator that widens them takes more bytes."""


class StoredWeights:
    """The narrow weights of one graph; what several layers share is stored once."""

    def __init__(self, editor: Editor, scheme: Scheme) -> None:
        self._editor, self._scheme = editor, scheme
        self._stored: dict[tuple[str, str], str] = {}

    def store(self, layer: Weighted) -> None:
        """Let a layer that computes in float read what its precision stores."""
        precision = self._scheme.of(layer.node.name)
        for place, tensor in layer.weights.items():
            if precision == "float32" or np.prod(tensor.dims) <= SMALL:
                continue
            name = layer.node.input[place]
            is_half = precision == "float16"
            layer.node.input[place] = self._half(name) if is_half else self._scaled(name, channel_axes(layer, place))

    def store_others(self, node: "NodeProto", weights: Collection[int]) -> None:
        """Let a node read half-precision constants, those at the places of `weights` apart."""
        from onnx import TensorProto

        for place, name in enumerate(node.input):
            tensor = self._editor.constants.get(name)
            if tensor is None or tensor.data_type != TensorProto.FLOAT or place in weights:
                continue
            if np.prod(tensor.dims) > SMALL:
                node.input[place] = self._half(name)

    def _half(self, name: str) -> str:
        key = (name, "float16")
        if key not in self._stored:
            real = self._editor.value(name)
            with np.errstate(over="ignore"):
                half = real.astype(np.float16)
            if not np.isfinite(half).all():
                raise ConversionError(
                    f"the weights {name!r} reach {float(np.abs(real).max()):.3g}, and float16 ends at "
                    f"{LARGEST_FLOAT16:.0f}; choose another precision for what reads them"
                )
            stored = self._editor.constant(f"{name}/float16", half)
            self._stored[key] = widened(self._editor, stored, self._editor.free(f"{name}/float32"))
        return self._stored[key]

    def _scaled(self, name: str, kept: tuple[int, ...]) -> str:
        key = (name, f"int8 {kept}")
        if key not in self._stored:
            kept = kept if self._scheme.per_channel else ()
            int8 = Int8.of(self._editor.value(name), kept, self._scheme.weights)
            stored = self._editor.constant(f"{name}/int8", int8.values)
            steps = widened(self._editor, stored, self._editor.free(f"{name}/steps"))
            scale = self._editor.constant("scale", int8.scale)
            self._stored[key] = self._editor.node("Mul", [steps, scale], self._editor.free(f"{name}/float32"))
        return self._stored[key]


def widened(editor: Editor, stored: str, output: str) -> str:
    """`output` = `stored` in float32."""
    from onnx import TensorProto

    return editor.node("Cast", [stored], output, to=TensorProto.FLOAT)
