"""Everything a user can get wrong: one message, the right exit code, and what was published stays as it was."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import tree

pytestmark = pytest.mark.e2e

MODEL = "examples/digits/model/model.ckpt"


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a copy of the example, and what the user reads."""

    make: Callable[[Path], object]
    code: int
    says: tuple[str, ...]


def target(old: str, new: str) -> Callable[[Path], object]:
    """Replace text in the target file."""

    def make(root: Path) -> None:
        path = root / "targets/android.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return make


def both(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: [change(root) for change in changes]


def file(path: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: change(root / path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def evaluation(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Path], object]:
    """Change the arrays of the evaluation data."""

    def make(root: Path) -> None:
        path = root / "examples/digits/evaluation.npz"
        with np.load(path) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez(path, **arrays)

    return make


def nan(arrays) -> None:
    arrays["image"][7, 3, 3, 0] = np.nan


def pixels(arrays) -> None:
    arrays["image"] = (arrays["image"] * 255).astype(np.uint8)


def flat(arrays) -> None:
    arrays["image"] = arrays["image"].reshape(len(arrays["image"]), -1)


def renamed(arrays) -> None:
    arrays["picture"] = arrays.pop("image")


def fewer_labels(arrays) -> None:
    arrays["label"] = arrays["label"][:-1]


def wrong_labels(arrays) -> None:
    arrays["label"] = arrays["label"] + 5


def float_labels(arrays) -> None:
    arrays["label"] = arrays["label"].astype(np.float32)


MISTAKES = {
    "several things in the target": Mistake(
        lambda root: [
            target('platform = "android"', 'platfrom = "android"')(root),
            target('format = "tflite"', 'format = "tflight"')(root),
            target("accuracy_drop", "acuracy_drop")(root),
        ],
        2,
        (
            "platfrom: unknown key (did you mean 'platform'?)",
            "artifacts[0].format: 'tflight' is not known (did you mean 'tflite'?)",
            "artifacts[0].limits.acuracy_drop: unknown key (did you mean 'accuracy_drop'?)",
        ),
    ),
    "no toml": Mistake(target("[model]", "[model"), 2, ("android.toml: not valid TOML", "line")),
    "int8 without calibration": Mistake(target("calibration = {", "# {"), 2, ("add [data] calibration",)),
    "an output named like an input": Mistake(
        target('name = "probabilities"', 'name = "image"'), 2, ("more than one input or output is named 'image'",)
    ),
    "no model": Mistake(target(MODEL, "examples/nothing/here"), 3, ("no such model",)),
    "no data file": Mistake(
        file(f"{MODEL}.data-00000-of-00001", Path.unlink), 3, ("model.ckpt.data-00000-of-00001", "copy")
    ),
    "truncated data": Mistake(file(f"{MODEL}.data-00000-of-00001", truncate), 3, ("data-00000-of-00001", "copy")),
    "damaged data": Mistake(file(f"{MODEL}.data-00000-of-00001", flip), 3, ("checksum", "copy the checkpoint again")),
    "no index": Mistake(file(f"{MODEL}.index", Path.unlink), 3, ("model.ckpt.index",)),
    "truncated index": Mistake(file(f"{MODEL}.index", truncate), 3, ("model.ckpt.index", "copy")),
    "no meta": Mistake(file(f"{MODEL}.meta", Path.unlink), 3, ("model.ckpt.meta: missing",)),
    "truncated meta": Mistake(file(f"{MODEL}.meta", truncate), 3, ("model.ckpt.meta", "copy it again")),
    "wrong output": Mistake(
        target('"probabilities:0"', '"probability:0"'), 3, ("model.outputs[0].tensor", "'probabilities:0'")
    ),
    "wrong input": Mistake(target('"input:0"', '"inputs:0"'), 3, ("model.inputs[0].tensor", "'input:0'")),
    "shape that does not fit": Mistake(
        target("[1, 28, 28, 1]", "[1, 32, 32, 1]"), 3, ("model.inputs[0].shape", "[1,32,32,1]", "[?,28,28,1]")
    ),
    "data of another name": Mistake(evaluation(renamed), 3, ("evaluation.npz: has no array 'image'", "'picture'")),
    "data of another dtype": Mistake(evaluation(pixels), 3, ("array 'image' is uint8", "takes float32")),
    "data of another shape": Mistake(evaluation(flat), 3, ("[samples,784]", "[samples,28,28,1]")),
    "NaN in the data": Mistake(evaluation(nan), 3, ("NaN or infinity in sample 7",)),
    "fewer labels than samples": Mistake(evaluation(fewer_labels), 3, ("same number of samples",)),
    "labels out of range": Mistake(evaluation(wrong_labels), 3, ("between 5 and 14", "classes 0 to 9")),
    "labels that are no classes": Mistake(evaluation(float_labels), 3, ("are float32", "integers")),
    "too few labels' names": Mistake(
        file("examples/digits/labels.txt", truncate), 3, ("labels.txt: has 5 lines", "'probabilities' has 10 classes")
    ),
    "no labels' names": Mistake(file("examples/digits/labels.txt", Path.unlink), 3, ("labels.txt: cannot be read",)),
    "damaged data archive": Mistake(
        file("examples/digits/calibration.npz", truncate), 3, ("calibration.npz: cannot be read",)
    ),
    "missed limit": Mistake(target("size_ratio = 0.55", "size_ratio = 0.10"), 1, ("digits_int8 missed a limit",)),
    "limit that nothing measures": Mistake(
        both(target('precision = "auto"', 'precision = "int8"'), target("evaluation = {", "# {")),
        1,
        ("missed a limit", "nothing was published"),
    ),
    "search for what nothing measures": Mistake(
        target("evaluation = {", "# {"), 2, ("limits.accuracy_drop: there is nothing to measure it with; add [data]",)
    ),
}


@pytest.fixture
def copy(example, tmp_path) -> Path:
    """The built example, to spoil."""
    root = tmp_path / "project"
    shutil.copytree(example, root)
    return root


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake(name: str, copy, mobile_export) -> None:
    mistake = MISTAKES[name]
    before = tree(copy / "out")
    mistake.make(copy)
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy / "out")
    assert ran.code == mistake.code, ran.err
    for words in mistake.says:
        assert words in ran.err
    assert "Traceback" not in ran.err + ran.out
    assert tree(copy / "out") == before
    assert sorted(p.name for p in (copy / "out").iterdir()) == ["android", "ios"]


def test_a_missed_limit_is_shown_against_what_was_asked(copy, mobile_export) -> None:
    target("size_ratio = 0.55", "size_ratio = 0.10")(copy)
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy / "out")
    (line,) = [line for line in ran.out.splitlines() if "size_ratio" in line]
    assert "digits_int8" in line
    assert "≤ 0.1" in line


