"""docs/benchmarks.md from what was measured: nothing on that page is written by hand.

python -m benchmarks.page
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import INTERVAL, SHARE
from benchmarks.result import RESULTS, Result, Row, load
from benchmarks.table import figure, groups, mark, ratio, table, verdict

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
ORDER = ("cold_export", "unchanged", "growth", "classic", "artifacts")

HEAD = """\
<!-- Made by `python -m benchmarks.page` from benchmarks/results; do not edit. -->

# Benchmarks

What this project says of its own speed and memory, measured beside the tools that people have without it. Each part is
one command, which lets both sides take turns on one machine and keeps what it finds in `benchmarks/results`;
`python -m benchmarks` lists them. A figure is the median of the runs, with the least and the most in brackets. Ratios
are of medians; they travel to other machines better than seconds do.

Times are wall times of whole processes, Python's start and imports included, unless a table says otherwise. Peak memory
is the proportional set size of all processes of a command, added up: a page that several processes share counts once,
divided among them. It is sampled {interval:g} times a second, and more seldom where counting the pages of large
processes would take more than {share:.0%} of a core. That costs time, so times are of further runs, which are not
sampled; the sampled one comes first, and warms the machine up. Growth alone takes both from the same runs. What other
programs on the machine share with a command, such as TensorFlow's library, lowers its figure; so nothing else should
run there.
"""


def page(results: Sequence[Result]) -> str:
    """The whole page."""
    known = {each.name: each for each in results}
    unknown = known.keys() - set(ORDER)
    if unknown:
        raise ValueError(f"the page has no place for {', '.join(sorted(unknown))}; add it to ORDER")
    found = [known[name] for name in ORDER if name in known]
    missing = [f"`python -m benchmarks.{name}` has not been run yet." for name in ORDER if name not in known]
    head = HEAD.format(interval=1 / INTERVAL, share=SHARE)
    return "\n".join([head, *summary(found), *(line for each in found for line in section(each)), *missing]) + "\n"


def summary(results: Sequence[Result]) -> list[str]:
    """What was asked, and what of it is met; what is missed comes first."""
    asked = [(each, row) for each in results for row in each.rows if row.mark is not None]
    met = sum(row.met is True for _, row in asked)
    lines = ["## What was asked", "", f"{met} of {len(asked)} marks are met.", ""]
    if asked:
        cells = [
            [each.title, _name(row), mark(row), _held(row), verdict(row)]
            for each, row in sorted(asked, key=lambda pair: pair[1].met is True)
        ]
        lines += [*markdown(["", "", "asked", "measured", "verdict"], cells), ""]
    return lines


def section(result: Result) -> list[str]:
    """All tables of one command."""
    machine = result.machine
    where = f"{machine.processor}, {machine.cores} cores, {figure(machine.memory, 'B')}, {machine.system}"
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    lines = [
        f"## {result.title}",
        "",
        result.what,
        "",
        f"`python -m benchmarks.{result.name}`, {result.date}, on {where}; Python {machine.python}, {versions}.",
        "",
    ]
    for name, rows in groups(result):
        lines += [*([f"### {name}", ""] if name else []), *markdown(*table(rows)), ""]
    return lines + [line for note in result.notes for line in (note, "")]


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A table; what is missed stands out."""
    return [
        _line(headings),
        _line(["---"] * len(headings)),
        *(_line([f"**{cell}**" if cell == "MISSED" else cell for cell in line]) for line in lines),
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _name(row: Row) -> str:
    return f"{row.group}: {row.what}" if row.group else row.what


def _held(row: Row) -> str:
    """What the mark is held against."""
    if row.mark is None or row.mark.of == "ratio":
        return ratio(row)
    return figure(row.median(row.mark.of), row.unit)


def current() -> str:
    """The page of the results that lie in the repository."""
    return page([load(path) for path in sorted(RESULTS.glob("*.json"))])


def main() -> None:
    PAGE.write_text(current(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
