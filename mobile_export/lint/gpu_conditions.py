"""What LiteRT's GPU delegate asks of operators.

As LiteRT's repository has it: tflite/tools/versioning/gpu_compatibility.cc at 007226f498a6, and
tflite/delegates/gpu/common/model_builder.cc at e3b6183f0e04, both read 2026-11-22.
"""

from collections.abc import Callable, Mapping, Sequence

from mobile_export.lint.tflite_operators import FLEX, Operand, Operator, computed_parameter

MAX_RANK = 4
"""Dimensions of a tensor."""


def why(operator: Operator, readers: Mapping[str, Sequence[Operator]]) -> str:
    """Why the delegate leaves an operator; empty where it does not.

    Args:
        readers: operators by the tensor that they read.
    """
    if operator.custom:
        if operator.kind in _CUSTOM:
            return ""
        flex = operator.kind.startswith(FLEX)
        return "TensorFlow's own operator, for the Flex delegate" if flex else "custom operator"
    if operator.kind not in CONDITIONS:
        return "the delegate has no such operator"
    newest = VERSIONS.get(operator.kind)
    if newest is not None and operator.version > newest:
        return f"version {operator.version} of the operator, known up to {newest}"
    if operator.kind in _COMPARISONS and not _chooses(readers.get(operator.written(0).name, ())):
        return "its result goes elsewhere than to one CAST to float or SELECT of floats"
    return CONDITIONS[operator.kind](operator) or _tensors(operator)


def _chooses(readers: Sequence[Operator]) -> bool:
    """Whether what compares is read by one operator that makes floats of it."""
    kinds = [reader.kind for reader in readers if reader.written(0).type in ("float16", "float32")]
    return len(readers) == 1 and bool(set(kinds) & {"CAST", "SELECT", "SELECT_V2"})


def _tensors(operator: Operator) -> str:
    """Types and ranks, of what is not constant."""
    for tensors, also in ((operator.inputs, READ), (operator.outputs, WRITTEN)):
        allowed = _TYPES | also.get(operator.kind, frozenset())
        for tensor in tensors:
            if tensor.rank > MAX_RANK:
                return f"more than {MAX_RANK} dimensions"
            if not tensor.constant and tensor.type not in allowed:
                return f"{tensor.type} values"
    return ""


_TYPES = frozenset({"float32", "float16", "int8", "uint8"})
_BOOL = frozenset({"bool"})
_INT32 = frozenset({"int32"})
_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
READ: Mapping[str, frozenset[str]] = {
    "CAST": _BOOL | _INT32,
    "GATHER": _INT32,
    "LOGICAL_AND": _BOOL,
    "ONE_HOT": _INT32,
    "SELECT": _BOOL,
    "SELECT_V2": _BOOL,
}
WRITTEN: Mapping[str, frozenset[str]] = {
    "CAST": _BOOL | _INT32,
    "LOGICAL_AND": _BOOL,
    **dict.fromkeys(_COMPARISONS, _BOOL),
}
_CUSTOM = frozenset({"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler"})


def _one_input(operator: Operator) -> str:
    count = len(operator.runtime_inputs)
    return "" if count == 1 else f"{count} inputs computed at run time, not 1"


def _at_most_two(operator: Operator) -> str:
    count = len(operator.runtime_inputs)
    return "" if count <= 2 else f"{count} inputs computed at run time, not at most 2"


def _two_inputs(operator: Operator) -> str:
    fits = len(operator.inputs) == 2 and operator.runtime_inputs
    return "" if fits else "not 2 inputs, of which at most one is constant"


def _broadcast(operator: Operator) -> str:
    if len(operator.inputs) != 2:
        return f"{len(operator.inputs)} inputs, not 2"
    shapes = [tensor.shape or () for tensor in operator.inputs]
    if min(map(len, shapes)) < 2 or len(shapes[0]) == len(shapes[1]):
        return ""
    sizes = zip(*(reversed(shape) for shape in shapes), strict=False)
    fits = all(a == b or 1 in (a, b) for a, b in sizes)
    return "" if fits else "shapes of different ranks that do not broadcast"


def _axes(operator: Operator) -> str:
    if computed_parameter(operator, {}) or operator.read(1).type != "int32":
        return "axes are not an int32 constant"
    return _one_input(operator)


def _cast(operator: Operator) -> str:
    pair = operator.read(0).type, operator.written(0).type
    floats, numbers = {"float16", "float32"}, {"float32", "int32"}
    fits = numbers.issuperset(pair) or ("bool" in pair and bool(floats & set(pair)))
    return "" if fits else f"no cast from {pair[0]} to {pair[1]}"


def _convolution(operator: Operator) -> str:
    return _at_most_two(operator) or _activation(operator)


def _depthwise(operator: Operator) -> str:
    channels = (operator.read(0).shape or (0,))[-1]
    if channels != 1 and operator.option("depthMultiplier") != 1:
        return "depth multiplier above 1 on more than one channel"
    return _convolution(operator)


def _pooling(operator: Operator) -> str:
    return _one_input(operator) or _activation(operator)


def _activation(operator: Operator) -> str:
    sign_bit = 5
    return "its fused activation" if operator.option("fusedActivationFunction") == sign_bit else ""


