"""What has to wait for other nodes when those that waited for them go."""

from collections.abc import Collection, Iterable, Iterator

from mobile_export.errors import ModelError
from mobile_export.transforms.calls import MOST_INPUTS

_Part = tuple[tuple[str, ...], tuple[int, ...]]
"""What nodes wait for themselves, and numbers of other parts."""


class Waits:
    """Nodes that go, and what each of them waits for: whatever takes its place has to wait for the same.

    A node's own part is kept once, and those behind it refer to it: lists of all that each of them waits for would grow
    with the square of a chain. Names are collected where something stays, and only so many in all.
    """

    def __init__(self, transform: str) -> None:
        self._transform = transform
        self._numbers: dict[_Part, int] = {}
        self._parts: list[_Part] = []
        self._of: dict[str, int | None] = {}
        self._left = MOST_INPUTS

    def __contains__(self, node: str) -> bool:
        return node in self._of

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def add(self, node: str, own: Iterable[str], behind: Iterable[str]) -> None:
        """Let `node` go, which waits for `own` and for all that the nodes `behind` wait for; these have gone before."""
        named, parts = tuple(own), self._parts_of(behind)
        if named or len(parts) > 1:
            part = (named, parts)
            if part not in self._numbers:
                self._numbers[part] = len(self._parts)
                self._parts.append(part)
            parts = (self._numbers[part],)
        self._of[node] = parts[0] if parts else None

    def any(self, nodes: Iterable[str]) -> bool:
        """Whether one of `nodes` waits for something."""
        return any(self._of[node] is not None for node in nodes)

    def collect(self, nodes: Collection[str]) -> list[str]:
        """Everything that `nodes` wait for, once each: their own before what is behind them.

        Raises:
            ModelError: so many names were collected in all that no model for phones needs them.
        """
        found, seen = dict[str, None](), set[int]()
        todo = [*reversed(self._parts_of(nodes))]
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            own, behind = self._parts[number]
            found |= dict.fromkeys(own)
            todo += reversed(behind)
            self._left -= 1 + len(own)
        if self._left < 0:
            raise ModelError(
                f"{self._transform}: what stays would have to wait for more than {MOST_INPUTS} nodes in place of "
                "what goes; run remove_control_dependencies before it"
            )
        return list(found)

    def _parts_of(self, nodes: Iterable[str]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for node in nodes if (number := self._of[node]) is not None))
