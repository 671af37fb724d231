"""A file that answers something else on a device fails there, by as much as it differs; else it is as it is here.

The devices are this computer's runtimes, which are given another file where something is to be wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export import devices
from mobile_export.errors import ConversionError, ModelError, NotRunnableError
from mobile_export.formats import FORMATS, flatbuffer
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.graphs.tensors import Array
from mobile_export.pipeline import Measured, Ran, measure, prepare, refer, run_on, write
from mobile_export.pipeline.drawing import load_drawn
from mobile_export.pipeline.on_device import worst_first
from mobile_export.pipeline.work import SCORED
from mobile_export.planning.plan import request_for
from mobile_export.runner import Runner
from mobile_export.samples import load_samples
from mobile_export.target import Artifact, Limits, Target
from mobile_export.watching import NETWORKS
from tests.pipeline.test_drawing import EVALUATED
from tests.pipeline.test_measure import a_sign, largest, nothing, one_nan, one_weight
from tests.search.broken import make_target, trained


@dataclass(frozen=True)
class Changing:
    """A device whose runtime reads every file wrongly."""

    change: Callable[[Any], None]
    folder: Path
    name: str = "here:it"
    formats: tuple[str, ...] = ("tflite",)

    def require(self) -> None:
        """Nothing."""

    def runtime(self, kind: str) -> str:
        return f"{FORMATS[kind].runtime} here"

    @contextmanager
    def open(self, kind: str, path: Path) -> Iterator[Runner]:
        model = flatbuffer.read_model(path.read_bytes())
        self.change(model)
        other = self.folder / path.name
        other.write_bytes(flatbuffer.write_model(model))
        yield FORMATS[kind].open(other)


@dataclass(frozen=True)
class OneDevice:
    """A kind of one device."""

    it: Changing
    names = ("here:it",)

    def device(self, which: str) -> Changing:
        return self.it


@dataclass(frozen=True)
class Ground:
    """What a file was built from, the file, and what it is here."""

    target: Target
    artifact: Artifact
    folder: Path
    path: Path
    here: Measured


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Ground:
    """A network that reads digits."""
    root = tmp_path_factory.mktemp("on_device")
    target = make_target(root, trained(), 'format = "tflite", runs_on = ["arm64:cortex-a53"]')
    (artifact,) = target.artifacts
    folder, path = root / "work", root / "file.tflite"
    folder.mkdir()
    ready = prepare(target, folder)
    assert refer(target, folder) == []
    write("tflite", folder, [request_for(artifact, path)])
    return Ground(target, artifact, folder, path, measure(target, artifact, path, ready.frozen_size, folder))


@pytest.fixture
def run(ground: Ground, tmp_path: Path, monkeypatch) -> Callable[..., Ran]:
    """Run the file on a device that changes it."""

    def run(change: Callable[[Any], None], limits: Limits | None = None, **changes: object) -> Ran:
        monkeypatch.setitem(devices.DEVICES, "here", OneDevice(Changing(change, tmp_path)))
        artifact = ground.artifact.model_copy(update={"limits": limits or Limits(), **changes})
        return run_on(ground.target, artifact, ground.path, "here:it", ground.folder)

    return run


def missed(ran: Ran, ground: Ground) -> set[str]:
    return {m.name for found in ran.judged(ground.here.results).values() for m in found if not m.passed}


def test_equal_answers_have_the_same_numbers_as_here(run: Callable[..., Ran], ground: Ground) -> None:
    """Whatever samples were drawn: it would be noise of the draw."""
    ran = run(nothing)
    judged = ran.judged(ground.here.results)
    assert (ran.samples, ran.device, ran.runtime, ran.skipped, ran.operators) == (
        *(32, "here:it", f"{FORMATS['tflite'].runtime} here", "", ()),
    )
    assert [one.value for one in judged.pop("device")] == [0]
    values = {check: {m.name: (m.value, m.limit) for m in found} for check, found in judged.items()}
    here = {check: {m.name: (m.value, m.limit) for m in ground.here.results[check]} for check in ("parity", "accuracy")}
    assert here["accuracy"].pop("confidence")
    assert values == here
    assert ran.here != {m.name: m.value for m in ground.here.results["parity"]}  # a part answers otherwise than all


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (one_weight, {"device_difference", "max_rel", "sqnr"}),
        (one_nan, {"device_difference", "max_abs", "max_rel", "cosine", "sqnr", "rank_agreement", "accuracy_drop"}),
        (a_sign, {"device_difference", "max_rel", "sqnr", "accuracy_drop"}),
    ],
)
def test_other_answers_fail(
    change: Callable[[Any], None], names: set[str], run: Callable[..., Ran], ground: Ground
) -> None:
    limited = {"max_abs", "cosine", "rank_agreement"}  # those that have no limit of their own in float32
    assert missed(run(change), ground) == names - limited


def test_a_loose_limit_of_the_difference_leaves_the_others(run: Callable[..., Ran], ground: Ground) -> None:
    ran = run(a_sign, Limits(device_difference=1e9))
    assert missed(ran, ground) == {"max_rel", "sqnr", "accuracy_drop"}
    assert ran.operators == ()  # nothing is asked of them


def test_the_operator_at_fault_is_named(run: Callable[..., Ran]) -> None:
    """Of four layers the one with the changed weight: its inputs are the same on both sides."""
    ran = run(one_weight)
    assert [operator.operator for operator in ran.operators] == ["FULLY_CONNECTED"]
    assert ran.operators[0].difference > 1e-5


def cannot(model: Any) -> None:
    raise NotRunnableError("no runtime there has this operator")


def crash(model: Any) -> None:
    raise ConversionError("file.tflite: the emulator died (SIGSEGV)")


def test_what_does_not_run_there_is_told_and_fails(run: Callable[..., Ran], ground: Ground) -> None:
    ran = run(cannot)
    assert (ran.skipped, ran.samples) == ("no runtime there has this operator", 0)
    assert missed(ran, ground) == {"run"}
    assert ran.results["run"][0].note.endswith("leave here:it out of its runs_on")


def test_what_crashes_there_says_which_file_and_where(run: Callable[..., Ran]) -> None:
    with pytest.raises(ConversionError, match=r"^artifact 'file' on here:it: file\.tflite: the emulator died"):
        run(crash)


def test_samples_run_one_by_one_where_the_batch_is_dynamic(ground: Ground, tmp_path: Path, monkeypatch) -> None:
    """LiteRT's CompiledModel, which runs files on devices, crashes on some whose inputs were resized."""
    sizes: list[int] = []

    class Counting(TFLiteRunner):
        def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
            sizes.extend(len(array) for array in feeds.values())
            return super().__call__(feeds)

    @dataclass(frozen=True)
    class Counted(Changing):
        @contextmanager
        def open(self, kind: str, path: Path) -> Iterator[Runner]:
            yield Counting(path)

    model = flatbuffer.read_model(ground.path.read_bytes())
    main = model.subgraphs[0]
    for tensor in (main.tensors[index] for index in (*main.inputs, *main.outputs)):
        tensor.shapeSignature = [-1, *tensor.shape[1:]]
    dynamic = tmp_path / "dynamic.tflite"
    dynamic.write_bytes(flatbuffer.write_model(model))
    assert [edge.shape and edge.shape[0] for edge in TFLiteRunner(dynamic).inputs] == [-1]
    monkeypatch.setitem(devices.DEVICES, "here", OneDevice(Counted(nothing, tmp_path)))
    assert run_on(ground.target, ground.artifact, dynamic, "here:it", ground.folder).samples == 32
    assert sizes == [1] * 32


