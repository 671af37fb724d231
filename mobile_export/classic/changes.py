"""What a classic tool made of a graph: counts and bytes, before and after."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_export.deflate import deflated_size
from mobile_export.graphs.graph import Graph
from mobile_export.published.artifact_files import artifact_size, files_of

SHOWN_OPERATORS = 12
"""Operators whose numbers changed most, in the text."""


@dataclass(frozen=True)
class Summary:
    """A graph, and the bytes of the file that holds it, plain and deflated."""

    operators: Counter[str]
    size: int
    zipped_size: int

    @property
    def nodes(self) -> int:
        return self.operators.total()


@dataclass(frozen=True)
class Changes:
    """What a tool did.

    Attributes:
        path: the file that it wrote.
        notes: what people should know, a sentence each.
    """

    path: Path
    before: Summary
    after: Summary
    notes: Sequence[str] = ()

    @classmethod
    def between(cls, old_path: Path, old: Graph, new_path: Path, new: Graph, notes: Sequence[str] = ()) -> "Changes":
        """Compare two graphs, and the files that hold them."""
        with ThreadPoolExecutor() as pool:
            sizes = pool.map(_sizes, (old_path, new_path))
            before, after = (Summary(_operators(g), *size) for g, size in zip((old, new), sizes, strict=True))
        return cls(new_path, before, after, notes)

    def lines(self) -> list[str]:
        """For people: a line for each quantity, then the operators that became more or fewer."""
        rows = [("nodes", f"{self.before.nodes:,}", f"{self.after.nodes:,}", "")]
        for name, old, new in (
            ("bytes", self.before.size, self.after.size),
            ("zipped bytes", self.before.zipped_size, self.after.zipped_size),
        ):
            rows.append((name, f"{old:,}", f"{new:,}", f"({new / max(old, 1):.1%})"))
        moved = sorted(self.operators().items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
        rows += [(op, f"{old:,}", f"{new:,}", f"({new - old:+,})") for op, (old, new) in moved[:SHOWN_OPERATORS]]
        first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
        lines = [f"{a:{first}}  {b:>{second}} -> {c:>{third}}  {d}".rstrip() for a, b, c, d in rows]
        if len(moved) > SHOWN_OPERATORS:
            lines.append(f"and {len(moved) - SHOWN_OPERATORS} more operators")
        return [f"{self.path}:", *(f"  {line}" for line in lines)]

    def operators(self) -> dict[str, tuple[int, int]]:
        """Of each operator whose number changed, how many there were and are."""
        counts = {
            op: (self.before.operators[op], self.after.operators[op])
            for op in sorted({*self.before.operators, *self.after.operators})
        }
        return {op: (old, new) for op, (old, new) in counts.items() if old != new}

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        before, after = (
            {
                "nodes": s.nodes,
                "bytes": s.size,
                "zipped_bytes": s.zipped_size,
                "operators": dict(sorted(s.operators.items())),
            }
            for s in (self.before, self.after)
        )
        return {"output": self.path.as_posix(), "before": before, "after": after, "notes": list(self.notes)}


def _operators(graph: Graph) -> Counter[str]:
    return Counter(node.op for node in graph.nodes.values())


def _sizes(path: Path) -> tuple[int, int]:
    """Bytes of a file, or of all files of a folder, and of their deflated forms."""
    return artifact_size(path), sum(map(deflated_size, files_of(path)))
