"""A comparison as Markdown, for a pull request or a job's summary."""

import re
from collections.abc import Sequence

from mobile_export.compare.cells import (
    ADDED,
    KIND,
    PARETO,
    footnotes,
    kind,
    on,
    reference_line,
    refused,
    rows,
    unseen,
    verdict,
)
from mobile_export.compare.columns import columns
from mobile_export.compare.result import Candidate, Comparison
from mobile_export.report.devices import SHOWN
from mobile_export.report.terminal import format_limit, format_measured, format_value

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&@:-])")
_LINKED = re.compile(r"(?<=[@#])|(?<=www)(?=\.)|(?=//)", re.IGNORECASE)
"""Where what a forge would make a link of is broken: people, issues, and addresses of the web."""
_NO_WIDTH = "\u200b"
_VERDICTS = {"better": "better", "worse": "**worse**", "different": "different"}


def markdown(comparison: Comparison) -> str:
    """Tables as GitHub and GitLab show them; whatever a name or a sentence holds is shown, and never obeyed."""
    parts = [
        f"## {escaped(comparison.target)}",
        f"{escaped(_first_capital(reference_line(comparison)))}.",
        _candidates(comparison),
        _section("Missed limits", ("candidate", "limit", "measured", "asked", "note"), _missed(comparison)),
        _section(
            "Operators at fault on devices", ("candidate", "on", "operator", "difference", "why"), _at_fault(comparison)
        ),
        _section("Not made", ("candidate", "format, precision", "why"), _refused(comparison)),
        _section("Not all is known", ("candidate", "why"), unseen(comparison)),
        _changes(comparison),
        "\n".join(f"- {escaped(note)}" for note in footnotes(comparison)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line; what cannot be printed becomes a space.

    A backslash stands before each character that could mean something. Forges look for people, issues and addresses
    after that, in what is shown: a space of no width keeps them from it.
    """
    plain = "".join(character if character.isprintable() else " " for character in text)
    inert = _SPECIAL.sub(r"\\\1", " ".join(plain.split()))
    return _LINKED.sub(_NO_WIDTH, inert)


def _candidates(comparison: Comparison) -> str:
    shown = [KIND, *columns(comparison)]
    lines = [
        ["", "", "candidate", *(escaped(column.heading) for column in shown)],
        [":-:", ":-:", ":--", *(":--" if column == KIND else "--:" for column in shown)],
    ]
    for candidate in rows(comparison):
        cells = [column.cell(candidate) for column in shown]
        texts = [_bold(cell.line) if cell.missed else escaped(cell.line) for cell in cells]
        said = verdict(candidate)
        lines.append(
            [PARETO if candidate.pareto else "", said if said == "ok" else _bold(said), _named(candidate), *texts]
        )
    return _lines(lines)


def _named(candidate: Candidate) -> str:
    return _bold(candidate.name) if candidate.in_target else f"{escaped(ADDED)} {escaped(candidate.name)}"


def _bold(text: str) -> str:
    return f"**{escaped(text)}**"


def _missed(comparison: Comparison) -> list[tuple[str, ...]]:
    return [
        (entry.name, f"{check.name}{on(device)}", format_measured(check), format_limit(check), check.note)
        for entry in comparison.manifest.artifacts
        for device, check in entry.missed
    ]


def _at_fault(comparison: Comparison) -> list[tuple[str, ...]]:
    return [
        (entry.name, device.device, f"{one.operator} {one.name}", format_value(one.difference, ""), one.reason)
        for entry in comparison.manifest.artifacts
        for device in entry.devices
        for one in device.operators[:SHOWN]
    ]


def _refused(comparison: Comparison) -> list[tuple[str, ...]]:
    return [(candidate.name, kind(candidate), candidate.refused) for candidate in refused(comparison)]


def _changes(comparison: Comparison) -> str:
    if not comparison.baseline:
        return ""
    title = f"Since {escaped(comparison.baseline)}"
    if not comparison.changes:
        return f"### {title}\n\nNothing changed."
    head = ("file", "what", "before", "now", "")
    lines = [list(head), [":--"] * len(head)]
    for change in comparison.changes:
        cells = map(escaped, (change.artifact, change.what, change.before, change.after))
        lines.append([*cells, _VERDICTS[change.verdict]])
    return f"### {title}\n\n{_lines(lines)}"


def _section(title: str, head: Sequence[str], found: Sequence[Sequence[str]]) -> str:
    if not found:
        return ""
    return f"### {title}\n\n" + _lines([list(head), [":--"] * len(head), *(list(map(escaped, row)) for row in found)])


def _lines(table: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def _first_capital(text: str) -> str:
    return text[:1].upper() + text[1:]
