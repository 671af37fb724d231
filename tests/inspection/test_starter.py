"""Target files to start from."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobile_export.errors import ModelError, OutputError, TargetError
from mobile_export.inspection.findings import Inspection, Verdict
from mobile_export.inspection.inspect import inspect_model, model_of
from mobile_export.inspection.starter import file_for, name_for, quoted, start, target_text
from mobile_export.planning.plan import load_targets
from tests.sources.training import Net, dense, mlp, save, tf, tf1, trained

NASTY = 'a "quoted" C:\\new\\x41 \t\x00\x7f\x80é🙂 # [x] = \n'


def test_strings_survive_toml() -> None:
    assert tomllib.loads(f"a = {quoted(NASTY)}")["a"] == NASTY


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(TargetError, match="not UTF-8; rename it"):
        quoted("caf\udce9")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("RNet-14", "rnet_14"),
        ("DS_CNN_S.pb", "ds_cnn_s"),
        ("my net/model.ckpt", "my_net"),
        ("digits/model/model.ckpt", "digits"),
        ("faces/saved_model.pb", "faces"),
        ("2nd Try!.keras", "2nd_try"),
        ("网络/ckpt-1", "ckpt_1"),
    ],
)
def test_names(path: str, name: str, tmp_path: Path) -> None:
    assert name_for(tmp_path / path) == name


def test_where_the_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_for("x") == Path("x.toml")
    Path("targets").mkdir()
    assert file_for("x") == Path("targets/x.toml")


def inspect(build: Any, folder: Path, **keys: Any) -> Inspection:
    return inspect_model(model_of(save(build, folder).prefix, keys, folder), {"graphdef": ["float32"]})


def text(found: Inspection, folder: Path, *verdicts: Verdict) -> str:
    assert found.ready is not None
    found = replace(found, verdicts=verdicts or found.verdicts)
    return target_text(found, found.ready, "mine", "android", folder.resolve())


def averaged() -> Net:
    net = mlp()
    step = tf1.train.ExponentialMovingAverage(0.9).apply(tf1.trainable_variables())
    return Net(net.inputs, net.outputs, net.training, net.serving, [net.step, step])


def test_what_a_target_says(tmp_path: Path) -> None:
    written = text(inspect(averaged, tmp_path), tmp_path / "targets")
    assert tomllib.loads(written) == {
        "name": "mine",
        "platform": "android",
        "model": {
            "source": "../model.ckpt",
            "inputs": [{"name": "image", "tensor": "image:0", "shape": [1, 6]}],
            "outputs": [{"name": "probabilities", "tensor": "probabilities:0"}],
        },
        "artifacts": [{"name": "mine_graphdef", "format": "graphdef", "precision": "float32"}],
    }
    for comment in (
        "# [?,6] as saved;",
        "# moving_average = true",
        '# tensor = "logits/add:0"',
        "#   image: float32 [samples, 6]",
        '# labels = "labels.txt"',
    ):
        assert comment in written
    assert max(map(len, written.splitlines())) <= 120


def test_comments_are_right_when_uncommented(tmp_path: Path) -> None:
    found = inspect(averaged, tmp_path)
    written = text(
        found, tmp_path, Verdict("tflite", "float32", "ok", 1), Verdict("tflite", "float16", "differs", 1, "why")
    )
    keys = (
        "[",
        "name",
        "tensor",
        "format",
        "precision",
        "interface",
        "limits",
        "moving_average",
        "calibration",
        "evaluation",
    )
    lines = [
        line.removeprefix("# ") if line.removeprefix("# ").startswith(keys) else line for line in written.splitlines()
    ]
    path = tmp_path / "all.toml"
    path.write_text("\n".join(lines))
    ((_, target),) = load_targets([path])
    assert [a.precision for a in target.artifacts] == ["float32", "float16", "int8", "auto"]
    assert [o.name for o in target.model.outputs] == ["probabilities", "logits"]
    assert target.model.moving_average
    assert target.data.calibration is not None


def test_formats_that_refuse_are_comments_with_the_reason(tmp_path: Path) -> None:
    verdicts = [
        Verdict(
            "tflite", "float32", "refused", reason='no operator for X: cut at "y:0":\n[[model.outputs]]\nname = "y"'
        ),
        Verdict("onnx", "float32", "unchecked", 1, "nothing runs it"),
        Verdict("graphdef", "float32", "ok", 1),
    ]
    written = text(inspect(mlp, tmp_path), tmp_path, *verdicts)
    assert [a["format"] for a in tomllib.loads(written)["artifacts"]] == ["graphdef"]
    assert '# tflite float32, refused: no operator for X: cut at "y:0":\n# [[model.outputs]]\n# name = "y"' in written
    assert "# onnx float32, unchecked: nothing runs it" in written
    assert "int8" not in written  # of a format that refuses


def test_where_nothing_passes_without_data_files_that_load_are_written(tmp_path: Path) -> None:
    verdicts = [
        Verdict("onnx", "float32", "differs", 1, "sqnr is nan"),
        Verdict("tflite", "float32", "refused", reason="x"),
    ]
    written = text(inspect(mlp, tmp_path), tmp_path, *verdicts)
    assert [a["format"] for a in tomllib.loads(written)["artifacts"]] == ["onnx"]
    assert "# onnx float32 misses a limit on random values: sqnr is nan" in written


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    model = model_of(save(mlp, tmp_path).prefix, {}, tmp_path)
    there = tmp_path / "t.toml"
    there.write_text("mine")
    with pytest.raises(OutputError, match=r"t\.toml: is there already"):
        start(model, there, "x", "any")
    assert there.read_text() == "mine"


def test_wrong_names_and_folders(tmp_path: Path) -> None:
    model = model_of(save(mlp, tmp_path).prefix, {}, tmp_path)
    with pytest.raises(TargetError, match="--name: 'My Net'"):
        start(model, tmp_path / "t.toml", "My Net", "any")
    with pytest.raises(OutputError, match="no such folder"):
        start(model, tmp_path / "no/t.toml", "x", "any")


def test_nothing_is_written_for_a_model_without_a_network(tmp_path: Path) -> None:
    def build() -> Net:
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "written"), "x")]):
            return trained(x, dense(x, 3, "logits"), {}, {})

    model = model_of(save(build, tmp_path).prefix, {}, tmp_path)
    with pytest.raises(ModelError, match="WriteFile"):
        start(model, tmp_path / "t.toml", "x", "any")
    assert not (tmp_path / "t.toml").exists()
