"""Running one file by hand: here, and on an emulated core beside here."""

import numpy as np
import pytest

from mobile_export.devices.selftest import FOLDER
from mobile_export.errors import MissingToolError, TargetError
from mobile_export.run import Beside, Run, _run, run_file
from tests.toolchains import toolchain

INT8 = FOLDER / "int8.tflite"


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npz"
    values = np.random.default_rng(0).normal(size=(6, 18, 18, 3)).astype(np.float32)
    np.savez(path, int8_image=values, float32_image=values)
    return path


@pytest.fixture
def there(monkeypatch, images):
    """What a worker does, in this process: workers have the environment of the first test that needs any."""
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(toolchain("arm64")))
    return lambda path, device: _run("tflite", path, images, None, device)


def test_here(images, tmp_path) -> None:
    ran = _run("tflite", INT8, images, 4, None)
    assert (ran.runtime, ran.samples, ran.beside) == ("LiteRT", 4, {})
    assert ran.answers["int8_logits"].shape == (4, 19)
    assert [set(summary) for summary in ran.summaries()] == [{"name", "dtype", "shape", "first"}] * 2


def test_integers_are_the_same_bits_on_an_emulated_core(there) -> None:
    ran = there(INT8, "arm64:cortex-a53")
    assert "cortex-a53" in ran.runtime
    assert {name: beside.said for name, beside in ran.beside.items()} == {
        "int8_features": "the same bits as here",
        "int8_logits": "the same bits as here",
    }
    np.testing.assert_array_equal(ran.answers["int8_logits"], there(INT8, None).answers["int8_logits"])


def test_float_is_close_there(there) -> None:
    ran = there(FOLDER / "float32.tflite", "arm64:cortex-a76")
    assert max(beside.difference for beside in ran.beside.values()) < 1e-5
    for name, summary in zip(ran.answers, ran.summaries(), strict=True):
        assert summary["device_difference"] == ran.beside[name].difference
        assert summary["same_bits_as_here"] == (ran.beside[name].difference == 0)


def test_kernels_that_answer_otherwise_are_shown(there) -> None:
    """LiteRT's own integer kernels round otherwise than XNNPACK's."""
    ran = there(INT8, "arm64:cortex-a53:builtin")
    beside = ran.beside["int8_features"]
    assert not beside.same_bits
    assert 0 < beside.difference < 0.1
    assert f"  differs from here by {beside.difference:.2g} of its largest magnitude" in ran.lines()


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("arm64:cortex-a35", "arm64:cortex-a35 is no core; the nearest names are 'cortex-a"),
        ("amr64:cortex-a53", "'amr64:cortex-a53' is no device; the nearest names are 'arm64:cortex-a53'"),
        ("", "'' is no device; known kinds: arm64, adb"),
        ("adb:$(reboot)", "not a serial number"),
    ],
)
def test_a_device_that_there_is_none_of(images, device, sentence) -> None:
    with pytest.raises(TargetError) as error:
        run_file(INT8, images, None, None, device)
    assert sentence in str(error.value)


@pytest.mark.parametrize("device", ["arm64:cortex-a53", "adb"])
def test_what_a_device_does_not_run(images, tmp_path, device) -> None:
    path = tmp_path / "frozen.pb"
    path.write_bytes(b"")
    with pytest.raises(TargetError) as error:
        run_file(path, images, None, None, device)
    assert str(error.value) == f"{path}: {device} runs .tflite, .onnx, .ort, not .pb; leave --device out"


def test_without_the_set_up(images, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(tmp_path / "none"))
    with pytest.raises(MissingToolError, match="mobile-export device install arm64"):
        run_file(INT8, images, None, None, "arm64:cortex-a53")


@pytest.mark.parametrize(
    ("here", "there", "difference", "said"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0.0, "the same bits as here"),
        ([1.0, -4.0], [1.0, -3.0], 0.25, "differs from here by 0.25 of its largest magnitude"),
        ([7, 8, 9, 9], [7, 8, 9, 1], 0.25, "25.00% of its values are others than here"),
        ([1.0], [np.nan], None, "output 'y' is not finite, there or here alone"),
        ([np.nan], [np.nan], 0.0, "the same bits as here"),
    ],
)
def test_how_answers_compare(here, there, difference, said) -> None:
    beside = Beside.of("y", np.array(here), np.array(there))
    run = Run("LiteRT", 1, {"y": np.array(there)}, {"y": beside})
    assert run.lines()[1] == f"  {said}"
    (summary,) = run.summaries()
    assert summary["device_difference"] == difference
    assert summary["same_bits_as_here"] == (said == "the same bits as here")
