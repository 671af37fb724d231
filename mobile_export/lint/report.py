"""What delegates leave of a file, as people and programs read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from mobile_export.lint.files import File
from mobile_export.lint.survey import Finding, Survey

SHOWN = 3
"""Nodes that are named of those that are left for one reason."""
LONGEST = 32
"""Characters of a node's name; names that converters join from several are cut behind the first."""
_CUT = "…"


def heading(file: File, surveys: Sequence[Survey]) -> str:
    """What was looked at, and whether anything is left."""
    where = "a phone" if file.platform == "any" else {"android": "Android", "ios": "iOS"}[file.platform]
    if not surveys:
        return f"{file.path}: there is no delegate for {file.format} on {where}"
    clean = not any(survey.findings for survey in surveys)
    return f"{file.path}: {file.format} on {where}" + ("; every delegate takes all of it" if clean else "")


def delegates_table(surveys: Sequence[Survey]) -> Table:
    """One row a delegate: how many operators it takes, in how many pieces, and how that is known."""
    table = _table("delegate", "", "takes", "pieces", "known by", right=("takes", "pieces"))
    for survey in surveys:
        taken = survey.operators - len(survey.findings)
        style = "green" if not survey.findings else "yellow" if taken else "red"
        table.add_row(
            survey.delegate,
            survey.title,
            Text(f"{taken} of {survey.operators}", style),
            "–" if survey.partitions is None else str(survey.partitions),
            f"{survey.evidence}, advisory" if survey.advisory else survey.evidence,
        )
    return table


def findings_table(surveys: Sequence[Survey]) -> Table:
    """What is left: one row for all operators of a kind that a delegate leaves for the same reason."""
    table = _table("left by", "operator", "why", "nodes")
    for survey in surveys:
        groups: dict[tuple[str, str], list[Finding]] = {}
        for finding in survey.findings:
            groups.setdefault((finding.operator, finding.why), []).append(finding)
        for place, ((operator, why), found) in enumerate(groups.items()):
            cells = ("" if place else survey.delegate, operator, why, _nodes(found))
            table.add_row(*map(_cell, cells))
    return table


def notes(surveys: Sequence[Survey]) -> list[str]:
    """What else there is to say, a line each."""
    said = [f"{survey.delegate}: {survey.note}" for survey in surveys if survey.note]
    if any(short_name(finding.node) != finding.node for survey in surveys for finding in survey.findings):
        said.append(f"names with {_CUT} are cut; --format json shows them whole")
    return said


def as_json(file: File, surveys: Sequence[Survey]) -> Mapping[str, Any]:
    """A file and its surveys for programs."""
    return {
        "file": file.path.as_posix(),
        "format": file.format,
        "platform": file.platform,
        "surveys": [survey.model_dump(mode="json") for survey in surveys],
    }


def short_name(name: str) -> str:
    """A node's name, cut sensibly: the first of those that converters join, and its end, which tells it from others."""
    first, rest, _ = name.partition(";")
    if len(first) > LONGEST:
        first = _CUT + first[-LONGEST:]
    return first + ";" + _CUT if rest else first


def _cell(text: str) -> Text:
    """Text as it is: names come from files, and are neither markup nor anything that a terminal obeys."""
    return Text("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def _nodes(found: Sequence[Finding]) -> str:
    named = ", ".join(short_name(finding.node) for finding in found[:SHOWN])
    return named if len(found) <= SHOWN else f"{named} and {len(found) - SHOWN} more"


def _table(*headings: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in headings:
        numbers = name in right
        table.add_column(name, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    return table
