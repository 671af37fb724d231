"""The operators of a .tflite file, as delegates look at them: kinds, types, shapes, what is constant."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mobile_export.formats.flatbuffer import map_file, operator_name, read_model, type_name, walk
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.lint.survey import Finding

FLEX = "Flex"
"""What names of TensorFlow's own operators begin with."""
PARAMETERS: Mapping[str, Mapping[int, str]] = {
    "CONV_2D": {1: "weights", 2: "bias"},
    "CUMSUM": {1: "axes"},
    "DEPTHWISE_CONV_2D": {1: "weights", 2: "bias"},
    "FULLY_CONNECTED": {1: "weights", 2: "bias"},
    "MEAN": {1: "axes"},
    "MIRROR_PAD": {1: "paddings"},
    "PAD": {1: "paddings"},
    "PADV2": {1: "paddings", 2: "value"},
    "REDUCE_MAX": {1: "axes"},
    "REDUCE_MIN": {1: "axes"},
    "REDUCE_PROD": {1: "axes"},
    "RESHAPE": {1: "new shape"},
    "RESIZE_BILINEAR": {1: "new size"},
    "SLICE": {1: "begin", 2: "size"},
    "SPLIT": {0: "axis"},
    "STRIDED_SLICE": {1: "begin", 2: "end", 3: "strides"},
    "SUM": {1: "axes"},
    "TRANSPOSE": {1: "permutation"},
    "TRANSPOSE_CONV": {0: "output shape", 1: "weights", 3: "bias"},
}
"""Inputs that delegates want to find in the file, by their places."""


@dataclass(frozen=True)
class Operand:
    """A tensor that an operator reads or writes.

    Attributes:
        shape: -1 where a size is known only when the file runs; None where not even the rank is known.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    constant: bool

    @property
    def rank(self) -> int:
        return len(self.shape or ())

    @property
    def dynamic(self) -> bool:
        """Whether sizes beside the batch are unknown."""
        return self.shape is None or any(size < 0 for size in self.shape[1:])


_ABSENT = Operand("", "", None, constant=True)


@dataclass(frozen=True)
class Operator:
    """An operator of any subgraph.

    Attributes:
        kind: as the schema calls it, or a custom operator's own name.
        inputs: without optional ones that are left out.
        options: the schema's, such as `Conv2DOptions`; None without any.
        version: of the operator: each that the schema adds has new types or options.
    """

    kind: str
    custom: bool
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    options: Any = field(default=None, compare=False)
    version: int = 1

    @property
    def node(self) -> str:
        """What it is called in findings: the tensor that it writes first, or reads where it writes none."""
        return next((tensor.name for tensor in (*self.outputs, *self.inputs)), "")

    @property
    def runtime_inputs(self) -> tuple[Operand, ...]:
        return tuple(tensor for tensor in self.inputs if not tensor.constant)

    def read(self, index: int) -> Operand:
        """An input; one without type and shape where there is none."""
        return self.inputs[index] if index < len(self.inputs) else _ABSENT

    def written(self, index: int) -> Operand:
        """An output; likewise."""
        return self.outputs[index] if index < len(self.outputs) else _ABSENT

    def option(self, name: str) -> Any:
        """An option by its name in the schema; None where the operator has none of that name."""
        return getattr(self.options, name, None)


def writers_of(operators: Iterable[Operator]) -> dict[str, Operator]:
    """Operators by the tensor that they write."""
    return {tensor.name: operator for operator in operators for tensor in operator.outputs}


def findings_of(operators: Iterable[Operator], why: Callable[[Operator], str]) -> tuple[Finding, ...]:
    """The operators that are left: those for which `why` has a reason."""
    reasons = ((operator, why(operator)) for operator in operators)
    return tuple(Finding(node=each.node, operator=each.kind, why=reason) for each, reason in reasons if reason)


def computed_parameter(operator: Operator, writers: Mapping[str, Operator], unpacked: Set[str] = frozenset()) -> str:
    """Which of an operator's parameters is not in the file, and where it comes from; empty where all of them are.

    Args:
        writers: operators by the tensor that they write.
        unpacked: types of constants that the delegate dequantizes itself: they count as constant behind a DEQUANTIZE.
    """
    for place, name in PARAMETERS.get(operator.kind, {}).items():
        parameter = operator.read(place)
        writer = writers.get(parameter.name)
        if parameter.constant:
            continue
        if writer is None or writer.kind != "DEQUANTIZE" or not writer.read(0).constant:
            return f"{name} computed at run time, not constant"
        if writer.read(0).type not in unpacked:
            return f"{name} dequantized from {writer.read(0).type} at run time"
    return ""


@lru_cache(maxsize=1)  # several delegates look at the same file, one after the other
def operators_of(path: Path) -> tuple[Operator, ...]:
    """All operators of the file at `path`, of the subgraphs of loops and branches too, in file order.

    Raises:
        ConversionError: LiteRT does not load it; what is read of a damaged file could not be trusted.
    """
    TFLiteRunner(path)
    return tuple(_operators(read_model(map_file(path))))


def _operators(model: Any) -> Iterator[Operator]:
    for subgraph, operator, code in walk(model):
        listed = model.operatorCodes[operator.opcodeIndex]
        custom = operator_name(code) == "CUSTOM"
        read, written = (_operands(model, subgraph, side) for side in (operator.inputs, operator.outputs))
        kind = (listed.customCode or b"CUSTOM").decode(errors="replace") if custom else operator_name(code)
        yield Operator(kind, custom, read, written, operator.builtinOptions, listed.version)


def _operands(model: Any, subgraph: Any, indices: Any) -> tuple[Operand, ...]:
    chosen = () if indices is None else [subgraph.tensors[index] for index in indices if index >= 0]
    return tuple(_operand(model, tensor) for tensor in chosen)


def _operand(model: Any, tensor: Any) -> Operand:
    sizes = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    shape = None if sizes is None else tuple(int(size) for size in sizes)
    name = (tensor.name or b"").decode(errors="replace")
    held = model.buffers[tensor.buffer].data
    return Operand(name, type_name(tensor.type), shape, held is not None and len(held) > 0)
