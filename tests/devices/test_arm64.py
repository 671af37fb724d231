import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobile_export.devices import DEVICES, device_named
from mobile_export.devices.arm64 import Arm64, Arm64Core
from mobile_export.devices.cores import CORES
from mobile_export.devices.emulator import emulator_version
from mobile_export.devices.installation import VARIABLE, Installation
from mobile_export.devices.selftest import FOLDER
from mobile_export.errors import ConversionError, MissingToolError, NotRunnableError, TargetError
from mobile_export.formats import FORMATS
from mobile_export.formats.format import Request
from mobile_export.formats.ort import ORT
from mobile_export.formats.tflite import TFLite
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Runner
from tests.devices.selftest_models import write
from tests.devices.small_files import TFLiteFile
from tests.formats.tf_graphs import make_graph, mobile_net


def feeds_of(runner: Runner, seed: int = 5) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {e.name: e.quantize(rng.normal(size=[max(3, size) for size in e.shape or ()])) for e in runner.inputs}


def answers_on(device: str, path: Path) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """What a file answers there, and here."""
    kind = path.suffix.removeprefix(".")
    here = FORMATS[kind].open(path)
    feeds = feeds_of(here)
    with device_named(device).open(kind, path) as there:
        assert (there.inputs, there.outputs) == (here.inputs, here.outputs)
        return there(feeds), here(feeds)


def difference(device: str, path: Path) -> float:
    """The largest, as a share of the largest magnitude."""
    there, here = answers_on(device, path)
    return max(
        float(np.abs(there[n] - a.astype(np.float64)).max() / np.abs(a.astype(np.float64)).max())
        for n, a in here.items()
    )


def test_the_registry_has_every_core_with_either_kind_of_kernels() -> None:
    names = DEVICES["arm64"].names
    assert {"arm64:cortex-a53", "arm64:cortex-a76", "arm64:cortex-a76:builtin"} <= set(names)
    assert [device_named(name).name for name in names] == list(names)


@pytest.mark.parametrize("name", ["arm64:cortex-a54", "arm64:cortex-a53:", "arm64:cortex-a53:xnnpack"])
def test_unknown_cores_are_refused(name: str) -> None:
    with pytest.raises(
        TargetError, match=r"arm64:.* is no core.*; there are arm64:cortex-a53, .*, each also with :builtin"
    ):
        device_named(name)


@pytest.mark.parametrize("name", ["arm64", "arm64:"])
def test_no_core(name: str) -> None:
    with pytest.raises(
        TargetError, match=r"^arm64 names no core; there are arm64:cortex-a53, .*, each also with :builtin$"
    ):
        device_named(name)


@pytest.mark.parametrize("name", ["arm64:maxx", "arm64:mac", "arn64:max"])
def test_what_no_phone_has_is_not_suggested(name: str) -> None:
    with pytest.raises(TargetError) as refused:
        device_named(name)
    assert "'max'" not in str(refused.value) and "arm64:max'" not in str(refused.value)


def test_a_typing_error_is_told() -> None:
    with pytest.raises(TargetError, match="arm64:cortex-a67 is no core; the nearest names are 'cortex-a76'"):
        Arm64().device("cortex-a67")


def test_without_a_set_up_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    device = device_named("arm64:cortex-a53")
    with pytest.raises(MissingToolError, match="run: mobile-export device install arm64"):
        device.require()
    with pytest.raises(MissingToolError, match="run: mobile-export device install arm64"):
        device.open("tflite", FOLDER / "int8.tflite").__enter__()


def test_the_runtime_is_told(installation: Installation) -> None:
    device, emulator = device_named("arm64:cortex-a53"), emulator_version(installation)
    assert device.runtime("tflite") == f"LiteRT {installation.versions['litert']} in {emulator} as cortex-a53"
    assert device.runtime("ort") == f"ONNX Runtime {installation.versions['onnxruntime']} in {emulator} as cortex-a53"
    assert "without XNNPACK in" in device_named("arm64:cortex-a53:builtin").runtime("tflite")


@pytest.mark.parametrize("core", ["cortex-a53", "cortex-a72", "cortex-a76"])
@pytest.mark.parametrize(("file", "tolerated"), [("int8", 0.0), ("int16x8", 0.0), ("float32", 1e-6), ("dynamic", 1e-6)])
def test_tflite_files_answer_as_here(installation: Installation, core: str, file: str, tolerated: float) -> None:
    assert difference(f"arm64:{core}", FOLDER / f"{file}.tflite") <= tolerated


