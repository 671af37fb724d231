"""The harness sees what processes really take, wherever they go."""

import os
import sys
import time

import psutil
import pytest

from benchmarks.harness import PYTHON, CommandFailed, Run, alternate, measure, peaks_and_times

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the proportional set size is Linux's")
MB = 1 << 20

# Prints its own number, and holds as many bytes as it is told for half a second.
_HOLD = (
    "import os, sys, time; print(os.getpid(), flush=True); held = bytearray(b'1') * int(sys.argv[1]); time.sleep(0.5)"
)


def python(code: str, *words: object) -> list[str]:
    return [PYTHON, "-c", code, *(str(word) for word in words)]


def test_memory_of_a_child_counts():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True)"
    run = measure(python(code, _HOLD, 100 * MB))
    assert 100 * MB < run.peak_bytes < 130 * MB


def test_memory_of_a_process_that_lost_its_parent_counts_and_it_is_ended():
    """The command starts a shell that leaves a process of a session of its own behind; all wait for nobody."""
    code = (
        "import subprocess, sys, time\n"
        "left = 'import subprocess, sys; subprocess.Popen([sys.executable, *sys.argv[1:]], start_new_session=True)'\n"
        "subprocess.run([sys.executable, '-c', left, '-c', *sys.argv[1:]], check=True); time.sleep(0.4)\n"
    )
    hold = _HOLD.replace("time.sleep(0.5)", "time.sleep(60)")
    begun = time.monotonic()
    run = measure(python(code, hold, 100 * MB))
    assert 100 * MB < run.peak_bytes < 130 * MB
    assert time.monotonic() - begun < 20
    assert not psutil.pid_exists(int(run.output))


def test_pages_that_processes_share_count_once():
    """Three forked processes look at the same 100 MB."""
    code = "import os, time; held = bytearray(b'1') * (100 << 20); os.fork(); os.fork(); time.sleep(0.5)"
    assert 100 * MB < measure(python(code)).peak_bytes < 140 * MB


def test_memory_that_was_given_back_counts():
    code = "import time; held = bytearray(b'1') * (100 << 20); time.sleep(0.2); del held; time.sleep(0.2)"
    assert measure(python(code)).peak_bytes > 100 * MB


def test_seconds_are_those_of_the_command():
    run = measure(python("import time; time.sleep(0.3)"))
    assert 0.3 <= run.seconds < 3
    assert run.cpu_seconds < 0.3


def test_cpu_of_a_process_that_lost_its_parent_counts():
    spin = "import time\nwhile time.process_time() < 0.4: pass"
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    assert measure(python(code, spin)).cpu_seconds > 0.4


def test_output_log_folder_and_environment(tmp_path):
    code = "import os, sys; print(os.getcwd(), os.environ['GREETING']); print('said', file=sys.stderr)"
    run = measure(python(code), folder=tmp_path, environment={"GREETING": "hello"})
    assert run.output == f"{os.path.realpath(tmp_path)} hello\n"
    assert run.log == "said\n"


def test_a_command_that_fails_is_no_measurement():
    with pytest.raises(CommandFailed, match=r"(?s)it was the disk.*code 3"):
        measure(python("import sys; print('it was the disk', file=sys.stderr); sys.exit(3)"))


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started():
    code = "import os, time; os.fork(); print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(CommandFailed, match="was ended after 1 s") as failed:
        measure(python(code), timeout=1)
    numbers = [int(line) for line in str(failed.value).splitlines() if line.isdigit()]
    assert len(numbers) == 2
    assert not any(psutil.pid_exists(number) for number in numbers)


def test_turns_alternate(capsys):
    order = []

    def take(name: str) -> Run:
        order.append(name)
        return Run(len(order), 0, 0, "", "")

    found = alternate({"ours": lambda: take("ours"), "peer": lambda: take("peer")}, 3)
    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert [run.seconds for run in found["ours"]] == [1, 4, 5]
    assert [run.seconds for run in found["peer"]] == [2, 3, 6]


def test_memory_that_is_not_asked_for_is_not_sampled():
    assert measure(python("print()"), memory=False).peak_bytes == 0


def test_the_runs_for_times_are_not_sampled_and_not_the_first(capsys):
    told = []

    def take(memory: bool) -> Run:
        told.append(memory)
        return Run(len(told), 0, 7 * memory, "", "")

    peaks, times = peaks_and_times({"ours": take}, 2)
    assert told == [True, False, False]
    assert [run.peak_bytes for run in peaks["ours"]] == [7]
    assert [run.seconds for run in times["ours"]] == [2, 3]


def test_a_quick_look_has_times_of_the_run_that_was_sampled(capsys):
    peaks, times = peaks_and_times({"ours": lambda memory: Run(1, 0, 7 * memory, "", "")}, 0)
    assert times == peaks
