"""What in a Keras model's config is code.

Keras's own `safe_mode` has been got around more than once, and legacy HDF5 files are loaded without it. So a config may
name nothing but Keras's own layers, initializers, activations, … : it is checked before a loader sees it.
"""

import importlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mobile_export.errors import ModelError
from mobile_export.graphs.ops import RUNNABLE
from mobile_export.graphs.protos import DecodeError, NodeDef

_SPACES = ("layers", "initializers", "regularizers", "constraints", "activations", "dtype_policies", "quantizers")
_HELPERS = frozenset({"get", "serialize", "deserialize"})
"""Functions of those namespaces that are no part of a model."""

_DOORS = {
    "Lambda": "Python code that the file carries",
    "TFSMLayer": "a SavedModel that is loaded from elsewhere",
    "TorchModuleWrapper": "a pickle that the file carries",
    "JaxLayer": "Python code",
    "FlaxLayer": "Python code",
}
"""Keras's own layers that run what is not Keras's, and what that is."""

_INNER = frozenset(
    """
    Functional Sequential Model Policy PolicyV1 SeedGenerator AddLoss AddMetric AbstractRNNCell LocallyConnected1D
    LocallyConnected2D RandomHeight RandomWidth ThresholdedReLU RadialConstraint BatchNormalizationV1
    BatchNormalizationV2 SyncBatchNormalization CuDNNGRU CuDNNLSTM PeepholeLSTMCell LayerScale StochasticDepth
    """.split()
)
"""Classes that are not in Keras 3's public namespaces: models, parts of its applications, and what is older."""

_DATA = frozenset("__tuple__ __ellipsis__ __slice__ __bytes__ __keras_tensor__ TensorShape".split())
_ARRAYS = frozenset({"__numpy__", "__tensor__"})
_DTYPE = re.compile(r"(bfloat|float|uint|int|complex)\d{1,3}|bool|string")

_MODULE = re.compile(r"(tf_)?keras(\.\w+)*|builtins")
_OPERATION_MODULE = re.compile(r"keras\.src\.ops\.(core|einops|image|linalg|math|nn|numpy)")
"""Where Keras 3 has the classes of `keras.ops`; from there it takes nothing that is no part of a model."""

_FUNCTION_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda"})
_FUNCTION = re.compile(
    r"(compat\.v1\.)?((math|nn|linalg|bitwise|image|signal|__operators__)\.\w+|abs|add|add_n|argmax|argmin|argsort|"
    r"batch_to_space|boolean_mask|broadcast_to|cast|ceil|clip_by_norm|clip_by_value|concat|cos|cumsum|divide|einsum|"
    r"equal|exp|expand_dims|eye|fill|floor|gather|gather_nd|greater|greater_equal|identity|less|less_equal|linspace|"
    r"logical_and|logical_not|logical_or|matmul|maximum|meshgrid|minimum|multiply|negative|norm|not_equal|one_hot|ones|"
    r"ones_like|pad|pow|range|rank|realdiv|reduce_(all|any|max|mean|min|prod|sum)|repeat|reshape|reverse|roll|round|"
    r"rsqrt|scalar_mul|scatter_nd|searchsorted|sequence_mask|shape|sigmoid|sign|sin|size|slice|sort|space_to_batch|"
    r"split|sqrt|square|squeeze|stack|stop_gradient|strided_slice|subtract|tan|tanh|tensordot|tile|top_k|transpose|"
    r"truediv|unstack|where|zeros|zeros_like)"
)
"""Functions of TensorFlow that compute their answer from their arguments, and do nothing else."""

_FILES = frozenset({"vocabulary", "idf_weights"})
"""Settings in which a string is the path of a file to read."""


def refuse_code(config: Any, custom: Collection[str], where: str) -> None:
    """Raise ModelError when `config` names anything that is not Keras's own, or leads to other files.

    Args:
        config: a model's config, as JSON has it.
        custom: names of custom objects, which the target allows.
        where: the file, for errors.
    """
    own = _own_names()
    todo: list[tuple[Any, str]] = [(config, "")]
    while todo:
        value, layer = todo.pop()
        if isinstance(value, list):
            todo += [(part, layer) for part in reversed(value)]
        elif isinstance(value, dict):
            layer = _name(value) or layer
            for problem in _problems(value, own, custom):
                raise ModelError(f"{where}: layer {layer!r} {problem}")
            todo += [(part, layer) for part in reversed(value.values())]


