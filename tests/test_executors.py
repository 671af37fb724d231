"""Executors: here and on a Dask cluster of two worker processes, calls give the same; what is missing is named."""

import concurrent.futures
import contextlib
import logging
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_export import executors
from mobile_export.errors import MissingToolError, ModelError, TargetError
from mobile_export.executors import Parcel, open_crew, opened
from tests import worker_functions as do
from tests.dask_cluster import dask_cluster


def read(place: object, name: str) -> tuple[str, str]:
    """What a file of a shared folder holds, and where that lies."""
    folder = opened(place)
    return (folder / name).read_text(), str(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    with dask_cluster() as (address, _):
        yield address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "below" / "a").write_text("A")
    (tmp_path / "b").write_text("B")
    (tmp_path / "secret").write_text("S")
    return tmp_path


@pytest.fixture(params=["here", "dask"])
def address(request) -> str | None:
    return None if request.param == "here" else request.getfixturevalue("cluster")


def test_calls_run_side_by_side_in_other_processes(address: str | None, tmp_path: Path) -> None:
    with open_crew(address, jobs=2) as crew:
        both = [crew.executor.submit(do.meet, tmp_path, name, 2) for name in "ab"]
        assert [future.result(timeout=60) for future in both] == [2, 2]
        assert crew.executor.submit(do.process_id).result(timeout=60) != os.getpid()


def test_an_error_of_ours_keeps_its_class_and_text(address: str | None) -> None:
    with open_crew(address, jobs=1) as crew, pytest.raises(ModelError, match=r"^is gone$"):
        crew.executor.submit(do.refuse, "is gone").result(timeout=60)


def test_shared_files_are_found_by_every_call(address: str | None, folder: Path) -> None:
    with open_crew(address, jobs=2) as crew:
        place = crew.share(folder, ["in", "b", "missing"])
        calls = [crew.executor.submit(read, place, name) for name in ("in/below/a", "b") * 4]
        found = [call.result(timeout=60) for call in calls]
    assert [text for text, _ in found] == ["A", "B"] * 4
    assert len({where for _, where in found}) <= 2  # once a process
    assert (address is None) == (str(folder) in {where for _, where in found})


def test_a_parcel_holds_what_was_named_and_nothing_else(folder: Path) -> None:
    parcel = Parcel.of(folder, ["in", "b", "missing"])
    assert parcel.files == {"in/below/a": b"A", "b": b"B"}
    assert parcel.digest == Parcel.of(folder, ["b", "in"]).digest
    (folder / "b").write_text("C")
    assert parcel.digest != Parcel.of(folder, ["in", "b"]).digest