def test_parts_that_do_not_run_leave_the_verdict(run: Callable[..., Ran], ground: Ground) -> None:
    """The whole file ran there, and differs: that stands, whatever becomes of its parts."""
    changes = iter([one_weight])
    ran = run(lambda model: next(changes, crash)(model))
    assert "device_difference" in missed(ran, ground)
    assert "one by one: file.tflite: the emulator died" in ran.results["device"][0].note


def rounding(model: Any) -> None:
    """The weights of a layer, another in their last bit."""
    held = np.frombuffer(bytes(largest(model).data), np.float32)
    largest(model).data = np.nextafter(held, np.float32(np.inf)).view(np.uint8)


def test_where_no_operator_is_at_fault_that_is_said(run: Callable[..., Ran], ground: Ground) -> None:
    ran = run(rounding, Limits(device_difference=0.0))
    assert (ran.operators, missed(ran, ground)) == ((), {"device_difference"})
    assert ran.results["device"][0].note == "every operator agrees within rounding; the limit is below that"


def test_a_file_that_cannot_be_looked_into_leaves_the_verdict(run: Callable[..., Ran], monkeypatch) -> None:
    def refuse(*_: Any) -> None:
        raise ModelError("file.tflite: its first operator reads what nothing writes")

    monkeypatch.setitem(NETWORKS, "tflite", refuse)
    ran = run(one_weight)
    (found,) = ran.results["device"]
    assert (found.passed, ran.operators) == (False, ())
    assert found.note.endswith("one by one: file.tflite: its first operator reads what nothing writes")


def test_what_was_picked_counts_no_more_than_it_is_of_all(run: Callable[..., Ran], ground: Ground) -> None:
    """The least sure answers flip first: as if they were drawn, their flips would stand for those of others, too."""
    drawn = load_drawn(ground.folder)
    right = load_samples(ground.folder / SCORED)["statistics"][drawn.rows, 0]
    ran = run(a_sign)
    estimated = (right * drawn.weights).sum() / EVALUATED
    assert estimated != pytest.approx(right.mean())
    assert ran.here["accuracy"] == pytest.approx(estimated)
    assert ran.here["accuracy_drop"] == 0
    assert ran.there["accuracy_drop"] == pytest.approx(estimated - ran.there["accuracy"])


def test_samples_that_differ_most_come_first() -> None:
    here = {"small": np.array([[1e-3, 0], [0, 0], [0, 0]], np.float32), "large": np.full((3, 1), 100, np.float32)}
    there = {"small": here["small"].copy(), "large": here["large"].copy(), "other": np.zeros(5)}
    there["large"][1] += 1
    there["small"][2] += 5e-4
    assert worst_first(here, there).tolist() == [2, 1, 0]
    there["large"][0] = np.nan
    assert worst_first(here, there | {"small": np.zeros(3)}).tolist() == [0, 1, 2]


def test_samples_whose_scores_differ_come_before_those_whose_boxes_do() -> None:
    rng = np.random.default_rng(0)
    here = np.concatenate([rng.random((3, 9, 4)) * 640, rng.random((3, 9, 2))], axis=2)
    there = here.copy()
    there[1, :, :4] += 2
    there[2, :, 4:] += 0.9
    assert worst_first({"y": here}, {"y": there}).tolist() == [2, 1, 0]