def _own_names() -> frozenset[str]:
    """Names of Keras's layers and of what they are made from."""
    keras = importlib.import_module("keras")
    found = set(_INNER)
    for space in _SPACES:
        named = {name for name, what in vars(getattr(keras, space)).items() if callable(what)}
        found |= {name for name in named if space != "layers" or isinstance(getattr(keras.layers, name), type)}
    return frozenset(found - _HELPERS - _DOORS.keys())


def _name(value: Mapping[str, Any]) -> str:
    """What the layer that `value` describes is called."""
    config = value.get("config")
    for place in (value, config if isinstance(config, dict) else {}):
        if "class_name" in value and isinstance(place.get("name"), str):
            return str(place["name"])
    return ""


def _problems(value: Mapping[str, Any], own: Collection[str], custom: Collection[str]) -> Iterator[str]:
    """What is not allowed in one dictionary of a config, not looking into those inside of it."""
    if "class_name" in value:
        yield from _wrong_class(value, own, custom)
    for key, setting in value.items():
        if not isinstance(setting, str) or not setting:
            continue
        if re.fullmatch(r"(\w+_)?activation", key) and setting not in own and setting not in custom:
            yield _unknown("has the activation", setting)
        if key in _FILES:
            yield f"reads the file {setting!r} ({key}), which is not part of the model; save the words in the model"


def _wrong_class(value: Mapping[str, Any], own: Collection[str], custom: Collection[str]) -> Iterator[str]:
    kind, config = value["class_name"], value.get("config")
    if not isinstance(kind, str):
        yield "has no class; save the model again"
        return
    if kind in _DATA:
        return
    if kind in _ARRAYS:
        if not isinstance(config, dict) or not _DTYPE.fullmatch(str(config.get("dtype"))):
            yield f"has a value of an unknown type ({kind}); save the model again"
        return
    names = [config if kind == "function" else kind, value.get("registered_name") or kind]
    if any(isinstance(name, str) and name in custom for name in names):
        return
    if kind == "__lambda__" or kind in _DOORS:
        yield (
            f"is {_DOORS.get(kind, _DOORS['Lambda'])} ({kind}), and is not run; if you trust whoever made the file, "
            "set trusted = true in [model]; else build it with Keras's own layers"
        )
    elif kind in _FUNCTION_LAYERS:
        function = config.get("function") if isinstance(config, dict) else None
        if not isinstance(function, str) or not _FUNCTION.fullmatch(function):
            yield (
                f"calls the TensorFlow function {function!r}, which is not known to be harmless; if you trust "
                "whoever made the file, set trusted = true in [model]"
            )
    elif kind == "TensorFlowOpLayer":
        operator = _operator(config)
        if operator not in RUNNABLE:
            yield f"uses the operator {operator!r}, which is never run here; build the model without it"
    elif not _is_own(value, names, own):
        yield _unknown("is of the class" if kind != "function" else "uses the function", names[0])


def _is_own(value: Mapping[str, Any], names: list[Any], own: Collection[str]) -> bool:
    """Whether every name by which a loader may look for the object is one of Keras's own."""
    module = value.get("module") or "keras"
    if not isinstance(module, str) or not _MODULE.fullmatch(module):
        return False
    if _OPERATION_MODULE.fullmatch(module):
        return all(isinstance(name, str) and name.isidentifier() for name in names)
    named = all(isinstance(name, str) for name in names)
    return named and names[0] in own and (names[1] in own or names[1] == value["class_name"])


def _operator(config: Any) -> str:
    """The operator of a TensorFlowOpLayer, whose config has its node as a dictionary or as bytes."""
    node = config.get("node_def") if isinstance(config, dict) else None
    if isinstance(node, dict):
        return str(node.get("op"))
    try:
        return str(NodeDef.FromString(str(node).encode("utf-8")).op)
    except DecodeError:
        return "unknown"


def _unknown(what: str, name: Any) -> str:
    return (
        f"{what} {name!r}, which is not Keras's own; if that is yours, name it in [model] custom_objects = "
        f'"module:dict", a dict with {name!r} in it'
    )
