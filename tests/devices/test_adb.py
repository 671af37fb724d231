"""Running files on a phone through adb. No phone is here, and none was ever used for these tests: `stand_in_adb`
answers as adb does, with a folder for the phone's files and the emulator of the arm64 set-up for its processor.

What is real: the set-up, the runner, the runtimes' arm64 libraries, started by their own loader as on a phone.
"""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.devices import adb, device_named
from mobile_export.devices.adb import Adb
from mobile_export.devices.cores import CORES
from mobile_export.devices.emulator import emulate
from mobile_export.devices.installation import Installation, installed
from mobile_export.devices.selftest import FOLDER
from mobile_export.errors import ConversionError, MissingToolError, TargetError
from mobile_export.formats import FORMATS
from mobile_export.runner import run_samples
from tests.devices.phones import SERIAL, StandIn
from tests.devices.small_files import TFLiteFile
from tests.toolchains import toolchain

INT8 = FOLDER / "int8.tflite"


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> StandIn:
    return StandIn(tmp_path / "phone", monkeypatch)


@pytest.fixture(scope="module")
def used(tmp_path_factory) -> Path:
    """What a phone keeps from one test to the next."""
    return tmp_path_factory.mktemp("used") / "tmp"


@pytest.fixture
def new_phone(stand_in, monkeypatch) -> StandIn:
    """One that has never seen a set-up; its processor is emulated."""
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(toolchain("arm64")))
    core, prefix = CORES["cortex-a76"], stand_in.folder / "core"
    core.write_files(prefix)
    stand_in.set(emulator=emulate(installed().emulator, core, prefix))
    return stand_in


@pytest.fixture
def phone(new_phone, used) -> StandIn:
    """One that may have the set-up from the test before."""
    used.mkdir(exist_ok=True)
    (new_phone.folder / "tmp").rmdir()
    (new_phone.folder / "tmp").symlink_to(used)
    return new_phone


def answers(path: Path, samples: dict, device: str = "adb") -> tuple[dict, dict]:
    """Real values, here and on the phone."""
    kind = {unit.suffix: name for name, unit in FORMATS.items()}[path.suffix]
    here = run_samples(FORMATS[kind].open(path), samples)
    with device_named(device).open(kind, path) as runner:
        return here, run_samples(runner, samples)


def images(name: str, count: int = 6) -> dict:
    return {name: np.random.default_rng(0).normal(size=(count, 18, 18, 3)).astype(np.float32)}


def test_integers_are_the_same_bits(phone) -> None:
    here, there = answers(INT8, images("int8_image"), f"adb:{SERIAL}")
    assert list(there) == list(here)
    for name, values in here.items():
        np.testing.assert_array_equal(there[name], values)


