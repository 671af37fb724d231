"""What cannot be seen of one file is said of that file, and takes nothing of the others along."""

import os
from pathlib import Path
from typing import Any

import pytest

from mobile_export.building.making import Ground
from mobile_export.compare import profiler
from mobile_export.compare.profiler import Observations, Profiler
from mobile_export.compare.reference import Reference
from mobile_export.errors import ConversionError
from mobile_export.pipeline import Prepared
from mobile_export.sampling import PARITY
from mobile_export.target import Model, Target
from mobile_export.timing import File, answer_once, footprints
from tests.published_folder import artifact
from tests.timing.files import product, samples_of

SIZE = 32
PREPARED = Prepared("graphdef", (), (), (), (), SIZE * SIZE, 4 * SIZE * SIZE)


def refer(*_: Any) -> Reference:
    return Reference("", 3, None)


def no_graphs(*_: Any) -> tuple[()]:
    return ()


def refuse(*_: Any) -> None:
    raise ConversionError("cannot be looked into")


def written(*_: Any) -> Path:
    return Path("float32.tflite")


def abort(*_: Any) -> None:
    os.abort()


def abort_for_int8(file: File, *arguments: Any) -> None:
    """What a runtime does that does not survive one of the files."""
    if "int8" in file.path.name:
        os.abort()
    answer_once(file, *arguments)


def loaded(files: dict[str, File], samples: Path, recipes: dict, *_: Any) -> Any:
    return footprints(files, samples, recipes, processes=1)


@pytest.fixture
def see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Look at two files, `plain` and `int8`, with some functions of the profiler replaced."""
    plain = product(tmp_path, "tflite", SIZE)
    samples_of(tmp_path, SIZE).rename(tmp_path / PARITY)
    model = Model.model_construct(source=tmp_path, inputs=(), outputs=(), preprocessing={})
    target = Target.model_construct(name="digits", platform="any", model=model)
    entries = [artifact("plain"), artifact("int8", precision="int8")]
    for entry in entries:
        (tmp_path / entry.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / entry.file).write_bytes(plain.path.read_bytes())
    monkeypatch.setattr(profiler, "TURNS", 0.1)

    def look(timing: bool = False, broken: bool = False, **functions: Any) -> Observations:
        usual = {"refer_to": refer, "summarize_graphs": no_graphs, "write_float": written, "explain_layers": no_graphs}
        for name, function in (usual | {"footprints": loaded} | functions).items():
            monkeypatch.setattr(profiler, name, function)
        if broken:
            (tmp_path / entries[1].file).write_bytes(b"no model")
        return Profiler(target, Ground(tmp_path, PREPARED), tmp_path, jobs=2).observe(entries, timing)

    return look


def test_what_all_can_be_seen_of_leaves_nothing_unsaid(see) -> None:
    found = see(timing=True)
    assert found.unseen == {}
    assert set(found.timings) == set(found.footprints) == set(found.surveys) == {"plain", "int8"}
    assert len(found.timings["plain"]) == len(profiler._threads())


def test_layers_that_cannot_be_compared(see) -> None:
    found = see(explain_layers=refuse)
    assert found.unseen == {"int8": ("layers not compared: cannot be looked into",)}
    assert "int8" not in found.layers


def test_a_float_file_that_cannot_be_written_leaves_no_layers(see) -> None:
    assert see(write_float=refuse).unseen == {"int8": ("layers not compared: cannot be looked into",)}


def test_delegates_that_do_not_take_the_file(see) -> None:
    found = see(broken=True)
    (said,) = found.unseen["int8"]
    assert said.startswith("delegates not asked: ")
    assert found.surveys["plain"]
    assert "int8" not in found.surveys


def test_one_file_that_aborts_takes_no_times_of_others_along(see) -> None:
    found = see(timing=True, answer_once=abort_for_int8)
    (said,) = found.unseen["int8"]
    assert said.startswith("not timed: digits: try int8: the worker was ended by SIGABRT")
    assert set(found.timings) == set(found.footprints) == set(found.unseen) ^ {"plain", "int8"}


def test_times_that_nobody_could_take_are_missed_by_all(see) -> None:
    found = see(timing=True, time_by_turns=abort, footprints=refuse)
    assert (found.timings, found.footprints) == ({}, {})
    for said in found.unseen.values():
        assert all("SIGABRT" in one for one in said[:-1])
        assert said[-1] == "not loaded afresh: cannot be looked into"
    assert set(found.unseen) == {"plain", "int8"}
