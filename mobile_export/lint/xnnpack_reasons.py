"""Why XNNPACK leaves an operator, which the delegate does not say itself.

These are what its sources ask of operators, as LiteRT's repository has them:
tflite/delegates/xnnpack/xnnpack_delegate.cc at 038d2a26d7eb, read 2026-11-22. They are asked about operators alone of
which it is known that the delegate leaves them.
"""

from collections.abc import Mapping

from mobile_export.lint.tflite_operators import FLEX, Operator, computed_parameter

KNOWN = frozenset(
    """
    ABS ADD ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D
    DEPTH_TO_SPACE DEQUANTIZE DIV ELU EXP EXPAND_DIMS FLOOR FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM
    MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU QUANTIZE READ_VARIABLE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1
    RESHAPE RESIZE_BILINEAR ROUND RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE SQUARED_DIFFERENCE
    STABLEHLO_COMPOSITE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV VAR_HANDLE
    """.split()
)
INTEGER = frozenset(
    """
    ADD CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE ELU EXPAND_DIMS FULLY_CONNECTED LEAKY_RELU
    LOGISTIC MAX_POOL_2D MEAN MUL PAD QUANTIZE RESHAPE RESIZE_BILINEAR SLICE SPACE_TO_DEPTH SPLIT STRIDED_SLICE SUB SUM
    TANH TRANSPOSE TRANSPOSE_CONV
    """.split()
)
"""Those that have kernels for eight-bit integers."""
_EIGHT_BITS = frozenset({"int8", "uint8"})
_TYPES = _EIGHT_BITS | {"float32", "float16"}
DATA: Mapping[str, int] = {"SPLIT": 1, "TRANSPOSE_CONV": 2}
"""The input that is computed with, where it is not the first."""


def why(operator: Operator, writers: Mapping[str, Operator]) -> str:
    """Why it is left.

    Args:
        writers: operators by the tensor that they write.
    """
    if operator.custom and operator.kind.startswith(FLEX):
        return "TensorFlow's own operator, for the Flex delegate"
    if operator.kind not in KNOWN:
        return "custom operator" if operator.custom else "XNNPACK has no such operator"
    place = DATA.get(operator.kind, 0)
    data = (*operator.inputs[place : place + 1], *operator.outputs[:1])
    types = list(dict.fromkeys(tensor.type for tensor in data))
    if not _TYPES.issuperset(types):
        return f"no kernel for {' to '.join(types)}"
    computed = computed_parameter(operator, writers)
    if computed:
        return computed
    if _EIGHT_BITS.issubset(types) or (operator.kind not in INTEGER and _EIGHT_BITS.intersection(types)):
        return f"no kernel for {' to '.join(types)}"
    if any(tensor.dynamic for tensor in data):
        return "dynamic shape"
    return _option(operator) or "not with these types, shapes and options"


def _option(operator: Operator) -> str:
    """The options that it does not take, where they are the likely reason."""
    if operator.option("fusedActivationFunction") in (4, 5):  # TANH and SIGN_BIT
        return "its fused activation"
    if operator.kind == "SOFTMAX" and operator.option("beta") not in (1, None):
        return f"beta is {operator.option('beta'):g}, not 1"
    masks = [n for n in ("ellipsisMask", "newAxisMask", "shrinkAxisMask") if operator.option(n)]
    if operator.kind == "STRIDED_SLICE" and masks:
        return f"it has a {', '.join(masks)}"
    return ""
