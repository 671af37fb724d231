"""optimize-for-inference as a command; what its steps do is held against the original in inference/."""

import json
import sys
from pathlib import Path

import pytest

from mobile_export import cli
from mobile_export.classic.changes import Changes
from mobile_export.classic.flags import parse as parse_flags
from mobile_export.classic.optimize_for_inference import OptimizeForInference, optimize_for_inference
from mobile_export.errors import OutputError, TargetError
from mobile_export.graph_files.graph_def import write_graph_def
from mobile_export.graphs.protos import GraphDef
from tests.classic.inference.harness import UINT8
from tests.graph_text import parse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "CTNModel.pb"
    graph = parse("""
        inputs/X = Placeholder float32[1,8,8,3]
        w = Const float32[3,3,3,8] ~1
        s = Const float32[8] +2
        read = Identity(w)
        conv = Conv2D(inputs/X, read) strides=[1,1,1,1] padding=SAME data_format=NHWC
        bn = FusedBatchNorm(conv, s, s, s, s) is_training=false epsilon=0.001 data_format=NHWC
        output/predict = Relu(bn)
    """)
    with path.open("wb") as written:
        write_graph_def(written, graph)
    return path


def run(*arguments: str) -> Changes:
    return optimize_for_inference(parse_flags(OptimizeForInference, arguments))


def test_the_old_command_line(file: Path, tmp_path: Path, capfd, monkeypatch) -> None:
    output = tmp_path / "optimized_graph.pb"
    line = f"-input={file} -output={output} -input_names=inputs/X -output_names=output/predict"
    for command in ("optimize-for-inference", "optimize_for_inference"):
        monkeypatch.setattr(sys, "argv", ["mobile-export", command, *line.split()])
        with pytest.raises(SystemExit) as ended:
            cli.app()
        assert not ended.value.code
        assert "(-1)" in capfd.readouterr().out
    written = GraphDef.FromString(output.read_bytes())
    assert [node.op for node in written.node] == ["Placeholder", "Const", "Conv2D", "Const", "BiasAdd", "Relu"]
    changes = run(*line.split())
    assert changes.operators()["Identity"] == (1, 0)
    assert json.loads(json.dumps(changes.as_json()))["after"]["nodes"] == 6


def test_text_in_and_out(file: Path, tmp_path: Path) -> None:
    text, binary, again = tmp_path / "graph.pbtxt", tmp_path / "graph.pb", tmp_path / "again.pb"
    line = ["--input_names=inputs/X:0", "--output_names=output/predict:0"]
    run(f"--input={file}", f"--output={binary}", *line)
    run(f"--input={file}", f"--output={text}", "--frozen_graph=False", *line)
    run(f"--input={text}", f"--output={again}", "--toco_compatible", *line)
    assert text.read_text().startswith("node {")
    first, second = (GraphDef.FromString(path.read_bytes()) for path in (binary, again))
    assert [node.name for node in first.node] == [node.name for node in second.node]


@pytest.mark.parametrize("types", ["4", "uint8", "DT_UINT8", "dt_uint8"])
def test_types_are_numbers_or_names(file: Path, tmp_path: Path, types: str) -> None:
    line = ["--input_names=read,conv", "--output_names=bn", f"--output={tmp_path / 'o.pb'}", f"--input={file}"]
    run(*line, f"--placeholder_type_enum=float,{types}")
    nodes = {node.name: node for node in GraphDef.FromString((tmp_path / "o.pb").read_bytes()).node}
    assert nodes["conv"].attr["dtype"].type == UINT8


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--input_names=", "--input_names: missing"),
        ("--output_names=", "--output_names: missing"),
        ("--output_names=bn:1", "'bn:1' is no node"),
        ("--output_names=bn:x", "'bn:x' is no node"),
        ("--output_names=^bn", "is no node"),
        ("--input=", "--input: missing"),
        ("--output=", "--output: missing"),
        ("--placeholder_type_enum=1,1", "has 2 types for 1 inputs"),
        ("--placeholder_type_enum=floaty", "'floaty' is no type"),
        ("--placeholder_type_enum=999", "'999' is no type"),
        (f"--placeholder_type_enum={'9' * 5000}", "is no type"),
        ("--placeholder_to_const_names=phase", "'phase' says no value"),
        ("--placeholder_to_const_names=phase=no", "says no value"),
    ],
)
def test_wrong_flags_are_named(file: Path, tmp_path: Path, flags: str, message: str) -> None:
    line = [f"--input={file}", f"--output={tmp_path / 'o.pb'}", "--input_names=inputs/X", "--output_names=bn"]
    with pytest.raises(TargetError, match=message.replace("^", r"\^")):
        run(*line, flags)


def test_nothing_is_left_where_nothing_can_be_written(file: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        run(f"--input={file}", f"--output={tmp_path / 'no' / 'o.pb'}", "--input_names=inputs/X", "--output_names=bn")


def test_a_flag_that_says_false_is_false() -> None:
    """The original takes any word for true."""
    assert not parse_flags(OptimizeForInference, ["--toco_compatible=False"]).toco_compatible
