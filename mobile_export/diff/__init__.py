"""What changed between two manifests of a target, and whether an app's code has to change with it.

An app reaches the model in one of two ways, and what breaks it depends on which. Its code may call the generated class:
then public names, types, shapes and labels count, and how a file has its numbers is the class's affair. Or it reads
files by hand, where it has no class, or for formats that no class runs: then every edge of every file counts, and its
order.
"""

from collections.abc import Iterable

from mobile_export.diff.change import Change
from mobile_export.diff.code import code_changes, languages, target_changes
from mobile_export.diff.edges import label_changes, port_changes
from mobile_export.diff.files import file_changes
from mobile_export.diff.preprocessing import preprocessing_changes
from mobile_export.published.manifest import Manifest

__all__ = ["Change", "diff"]


def diff(old: Manifest, new: Manifest) -> list[Change]:
    """Every difference that an app or its team may care about, breaking ones first."""
    wrapped = bool(languages(old).keys() & languages(new).keys())
    found = [
        *target_changes(old, new),
        *code_changes(old, new, wrapped),
        *(port_changes(old, new) if wrapped else ()),
        *label_changes(old, new),
        *preprocessing_changes(old, new, wrapped),
        *file_changes(old, new, wrapped),
    ]
    return sorted(_together(found), key=lambda change: not change.breaking)


def _together(changes: Iterable[Change]) -> list[Change]:
    """What happened to several files alike is one change."""
    of: dict[tuple[bool, str], list[str]] = {}
    for change in changes:
        of.setdefault((change.breaking, change.text), []).extend(change.of)
    return [Change(breaking, tuple(names), text) for (breaking, text), names in of.items()]
