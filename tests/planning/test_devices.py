"""On which devices files are run, and what a target may not ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mobile_export.devices import DEVICES
from mobile_export.errors import TargetError
from mobile_export.planning.devices import Overrides, core_lines, devices_of, left_out
from mobile_export.planning.keys import artifact_key
from mobile_export.planning.plan import load_targets, plan
from mobile_export.published.manifest import DeviceEntry
from mobile_export.target import Target
from tests.published_folder import artifact, device, manifest


@dataclass(frozen=True)
class Toy:
    """A device that nobody opens here."""

    formats: Sequence[str]


class Toys:
    """Its kind; the tiny one runs less."""

    names: Sequence[str] = ("toy:tiny", "toy:small", "toy:large")

    def device(self, which: str) -> Toy:
        return Toy(("tflite",) if which == "tiny" else ("tflite", "onnx"))


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEVICES, "toy", Toys())  # type: ignore[arg-type]


TARGET = """
name = "t"
runs_on = ["toy:small", "toy:large"]
[model]
source = "m.pb"
[[artifacts]]
name = "a"
format = "tflite"
[[artifacts]]
name = "b"
format = "memmapped"
"""


def load(folder: Path, text: str = TARGET, overrides: Overrides = Overrides()) -> Target:  # noqa: B008  frozen
    (folder / "m.pb").write_bytes(b"")
    (folder / "t.toml").write_text(text)
    ((_, target),) = load_targets([folder / "t.toml"], overrides=overrides)
    return target


def asked(target: Target) -> dict[str, tuple[str, ...]]:
    return {artifact.name: devices_of(target, artifact) for artifact in target.artifacts}


def refusal(folder: Path, text: str = TARGET, overrides: Overrides = Overrides()) -> str:  # noqa: B008  frozen
    with pytest.raises(TargetError) as caught:
        load(folder, text, overrides)
    return str(caught.value).removeprefix(f"{folder / 't.toml'}: ")


def test_files_run_on_what_the_target_names_and_runs_their_format(tmp_path: Path) -> None:
    target = load(tmp_path)
    assert asked(target) == {"a": ("toy:small", "toy:large"), "b": ()}
    assert list(left_out(target)) == [
        "b (memmapped) is not run on toy:small and toy:large, which run tflite and onnx; "
        "say runs_on = [] in the artifact"
    ]


def test_devices_of_one_kind_need_not_run_the_same(tmp_path: Path) -> None:
    target = load(tmp_path, TARGET.replace("toy:small", "toy:tiny").replace("memmapped", "onnx"))
    assert asked(target) == {"a": ("toy:tiny", "toy:large"), "b": ("toy:large",)}
    assert list(left_out(target)) == [
        "b (onnx) is not run on toy:tiny, which runs tflite; give the artifact its own runs_on"
    ]


def test_what_an_artifact_says_of_itself_holds(tmp_path: Path) -> None:
    own = TARGET.replace('"memmapped"', '"memmapped"\nruns_on = []').replace(
        '"tflite"', '"tflite"\nruns_on = ["toy:large"]'
    )
    target = load(tmp_path, own)
    assert asked(target) == {"a": ("toy:large",), "b": ()}
    assert list(left_out(target)) == []  # it was meant so


def test_without_devices_nothing_is_left_out(tmp_path: Path) -> None:
    target = load(tmp_path, TARGET.replace('["toy:small", "toy:large"]', "[]"))
    assert asked(target) == {"a": (), "b": ()}
    assert list(left_out(target)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"toy:large"]', '"toy:larg"]', "runs_on[1]: 'toy:larg' is not known (did you mean 'toy:large'?); allowed: "),
        ('"toy:large"]', '"toy:small"]', "runs_on: toy:small is named more than once; name it once"),
        (
            '"tflite"',
            '"tflite"\nruns_on = ["toy"]',
            "artifacts[0].runs_on[0]: 'toy' is a kind of devices; name one of them: ",
        ),
        ('"toy:large"]', '"adb"]', "runs_on[1]: adb is only for run --device; allowed: arm64:"),
        ('"toy:large"]', '"adb:R58"]', "runs_on[1]: adb is only for run --device; allowed: arm64:"),
        (
            '"memmapped"',
            '"memmapped"\nruns_on = ["toy:small"]',
            "artifacts[1].runs_on: toy:small runs tflite, onnx, not memmapped; leave it out",
        ),
        (
            '"memmapped"',
            '"memmapped"\nlimits = { device_difference = 0.1 }',
            "artifacts[1].limits.device_difference: it is run on no device; add runs_on, say --runs-on, or leave "
            "the limit out",
        ),
        (
            '"tflite"',
            '"tflite"\nruns_on = []\nlimits = { device_difference = 0.1 }',
            "artifacts[0].limits.device_difference: it is run on no device; ",
        ),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert refusal(tmp_path, TARGET.replace(old, new, 1)).startswith(said)


def test_the_command_line_names_other_devices(tmp_path: Path) -> None:
    own = TARGET.replace('"tflite"', '"tflite"\nruns_on = ["toy:large"]').replace('"memmapped"', '"onnx"')
    target = load(tmp_path, own, Overrides(("toy:small",)))
    assert asked(target) == {"a": ("toy:large",), "b": ("toy:small",)}  # what an artifact says of itself stays
    for said in ("toy:smal", "toy", "adb", "nothing", "arm64:cortex", "arm64"):  # in the words of target files
        wrong = refusal(tmp_path, own, Overrides((said,)))
        assert f"runs_on[0]: {wrong.removeprefix('--runs-on: ')}" in refusal(
            tmp_path, own.replace('["toy:small", "toy:large"]', f'["{said}"]')
        )
    assert refusal(tmp_path, own, Overrides(("toy:small",) * 2)) == (
        "--runs-on: toy:small is named more than once; name it once"
    )


LIMITED = TARGET.replace('"tflite"', '"tflite"\nlimits = { device_difference = 0.1 }')
NOWHERE = LIMITED.replace('runs_on = ["toy:small", "toy:large"]\n', "")


def test_a_limit_of_devices_asks_for_one(tmp_path: Path) -> None:
    assert refusal(tmp_path, NOWHERE).startswith("artifacts[0].limits.device_difference: it is run on no device; ")
    assert asked(load(tmp_path, NOWHERE, Overrides(("toy:small",))))["a"] == ("toy:small",)
    only_onnx = NOWHERE.replace('"tflite"', '"onnx"')
    assert "it is run on no device" in refusal(tmp_path, only_onnx, Overrides(("toy:tiny",)))


def test_a_limit_of_devices_that_are_skipped_stays(tmp_path: Path) -> None:
    skipped = load(tmp_path, LIMITED, Overrides(skip_device=True))
    assert asked(skipped)["a"] == ("toy:small", "toy:large")  # which the manifest is marked with
    assert "it is run on no device" in refusal(tmp_path, NOWHERE, Overrides(skip_device=True))  # nothing would mark it


def test_where_devices_are_skipped_nothing_more_is_left_out(tmp_path: Path) -> None:
    assert list(left_out(load(tmp_path, overrides=Overrides(skip_device=True)))) == []


def test_skipping_is_asked_for_in_the_target_or_on_the_command_line(tmp_path: Path) -> None:
    assert not load(tmp_path).device.skip
    skipped = load(tmp_path, overrides=Overrides(skip_device=True))
    assert skipped.device.skip
    assert skipped == load(tmp_path, TARGET.replace("[model]", "[device]\nskip = true\n[model]"))
    assert asked(skipped) == asked(load(tmp_path))  # each is marked in the manifest


def test_what_a_core_can_do_is_said_once_where_operators_are_at_fault() -> None:
    def on(core: str, difference: float = 0.5, runtime: str = "LiteRT in qemu as {}") -> DeviceEntry:
        return device(core, difference, runtime=runtime.format(core.partition(":")[0]))

    devices = (on("cortex-a53"), on("cortex-a53:builtin"), on("cortex-a76"), on("cortex-a72", 0))
    assert list(core_lines(manifest(artifact("a", devices=devices), artifact("b", devices=devices)))) == [
        "cortex-a53 has nothing beyond Advanced SIMD",
        "cortex-a76 has dot product, fp16 arithmetic",
    ]
    native = on("cortex-a53", runtime="LiteRT on this ARM computer, whatever the core's name")
    phone = device("cortex-a53").model_copy(update={"device": "adb"})
    assert list(core_lines(manifest(artifact("a", devices=(native, phone))))) == []


def key_of(target: Target, place: int) -> str:
    return artifact_key(target, target.artifacts[place], {"m.pb": "1"}, {}, {})


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('runs_on = ["toy:small", "toy:large"]', 'runs_on = ["toy:small"]', False),
        ("[model]", "[device]\nsamples = 9\n[model]", False),
        ("[model]", "[device]\nseed = 1\n[model]", False),
        ("[model]", "[device]\nskip = true\n[model]", False),
        ('"tflite"', '"tflite"\nlimits = { device_difference = 0.1 }', False),
        ('"tflite"', '"tflite"\nruns_on = ["toy:small", "toy:large"]', True),
    ],
)
def test_keys_hold_the_devices_that_a_file_is_run_on(tmp_path: Path, old: str, new: str, same: bool) -> None:
    before, after = load(tmp_path), load(tmp_path, TARGET.replace(old, new, 1))
    assert (key_of(before, 0) == key_of(after, 0)) is same
    assert key_of(before, 1) == key_of(after, 1)  # no device runs it


def test_a_search_is_the_same_wherever_what_it_finds_is_run(tmp_path: Path) -> None:
    auto = TARGET.replace('"tflite"', '"tflite"\nprecision = "auto"')
    here = auto.replace('runs_on = ["toy:small", "toy:large"]\n', "")
    plans = [plan(tmp_path / "t.toml", load(tmp_path, text)) for text in (auto, here)]
    assert plans[0].search_keys == plans[1].search_keys
    assert plans[0].keys["a"] != plans[1].keys["a"]