def test_an_output_folder_that_cannot_be_made(copy, mobile_export) -> None:
    (copy / "taken").write_text("mine")
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy / "taken")
    assert ran.code == 6, ran.err
    assert "cannot be written" in ran.err
    assert (copy / "taken").read_text() == "mine"


def test_a_folder_of_the_users_is_never_replaced(copy, mobile_export) -> None:
    (copy / "android/app").mkdir(parents=True)
    (copy / "android/app/Main.kt").write_text("mine")
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy)
    assert ran.code == 6, ran.err
    assert "was not published by this tool" in ran.err
    assert (copy / "android/app/Main.kt").read_text() == "mine"


def test_recorded_answers_that_are_gone_are_made_again(copy, mobile_export) -> None:
    before = tree(copy / "out/android")
    (copy / "out/android/golden.npz").unlink()
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy / "out")
    assert ran.code == 0, ran.err
    assert tree(copy / "out/android") == before


def test_a_target_that_fails_early_leaves_the_others_their_turn(copy, mobile_export) -> None:
    evaluation(nan)(copy)
    good = copy / "targets/plain.toml"
    good.write_text(
        'name = "plain"\n[model]\nsource = "../examples/digits/model"\n'
        '[[model.inputs]]\nname = "image"\ntensor = "input:0"\n'
        '[data]\ncalibration = { source = "../examples/digits/calibration.npz" }\n'
        '[[artifacts]]\nname = "input"\nformat = "onnx"\n'
    )
    ran = mobile_export("build", copy / "targets/android.toml", good, "--out", copy / "new")
    assert ran.code == 3, ran.err
    assert [p.name for p in (copy / "new").iterdir()] == ["plain"]
    assert mobile_export("verify", copy / "new").code == 0


