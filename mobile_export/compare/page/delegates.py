"""The page's lint findings, delegate by delegate."""

from collections import Counter
from dataclasses import dataclass

from mobile_export.compare.result import Candidate, Comparison
from mobile_export.lint.survey import Survey

_EVIDENCE = {
    "measured": "Measured: the delegate itself ran here.",
    "analyzed": "Analyzed: the delegate's own checker said so.",
    "listed": "Advisory: nothing here can run or check this delegate; this is a dated table's word.",
}


@dataclass(frozen=True)
class Row:
    """A file as one delegate sees it, with how many of each operator it leaves."""

    candidate: Candidate
    survey: Survey
    left: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Delegate:
    """A delegate, and what it thinks of each file that it could run."""

    title: str
    evidence: str
    advisory: bool
    sources: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def verdict(self) -> str:
        """How many of the files it would take whole."""
        whole = sum(not row.survey.findings for row in self.rows)
        return f"takes {whole} of {len(self.rows)} file{'s' * (len(self.rows) != 1)} whole"


def delegates(comparison: Comparison) -> list[Delegate]:
    """Every delegate that any candidate was held against, those whose word counts most first."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for candidate in comparison.candidates:
        for survey in candidate.surveys:
            left = Counter(finding.operator for finding in survey.findings)
            row = Row(candidate, survey, tuple(left.most_common()))
            rows.setdefault((survey.title, survey.evidence), []).append(row)
    found = [_delegate(title, evidence, seen) for (title, evidence), seen in rows.items()]
    return sorted(found, key=lambda delegate: delegate.advisory)


def _delegate(title: str, evidence: str, rows: list[Row]) -> Delegate:
    sources = tuple(dict.fromkeys(row.survey.source for row in rows))
    return Delegate(title, _EVIDENCE[evidence], rows[0].survey.advisory, sources, tuple(rows))
