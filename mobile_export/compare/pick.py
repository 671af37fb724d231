"""Choosing one of the candidates, and writing it into the target file, which keeps its comments and its form."""

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

from mobile_export.atomic import replacing
from mobile_export.compare.candidates import ALLOWED, candidates_of
from mobile_export.compare.pareto import AXES
from mobile_export.compare.result import Candidate, Comparison
from mobile_export.errors import CheckFailed, TargetError
from mobile_export.planning.devices import NO_OVERRIDES, Overrides
from mobile_export.planning.plan import load_targets
from mobile_export.target import Artifact, Target
from mobile_export.tools import import_tool

By = Literal["size", "latency", "accuracy"]
"""What is asked of a candidate, one of `AXES`."""


def choose(comparison: Comparison, by: By) -> Candidate:
    """The best measured of the Pareto set in one respect; of those that are equal in it, the smallest.

    Raises:
        CheckFailed: nothing passed, or nothing could be timed.
    """
    best = [candidate for candidate in comparison.candidates if candidate.pareto]
    if not best:
        raise CheckFailed(f"--pick {by}: no candidate passed, so there is none to choose")
    known = [candidate for candidate in best if not math.isnan(AXES[by].value(candidate))]
    if by == "latency" and not known:
        raise CheckFailed(f"--pick {by}: no candidate could be timed, so there is none to choose")
    value, size = AXES[by].value, AXES["size"].value
    if not known:
        return min(best, key=lambda candidate: (size(candidate), candidate.name))
    return min(known, key=lambda candidate: (value(candidate), size(candidate), candidate.name))


def write_pick(path: Path, target: Target, candidate: Candidate, overrides: Overrides = NO_OVERRIDES) -> None:
    """Add the candidate to the artifacts of the target file at `path`, which is replaced as a whole, or not at all.

    Args:
        target: as it was when it was compared.
        overrides: with which it was; they do not go into the file.

    Raises:
        TargetError: the file is not what was compared, or would be wrong, or cannot be added to.
        OutputError: it cannot be written.
    """
    place = path.resolve()
    text = place.read_bytes().decode("utf-8")
    if load_targets([path], overrides=overrides)[0][1] != target:
        raise TargetError(f"{path}: was changed while it was compared; compare again")
    (option,) = candidates_of(target, [candidate.name])
    added = _table(option.artifact, tomllib.loads(text))
    written = _with_artifact(text, added)
    before = tomllib.loads(text)
    if tomllib.loads(written) != {**before, "artifacts": [*before["artifacts"], added]}:
        raise TargetError(f"{path}: its artifacts are written in a way that cannot be added to; add:\n{_block(added)}")
    with replacing(place) as file:
        file.write(written.encode())
        file.flush()
        load_targets([Path(file.name)], overrides=overrides)  # what takes the target's place is a target


def _table(artifact: Artifact, written: dict[str, Any]) -> dict[str, Any]:
    """What an artifact is in a target file: what was compared, without defaults."""
    table: dict[str, Any] = {"name": artifact.name, "format": artifact.format, "precision": artifact.precision}
    table |= {key: True for key in ALLOWED if getattr(artifact, key)}
    if artifact.kernels is not None:
        table["kernels"] = next(other["kernels"] for other in written["artifacts"] if "kernels" in other)
    limits = artifact.limits.model_dump(exclude_none=True)
    return table | ({"limits": limits} if limits else {})


def _with_artifact(text: str, table: dict[str, Any]) -> str:
    """The text of a target file with one artifact more: at its end, or in the list where artifacts are one."""
    tomlkit = import_tool("tomlkit")
    document = tomlkit.parse(text)
    artifacts = document["artifacts"]
    if isinstance(artifacts, tomlkit.items.Array):
        artifacts.append(_inline(table))
        written: str = tomlkit.dumps(document)
        return written
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text.endswith("\n") else 2 * newline
    return text + gap + _block(table).replace("\n", newline)


def _block(table: dict[str, Any]) -> str:
    tomlkit = import_tool("tomlkit")
    block = tomlkit.table()
    for key, value in table.items():
        block.add(key, _inline(value) if isinstance(value, dict) else value)
    written: str = tomlkit.dumps({"artifacts": [block]})
    return written


def _inline(table: dict[str, Any]) -> Any:
    inline = import_tool("tomlkit").inline_table()
    for key, value in table.items():
        inline.add(key, _inline(value) if isinstance(value, dict) else value)
    return inline
