"""The transform-graph command and the Python call, around transforms that have tests of their own."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mobile_export
from mobile_export import cli
from mobile_export.classic.flags import parse
from mobile_export.classic.transform_graph import TransformGraph, transform_graph
from mobile_export.errors import ExportError, ModelError, OutputError, TargetError
from mobile_export.graph_files.graph_file import read_graph
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import GraphDef
from tests.graph_text import parse as graph_of

TEXT = """
x = Placeholder float32[?,64]
w = Const float32[64,64] ~1
read = Identity(w)
y = MatMul(x, read) transpose_a=false transpose_b=false
lost = Relu(x)
input x = x:0
output y = y:0
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.pb"
    path.write_bytes(graph_of(TEXT).to_graph_def().SerializeToString())
    return path


def run(model: Path, transforms: str, *more: str) -> Any:
    words = [f"--in_graph={model}", f"--out_graph={model.with_name('out.pb')}", "--inputs=x", "--outputs=y"]
    return transform_graph(parse(TransformGraph, [*words, f"--transforms={transforms}", *more]))


def test_what_changed_is_told(model: Path) -> None:
    changes = run(model, "strip_unused_nodes remove_nodes(op=Identity) quantize_weights")
    assert read_graph(changes.path).graph.nodes.keys() == {
        *("x", "w", "y"),
        *("w_quantized_const", "w_quantized_min", "w_quantized_max"),
    }
    assert changes.operators() == {"Const": (1, 3), "Dequantize": (0, 1), "Identity": (1, 0), "Relu": (1, 0)}
    told = changes.as_json()
    assert (told["before"]["nodes"], told["after"]["nodes"]) == (5, 6)
    assert (told["before"]["bytes"], told["after"]["bytes"]) == (model.stat().st_size, changes.path.stat().st_size)
    assert 0 < told["after"]["zipped_bytes"] < told["after"]["bytes"] < told["before"]["bytes"] / 3
    assert [line.split()[0] for line in changes.lines()[1:]][:3] == ["nodes", "bytes", "zipped"]


def test_an_output_may_be_renamed(model: Path) -> None:
    changes = run(model, "rename_node(old_node_name=y, new_node_name=answer) strip_unused_nodes")
    assert read_graph(changes.path).graph.nodes.keys() == {"x", "w", "read", "answer"}


def test_it_is_said_what_changed_nothing(model: Path) -> None:
    assert list(run(model, "remove_nodes(op=Identiti) remove_nodes(op=Identity)").notes) == [
        "remove_nodes: changed nothing"
    ]
    assert list(run(model, "remove_nodes(op=Identity)", "--inputs=X").notes) == [
        "the graph has no input 'X'; passed over"
    ]


def test_text_in_and_text_out(model: Path) -> None:
    run(model, "sort_by_execution_order", "--output_as_text")
    text = model.with_name("out.pb")
    assert text.read_text().startswith("node {")
    again = transform_graph(
        parse(TransformGraph, [f"-in_graph={text}", f"-out_graph={model}", "-transforms=sort_by_execution_order"])
    )
    assert read_graph(again.path).graph.nodes.keys() == graph_of(TEXT).nodes.keys()


def test_a_graph_may_be_written_over_itself(model: Path) -> None:
    before = read_graph(model).graph.constants["w"].copy()
    words = [f"--in_graph={model}", f"--out_graph={model}", "--outputs=y", "--transforms=sort_by_execution_order"]
    transform_graph(parse(TransformGraph, words))
    np.testing.assert_array_equal(read_graph(model).graph.constants["w"], before)


def test_home_is_found_behind_a_flag(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(model.parent))
    words = ["--in_graph=~/model.pb", "--out_graph=~/out.pb", "--transforms=sort_by_execution_order"]
    assert transform_graph(parse(TransformGraph, words)).path == model.with_name("out.pb")


def test_errors_are_ignored_where_they_shall_be_and_said(model: Path) -> None:
    changes = run(model, "rename_node(old_node_name=x, ignore_errors=true) remove_nodes(op=Identity, ops=Relu)")
    assert len(changes.notes) == 2
    assert changes.notes[0].startswith("rename_node: not done, and its errors are ignored: rename_node: new_node_name")
    assert changes.notes[1] == "remove_nodes: has no parameter 'ops'; ignored"
    assert "read" not in read_graph(changes.path).graph.nodes


