"""What each precision does to which operators, as litert-quantizer reads it: a list of rules, the last match wins."""

from typing import Any

Recipe = list[dict[str, Any]]

_UNIFORM = "min_max_uniform_quantize"
_INT8_WEIGHTS = {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
_INT8_ACTIVATIONS = {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE", "dtype": "INT"}
_FLOAT16_WEIGHTS = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"}


def _rule(algorithm: str, operation: str = "*", **config: Any) -> dict[str, Any]:
    return {"regex": ".*", "operation": operation, "algorithm_key": algorithm, "op_config": config}


FLOAT16: Recipe = [
    _rule("float_casting", weight_tensor_config=_FLOAT16_WEIGHTS, compute_precision="FLOAT", explicit_dequantize=True)
]
"""Weights stored in half; computed in float32, or in float16 where the GPU does."""

DYNAMIC: Recipe = [
    _rule(
        _UNIFORM,
        weight_tensor_config=_INT8_WEIGHTS,
        compute_precision="INTEGER",
        explicit_dequantize=False,
        min_weight_elements=1024,
    ),
    _rule("no_quantize", "DEPTHWISE_CONV_2D"),
]
"""Int8 weights, activations quantized as they come. Layers below 1,024 weights stay float, as with TensorFlow's own
quantizer. So do depthwise convolutions: they hold half a percent of a MobileNet's weights, XNNPACK has no mixed
kernel for them, and the fallback kernel makes the whole network two to four times slower."""

INT8: Recipe = [
    _rule(
        _UNIFORM,
        activation_tensor_config=_INT8_ACTIVATIONS,
        weight_tensor_config=_INT8_WEIGHTS,
        compute_precision="INTEGER",
        explicit_dequantize=False,
    )
]
"""Int8 weights and activations, int8 edges; needs calibrated ranges."""
