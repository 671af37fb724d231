"""Published files run again: what answers may differ by."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.published.manifest import GOLDEN, ArtifactEntry, EdgeEntry
from mobile_export.samples import save_samples
from mobile_export.verify import answers_problem
from tests.published_folder import artifact


def identity(folder: Path, dtype: str) -> ArtifactEntry:
    """A published .onnx file that answers what it is fed, `y` for `x` of shape [1, 3]."""
    from onnx import TensorProto, checker, helper

    kind = getattr(TensorProto, {"float32": "FLOAT", "complex64": "COMPLEX64"}.get(dtype, dtype.upper()))
    edges = [helper.make_tensor_value_info(name, kind, [1, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", edges[:1], edges[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    x, y = (EdgeEntry(name=name, dtype=dtype, shape=(1, 3)) for name in "xy")
    entry = artifact("digits", format="onnx", inputs=(x,), outputs=(y,))
    (folder / entry.file).parent.mkdir(parents=True)
    (folder / entry.file).write_bytes(model.SerializeToString())
    return entry


def problem(folder: Path, dtype: str, values: list[Any], recorded: list[Any]) -> str | None:
    entry = identity(folder, dtype)
    samples = {"inputs/x": np.array([values], dtype), "answers/digits/y": np.array([recorded], dtype)}
    save_samples(folder / GOLDEN, samples)
    return answers_problem(folder, entry)


@pytest.mark.parametrize(
    ("dtype", "values", "recorded"),
    [
        ("int32", [30522, 1, 2], [30519, 1, 2]),
        ("int64", [2**53 + 1, 1, 2], [2**53, 1, 2]),
        ("uint64", [2**64 - 1, 1, 2], [2**64 - 2, 1, 2]),
        ("uint8", [255, 1, 2], [254, 1, 2]),
        ("bool", [True, True, False], [False, True, False]),
    ],
)
def test_what_is_no_real_number_is_equal(dtype: str, values: list[Any], recorded: list[Any], tmp_path: Path) -> None:
    found = problem(tmp_path, dtype, values, recorded)
    assert found == "output 'y' differs from the recorded answer in 1 of 3 values"


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint64", "uint8", "bool", "float32"])
def test_equal_answers_are_fine(dtype: str, tmp_path: Path) -> None:
    assert problem(tmp_path, dtype, [0, 1, 1], [0, 1, 1]) is None


def test_real_numbers_may_differ_a_little(tmp_path: Path) -> None:
    assert problem(tmp_path, "float32", [1.00005, 0, 0], [1, 0, 0]) is None


def test_real_numbers_may_not_differ_more(tmp_path: Path) -> None:
    found = problem(tmp_path, "float32", [1.001, 0, 0], [1, 0, 0])
    assert found == "output 'y' differs from the recorded answer by 0.001 (allowed: 0.0001)"


def test_another_shape(tmp_path: Path) -> None:
    entry = identity(tmp_path, "float32")
    samples = {"inputs/x": np.zeros((2, 3), np.float32), "answers/digits/y": np.zeros((2, 4), np.float32)}
    save_samples(tmp_path / GOLDEN, samples)
    assert answers_problem(tmp_path, entry) == "output 'y' has another shape than the recorded answer"