def test_onnx(phone) -> None:
    samples = {k: v for name in ("float32", "dynamic", "int8") for k, v in images(f"{name}_image").items()}
    here, there = answers(FOLDER / "all.onnx", samples)
    np.testing.assert_allclose(there["float32_logits"], here["float32_logits"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(there["int8_features"], here["int8_features"])


def test_a_file_is_loaded_once_for_all_batches(phone) -> None:
    answers(INT8, images("int8_image", count=12))  # four batches of three
    runs = [call for call in phone.calls if "./runner" in call]
    assert len(runs) == 2  # one to see that it loads


def test_inputs_go_in_the_order_in_which_the_runner_takes_them(phone, tmp_path) -> None:
    file = TFLiteFile()
    first, second = (file.tensor(name, shape=(2,)) for name in ("first", "second"))
    result = file.operator("SUB", [first, second], file.tensor("result", shape=(2,)))
    file.sign("serving_default", {"a": second, "b": first}, {"y": result})
    path = file.write(tmp_path / "sub.tflite", [first, second], [result])
    samples = {"a": np.array([[1, 2]], np.float32), "b": np.array([[10, 30]], np.float32)}
    here, there = answers(path, samples)
    assert here["y"].tolist() == there["y"].tolist() == [[9, 28]]


def test_the_set_up_stays_and_what_was_run_does_not(new_phone) -> None:
    answers(INT8, images("int8_image"))
    (home,) = (new_phone.folder / "tmp").iterdir()
    assert home.name.startswith("mobile-export-")
    before = len(new_phone.calls)
    answers(INT8, images("int8_image"))
    assert sum(" push " in call for call in new_phone.calls[before:]) == 3  # the file, and requests twice
    home.joinpath("libc.so.6").write_bytes(b"damaged")
    before = len(new_phone.calls)
    answers(INT8, images("int8_image"))
    assert sum(" push " in call for call in new_phone.calls[before:]) == 4
    assert list((new_phone.folder / "tmp").iterdir()) == [home]


def test_no_name_of_the_users_reaches_the_phones_shell(phone, tmp_path) -> None:
    path = tmp_path / "a b;touch owned $(reboot) '\"\n.tflite"
    path.write_bytes(INT8.read_bytes())
    here, there = answers(path, images("int8_image"))
    np.testing.assert_array_equal(there["int8_logits"], here["int8_logits"])
    assert not [call for call in phone.calls if "owned" in call and " shell " in call]
    assert list(phone.folder.rglob("owned*")) == []


def test_where_a_file_does_not_run(phone, tmp_path) -> None:
    path = tmp_path / "add.tflite"
    file = TFLiteFile()
    x = file.tensor("x", shape=(1, 2))
    file.write(path, [x], [file.operator("ADD", [x, x], file.tensor("y", shape=(1, 2)))])
    with device_named("adb").open("tflite", path) as runner, pytest.raises(ConversionError, match="tflite on adb: "):
        runner({"x": np.zeros((7, 5), np.float32)})
    assert not [name for name in phone.files if "run-" in name]


def test_what_it_is(phone) -> None:
    assert device_named("adb").runtime("tflite") == (
        f"LiteRT {installed().versions['litert']} on adb:{SERIAL} (SM-G973F, Android 12)"
    )


@pytest.mark.parametrize(
    ("settings", "kind", "sentence"),
    [
        ({"fails": {"./runner": 139}}, ConversionError, "the runner ended with code 139: SIGSEGV stand-in: ./runner"),
        ({"fails": {"./runner": 159}}, ConversionError, "the runner ended with code 159: SIGSYS"),
        ({"fails": {"./runner": 255}, "state": "offline"}, MissingToolError, "the phone is gone"),
        ({"fails": {"./runner": 1}}, MissingToolError, "adb shell wc -c"),
        ({"prints": {"wc -c": str(2**33)}}, ConversionError, "answers of 8589934592 bytes are too large"),
        ({"prints": {"wc -c": "-1"}}, ConversionError, "answers of -1 bytes are too large"),
        ({"fails": {"push": 1}}, MissingToolError, "adb push ended with code 1"),
        ({"fails": {"pull": 1}}, MissingToolError, "adb pull ended with code 1"),
        ({"prints": {"sha256sum": "0  libc.so.6"}}, MissingToolError, "files are not there as they were copied"),
    ],
)
def test_what_may_go_wrong_there(phone, settings, kind, sentence) -> None:
    phone.set(**settings)
    with pytest.raises(kind, match=sentence):
        answers(INT8, images("int8_image"))
    assert not [name for name in phone.files if "run-" in name or "." in Path(name).parts[0]]


def test_answers_that_make_no_sense(phone) -> None:
    phone.set(emulator=["echo", "I am no"])
    with pytest.raises(ConversionError, match="what answers is no runner of this version, for it begins with b'I am'"):
        answers(INT8, images("int8_image"))


def test_late_answers(phone, monkeypatch) -> None:
    monkeypatch.setattr(adb, "_SECONDS", 0.001)
    with pytest.raises(ConversionError, match=r"int8\.tflite on adb: no answer within 0 seconds"):
        answers(INT8, images("int8_image"))


def test_without_the_set_up(stand_in, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(tmp_path / "none"))
    with pytest.raises(MissingToolError, match="mobile-export device install arm64"):
        device_named("adb").require()
    monkeypatch.setattr(adb, "is_native", lambda: True)
    with pytest.raises(MissingToolError, match=r"made on x86-64 Linux; run there: .* by MOBILE_EXPORT_DEVICES"):
        device_named("adb").require()


def test_a_set_up_that_is_not_whole(tmp_path) -> None:
    paths = [tmp_path / name for name in ("emulator", "root", "litert", "onnxruntime", "runner")]
    with pytest.raises(MissingToolError, match=r"lacks ld-linux-aarch64\.so\.1, .*runner; run: mobile-export dev"):
        adb._parts(Installation(tmp_path, *paths, versions={}, bytes=0))


def test_no_target_names_a_phone() -> None:
    assert list(Adb().names) == []
    assert set(Adb().device("").formats) == {"tflite", "onnx", "ort"}


@pytest.mark.parametrize("name", ["adb:a b", "adb:-x"])
def test_what_is_no_serial_number(stand_in, name) -> None:
    with pytest.raises(TargetError, match="not a serial number"):
        device_named(name).require()
