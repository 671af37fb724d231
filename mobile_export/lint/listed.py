"""Delegates that nothing here can be asked about: tables of the operators that they take, each with date and source.

A table is text, with `#` before comments:

    title: Qualcomm NPU                 what people call it
    platforms: android                  where it is
    source: https://…                   what says so, at the version that was read
    read: 2026-11-22                    when
    types: float32 int8                 of what is computed at run time; left out where unknown
    constants: float32 float16 int32    of what is in the file, dequantized first or not; left out where as `types`
    CONV_2D ADD                         operators that it takes, or, each behind a -, those alone that it does not
    PAD: constant                       one that it takes if its parameters (`PARAMETERS`) are in the file
    RESHAPE: for Core ML 2 alone        one that it takes on a condition, which is not looked at
    MEAN: constant; height and width    both
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from mobile_export.lint.delegate import Coverage, Phone
from mobile_export.lint.survey import Evidence
from mobile_export.lint.tflite_operators import (
    Operator,
    computed_parameter,
    findings_of,
    operators_of,
    writers_of,
)

_FOLDER = Path(__file__).parent / "listed"
_KEYS = ("title", "platforms", "source", "read", "types", "constants")
_CONDITION = re.compile(r"([A-Z0-9_]+): (.+)")
_CONSTANT = "constant"


@dataclass(frozen=True)
class Table:
    """What a table says.

    Attributes:
        keys: its head.
        takes: operators that the delegate takes; empty where it is told by `refuses` alone.
        constant: operators whose parameters have to be in the file.
        conditions: further ones, by operator.
    """

    keys: dict[str, str]
    takes: frozenset[str]
    refuses: frozenset[str]
    constant: frozenset[str]
    conditions: dict[str, str]

    def why(self, operator: Operator, writers: Mapping[str, Operator]) -> str:
        """Why the delegate leaves an operator; empty where it does not.

        Args:
            writers: operators by the tensor that they write.
        """
        if operator.custom or operator.kind in self.refuses or (self.takes and operator.kind not in self.takes):
            return "not in its list of operators"
        types, constants = self._types("types"), self._types("constants") or self._types("types")
        computed = computed_parameter(operator, writers, constants) if operator.kind in self.constant else ""
        met = [
            *((tensor, types, "values") for tensor in (*operator.runtime_inputs, *operator.outputs)),
            *((tensor, constants, "constants") for tensor in operator.inputs if tensor.constant),
        ]
        others = (f"{tensor.type} {what}" for tensor, allowed, what in met if allowed and tensor.type not in allowed)
        return computed or next(others, "")

    def _types(self, key: str) -> frozenset[str]:
        return frozenset(self.keys.get(key, "").split())


class Listed:
    """A delegate by its table in `listed/`."""

    formats: tuple[str, ...] = ("tflite",)
    evidence: Evidence = "listed"

    def __init__(self, file: str) -> None:
        self._file = file

    @cached_property
    def table(self) -> Table:
        return read_table((_FOLDER / self._file).read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        return self.table.keys["title"]

    @property
    def platforms(self) -> tuple[Phone, ...]:
        return cast("tuple[Phone, ...]", tuple(self.table.keys["platforms"].split()))

    def survey(self, path: Path) -> Coverage:
        table, operators = self.table, operators_of(path)
        writers = writers_of(operators)
        return Coverage(
            source=f"{table.keys['source']}, read {table.keys['read']}",
            operators=len(operators),
            findings=findings_of(operators, lambda operator: table.why(operator, writers)),
            note=_note(table, {operator.kind for operator in operators}),
        )


def _note(table: Table, met: set[str]) -> str:
    """The conditions of operators that the file has; those with the same one together."""
    kinds: dict[str, list[str]] = {}
    for kind in sorted(met & set(table.conditions)):
        kinds.setdefault(table.conditions[kind], []).append(kind)
    said = [f"{', '.join(alike)}: {condition}" for condition, alike in kinds.items()]
    return f"not looked at: {'; '.join(said)}" if said else ""


def read_table(text: str) -> Table:
    """The table in `text`, as the module describes it."""
    keys: dict[str, str] = {}
    names: list[str] = []
    constant: set[str] = set()
    conditions: dict[str, str] = {}
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        key, _, value = line.partition(": ")
        condition = _CONDITION.fullmatch(line)
        if key in _KEYS:
            keys[key] = value
        elif condition:
            kind, said = condition[1], condition[2].split("; ")
            names.append(kind)
            if _CONSTANT in said:
                constant.add(kind)
                said.remove(_CONSTANT)
            if said:
                conditions[kind] = "; ".join(said)
        else:
            names += line.split()
    refuses = frozenset(name[1:] for name in names if name.startswith("-"))
    takes = frozenset(name for name in names if not name.startswith("-"))
    return Table(keys, takes, refuses, frozenset(constant), conditions)