def test_a_parcel_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "evaluation").mkdir()
    for name, size in (("model", 10), ("evaluation/0", 2_300_000_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)  # sparse
    said = r"samples take 2\.30 GB, most of it evaluation \(2\.30 GB\), .* draw fewer with samples, or leave --executor"
    with pytest.raises(TargetError, match=said):
        Parcel.of(tmp_path, ["model", "evaluation", "missing"])


@pytest.fixture
def unpacked_below(tmp_path: Path, monkeypatch) -> Path:
    """Where this process unpacks parcels."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(executors, "_folders", {})
    return tmp_path / "temporary"


def test_the_folders_that_were_used_last_are_kept(folder: Path, unpacked_below: Path) -> None:
    first, second, third = (Parcel({"b": text}, str(text)) for text in (b"1", b"2", b"3"))
    kept = opened(first)
    for parcel in (second, first, third, first):
        assert (opened(parcel) / "b").read_bytes() == parcel.files["b"]
    assert opened(first) == kept
    assert {path.read_bytes() for path in unpacked_below.glob("*/b")} == {b"1", b"3"}
    assert (opened(second) / "b").read_bytes() == b"2"
    assert len(list(unpacked_below.iterdir())) == executors.KEPT_FOLDERS


def test_what_cannot_be_unpacked_takes_no_room(unpacked_below: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        opened(Parcel({"a": b"1", "b" * 1000: b"2"}, "x"))
    assert list(unpacked_below.iterdir()) == []


def test_a_call_that_takes_its_process_along_fails_alone() -> None:
    with open_crew(None, jobs=2) as crew:
        lost, fine = crew.executor.submit(do.abort), crew.executor.submit(do.add, 1, 2)
        with pytest.raises(crew.deaths, match="abort: the worker was ended by SIGABRT"):
            lost.result(timeout=60)
        assert fine.result(timeout=60) == 3
        assert crew.executor.submit(do.add, 2, 3).result(timeout=60) == 5


def test_a_call_that_has_no_memory_left_fails_alone(address: str | None) -> None:
    with open_crew(address, jobs=1) as crew:
        with pytest.raises(crew.deaths):
            crew.executor.submit(do.run_out_of_memory).result(timeout=60)
        assert crew.executor.submit(do.add, 2, 3).result(timeout=60) == 5


@pytest.mark.parametrize("failing", [False, True])
def test_what_the_cluster_logs_is_heard_again_afterwards(cluster: str, failing: bool) -> None:
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    with contextlib.suppress(KeyError), open_crew(cluster, jobs=1):
        assert [logger.level for logger in loggers] == [logging.CRITICAL] * 2
        if failing:
            raise KeyError
    assert [logger.level for logger in loggers] == before != [logging.CRITICAL] * 2


def test_a_call_that_takes_a_cluster_worker_along_fails_alone(cluster: str) -> None:
    with open_crew(cluster, jobs=2) as crew:
        with pytest.raises(crew.deaths):
            crew.executor.submit(do.kill_myself).result(timeout=120)
        assert crew.executor.submit(do.add, 2, 3).result(timeout=60) == 5


def test_an_interrupt_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    started, others = time.monotonic(), {*multiprocessing.active_children()}  # such as those of the cluster
    with pytest.raises(KeyboardInterrupt), open_crew(None, jobs=2) as crew:
        for _ in range(2):
            crew.executor.submit(do.sleep, 60, "")
        waiting = crew.executor.submit(do.touch, tmp_path / "touched")
        time.sleep(1)
        raise KeyboardInterrupt
    assert waiting.cancelled()
    assert time.monotonic() - started < 30
    assert {*multiprocessing.active_children()} == others
    assert not (tmp_path / "touched").exists()


def test_an_interrupt_ends_nothing_of_others() -> None:
    bystander = multiprocessing.get_context("spawn").Process(target=do.sleep, args=(60, ""))
    try:
        with pytest.raises(KeyboardInterrupt), open_crew(None, jobs=1) as crew:
            crew.executor.submit(do.sleep, 60, "")
            bystander.start()
            time.sleep(1)
            raise KeyboardInterrupt
        assert bystander.is_alive()
    finally:
        bystander.kill()
        bystander.join()


def test_it_is_an_executor() -> None:
    with open_crew(None, jobs=2) as crew:
        assert isinstance(crew.executor, concurrent.futures.Executor)
        assert list(crew.executor.map(do.add, [1, 2], [3, 4])) == [4, 6]


@pytest.mark.parametrize("address", ["", "dask://", "dask://host", "tcp://host:1", "dask://host:1/x", "dask://a b:1"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(TargetError, match=r"write dask://HOST:PORT$"), open_crew(address, jobs=1):
        pass


def test_nobody_answers(monkeypatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.5)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        address = f"dask://127.0.0.1:{held.getsockname()[1]}"
        with (
            pytest.raises(MissingToolError, match=rf"{address}: no Dask scheduler answers there"),
            open_crew(address, 1),
        ):
            pass


def test_a_scheduler_without_workers(monkeypatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.5)
    with (
        dask_cluster(workers=0) as (address, _),
        pytest.raises(MissingToolError, match="the scheduler has no workers"),
        open_crew(address, 1),
    ):
        pass


def test_workers_with_other_tools(cluster: str, monkeypatch) -> None:
    """What is installed here is another version; calls there know nothing of that."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1")
    with (
        pytest.raises(MissingToolError, match=r"numpy is 0\.1 here and \S+ on tcp://"),
        open_crew(cluster, 1, ["onnx"]),
    ):
        pass


def test_dask_is_not_installed(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingToolError, match=r'pip install "mobile-export\[distributed\]"'),
        open_crew("dask://h:1", 1),
    ):
        pass


def test_workers_without_our_package(cluster: str, monkeypatch) -> None:
    """A function that is found by its name here, and on no worker there."""
    stranger = type(sys)("a_module_that_workers_do_not_find")
    exec("def versions(tools): return {}", stranger.__dict__)
    monkeypatch.setitem(sys.modules, stranger.__name__, stranger)
    monkeypatch.setattr(executors, "versions", stranger.versions)
    with pytest.raises(MissingToolError, match=r"tcp://\S+ says: .*No module named"), open_crew(cluster, 1):
        pass
