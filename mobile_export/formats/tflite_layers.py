"""The layers of a .tflite model, and which precision each of its operators gets in a mixture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mobile_export.formats.flatbuffer import operator_name, schema, walk
from mobile_export.formats.format import Layer
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.scheme import INTEGERS, Scheme

PRECISIONS = ("weight_int4", "int8", "int16x8", "dynamic", "weight_int8", "float16", "float32")
"""What a layer may have, from the fewest bytes of weights to the most."""

_LACKING: Mapping[str, tuple[str, ...]] = {
    "CONV_2D": (),
    "FULLY_CONNECTED": (),
    "TRANSPOSE_CONV": (),
    "DEPTHWISE_CONV_2D": (),
    "BATCH_MATMUL": ("float16",),
    "EMBEDDING_LOOKUP": ("int8", "int16x8"),
    "GATHER": ("weight_int4", "dynamic", "weight_int8", "float16"),
}
"""Operators that hold weights, and the precisions that the quantizer or the runtime does not have for them. A layer
that is to have such a one gets the next in `PRECISIONS` that it can have without calibration."""

CHANNELS: Mapping[str, int] = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0, "DEPTHWISE_CONV_2D": 3}
"""The dimension of output channels in the weights of an operator."""

_FINENESS = {precision: fineness for fineness, precision in enumerate(INTEGERS)}
"""How finely a precision computes; all others compute in float."""
_FLOAT = len(INTEGERS)


@dataclass(frozen=True, eq=False)
class Operation:
    """An operator, of whichever subgraph.

    Attributes:
        kind: as the schema calls it, such as CONV_2D.
        reads, writes: names of tensors.
        weights: the constant that makes it a layer, by name; None where it is none.
    """

    kind: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    weights: tuple[str, Array] | None

    @property
    def name(self) -> str:
        """What `Scheme.layers` calls it."""
        return self.writes[0]

    @property
    def scope(self) -> str:
        """What litert-quantizer calls it."""
        return "".join(f"{name};" for name in self.writes)

    def able(self, precision: str) -> str:
        """`precision`, or the next one that the operator can have without calibration."""
        later = [other for other in PRECISIONS[PRECISIONS.index(precision) :] if other not in INTEGERS]
        return next(p for p in (precision, *later) if p not in _LACKING.get(self.kind, ()))


@dataclass(frozen=True)
class Operations:
    """All operators of a model, in the order in which they compute."""

    model: Any

    @cached_property
    def all(self) -> tuple[Operation, ...]:
        return tuple(_operations(self.model))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The operators with weights; through others, their results are followed to the layers that read them."""
        sources: dict[str, tuple[str, ...]] = {}
        found = []
        for operation in self.all:
            behind = tuple(dict.fromkeys(name for read in operation.reads for name in sources.get(read, ())))
            if operation.weights:
                found.append(Layer(operation.name, operation.kind, operation.weights[1].size, behind))
                behind = (operation.name,)
            sources |= dict.fromkeys(operation.writes, behind)
        return tuple(found)

    def precisions(self, scheme: Scheme) -> dict[Operation, str]:
        """What each operator is to be computed in.

        An operator without weights computes as finely as the layers that it reads do, or as those that read it do,
        whichever is coarser: more is lost already, or will be. With no layer on one side, the other one counts.

        Raises:
            ConversionError: the scheme names a layer that is none.
        """
        if not scheme.layers:
            return {operation: operation.able(scheme.precision) for operation in self.all}
        layers = {operation.name: scheme.of(operation.name) for operation in self.all if operation.weights}
        scheme.require(layers)
        before, after = self._fineness(layers), self._fineness(layers, backwards=True)
        between = (*INTEGERS, "float32")
        chosen = {}
        for operation in self.all:
            sides = [s for s in (before.get(operation.name), after.get(operation.name)) if s is not None]
            other = between[min(sides)] if sides else scheme.precision
            chosen[operation] = operation.able(layers.get(operation.name, other))
        return chosen

    def _fineness(self, layers: Mapping[str, str], backwards: bool = False) -> dict[str, int]:
        """By operator: that of the finest layer whose result reaches it, or that its own result reaches."""
        tensors: dict[str, int] = {}
        found: dict[str, int] = {}
        for operation in reversed(self.all) if backwards else self.all:
            entering, leaving = (
                (operation.writes, operation.reads) if backwards else (operation.reads, operation.writes)
            )
            reached = [tensors[name] for name in entering if name in tensors]
            if reached:
                found[operation.name] = max(reached)
            own = layers.get(operation.name)
            value = found.get(operation.name) if own is None else _FINENESS.get(operation.able(own), _FLOAT)
            if value is not None:
                tensors |= {name: max(value, tensors.get(name, 0)) for name in leaving}
        return found


def _operations(model: Any) -> Iterator[Operation]:
    for subgraph, operator, code in walk(model):
        kind = operator_name(code)
        read, written = (_tensors(subgraph, side) for side in (operator.inputs, operator.outputs))
        if written:
            constants = [tensor for tensor in read if _is_weights(model, tensor)]
            held = constants[0] if constants and kind in _LACKING else None
            weights = (_name(held), _values(model, held)) if held is not None else None
            yield Operation(kind, tuple(map(_name, read)), tuple(map(_name, written)), weights)


def _tensors(subgraph: Any, indices: Any) -> list[Any]:
    """Those of one side of an operator that has any; optional ones may be left out."""
    return [] if indices is None else [subgraph.tensors[i] for i in indices if i >= 0]


def _name(tensor: Any) -> str:
    return (tensor.name or b"").decode(errors="replace")


def _is_weights(model: Any, tensor: Any) -> bool:
    """Whether a tensor is a float constant of more than one dimension: one of a single dimension is a bias."""
    data = model.buffers[tensor.buffer].data
    rank = 0 if tensor.shape is None else len(tensor.shape)
    return data is not None and rank > 1 and tensor.type == schema().TensorType.FLOAT32


def _values(model: Any, tensor: Any) -> Array:
    return np.frombuffer(model.buffers[tensor.buffer].data, np.float32).reshape(tensor.shape)
