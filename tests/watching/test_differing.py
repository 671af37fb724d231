from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats import FORMATS, Request
from mobile_export.quantize.scheme import Scheme
from mobile_export.samples import Samples, load_samples
from mobile_export.watching import NETWORKS
from mobile_export.watching import differing as module
from mobile_export.watching.differing import Device, Differences, differing
from tests.explanation.models import network, written
from tests.formats.tf_graphs import make_graph, samples_for, weights
from tests.watching.devices import Change, OwnKernels, Tampering


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name in ("tflite", "onnx"):
        written(network(), folder, name, Scheme("int8"))
    return folder


def one_larger(values: np.ndarray) -> None:
    values[7] += 1


def a_little_larger(values: np.ndarray) -> None:
    values *= np.float32(1 + 4e-5)


SECOND = {"int8.tflite": "Conv2D_1", "float32.tflite": "Conv2D_1"} | {
    "int8.onnx": "Conv2D_1/filter/int8",
    "float32.onnx": "Conv2D_1/filter",
}
"""The weights of the second convolution."""


def found_by(device: Device, path: Path, tolerance: float = 1e-5) -> Differences:
    samples: Samples = load_samples(path.with_name("data.npz"))
    return differing(path.suffix.removeprefix("."), path, device, samples, tolerance)


def tampering(path: Path, change: Change) -> Tampering:
    return Tampering({SECOND[path.name]: change})


@pytest.mark.parametrize("name", SECOND)
def test_the_operator_at_fault_is_found_though_all_behind_it_differ_too(folder: Path, name: str) -> None:
    found = found_by(tampering(folder / name, one_larger), folder / name)
    (one,) = found.operators
    assert one.name in ("second", "Conv2D_1", "add_1")
    assert one.operator in ("CONV_2D", "Conv", "Conv+Relu")
    assert 1e-3 < one.difference < 2
    assert 0 < one.share < 1
    assert found.note == ""
    assert found.samples == module.SAMPLES


@pytest.mark.parametrize("name", SECOND)
def test_it_is_found_in_a_run_of_the_whole_file_where_that_is_large(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = found_by(tampering(folder / name, one_larger), folder / name)
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    whole = found_by(tampering(folder / name, one_larger), folder / name)
    assert [one.name for one in whole.operators] == [one.name for one in apart.operators]
    assert "compared in a run of the whole file" in whole.note
    assert whole.samples == 1


def test_integers_differ_by_any_step_and_it_is_said(folder: Path) -> None:
    found = found_by(OwnKernels(), folder / "int8.tflite", tolerance=1)
    assert {one.operator for one in found.operators} <= {"CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"}
    assert found.operators
    assert {one.reason for one in found.operators} == {"rounds differently, by one step"}
    assert all(1 / 256 <= one.difference < 0.05 and 0 < one.share < 0.2 for one in found.operators)
    differences = [one.difference for one in found.operators]
    assert differences == sorted(differences, reverse=True)


def test_real_values_may_differ_as_much_as_they_are_allowed(folder: Path) -> None:
    path = folder / "float32.tflite"
    assert found_by(OwnKernels(), path, tolerance=1e-5) == Differences(samples=module.SAMPLES)
    assert found_by(OwnKernels(), path, tolerance=1e-9).operators


def test_what_only_adds_up_is_told_from_what_an_operator_does(folder: Path) -> None:
    device = Tampering(dict.fromkeys(("Conv2D", "Conv2D_1", "MatMul1"), a_little_larger))
    found = found_by(device, folder / "float32.tflite", tolerance=6e-5)
    assert found.operators == ()
    assert found.note.startswith(
        "fed the same values, no operator differs by more than rounding; in a run of the whole"
    )
    assert "'second' (CONV_2D) is the first that differs, by 8.5e-05" in found.note
    assert len(found_by(device, folder / "float32.tflite", tolerance=3e-5).operators) == 3


def test_the_same_kernels_do_not_differ(folder: Path) -> None:
    for name in SECOND:
        assert found_by(Tampering({}), folder / name, tolerance=0) == Differences(samples=module.SAMPLES)


def test_ort_files_cannot_be_watched(tmp_path: Path) -> None:
    found = differing("ort", tmp_path / "a.ort", Tampering({}), {})
    assert found == Differences(note="operators of .ort files cannot be watched; those of .tflite and .onnx can")


def test_sizes_that_are_computed_do_not_matter(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 4, 6], name="x")
        flat = tf.reshape(tf.nn.relu(x), [tf.shape(x)[0], 24])
        return [x], [tf.nn.softmax(tf.matmul(flat, weights(1, 24, 3)))]

    graph = make_graph(build, ["x"], ["y"])
    path = tmp_path / "flat.tflite"
    FORMATS["tflite"].write(graph, [Request("a", path)], None)
    assert "SHAPE" in {node.kind for node in NETWORKS["tflite"](path).nodes}
    found = differing("tflite", path, Tampering({"MatMul1": one_larger}), samples_for(graph))
    assert [one.operator for one in found.operators] == ["SHAPE+STRIDED_SLICE+PACK+RESHAPE+FULLY_CONNECTED"]


def test_what_is_not_finite_on_one_side_alone_differs(folder: Path) -> None:
    def infinite(values: np.ndarray) -> None:
        values[:] = np.inf

    found = found_by(Tampering({"Conv2D_1/filter": infinite}), folder / "float32.onnx")
    assert {one.name for one in found.operators} == {"Conv2D_1"}
    assert found.operators[0].difference == float("inf")
