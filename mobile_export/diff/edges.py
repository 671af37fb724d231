"""Inputs and outputs: of the class, and of a file that an app reads by hand."""

from collections.abc import Iterator, Sequence

from mobile_export.apps.interface import Port, interface_of
from mobile_export.diff.change import Change, breaking, compatible, listed
from mobile_export.published.manifest import ArtifactEntry, EdgeEntry, Manifest


def port_changes(old: Manifest, new: Manifest) -> Iterator[Change]:
    """Those of the class, whose buffers have names: order does not matter."""
    before, after = interface_of(old), interface_of(new)
    yield from _edges("class", "input", before.inputs, after.inputs)
    yield from _edges("class", "output", before.outputs, after.outputs)


def _edges(of: str, kind: str, old: Sequence[Port | EdgeEntry], new: Sequence[Port | EdgeEntry]) -> Iterator[Change]:
    before, after = {edge.name: edge for edge in old}, {edge.name: edge for edge in new}
    gone = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    if len(gone) == len(added) == 1 and _said(before[gone[0]]) == _said(after[added[0]]):
        yield breaking(of, f"{kind} {gone[0]} is called {added[0]}")
        gone, added = [], []
    for name in gone:
        yield breaking(of, f"{kind} {name} is gone")
    for name in added:
        yield Change(kind == "input", (of,), f"{kind} {name} is new: {_said(after[name])}")
    for name in before.keys() & after.keys():
        if _said(before[name]) != _said(after[name]):
            yield breaking(of, f"{kind} {name}: {_said(before[name])} → {_said(after[name])}")


def _said(edge: Port | EdgeEntry) -> str:
    return f"{edge.dtype}{'[?]' if edge.shape is None else list(edge.shape)}"


def by_hand(old: ArtifactEntry, new: ArtifactEntry) -> Iterator[Change]:
    """How an app sees a file that it reads itself: also by the numbers of inputs and outputs."""
    for kind, before, after in (("input", old.inputs, new.inputs), ("output", old.outputs, new.outputs)):
        yield from _edges(new.name, kind, before, after)
        number = {edge.name: k for k, edge in enumerate(after)}
        if any(number.get(edge.name, k) != k for k, edge in enumerate(before)):
            yield breaking(new.name, f"{kind}s are in another order: {', '.join(number)}")


def label_changes(old: Manifest, new: Manifest) -> Iterator[Change]:
    """Names of classes are what an app makes of numbers: it is wrong, silently, where they move."""
    outputs = {edge.name for entry in new.artifacts for edge in entry.outputs}
    for name in sorted((old.labels.keys() | new.labels.keys()) & outputs):
        before, after = old.labels.get(name, ()), new.labels.get(name, ())
        if before == after:
            continue
        if not before:
            yield compatible(f"labels of {name}", f"{len(after)} are new")
        elif after[: len(before)] == before:
            yield compatible(f"labels of {name}", f"new at the end: {listed(after[len(before) :])}")
        else:
            yield breaking(f"labels of {name}", _how_labels_differ(before, after))


def _how_labels_differ(before: Sequence[str], after: Sequence[str]) -> str:
    if not after:
        return "are gone"
    if sorted(before) == sorted(after):
        return "are in another order"
    if after == before[: len(after)]:
        return f"gone: {listed(before[len(after) :])}"
    at = next(k for k, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
    return f"number {at} is {after[at]!r}, was {before[at]!r}"
