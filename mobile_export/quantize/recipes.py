"""What litert-quantizer is to do to which operators: a list of rules, of which the last that fits an operator wins."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mobile_export.quantize.scheme import INTEGERS, Scheme

Recipe = list[dict[str, Any]]

EVERYTHING = ".*"
ALWAYS_BY_TENSOR = "BATCH_MATMUL"
"""The operator whose integer kernel ignores all but the first scale of its weights, and answers nonsense."""

_UNIFORM = "min_max_uniform_quantize"
_SMALL = 1024
_INT4_BESIDES = ("DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE")
"""What litert-quantizer gives no int4 weights by itself; the runtime unpacks weights of any operator alike."""


def recipe(parts: Mapping[str, str], scheme: Scheme, edges: str) -> Recipe:
    """Rules for a model whose operators have the precisions of `parts`.

    Args:
        parts: precision → regular expression of the operators that have it.
        scheme: says how weights are scaled.
        edges: element type of the model's inputs and outputs: float32, int8 or int16.
    """
    rules = [rule for precision, scopes in parts.items() for rule in _rules(precision, scopes, scheme)]
    if edges == "float32":
        return [*rules, *(_rule(EVERYTHING, "no_quantize", edge) for edge in ("INPUT", "OUTPUT"))]
    config = _computed_in_integers(edges, "TENSORWISE")
    return [*rules, *(_rule(EVERYTHING, _UNIFORM, edge, **config) for edge in ("INPUT", "OUTPUT"))]


def scopes(names: Iterable[str]) -> str:
    """A regular expression for exactly the operators that litert-quantizer knows by these names."""
    return rf"\A(?:{'|'.join(map(re.escape, names))})\Z"


def _rules(precision: str, scopes: str, scheme: Scheme) -> Recipe:
    granularity = "CHANNELWISE" if scheme.per_channel else "TENSORWISE"
    if precision in INTEGERS:
        activations = INTEGERS[precision]
        by_tensor = _computed_in_integers(activations, "TENSORWISE")
        return [
            _rule(scopes, _UNIFORM, **_computed_in_integers(activations, granularity)),
            _rule(scopes, _UNIFORM, ALWAYS_BY_TENSOR, **by_tensor),
        ]
    if precision == "float16":
        weights = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"}
        return [_rule(scopes, "float_casting", **_computed_in_float(weights))]
    if precision == "weight_int8":
        return [_rule(scopes, _UNIFORM, **_computed_in_float(_weights(8, granularity)))]
    if precision == "weight_int4":
        config = _computed_in_float(_weights(4, granularity))
        unchecked = [_rule(scopes, _UNIFORM, kind, **config, skip_checks=True) for kind in _INT4_BESIDES]
        return [_rule(scopes, _UNIFORM, **config), *unchecked]
    if precision == "dynamic":
        return _dynamic(scopes, granularity)
    return []  # float32: what no rule fits stays as it is


def _dynamic(scopes: str, granularity: str) -> Recipe:
    """Int8 weights, activations quantized as they come.

    Layers below 1,024 weights stay float, as with TensorFlow's own quantizer. So do depthwise convolutions: they hold
    half a percent of a MobileNet's weights, XNNPACK has no mixed kernel for them, and the fallback kernel makes the
    whole network two to four times slower.
    """
    config: dict[str, Any] = {
        "weight_tensor_config": _weights(8, granularity),
        "compute_precision": "INTEGER",
        "explicit_dequantize": False,
        "min_weight_elements": _SMALL,
    }
    return [_rule(scopes, _UNIFORM, **config), _rule(scopes, "no_quantize", "DEPTHWISE_CONV_2D")]


def _computed_in_integers(activations: str, granularity: str) -> dict[str, Any]:
    """Int8 weights, with activations of calibrated ranges; those of 16 bits have no zero point in the runtime."""
    bits = int(activations.removeprefix("int"))
    return {
        "activation_tensor_config": {
            "num_bits": bits,
            "symmetric": bits == 16,
            "granularity": "TENSORWISE",
            "dtype": "INT",
        },
        "weight_tensor_config": _weights(8, granularity),
        "compute_precision": "INTEGER",
        "explicit_dequantize": False,
    }


def _computed_in_float(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights stored small, and unpacked to float32 when the file is loaded."""
    return {"weight_tensor_config": weights, "compute_precision": "FLOAT", "explicit_dequantize": True}


def _weights(bits: int, granularity: str) -> dict[str, Any]:
    return {"num_bits": bits, "symmetric": True, "granularity": granularity, "dtype": "INT"}


def _rule(scopes: str, algorithm: str, operation: str = "*", **config: Any) -> dict[str, Any]:
    return {"regex": scopes, "operation": operation, "algorithm_key": algorithm, "op_config": config}
