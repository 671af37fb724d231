"""Signatures of a SavedModel: which of its tensors are inputs and outputs, and what people call them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, canonical, is_tensor
from mobile_export.graphs.names import identifiers
from mobile_export.graphs.protos import SignatureDef, TensorInfo
from mobile_export.graphs.tensors import dtype_name, read_shape

INITIALIZER = "__saved_model_init_op"
_TRAINING = "__saved_model_train_op"
_DEFAULT = "serving_default"


def choose(file: Path, signatures: Mapping[str, SignatureDef], wanted: str | None) -> SignatureDef | None:
    """The signature `wanted`; else the one for serving, or the only one; None where the model has none at all.

    Raises:
        ModelError: it is not there, or there are several.
    """
    offered = {key: signatures[key] for key in names(signatures)}
    if wanted is None and not offered:
        return None
    chosen = wanted or (next(iter(offered)) if len(offered) == 1 else _DEFAULT)
    if chosen not in offered:
        listed = " or ".join(json.dumps(key) for key in sorted(offered))
        todo = f"set model.signature to {listed}" if listed else "take model.signature out"
        raise ModelError(f"{file}: has no signature {chosen!r}; {todo}")
    return offered[chosen]


def names(signatures: Mapping[str, SignatureDef]) -> list[str]:
    """Names of the signatures that compute something, the default first; others name an operator to run."""
    found = [key for key, one in signatures.items() if one.outputs and key not in (INITIALIZER, _TRAINING)]
    return sorted(found, key=lambda key: (key != _DEFAULT, key))


def signed(graph: Graph, signature: SignatureDef) -> Graph:
    """`graph` with the inputs and outputs of `signature`, under names that apps can have for them.

    Inputs come in the order in which the model's function takes them, if that can be told, else by name, as outputs do.
    """
    outputs = [spec for key in _by_name(signature.outputs) for spec in _specs(key, signature.outputs[key])]
    inputs = [spec for key in _by_name(signature.inputs) for spec in _specs(key, signature.inputs[key])]
    order = _arguments(graph, outputs[0].tensor)
    inputs.sort(key=lambda spec: order.index(spec.tensor) if spec.tensor in order else len(order))
    names = identifiers([spec.name for spec in (*inputs, *outputs)])
    named = [replace(spec, name=name) for spec, name in zip((*inputs, *outputs), names, strict=True)]
    return replace(graph, inputs=tuple(named[: len(inputs)]), outputs=tuple(named[len(inputs) :]))


def tensor_named(name: str) -> str:
    """The tensor that `name` is meant for, with its port.

    Raises:
        ModelError: there can be none of that name.
    """
    if name.startswith("^") or not is_tensor(name):
        raise ModelError(f"the SavedModel names {name!r} as a tensor, which none can be called; export it again")
    return canonical(name)


def _by_name(keys: Iterable[str]) -> list[str]:
    """In the order of names, `output_2` before `output_10`."""
    return sorted(keys, key=lambda key: re.sub(r"\d+", lambda digits: digits[0].zfill(20), key))


def _specs(key: str, info: TensorInfo) -> Iterator[TensorSpec]:
    """The tensors that make up one value: a sparse or ragged one has several."""
    kind = info.WhichOneof("encoding")
    dtype = dtype_name(info.dtype)
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        yield TensorSpec(f"{key}_indices", tensor_named(sparse.indices_tensor_name), "int64", None)
        yield TensorSpec(f"{key}_values", tensor_named(sparse.values_tensor_name), dtype, None)
        yield TensorSpec(f"{key}_dense_shape", tensor_named(sparse.dense_shape_tensor_name), "int64", None)
    elif kind == "composite_tensor":
        for index, component in enumerate(info.composite_tensor.components):
            yield from _specs(f"{key}_{index}", component)
    else:
        yield TensorSpec(key, tensor_named(info.name), dtype, read_shape(info.tensor_shape))


def _arguments(graph: Graph, output: str) -> list[str]:
    """The tensors that the model's own function takes, in its order; none where that cannot be told.

    A signature of TensorFlow 2 is a function of its own, which has its arguments sorted by name, and does nothing but
    call the model's.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    call = graph.producer(output)
    wrapper = None if call is None else functions.get(attribute(call, "f").func.name)
    if call is None or wrapper is None:
        return []
    given = dict(zip((argument.name for argument in wrapper.signature.input_arg), call.input, strict=False))
    inner = [node for node in wrapper.node_def if attribute(node, "f").func.name in functions]
    return [canonical(given[name]) for name in inner[0].input if name in given] if len(inner) == 1 else []
