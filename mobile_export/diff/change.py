"""One difference between two manifests."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 5


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        breaking: whether the app's code has to change.
        of: what changed: names of files, or of another thing.
        text: how, in words.
    """

    breaking: bool
    of: tuple[str, ...]
    text: str


def breaking(of: str, text: str) -> Change:
    """What the app's code has to follow."""
    return Change(True, (of,), text)


def compatible(of: str, text: str) -> Change:
    """What needs nothing of it."""
    return Change(False, (of,), text)


def listed(names: Sequence[str]) -> str:
    """Names in quotes, the first few of them."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
