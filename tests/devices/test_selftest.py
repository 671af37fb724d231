from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mobile_export.devices.selftest import FOLDER, MODELS, TOLERANCES, Known, wrong_answers
from mobile_export.devices.wire import Edged
from mobile_export.errors import ConversionError
from mobile_export.formats import FORMATS
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Runner
from tests.devices.selftest_models import make


@contextmanager
def open_here(kind: str, path: Path, edges: Edged) -> Iterator[Runner]:
    yield FORMATS[kind].open(path)


class Changed:
    """A runner whose answers are changed in one value."""

    def __init__(self, runner: Runner, change: float) -> None:
        self.inputs, self.outputs = runner.inputs, runner.outputs
        self._runner, self._change = runner, change

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        answers = {name: np.array(answer) for name, answer in self._runner(feeds).items()}
        for answer in answers.values():
            whole = np.issubdtype(answer.dtype, np.integer)
            answer.flat[7] += 1 if whole else self._change * np.abs(answer).max()
        return answers


def changed_by(change: float):
    @contextmanager
    def opened(kind: str, path: Path, edges: Edged) -> Iterator[Runner]:
        with open_here(kind, path, edges) as runner:
            yield Changed(runner, change)

    return opened


def test_what_is_recorded_is_what_the_runtimes_answer() -> None:
    assert wrong_answers(open_here) == ()


def test_edges_are_those_of_the_files() -> None:
    for name in MODELS:
        here, known = FORMATS[name.partition(".")[2]].open(FOLDER / name), Known.of(FOLDER / name)
        for side in ("inputs", "outputs"):
            ours, recorded = ({(e.name, e.dtype, e.shape) for e in getattr(of, side)} for of in (here, known))
            assert ours == recorded, name


def test_one_wrong_value_is_enough() -> None:
    wrong = wrong_answers(changed_by(0.05))
    assert [text.partition(":")[0] for text in wrong] == list(MODELS)
    outputs = [name for model in MODELS for name in Known.of(FOLDER / model).answers]
    assert sum(text.count("% of") for text in wrong) == len(outputs)


def test_what_is_no_number_is_wrong() -> None:
    assert len(wrong_answers(changed_by(float("nan")))) == len(MODELS)


def test_another_order_of_additions_is_not_wrong() -> None:
    assert [text.partition(":")[0] for text in wrong_answers(changed_by(1e-6))] == [
        "all.onnx",  # its integers are dequantized in the file
        "int8.tflite",
        "int16x8.tflite",
    ]


def test_what_does_not_run_is_wrong() -> None:
    @contextmanager
    def opened(kind: str, path: Path, edges: Edged) -> Iterator[Runner]:
        raise ConversionError(f"{path.name}: it ended with signal SIGSEGV")
        yield

    assert wrong_answers(opened) == tuple(f"{model}: it ended with signal SIGSEGV" for model in MODELS)


def test_models_reach_integer_and_floating_point_kernels_of_both_runtimes() -> None:
    answered = {Path(model).suffix: set() for model in MODELS}
    for model in MODELS:
        answered[Path(model).suffix] |= {name.partition("_")[0] for name in Known.of(FOLDER / model).answers}
    assert answered == {".tflite": set(TOLERANCES), ".onnx": set(TOLERANCES) - {"int16x8"}}


@pytest.mark.parametrize("model", MODELS)
def test_answers_hide_no_wrong_bit(model: str) -> None:
    for name, answer in Known.of(FOLDER / model).answers.items():
        if "shares" not in name:
            values, counts = np.unique(answer, return_counts=True)
            assert len(values) > 40 and counts.max() < answer.size / 10, f"{name} is too often the same"


def test_models_can_be_made_anew(tmp_path: Path) -> None:
    make(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in FOLDER.iterdir() if path.suffix not in (".py", "") and path.is_file()
    }
    for name in MODELS:
        assert Known.of(tmp_path / name).outputs == Known.of(FOLDER / name).outputs
        assert (tmp_path / name).stat().st_size < 50_000
