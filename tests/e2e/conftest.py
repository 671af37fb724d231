"""One trained and built example for all end-to-end tests."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str


def run_in_process(arguments: list[str], capfd, monkeypatch) -> Ran:
    """The command line in this process, so that all calls share one server of workers."""
    from mobile_export import cli

    monkeypatch.setattr(sys, "argv", ["mobile-export", *map(str, arguments)])
    capfd.readouterr()
    try:
        cli.main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    captured = capfd.readouterr()
    return Ran(code, captured.out, captured.err)


@pytest.fixture
def mobile_export(capfd, monkeypatch):
    return lambda *arguments: run_in_process(list(arguments), capfd, monkeypatch)


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, Ran]:
    """A copy of the project in which `mobile-export demo` ran, as a user runs it; and how it ended."""
    root = tmp_path_factory.mktemp("clone")
    for folder in ("examples", "targets"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("model", "__pycache__"))
    command = [sys.executable, "-m", "mobile_export", "demo"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    return root, Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def example(demo) -> Path:
    """A clone with a trained model, and what was built from it in `out`."""
    root, ran = demo
    assert ran.code == 0, ran.err
    return root


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` and its bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
