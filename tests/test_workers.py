"""Workers: results in order, every way to fail under its own name, and nobody left behind."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mobile_export import machine, workers
from mobile_export.errors import ConversionError, ExportError, MissingToolError, ModelError
from mobile_export.workers import Task, WorkerBug, run
from tests import worker_functions as do

ROOT = Path(__file__).parent.parent


class Recorder:
    """A watcher that remembers what it was told."""

    def __init__(self) -> None:
        self.finished: dict[str, float] = {}
        self.most = 0

    def busy(self, names) -> None:
        self.most = max(self.most, len(names))

    def done(self, name: str, seconds: float) -> None:
        self.finished[name] = seconds


def one(function, *arguments: object):
    return run([Task("the task", function, arguments)], jobs=1)[0]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_are_in_the_order_of_the_tasks(jobs: int) -> None:
    tasks = [Task("slow", do.sleep, (0.2, "a")), Task("fast", do.sleep, (0.0, "b")), Task("sum", do.add, (1, 2))]
    recorder = Recorder()
    assert run(tasks, jobs, recorder) == ["a", "b", 3]
    assert sorted(recorder.finished) == ["fast", "slow", "sum"]
    assert recorder.most == min(jobs, len(tasks))


def test_nothing_to_do() -> None:
    assert run([], jobs=2) == []


def test_done_is_told_the_seconds() -> None:
    recorder = Recorder()
    run([Task("slow", do.sleep, (0.2, ""))], 1, recorder)
    assert 0.2 <= recorder.finished["slow"] < 30


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_than_jobs_run_at_once(tmp_path: Path, jobs: int) -> None:
    tasks = [Task(name, do.meet, (tmp_path, name, jobs)) for name in "abcd"]
    assert max(run(tasks, jobs)) == jobs


def test_a_task_waits_for_what_it_needs_and_takes_its_result(tmp_path: Path) -> None:
    three = Task("three", do.add, (1, 2))
    touch = Task("touch", do.touch, (tmp_path / "touched",))
    five = Task("five", do.add, (three, 2))
    there = Task("is there", do.is_there, (tmp_path / "touched",), after=(touch,))
    assert run([three, touch, five, there], jobs=4) == [3, None, 5, True]


@pytest.mark.parametrize(("options", "most"), [({}, 4), ({"alone": True}, 1), ({"memory": 3}, 3), ({"memory": 99}, 1)])
def test_no_more_run_at_once_than_there_is_room_for(tmp_path: Path, options: dict, most: int) -> None:
    tasks = [Task(name, do.meet, (tmp_path, name, most), **options) for name in "abcd"]
    assert max(run(tasks, jobs=4, memory=10)) == most


def test_an_error_that_is_tolerated_is_a_result_of_all_that_it_stops(tmp_path: Path) -> None:
    refused = Task("refused", do.refuse, ("no",), tolerated=(ModelError,))
    dies = Task("dies", do.abort, tolerated=(ConversionError,))
    never = Task("never", do.touch, (tmp_path / "touched",), after=(refused,))
    recorder = Recorder()
    first, second, third, fourth = run([refused, dies, never, Task("sum", do.add, (1, 2))], 2, recorder)
    assert (type(first), str(first)) == (ModelError, "no")
    assert "SIGABRT" in str(second)
    assert (third, fourth) == (first, 3)
    assert list(recorder.finished) == ["sum"]
    assert not (tmp_path / "touched").exists()
    with pytest.raises(ModelError, match=r"^no$"):
        run([Task("refused", do.refuse, ("no",), tolerated=(ConversionError,))], 1)


@pytest.mark.parametrize("jobs", [1, 2, 99])
def test_workers_share_the_cores(jobs: int) -> None:
    threads = run([Task(str(index), machine.threads) for index in range(3)], jobs)
    assert threads == [max(1, machine.cores() // min(jobs, 3))] * 3
    assert run([Task("alone", machine.threads, alone=True), Task("other", do.add, (1, 2))], 2)[0] == machine.cores()


def test_every_task_has_a_process_of_its_own() -> None:
    processes = run([Task(name, do.process_id) for name in "abc"], jobs=1)
    assert len({*processes, os.getpid()}) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be asked there whether it is at work")
@pytest.mark.parametrize("alone", [False, True])
def test_a_task_starts_while_the_worker_before_it_leaves_unless_it_is_to_be_alone(alone: bool) -> None:
    stays = Task("stays", do.answer_and_stay, (1.0,))
    asks = Task("asks", do.is_at_work, (stays,), alone=alone)
    process, was_at_work = run([stays, asks], jobs=1)
    assert was_at_work != alone
    assert not do.is_at_work(process)


def test_a_result_larger_than_a_pipe_holds() -> None:
    assert len(one(do.bytes_of, 3_000_000)) == 3_000_000


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "said"),
    [
        (do.refuse, ("model.ckpt: is gone",), ModelError, "model.ckpt: is gone"),
        (do.refuse_because, (), ModelError, "model.ckpt: is gone"),
        (do.refuse_for_want_of_a_tool, (), MissingToolError, "no such tool"),
    ],
)
def test_an_error_keeps_its_class_and_text(function, arguments: tuple, kind: type[ExportError], said: str) -> None:
    with pytest.raises(ExportError) as caught:
        one(function, *arguments)
    assert (type(caught.value), str(caught.value)) == (kind, said)


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (do.abort, (), "the task: the worker was ended by SIGABRT"),
        (
            do.abort,
            ("loading\n", "LLVM ERROR: out of luck\n", "\n"),
            "the task: the worker was ended by SIGABRT; it wrote last: LLVM ERROR: out of luck",
        ),
        (do.abort, ("F" * 1000,), f"the task: the worker was ended by SIGABRT; it wrote last: {'F' * 300}"),
        (do.leave, (3,), "the task: the worker ended with code 3"),
        (do.leave, (0,), "the task: the worker ended with code 0"),
        (do.leave, (134, "check failed"), "the task: the worker ended with code 134; it wrote last: check failed"),
        (do.leave_politely, (4,), "the task: the worker ended with code 4"),
        (do.run_out_of_memory, (), "the task: ran out of memory"),
    ],
)
def test_a_worker_that_dies(function, arguments: tuple, said: str) -> None:
    with pytest.raises(ConversionError) as caught:
        one(function, *arguments)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "said"),
    [
        (
            do.abort,
            ("F0000 graph_constructor.cc:578] Check failed\n",),
            ModelError,
            "m.pb: TensorFlow does not survive this model; export it again (the task: the worker was ended by SIGABRT; "
            "it wrote last: F0000 graph_constructor.cc:578] Check failed)",
        ),
        (do.leave, (3,), ConversionError, "the task: the worker ended with code 3"),
        (do.kill_myself, (), ConversionError, "the task: the worker was ended by SIGKILL"),
    ],
)
def test_a_model_is_blamed_for_a_crash_and_for_nothing_else(
    function, arguments: tuple, kind: type[ExportError], said: str
) -> None:
    with pytest.raises(ExportError) as caught:
        run([Task("the task", function, arguments, Path("m.pb"))], jobs=1)
    assert (type(caught.value), str(caught.value)) == (kind, said)


@pytest.mark.parametrize(
    ("function", "said"),
    [(do.stumble, r"in stumble\n(.*\n)+KeyError: 'a mistake of ours'"), (do.unpicklable, "pickle")],
)
def test_anything_else_is_a_bug_with_its_traceback(function, said: str) -> None:
    with pytest.raises(WorkerBug, match=said) as caught:
        one(function)
    assert str(caught.value).startswith("the task:\nTraceback (most recent call last):\n")
    assert not isinstance(caught.value, ExportError)


def test_a_worker_that_dies_before_it_begins(monkeypatch) -> None:
    stranger = type(sys)("a_module_that_workers_do_not_find")
    exec("def f(): pass", stranger.__dict__)
    monkeypatch.setitem(sys.modules, stranger.__name__, stranger)
    with pytest.raises((ConversionError, WorkerBug), match="the task"):
        one(stranger.f)


LINGERS = Task("lingers", do.sleep, (60, ""))


@pytest.mark.parametrize("failing", [Task("fails", do.refuse, ("no",)), Task("dies", do.abort)])
def test_a_failure_stops_the_others(tmp_path: Path, failing: Task) -> None:
    never = Task("never starts", do.touch, (tmp_path / "touched",))
    started = time.monotonic()
    with pytest.raises(ExportError):
        run([LINGERS, failing, never], jobs=2)
    assert time.monotonic() - started < 30
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "touched").exists()


def test_a_task_that_takes_too_long_is_stopped(monkeypatch) -> None:
    monkeypatch.setattr(workers, "TIMEOUT", 1.0)
    with pytest.raises(ConversionError, match=r"^lingers: stopped after 1 s$"):
        run([LINGERS], jobs=1)
    assert multiprocessing.active_children() == []


def test_a_task_that_takes_too_long_stops_no_other_where_that_is_tolerated(monkeypatch) -> None:
    monkeypatch.setattr(workers, "TIMEOUT", 1.0)
    lingers = Task("lingers", LINGERS.function, LINGERS.arguments, tolerated=(ConversionError,))
    late, total = run([lingers, Task("sum", do.add, (1, 2))], 1)
    assert (type(late), str(late), total) == (ConversionError, "lingers: stopped after 1 s", 3)
    assert multiprocessing.active_children() == []


def test_an_interrupt_stops_all() -> None:
    class Interrupter(Recorder):
        def done(self, name: str, seconds: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([LINGERS, Task("soon", do.add, (1, 2))], 2, Interrupter())
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("already", [True, False])
def test_another_thread_stops_all(tmp_path: Path, already: bool) -> None:
    stop = threading.Event()
    setting = threading.Timer(0.0 if already else 1.0, stop.set)
    setting.start()
    if already:
        setting.join()
    started = time.monotonic()
    with pytest.raises(concurrent.futures.CancelledError):
        run([LINGERS, Task("touches", do.touch, (tmp_path / "touched",))], 2, stop=stop)
    assert time.monotonic() - started < 30
    assert multiprocessing.active_children() == []
    assert (tmp_path / "touched").exists() != already


def test_logs_are_removed(tmp_path: Path, monkeypatch) -> None:
    one(do.add, 1, 2)  # the server that workers are forked from keeps its socket where temporary files are
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one(do.chatter)
    with pytest.raises(ModelError):
        one(do.refuse, "no")
    assert list(tmp_path.iterdir()) == []


def test_what_a_worker_leaves_that_is_killed_is_removed(tmp_path: Path, monkeypatch) -> None:
    one(do.add, 1, 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usual = Path(os.environ.get("TMPDIR", "/tmp"))
    before = set(usual.glob("tmp*/left"))
    with pytest.raises(ConversionError, match="ended by SIGTERM"):
        one(do.leave_files)
    assert list(tmp_path.iterdir()) == []
    assert set(usual.glob("tmp*/left")) == before


def test_what_workers_write_does_not_reach_us() -> None:
    script = (
        "from mobile_export.workers import Task, run; from tests.worker_functions import chatter;"
        "print(run([Task('noise', chatter)] * 2, jobs=2))"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("['done', 'done']\n", "", 0)


def test_jobs_default_to_cores_that_we_may_use() -> None:
    assert 1 <= workers.default_jobs() <= (os.cpu_count() or 1)