def test_batches_of_any_size_in_float16(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    TFLite().write(make_graph(mobile_net, ["image"], ["classes"]), [Request("a", path, "float16")], None)
    assert 0 < difference("arm64:cortex-a76", path) < 1e-6
    here = TFLite().open(path)
    with device_named("arm64:cortex-a76").open("tflite", path) as there:
        for size in (2, 1, 5):
            feeds = {"image": np.random.default_rng(size).normal(size=(size, 16, 16, 3)).astype(np.float32)}
            np.testing.assert_allclose(there(feeds)["classes"], here(feeds)["classes"], atol=1e-6)


@pytest.mark.parametrize("core", ["cortex-a53", "cortex-a76"])
def test_onnx_files_answer_as_here(installation: Installation, core: str) -> None:
    there, here = answers_on(f"arm64:{core}", FOLDER / "all.onnx")
    for name, answer in here.items():
        largest = np.abs(answer).max()
        np.testing.assert_allclose(there[name], answer, atol=0 if name.startswith("int8") else 1e-6 * largest, rtol=0)


def test_ort_files_answer_as_here(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "all.ort"
    ORT().save(onnx.load(FOLDER / "all.onnx"), path)
    assert difference("arm64:cortex-a76", path) < 1e-6


@pytest.mark.parametrize("core", ["cortex-a53", "cortex-a76"])
def test_kernels_without_xnnpack_round_in_another_way(installation: Installation, core: str) -> None:
    there, here = answers_on(f"arm64:{core}:builtin", FOLDER / "int8.tflite")
    steps = np.abs(there["int8_features"].astype(int) - here["int8_features"])
    assert steps.max() == 1 and 0 < steps.mean() < 0.05


def test_dense_layers_of_int16_round_in_another_way(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "all.tflite"
    write(path, "int16x8", ["features", "logits"])
    there, here = answers_on("arm64:cortex-a53", path)
    np.testing.assert_array_equal(there["int16x8_features"], here["int16x8_features"])
    steps = np.abs(there["int16x8_logits"].astype(int) - here["int16x8_logits"])
    assert steps.max() == 1 and 0 < steps.mean() < 0.1


def test_only_litert_has_kernels_of_its_own(installation: Installation) -> None:
    assert device_named("arm64:cortex-a53").formats == ("tflite", "onnx", "ort")
    device = device_named("arm64:cortex-a53:builtin")
    assert device.formats == ("tflite",)
    with pytest.raises(NotRunnableError, match="not run: arm64:cortex-a53:builtin runs tflite, not onnx"):
        device.open("onnx", FOLDER / "all.onnx").__enter__()


def test_select_tf_ops_cannot_be_run(installation: Installation, tmp_path: Path) -> None:
    file = TFLiteFile()
    x, y = file.tensor("x"), file.tensor("y")
    file.operator("CUSTOM", [x], y)
    file.model.operatorCodes[-1].customCode = b"FlexMatrixInverse"
    with pytest.raises(NotRunnableError, match="not run: no runtime for ARM here has the Flex delegate"):
        device_named("arm64:cortex-a53").open("tflite", file.write(tmp_path / "flex.tflite", [x], [y])).__enter__()


def test_a_damaged_file_does_not_load(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes((FOLDER / "int8.tflite").read_bytes()[:5000])
    with pytest.raises(ConversionError, match=r"damaged.tflite: the LiteRT runtime does not load it"):
        device_named("arm64:cortex-a53").open("tflite", path).__enter__()


def test_nothing_answers_as_a_core_that_fails_its_test(installation: Installation) -> None:
    device = Arm64Core(replace(CORES["cortex-a53"], name="cortex-a5000"))
    with pytest.raises(MissingToolError, match="does not know the core cortex-a5000"):
        device.open("tflite", FOLDER / "int8.tflite").__enter__()


@pytest.fixture
def arm_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A computer that says that it is one of ARM, without a set-up."""
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setenv(VARIABLE, str(tmp_path))


@pytest.mark.parametrize("name", ["arm64:cortex-a53", "arm64:cortex-a53:builtin"])
def test_on_arm_its_own_runtimes_answer(arm_computer: None, name: str) -> None:
    device = device_named(name)
    device.require()
    there, here = answers_on(name, FOLDER / "float32.tflite")
    for output, answer in here.items():
        np.testing.assert_allclose(there[output], answer, rtol=1e-4)
    kernels = " without XNNPACK" if name.endswith("builtin") else ""
    assert device.runtime("tflite").endswith(f"{kernels} on this ARM computer, whatever the core's name")


def test_on_arm_kernels_are_those_that_are_asked_for(arm_computer: None) -> None:
    there, here = answers_on("arm64:cortex-a53:builtin", FOLDER / "dynamic.tflite")
    assert any((there[name] != answer).any() for name, answer in here.items()), "XNNPACK has answered"
