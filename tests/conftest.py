"""What tests of several folders share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def control_flow() -> Iterator[None]:
    """Tests that ask TensorFlow for the control flow of version 1 leave it to the next as it was."""
    yield
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].compat.v1.enable_control_flow_v2()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases were held against TensorFlow's original tools, and how they ended."""
    harness = sys.modules.get("tests.graph_transform_tool.harness")
    tally = getattr(harness, "TALLY", {})
    if tally:
        terminalreporter.section("beside the original tools")
    for transforms in sorted({transforms for transforms, _ in tally}):
        counts = ", ".join(f"{tally[transforms, kind]} {kind}" for kind in harness.KINDS if tally[transforms, kind])
        terminalreporter.write_line(f"{transforms}: {counts}")


@pytest.fixture(scope="session")
def memmapped_env(tmp_path_factory) -> Path:
    """A program over TensorFlow's own MemmappedEnv, compiled once; skips where it cannot be."""
    from tests.native.memmapped_env import build

    return build(tmp_path_factory.mktemp("memmapped_env"))
