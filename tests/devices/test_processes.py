"""Programs that are ended with all that they have started."""

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from mobile_export.devices.processes import run, start, threads

pytestmark = pytest.mark.skipif(os.name != "posix", reason="not run here: shells are of POSIX")

SLOW = ["/bin/sh", "-c", "sleep 30; true"]


def test_what_it_prints_and_how_it_ends() -> None:
    ended = run(["/bin/sh", "-c", "echo a; cat; exit 3"], 20, text=True)
    assert (ended.returncode, ended.stdout) == (3, "a\n")


def test_time_ends_what_it_has_started() -> None:
    begun = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run(SLOW, 0.2)
    assert time.monotonic() - begun < 10


def test_an_interruption_ends_what_threads_have_started_and_lets_them_start_no_more(tmp_path: Path) -> None:
    begun, ready, after = time.monotonic(), tmp_path / "ready", Event()
    codes = []

    def work() -> None:
        codes.append(run(["/bin/sh", "-c", f"touch {ready}; sleep 30; true"], 60).returncode)
        try:
            run(SLOW, 60)
        finally:
            after.set()

    with pytest.raises(KeyboardInterrupt), threads() as pool:
        pool.submit(work)
        while not ready.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 10
    assert codes == [-9]
    assert after.is_set()


def test_others_are_left_alone() -> None:
    with start([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        with pytest.raises(KeyboardInterrupt), threads():
            raise KeyboardInterrupt
        assert other.poll() is None
