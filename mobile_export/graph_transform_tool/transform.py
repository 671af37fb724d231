"""What a transform of the Graph Transform Tool is, and how it reads the values that it is given."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mobile_export.errors import TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import dtype_number_spelled

_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*")


@dataclass(frozen=True)
class Parameters:
    """The values of one call, by name, each a string.

    Attributes:
        transform: its name, for errors.
    """

    transform: str
    values: Mapping[str, Sequence[str]]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def all(self, name: str) -> Sequence[str]:
        """Every value of `name`, in the order given."""
        return self.values.get(name, ())

    def string(self, name: str, default: str | None = None) -> str:
        """The value of `name`, which is needed when there is no default.

        Raises:
            TargetError: it is missing, or there are several; so for the others.
        """
        found = self.all(name)
        if len(found) > 1:
            raise self.error(f"{name} is given {len(found)} times; give it once")
        if not found and default is None:
            raise self.error(f"{name} is missing; write {self.transform}({name}=…)")
        return found[0] if found else str(default)

    def integer(self, name: str, default: int) -> int:
        """The value of `name` as a whole number."""
        text = self.string(name, str(default))
        if not _INTEGER.fullmatch(text):
            raise self.error(f"{name}: {text!r} is no whole number")
        return int(text)

    def number(self, name: str, default: float) -> float:
        """The value of `name` as a finite number."""
        text = self.string(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{name}: {text!r} is no number")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        """The value of `name`, true or false."""
        text = self.string(name, str(default)).lower()
        if text not in ("true", "false", "1", "0"):
            raise self.error(f"{name}: {text!r} is neither true nor false")
        return text in ("true", "1")

    def dtype(self, text: str) -> int:
        """TensorFlow's number for an element type, `float` or `float32`, `quint8`, …"""
        try:
            return dtype_number_spelled(text)
        except KeyError:
            raise self.error(f"{text!r} is no element type; write float, int32, quint8 or the like") from None

    def shape(self, text: str) -> tuple[int, ...]:
        """Sizes written `1,299,299,3`; -1 where unknown."""
        sizes = [part.strip() for part in text.split(",")] if text.strip() else []
        if not all(re.fullmatch(r"-1|\d{1,18}", size) for size in sizes):
            meant = re.sub(r"[*x; ]+", ",", text.strip().strip("[]()"))
            hint = f"; was {meant} meant?" if re.fullmatch(r"(-1|\d+)(,(-1|\d+))*", meant) else ""
            raise self.error(f'{text!r} is no shape{hint} Write sizes and commas: shape="1,299,299,3"')
        return tuple(map(int, sizes))

    def error(self, problem: str) -> TargetError:
        """An error of this call."""
        return TargetError(f"{self.transform}: {problem}")


@dataclass(frozen=True)
class GraphTransform:
    """A transform by its classic name.

    Attributes:
        rewrite: a pure function; the graph's inputs and outputs are those of the tool, and keep their names.
        parameters: the names that it knows, besides `ignore_errors`.
        files: those of them that name a file, or the prefix of a checkpoint, which counts as part of what it is given.
        tolerance: how far an output may move, as a fraction of its largest magnitude; inf for those that are meant to
            lose precision or to change meaning, and are judged in the end.
        renames: whether an output may be another node afterwards; its name as an output stays.
    """

    rewrite: Callable[[Graph, Parameters], Graph]
    parameters: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=(), kw_only=True)
    tolerance: float = 0.0
    renames: bool = False