def test_one_bad_target_does_not_stop_the_other(copy, mobile_export) -> None:
    target("size_ratio = 0.55", "size_ratio = 0.10")(copy)
    ran = mobile_export("build", *(copy / f"targets/{name}.toml" for name in ("android", "ios")), "--out", copy / "new")
    assert ran.code == 1, ran.err
    assert [p.name for p in (copy / "new").iterdir()] == ["ios"]


def test_a_file_that_was_tampered_with_fails_verify(copy, mobile_export) -> None:
    flip(copy / "out/android/assets/models/android/digits_float16.tflite")
    (copy / "out/android/assets/stray.bin").write_bytes(b"stray")
    ran = mobile_export("verify", copy / "out")
    assert ran.code == 1
    assert "digits_float16.tflite: is not the file that was published" in ran.out
    assert "stray.bin: is not in the manifest" in ran.out


def test_gate_warn_publishes_and_marks(copy, mobile_export) -> None:
    from mobile_export.published.manifest import load_manifest

    target("size_ratio = 0.55", "size_ratio = 0.10")(copy)
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy / "out", "--gate", "warn")
    assert ran.code == 0, ran.err
    assert load_manifest(copy / "out/android").gate == "warn"
    assert "warning: android: published although limits were missed" in ran.err


def test_an_interrupted_build_publishes_nothing_and_stops_its_workers(copy) -> None:
    before = tree(copy / "out")
    command = [sys.executable, "-m", "mobile_export", "build", "targets/android.toml", "--no-cache"]
    building = subprocess.Popen(command, cwd=copy, stderr=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(2)
    os.killpg(building.pid, signal.SIGINT)  # as a terminal does
    _, complaint = building.communicate(timeout=30)
    assert building.returncode == 130
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    assert tree(copy / "out") == before
    assert sorted(p.name for p in (copy / "out").iterdir()) == ["android", "ios"]


def test_one_artifact_alone_leaves_the_others(copy, mobile_export) -> None:
    from mobile_export.published.manifest import load_manifest

    before = tree(copy / "out/android/assets")
    target(
        'name = "digits_float16"\nformat = "tflite"\nprecision = "float16"', 'name = "digits_float16"\nformat = "onnx"'
    )(copy)
    target("accuracy_drop = 0.002, size_ratio = 0.70", "accuracy_drop = 0.001")(copy)
    ran = mobile_export("build", copy / "targets/android.toml", "--out", copy / "out", "--artifact", "digits_float16")
    assert ran.code == 0, ran.err
    after = tree(copy / "out/android/assets")
    assert {n for n in after if after[n] != before.get(n)} == {"models/android/digits_float16.onnx"}
    assert set(before) - set(after) == {"models/android/digits_float16.tflite"}
    assert {a.name: a.format for a in load_manifest(copy / "out/android").artifacts}["digits_float16"] == "onnx"


def test_keys_in_brackets_stand_in_the_notes_of_a_missed_limit(example, tmp_path, mobile_export) -> None:
    """They look like the table's own markup."""
    source = (example / "examples/digits/model/model.ckpt").as_posix()
    target = tmp_path / "t.toml"
    target.write_text(
        f'name = "t"\n[model]\nsource = "{source}"\n[[artifacts]]\nname = "a"\nformat = "onnx"\nlimits.sqnr = 1000.0\n'
    )
    ran = mobile_export("build", target, "--out", tmp_path / "out")
    assert ran.code == 1, ran.err
    assert "bring [data]" in " ".join(ran.out.split())
