"""Prints how many cases were held against the original, and how they ended."""

import pytest

from tests.graph_transform_tool.harness import TALLY

KINDS = ("exact", "equal in meaning", "better")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not TALLY:
        return
    terminalreporter.section("beside the original transforms")
    for transforms in sorted({transforms for transforms, _ in TALLY}):
        counts = ", ".join(f"{TALLY[transforms, kind]} {kind}" for kind in KINDS if TALLY[transforms, kind])
        terminalreporter.write_line(f"{transforms}: {counts}")
