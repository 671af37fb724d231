"""What tests of several folders share."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import toolchains
from tests.toolchains import NOT_RUN

COUNTED: Counter[tuple[str, str]] = Counter()
"""What other processes of a run counted."""


@pytest.fixture(autouse=True, scope="session")
def shared_cache(tmp_path_factory) -> Iterator[None]:
    """What fixtures of the session build, and devices that are set up, are kept apart from the user's own.

    Workers have the environment that there was when the first of them started.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILE_EXPORT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MOBILE_EXPORT_DEVICES", str(toolchains.folder() / "arm64"))
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """A cache of each test's own: no test is answered by what another has built."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MOBILE_EXPORT_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def control_flow() -> Iterator[None]:
    """Tests that ask TensorFlow for the control flow of version 1 leave it to the next as it was."""
    yield
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].compat.v1.enable_control_flow_v2()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was held against TensorFlow's original tools, and what could not be run at all."""
    _summarize_originals(terminalreporter)
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    not_run = {why: count for why, count in reasons.items() if NOT_RUN in why}
    terminalreporter.section(f"not run here: {sum(not_run.values())} tests")
    for why, count in sorted(not_run.items()):
        terminalreporter.write_line(f"{count} x {why.split(NOT_RUN)[1]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes of a run hands in what it counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["originals"] = [[*case, count] for case, count in _tally().items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take in what such a process counted."""
    for transforms, kind, count in getattr(node, "workeroutput", {}).get("originals", []):
        COUNTED[transforms, kind] += count


def _tally() -> Counter[tuple[str, str]]:
    """Cases that were held against the original tools in this process, by transforms and kind."""
    return getattr(sys.modules.get("tests.graph_transform_tool.harness"), "TALLY", Counter())


def _summarize_originals(terminalreporter: pytest.TerminalReporter) -> None:
    tally = COUNTED + _tally()
    if tally:
        terminalreporter.section("beside the original tools")
    for transforms in sorted({transforms for transforms, _ in tally}):
        kinds = sorted(kind for other, kind in tally if other == transforms)
        terminalreporter.write_line(f"{transforms}: {', '.join(f'{tally[transforms, kind]} {kind}' for kind in kinds)}")


@pytest.fixture(scope="session")
def memmapped_env(tmp_path_factory) -> Path:
    """A program over TensorFlow's own MemmappedEnv, compiled once; skips where it cannot be."""
    from tests.native.memmapped_env import build

    return build(tmp_path_factory.mktemp("memmapped_env"))
