"""Delegates that nothing here can be asked about: tables of the operators that they take, each with date and source.

A table is text, with `#` before comments:

    title: Qualcomm NPU                 what people call it
    platforms: android                  where it is
    source: https://…                   what says so, at the version that was read
    read: 2026-11-22                    when
    types: float32 int8                 of what is computed with and of results; left out where unknown
    CONV_2D ADD                         operators that it takes, or, each behind a -, those alone that it does not
    RESHAPE: for Core ML 2 alone        an operator that it takes on a condition, which is not looked at
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from mobile_export.lint.delegate import Phone, Sight
from mobile_export.lint.survey import Evidence, Finding
from mobile_export.lint.tflite_operators import Operator, operators_of

_FOLDER = Path(__file__).parent / "listed"
_KEYS = ("title", "platforms", "source", "read", "types")
_CONDITION = re.compile(r"([A-Z0-9_]+): (.+)")


@dataclass(frozen=True)
class Table:
    """What a table says.

    Attributes:
        keys: its head.
        takes: operators that the delegate takes; empty where it is told by `refuses` alone.
        conditions: by operator.
    """

    keys: dict[str, str]
    takes: frozenset[str]
    refuses: frozenset[str]
    conditions: dict[str, str]

    def why(self, operator: Operator) -> str:
        """Why the delegate leaves an operator; empty where it does not."""
        if operator.custom or operator.kind in self.refuses or (self.takes and operator.kind not in self.takes):
            return "not in its list of operators"
        met = [tensor.type for tensor in (*operator.runtime_inputs[:1], *operator.outputs[:1])]
        types = self.keys.get("types", "").split()
        return next((f"{name} values" for name in met if types and name not in types), "")


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

    def survey(self, path: Path) -> Sight:
        table, operators = self.table, operators_of(path)
        reasons = [table.why(operator) for operator in operators]
        findings = tuple(
            Finding(node=operator.node, operator=operator.kind, why=why)
            for operator, why in zip(operators, reasons, strict=True)
            if why
        )
        return Sight(
            source=f"{table.keys['source']}, read {table.keys['read']}",
            operators=len(operators),
            findings=findings,
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
    conditions: dict[str, str] = {}
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        key, _, value = line.partition(": ")
        condition = _CONDITION.fullmatch(line)
        if key in _KEYS:
            keys[key] = value
        elif condition:
            names.append(condition[1])
            conditions[condition[1]] = condition[2]
        else:
            names += line.split()
    refuses = frozenset(name[1:] for name in names if name.startswith("-"))
    return Table(keys, frozenset(name for name in names if not name.startswith("-")), refuses, conditions)