@pytest.mark.parametrize(
    ("transforms", "more", "error", "said"),
    [
        ("", [], TargetError, "--transforms: missing; name at least one transform"),
        ("fuse_convolutions", [], TargetError, "there is no transform 'fuse_convolutions'; the nearest names are"),
        ("remove_nodes(op=Relu", [], TargetError, r"^--transforms: remove_nodes\(…: a closing parenthesis is missing"),
        ("fold_constants(ignore_errors=maybe)", [], TargetError, "ignore_errors: 'maybe' is neither true nor false"),
        ("rename_node", [], TargetError, "rename_node: old_node_name is missing"),
        ("remove_nodes(op=Identity)", ["--outputs=gone"], ModelError, "the graph has no output 'gone'"),
        ("remove_nodes(op=Identity)", ["--in_graph=/gone.pb"], ModelError, "/gone.pb: cannot be read"),
        ("remove_nodes(op=Identity)", ["--out_graph=/gone/x.pb"], OutputError, "there is no such folder"),
        ("remove_nodes(op=Identity)", ["--out_graph="], TargetError, "--out_graph: missing"),
        ("remove_nodes(op=Identity)", ["--in_graph="], TargetError, "name the model with one of --in_graph, --input_"),
        ("remove_nodes(op=Identity)", ["--input_saved_model_dir=x"], TargetError, "name the model with one of"),
    ],
)
def test_refusals_leave_what_was_there(
    model: Path, transforms: str, more: list[str], error: type[ExportError], said: str
) -> None:
    model.with_name("out.pb").write_text("before")
    with pytest.raises(error, match=said):
        run(model, transforms, *more)
    assert model.with_name("out.pb").read_text() == "before"
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.pb", "out.pb"]


def test_the_command_prints_json_alone(model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    words = [
        f"--in_graph={model}",
        f"--out_graph={model}",
        "--outputs=y",
        "--transforms=remove_nodes(op=Identity, no=1)",
    ]
    monkeypatch.setattr("sys.argv", ["mobile-export", "transform_graph", *words, "--format=json"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    printed = capsys.readouterr()
    assert not stopped.value.code
    assert json.loads(printed.out)["after"]["operators"] == {"Const": 1, "MatMul": 1, "Placeholder": 1, "Relu": 1}
    assert printed.err == "note: remove_nodes: has no parameter 'no'; ignored\n"


def test_the_help_names_every_transform(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.argv", ["mobile-export", "transform-graph", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "strip_unused_nodes(name, type, type_for_name, shape, shape_for_name)" in capsys.readouterr().out


def test_the_python_call_blames_no_transform_for_what_came_in_broken() -> None:
    broken = graph_of(TEXT).to_graph_def()
    broken.node.add(name="reader", op="Identity", input=["gone"])
    with pytest.raises(ModelError, match=r"^the graph is malformed as it came in: node 'reader' reads 'gone'"):
        mobile_export.TransformGraph(broken, ["x"], ["y"], ["remove_device"])


def test_the_python_call() -> None:
    before = graph_of(TEXT).to_graph_def()
    kept = GraphDef.FromString(before.SerializeToString())
    after = mobile_export.TransformGraph(before, ["x"], ["y"], ["strip_unused_nodes", "remove_nodes(op=Identity)"])
    assert [node.name for node in after.node] == ["x", "w", "y"]
    assert before == kept


def test_the_python_call_refuses_what_would_end_the_process() -> None:
    graph = replace(graph_of(TEXT), outputs=())
    graph.nodes["y"].input.append("x")
    with pytest.raises(ModelError, match="node 'y' has 3 inputs, and MatMul takes 2"):
        mobile_export.TransformGraph(Graph.to_graph_def(graph), ["x"], ["y"], ["fold_constants"])


def test_nothing_else_is_public() -> None:
    assert mobile_export.__all__ == ["TransformGraph", "__version__"]
    with pytest.raises(AttributeError, match="no attribute 'transform_graph'"):
        mobile_export.transform_graph  # noqa: B018  what the import system asks for
