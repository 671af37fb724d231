"""One at a time, whoever they are."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mobile_export.errors import OutputError
from mobile_export.mutex import alone


def test_who_comes_second_waits(tmp_path: Path) -> None:
    events: list[str] = []

    def second() -> None:
        with alone(tmp_path, "android", lambda: events.append("waits")) as waited:
            assert waited > 0.1
            events.append("second")

    with alone(tmp_path, "android", lambda: events.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        while "waits" not in events:
            time.sleep(0.01)
        time.sleep(0.2)
        events.append("first")
    thread.join(20)
    assert events == ["waits", "first", "second"]
    assert list(tmp_path.iterdir()) == []


def test_other_targets_are_not_waited_for(tmp_path: Path) -> None:
    with alone(tmp_path, "android"), alone(tmp_path, "android_beta"), alone(tmp_path / "other", "android"):
        pass


COUNT = """
import pathlib, sys, time
from mobile_export.mutex import alone
out = pathlib.Path(sys.argv[1])
for _ in range(20):
    with alone(out, "android"):
        count = int((out / "count").read_text())
        time.sleep(0.002)
        (out / "count").write_text(str(count + 1))
"""


def test_never_two_at_once(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    running = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert (tmp_path / "count").read_text() == "80"


def test_it_is_not_waited_for_ever(tmp_path: Path) -> None:
    told: list[str] = []
    words = r"android: another process has been at work there for 0 s; end it"
    with alone(tmp_path, "android"), pytest.raises(OutputError, match=words):
        alone(tmp_path, "android", lambda: told.append("wait"), timeout=0.2).__enter__()
    assert told == ["wait"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file: cannot be written: .+; choose another folder with --out"):
        alone(tmp_path / "file", "android").__enter__()
