import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mobile_export.compare.candidates import candidates_of
from mobile_export.devices import DEVICES
from mobile_export.errors import TargetError
from mobile_export.formats import FORMATS
from mobile_export.planning.devices import devices_of
from mobile_export.planning.plan import choices
from mobile_export.target import Target, load_target

DATA = """[data]
calibration = { source = "c.npz" }
evaluation = { source = "e.npz"METRIC }
"""


def target(folder: Path, artifacts: str, data: str = DATA, metric: str = "", platform: str = "android") -> Target:
    path = folder / "t.toml"
    model = f'name = "t"\nplatform = "{platform}"\n[model]\nsource = "m"\n'
    path.write_text(model + data.replace("METRIC", metric) + artifacts)
    return load_target(path, choices())


def artifact(name: str, format_name: str = "tflite", more: str = "") -> str:
    return f'[[artifacts]]\nname = "{name}"\nformat = "{format_name}"\n{more}\n'


def pairs(options) -> set[tuple[str, str]]:
    return {(one.artifact.format, one.artifact.precision) for one in options}


def test_all_that_can_be_shipped_and_the_targets_own_first(tmp_path: Path) -> None:
    own = artifact("a", more='precision = "int8"\ninterface = "uint8"') + artifact("b", more='precision = "auto"')
    found = candidates_of(target(tmp_path, own))
    assert [(one.artifact.name, one.in_target) for one in found[:3]] == [
        ("a", True),
        ("b", True),
        ("tflite_float32", False),
    ]
    every = {(name, p) for name, unit in FORMATS.items() for p in unit.precisions if name != "saved_model"}
    assert pairs(found) == every | {("tflite", "auto")}
    names = [one.artifact.name for one in found]
    assert len(set(names)) == len(names)
    assert names.count("tflite_int8") == 0  # "a" is that
    assert not any(one.impossible for one in found)


def test_names_are_free(tmp_path: Path) -> None:
    found = candidates_of(target(tmp_path, artifact("onnx_int8") + artifact("onnx_int8_2")))
    assert "onnx_int8_3" in [one.artifact.name for one in found if not one.in_target]


def test_formats_of_servers_only_where_no_phone_is_meant(tmp_path: Path) -> None:
    assert ("saved_model", "float32") not in pairs(candidates_of(target(tmp_path, artifact("a"), platform="ios")))
    assert ("saved_model", "float32") in pairs(candidates_of(target(tmp_path, artifact("a"), platform="any")))


def test_without_calibration_data_calibrated_precisions_are_left_out_with_the_reason(tmp_path: Path) -> None:
    found = candidates_of(target(tmp_path, artifact("a"), data=""))
    why = {one.artifact.name: one.impossible for one in found if one.impossible}
    assert set(why) == {"tflite_int8", "tflite_int16x8", "onnx_int8", "ort_int8"}
    assert why["tflite_int8"] == "int8 needs calibration data; add [data] calibration"


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (["a"], {("tflite", "int8")}),
        (["tflite:int8"], {("tflite", "int8")}),
        (["onnx"], {("onnx", p) for p in FORMATS["onnx"].precisions}),
        (["int16x8"], {("tflite", "int16x8")}),
        (["auto"], {("tflite", "auto"), ("onnx", "auto"), ("ort", "auto")}),
        (["saved_model", "a"], {("tflite", "int8"), ("saved_model", "float32")}),
    ],
)
def test_some_are_named(named: list[str], expected: set[tuple[str, str]], tmp_path: Path) -> None:
    assert pairs(candidates_of(target(tmp_path, artifact("a", more='precision = "int8"')), named)) == expected


def test_one_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"--candidates: 'tflite:int9' is not known; .*'tflite:int8'.*write a format"):
        candidates_of(target(tmp_path, artifact("a")), ["a", "tflite:int9"])


def limits(folder: Path, *asked: str, **more: str) -> dict[str, float]:
    """What other files are held to, where the target's own have these limits."""
    own = "".join(artifact(f"a{k}", more=f"limits = {{ {text} }}") for k, text in enumerate(asked))
    (other,) = candidates_of(target(folder, own, **more), ["memmapped"])
    return other.artifact.limits.model_dump(exclude_none=True)


def test_others_are_held_to_the_loosest_that_the_target_asks_of_its_own(tmp_path: Path) -> None:
    assert limits(tmp_path, "accuracy_drop = 0.0", "accuracy_drop = 0.01", "sqnr = 20") == {"accuracy_drop": 0.01}
    assert limits(tmp_path, "accuracy = 0.9, top1_agreement = 0.8", "accuracy = 0.95, top1_agreement = 0.9") == {
        "accuracy": 0.9,
        "top1_agreement": 0.8,
    }
    assert limits(tmp_path, "accuracy = 0.9", "accuracy = 0.95", metric=', metric = "mse"') == {"accuracy": 0.95}


def test_a_limit_that_not_all_of_them_have_holds_for_no_other(tmp_path: Path) -> None:
    found = limits(tmp_path, "accuracy_drop = 0.01, confidence = 0.95", "accuracy_drop = 0.02")
    assert found == {"accuracy_drop": 0.02}
    assert limits(tmp_path, "size = 1000, size_ratio = 0.5, latency_ratio = 1, max_rel = 0.1") == {}


def test_scores_are_limited_only_where_there_is_something_to_score(tmp_path: Path) -> None:
    assert limits(tmp_path, "accuracy_drop = 0.01, top1_agreement = 0.9", data="") == {"top1_agreement": 0.9}


def test_what_the_target_allows_in_a_format_and_the_phones_kernels_hold_for_others(tmp_path: Path) -> None:
    own = artifact("a", more="allow_select_tf_ops = true\nallow_unchecked = true")
    own += artifact("g", "graphdef", 'kernels = "tensorflow-android-1.13.1"')
    found = {one.artifact.name: one.artifact for one in candidates_of(target(tmp_path, own))}
    assert (found["tflite_int8"].allow_select_tf_ops, found["tflite_int8"].allow_unchecked) == (True, True)
    assert (found["onnx_int8"].allow_select_tf_ops, found["onnx_int8"].allow_unchecked) == (False, False)
    assert found["memmapped_float32"].kernels == found["g"].kernels
    assert found["onnx_int8"].kernels is None


def test_formats_whose_tools_are_missing_are_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    options = candidates_of(target(tmp_path, artifact("digits")))
    missing = {option.artifact.format for option in options if option.impossible.startswith("onnxruntime missing; run")}
    assert missing == {"onnx", "ort"}


def test_every_candidate_runs_on_the_devices_of_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = SimpleNamespace(formats=("tflite", "onnx"))
    monkeypatch.setitem(DEVICES, "toy", SimpleNamespace(names=("toy:a", "toy:b"), device=lambda _: toy))
    found = target(tmp_path, artifact("a", more='runs_on = ["toy:b"]')).model_copy(update={"runs_on": ("toy:a",)})
    run = {one.artifact.name: devices_of(found, one.artifact) for one in candidates_of(found)}
    assert run["a"] == ("toy:b",)  # its own, which is no concern of others
    assert run["tflite_int8"] == run["onnx_float16"] == ("toy:a",)
    assert run["ort_float32"] == run["memmapped_float32"] == ()
