"""Public names where nobody has given any: what apps call an input or output, after its tensor.

Kotlin and Swift have them as identifiers: ASCII letters, digits and underscores, no digit first.
"""

import re
from collections.abc import Collection, Iterable

from mobile_export.graphs.ops import READERS, RUNNABLE
from mobile_export.graphs.protos import NodeDef

_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")
_OPERATORS = RUNNABLE | READERS


def telling_part(node: NodeDef) -> str:
    """The last part of a node's name that says more than the operator, or that a function was called.

    `StatefulPartitionedCall/model/scores/BiasAdd` → `scores`; where no part does, the first that is of an operator.
    """
    parts: list[str] = [part for part in node.name.split("/") if not _CALL.fullmatch(part)] or [node.op]
    return next((part for part in reversed(parts) if not is_operators(part, node.op)), parts[0])


def is_operators(part: str, op: str) -> bool:
    """Whether nobody gave a node this name: TensorFlow then takes that of the operator, which may be another now."""
    bare = re.sub(r"(_\d+)$", "", part)
    unversioned = re.sub(r"V\d$", "", op)
    return bare in _OPERATORS or re.fullmatch(rf"{re.escape(unversioned)}(V\d)?", bare, re.IGNORECASE) is not None


def identifiers(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Identifiers, each as near to its name as can be, no two alike, and none that is in `taken`."""
    found: list[str] = []
    unfree = set(taken)
    for name in names:
        base = re.sub(r"\W", "_", name, flags=re.ASCII)
        base = base if base.strip("_") else "tensor"
        base = f"_{base}" if base[0].isdigit() else base
        free, k = base, 0
        while free in unfree:
            k += 1
            free = f"{base}_{k}"
        found.append(free)
        unfree.add(free)
    return found