def _gather(operator: Operator) -> str:
    indices = operator.read(1)
    if indices.rank != 1 or indices.type != "int32":
        return "indices are not a vector of int32"
    return _at_most_two(operator)


def _slice(operator: Operator) -> str:
    masks = [name for name in ("ellipsisMask", "newAxisMask", "shrinkAxisMask") if operator.option(name)]
    if masks:
        return f"it has a {', '.join(masks)}"
    rank = operator.read(0).rank
    return "" if rank in (3, 4) else f"{rank} dimensions, not 3 or 4"


def _select(operator: Operator) -> str:
    whole = operator.written(0).shape
    fits = all(_single(branch) or branch.shape == whole for branch in operator.inputs[1:])
    return "" if fits else "a branch has neither the result's shape nor a single value"


def _single(tensor: Operand) -> bool:
    return tensor.shape in ((), (1,))


def _pad(operator: Operator) -> str:
    symmetric = 1
    if operator.kind == "MIRROR_PAD" and operator.option("mode") == symmetric:
        return "symmetric padding"
    if operator.read(1).shape not in ((3, 2), (4, 2)):
        return f"paddings for {(operator.read(1).shape or (0,))[0]} dimensions, not 3 or 4"
    return _one_input(operator)


def _softmax(operator: Operator) -> str:
    beta = operator.option("beta")
    return "" if beta in (1, None) else f"beta is {beta:g}, not 1"


def _fully_connected(operator: Operator) -> str:
    if operator.option("weightsFormat"):
        return "shuffled weights"
    if operator.option("keepNumDims") and operator.read(0).rank != operator.written(0).rank:
        return "keeps dimensions, and its result has others"
    return _at_most_two(operator)


def _cumsum(operator: Operator) -> str:
    return _axes(operator) if operator.read(0).type in ("float16", "float32") else f"{operator.read(0).type} values"


def _one_hot(operator: Operator) -> str:
    values = operator.inputs[2:4]
    fits = all(tensor.constant and tensor.type == "float32" and tensor.rank <= 1 for tensor in values)
    return "" if fits and operator.read(0).type == "int32" else "not int32 indices with constant float values"


def _dequantize(operator: Operator) -> str:
    return "int16 values" if operator.read(0).type == "int16" else ""


def _conditions() -> dict[str, Callable[[Operator], str]]:
    listed: dict[Callable[[Operator], str], str] = {
        lambda _: "": """
            BATCH_MATMUL CONCATENATION DENSIFY LEAKY_RELU LSTM PACK PRELU RELU RELU6 RELU_N1_TO_1 SPLIT SPLIT_V UNPACK
            """,
        _one_input: """
            ABS COS DEPTH_TO_SPACE ELU EXP FLOOR GELU HARD_SWISH LOG LOGISTIC NEG QUANTIZE RESHAPE
            RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SIGN SIN SPACE_TO_DEPTH SQRT SQUARE TANH TILE TRANSPOSE
            """,
        _two_inputs: f"""
            DIV FLOOR_DIV FLOOR_MOD LOGICAL_AND MAXIMUM MINIMUM POW SQUARED_DIFFERENCE SUB {" ".join(_COMPARISONS)}
            """,
        _broadcast: "ADD ADD_N MUL",
        _axes: "MEAN REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM",
        _convolution: "CONV_2D TRANSPOSE_CONV",
        _depthwise: "DEPTHWISE_CONV_2D",
        _pooling: "AVERAGE_POOL_2D MAX_POOL_2D",
        _slice: "SLICE STRIDED_SLICE",
        _select: "SELECT SELECT_V2",
        _pad: "MIRROR_PAD PAD PADV2",
        _cast: "CAST",
        _cumsum: "CUMSUM",
        _dequantize: "DEQUANTIZE",
        _fully_connected: "FULLY_CONNECTED",
        _gather: "GATHER",
        _one_hot: "ONE_HOT",
        _softmax: "SOFTMAX",
    }
    return {kind: condition for condition, kinds in listed.items() for kind in kinds.split()}


CONDITIONS = _conditions()
"""By operator: what says why it is left."""


def _versions() -> dict[str, int]:
    listed = {
        1: "CUMSUM DENSIFY GATHER ONE_HOT PRELU RESHAPE SELECT SELECT_V2",
        2: f"""
            ABS ADD ADD_N AVERAGE_POOL_2D CONCATENATION COS DIV ELU EXP FLOOR FLOOR_DIV FLOOR_MOD GELU LEAKY_RELU LOG
            LOGICAL_AND LOGISTIC MAXIMUM MAX_POOL_2D MINIMUM MIRROR_PAD NEG PAD PADV2 POW QUANTIZE RELU RELU6
            RELU_N1_TO_1 RSQRT SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SQRT SQUARE SQUARED_DIFFERENCE SUB TANH
            {" ".join(_COMPARISONS)}
            """,
        3: "DEQUANTIZE MUL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR TRANSPOSE_CONV",
        4: "LSTM STRIDED_SLICE TRANSPOSE",
        6: "CONV_2D DEPTHWISE_CONV_2D",
        9: "FULLY_CONNECTED",
    }
    return {kind: version for version, kinds in listed.items() for kind in kinds.split()}


VERSIONS = _versions()
"""The newest version of an operator that the delegate knows; it does not look at those of others."""
