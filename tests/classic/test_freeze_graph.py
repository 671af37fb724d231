"""freeze-graph against TensorFlow's own freeze_graph: the same where that is right, and right where it fails."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow.python.tools import freeze_graph as original

from mobile_export import cli
from mobile_export.classic.flags import parse
from mobile_export.classic.freeze_graph import FreezeGraph, Frozen, freeze_graph
from mobile_export.errors import ConversionError, ModelError, OutputError, TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import GraphDef, MetaGraphDef
from tests.sources.training import ROWS, Net, Saved, dense, mlp, save, tf, tf1, trained, variable

V1 = tf1.train.SaverDef.V1


def embedded(resource: bool) -> Net:
    tokens = tf1.placeholder(tf.int64, [None, 4], "tokens")
    words = tf.nn.embedding_lookup(variable("table", 10, 6, resource=resource), tokens)
    return trained(tokens, dense(tf.reduce_mean(words, 1), 3, "logits", resource=resource), {}, {})


def gathered(resource: bool) -> Net:
    tokens = tf1.placeholder(tf.int32, [None, 4], "tokens")
    words = tf.gather_nd(variable("table", 10, 6, resource=resource), tokens[:, :1])
    return trained(tokens, dense(words, 3, "logits", resource=resource), {}, {})


def watched(resource: bool) -> Net:
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    with tf.device("/cpu:0"), tf.control_dependencies([tf1.assert_less(x, 1e6)]):
        hidden = tf.nn.relu(dense(x, 8, "hidden", resource=resource))
    return trained(x, dense(tf.identity(hidden), 3, "logits", resource=resource), {}, {})


def functions(resource: bool) -> Net:
    """Branches and loops with variables inside, as functions."""
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    weights = variable("loop/weights", 6, 6, resource=resource)
    bias = variable("branch/bias", 6, resource=resource)
    looped = tf1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ weights)), [0, x])[1]
    hidden = tf1.cond(tf.reduce_sum(looped) > 1e9, lambda: looped, lambda: looped + bias)
    return trained(x, dense(hidden, 3, "logits", resource=resource), {}, {})


def switched(resource: bool) -> Net:
    """The same as TF1 itself makes them."""
    tf1.disable_control_flow_v2()
    try:
        return functions(resource)
    finally:
        tf1.enable_control_flow_v2()


def forward(_: bool = False) -> Net:
    """Reference variables alone, with which the original works."""
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    with tf.device("/cpu:0"):
        hidden = tf.nn.relu(dense(x, 8, "hidden", resource=False))
    y = tf.nn.softmax(dense(hidden, 3, "logits", resource=False), name="probabilities")
    return Net([x], [y], {}, {}, tf.no_op())


def partitioned(resource: bool) -> Net:
    with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(3)):
        return mlp(resource)


PROGRAMS: dict[str, Callable[[bool], Net]] = {
    "plain": mlp, "embedded": embedded, "gathered": gathered, "watched": watched, "functions": functions,
    "switched": switched, "partitioned": partitioned,
}  # fmt: skip


def freeze(saved: Saved, *flags: str, output: str = "ours.pb") -> tuple[Frozen, GraphDef]:
    """What ours makes of the MetaGraph beside the checkpoint, unless `flags` name another graph."""
    path = saved.prefix.with_name(output)
    given = [
        f"--input_checkpoint={saved.prefix}",
        "--output_node_names=probabilities",
        f"--output_graph={path}",
    ]
    if not any(flag.startswith(("--input_graph", "--input_saved_model_dir")) for flag in flags):
        given.append(f"--input_meta_graph={saved.prefix}.meta")
    frozen = freeze_graph(parse(FreezeGraph, [*given, *flags]))
    return frozen, GraphDef.FromString(path.read_bytes())


def freeze_originally(saved: Saved, **flags: Any) -> GraphDef:
    """What TensorFlow's own makes of it."""
    given = {
        "input_graph": None,
        "input_saver": "",
        "input_binary": True,
        "input_checkpoint": str(saved.prefix),
        "output_node_names": "probabilities",
        "restore_op_name": None,
        "filename_tensor_name": None,
        "output_graph": "",
        "clear_devices": True,
        "initializer_nodes": "",
        **flags,
    }
    if not flags.keys() & {"input_graph", "input_saved_model_dir"}:
        given["input_meta_graph"] = f"{saved.prefix}.meta"
    with tf.Graph().as_default():
        return original.freeze_graph(**given)


def assert_same(ours: GraphDef, theirs: GraphDef) -> None:
    """Nodes, operators, inputs, attributes and values; recorded shapes aside, which theirs drops here and there."""
    assert [node.name for node in ours.node] == [node.name for node in theirs.node]
    assert ours.versions == theirs.versions
    expected = Graph.from_graph_def(theirs).constants
    for name, value in Graph.from_graph_def(ours).constants.items():
        np.testing.assert_array_equal(value, expected[name])
        assert value.dtype == expected[name].dtype
    for mine, other in zip(ours.node, theirs.node, strict=True):
        assert (mine.op, mine.device) == (other.op, other.device), mine.name
        assert [i for i in mine.input if not (was_a_read(other) and i.startswith("^"))] == list(other.input), mine.name
        assert attributes(mine) == attributes(other), mine.name


def was_a_read(node: Any) -> bool:
    """Theirs takes the control inputs off what read a resource variable."""
    return node.op == "Identity" and "_output_shapes" not in node.attr


def attributes(node: Any) -> dict[str, Any]:
    """Without names of functions, which theirs numbers, and what is of no account."""
    left_out = ("_output_shapes", "output_shapes", "value", "batch_dims")
    return {key: value for key, value in node.attr.items() if key not in left_out and not value.HasField("func")}


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_meta_graph_is_frozen_as_the_original_does(program: Any, resource: bool, tmp_path: Path) -> None:
    saved = save(partial(program, resource), tmp_path)
    frozen, ours = freeze(saved)
    assert_same(ours, freeze_originally(saved))
    assert_answers(saved, ours)
    assert frozen == Frozen(tmp_path / "ours.pb", len(ours.node), (tmp_path / "ours.pb").stat().st_size)


def assert_answers(saved: Saved, graph_def: GraphDef) -> None:
    """TensorFlow loads the graph, and gets the same answers from it."""
    with tf.Graph().as_default(), tf1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        answers = session.run(list(saved.answers), saved.samples)
    for answer, expected in zip(answers, saved.answers.values(), strict=True):
        np.testing.assert_allclose(answer, expected, rtol=1e-6, atol=1e-6)


def write_graph(saved: Saved, name: str) -> Path:
    graph_def = MetaGraphDef.FromString(Path(f"{saved.prefix}.meta").read_bytes()).graph_def
    tf1.train.write_graph(graph_def, str(saved.prefix.parent), name, as_text=name.endswith("txt"))
    return saved.prefix.with_name(name)


@pytest.mark.parametrize("version", [V1, tf1.train.SaverDef.V2], ids=["V1", "V2"])
@pytest.mark.parametrize("name", ["graph.pb", "graph.pbtxt"])
def test_a_graph_def_is_frozen_as_the_original_does(name: str, version: int, tmp_path: Path) -> None:
    saved = save(forward, tmp_path, lambda: tf1.train.Saver(write_version=version))
    path = write_graph(saved, name)
    _, ours = freeze(saved, f"--input_graph={path}")
    assert_same(ours, freeze_originally(saved, input_graph=str(path), input_binary=name == "graph.pb"))


@pytest.mark.parametrize(
    ("program", "error"),
    [(mlp, "tuple index out of range"), (partitioned, "tuple index out of range|partition variables cannot")],
)
def test_resource_variables_of_a_graph_def_with_which_the_original_fails(
    program: Any, error: str, tmp_path: Path
) -> None:
    saved = save(partial(program, True), tmp_path)
    path = write_graph(saved, "graph.pb")
    with pytest.raises((IndexError, ValueError), match=error):
        freeze_originally(saved, input_graph=str(path))
    _, ours = freeze(saved, f"--input_graph={path}")
    assert_answers(saved, ours)
    _, from_meta = freeze(saved, output="meta.pb")
    assert ours == from_meta


@pytest.mark.parametrize("flag", ["--variable_names_whitelist", "--variable_names_allowlist"])
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_only_listed_variables_are_frozen(flag: str, resource: bool, tmp_path: Path) -> None:
    saved = save(partial(mlp, resource), tmp_path)
    _, ours = freeze(saved, f"{flag}=hidden/weights, logits/biases")
    assert_same(ours, freeze_originally(saved, variable_names_whitelist="hidden/weights,logits/biases"))
    assert variables_in(ours) == {"hidden/biases", "logits/weights"}


@pytest.mark.parametrize("flag", ["--variable_names_blacklist", "--variable_names_denylist"])
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_listed_variables_are_left_alone(flag: str, resource: bool, tmp_path: Path) -> None:
    saved = save(partial(mlp, resource), tmp_path)
    _, ours = freeze(saved, f"{flag}=hidden/weights")
    assert_same(ours, freeze_originally(saved, variable_names_denylist="hidden/weights"))
    assert variables_in(ours) == {"hidden/weights"}
    _, ours = freeze(saved, f"{flag}=hidden/weights", "--variable_names_whitelist=hidden/weights,hidden/biases")
    assert variables_in(ours) == {"hidden/weights", "logits/weights", "logits/biases"}


def variables_in(graph_def: GraphDef) -> set[str]:
    return {node.name for node in graph_def.node if node.op in ("VarHandleOp", "VariableV2")}


def test_several_outputs_and_devices(tmp_path: Path) -> None:
    saved = save(forward, tmp_path)
    names, path = "hidden/add, probabilities", str(write_graph(saved, "graph.pb"))
    _, ours = freeze(saved, f"--output_node_names={names}", f"--input_graph={path}", "--noclear_devices")
    assert_same(ours, freeze_originally(saved, output_node_names=names, input_graph=path, clear_devices=False))
    assert {node.device for node in ours.node} == {"", "/device:CPU:0"}
    _, from_meta = freeze(saved, f"--output_node_names={names}", "--noclear_devices")  # theirs clears devices there
    assert from_meta == ours


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_initializers_come_after_the_checkpoint(resource: bool, tmp_path: Path) -> None:
    def program() -> Net:
        net = mlp(resource)
        (weights,) = [v for v in tf1.global_variables() if v.op.name == "hidden/weights"]
        (biases,) = [v for v in tf1.global_variables() if v.op.name == "hidden/biases"]
        doubled = tf1.assign(weights, tf.fill([6, 8], 0.25) + tf.reduce_max(biases.value()))
        tf.group(doubled, tf1.tables_initializer(), name="start")
        return net

    saved = save(program, tmp_path)
    _, ours = freeze(saved, "--initializer_nodes=start")
    assert_same(ours, freeze_originally(saved, initializer_nodes="start"))
    constants = Graph.from_graph_def(ours).constants
    np.testing.assert_array_equal(constants["hidden/weights"], np.full([6, 8], 0.25 + constants["hidden/biases"].max()))


def test_a_saver_that_renames(tmp_path: Path) -> None:
    def savers() -> Any:
        others = tf1.train.Saver({f"other/{v.op.name}": v for v in tf1.global_variables()})
        tf1.train.Saver()
        return others

    saved = save(forward, tmp_path, savers)
    path = write_graph(saved, "graph.pb")
    saver = MetaGraphDef.FromString(Path(f"{saved.prefix}.meta").read_bytes()).saver_def
    (tmp_path / "saver").write_bytes(saver.SerializeToString())
    _, ours = freeze(saved, f"--input_graph={path}", f"--input_saver={tmp_path / 'saver'}")
    assert_same(ours, freeze_originally(saved, input_graph=str(path), input_saver=str(tmp_path / "saver")))
    saver.restore_op_name = "gone"
    (tmp_path / "saver").write_bytes(saver.SerializeToString())
    with pytest.raises(ModelError, match="--input_saver: the graph has no node 'gone'"):
        freeze(saved, f"--input_graph={path}", f"--input_saver={tmp_path / 'saver'}")


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_a_saved_model(resource: bool, tmp_path: Path) -> None:
    folder = tmp_path / "saved_model"
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(1)
        net = mlp(resource)
        session.run(tf1.global_variables_initializer())
        (x,), (y,) = net.inputs, net.outputs
        tf1.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})
        samples = {x.name: np.ones([ROWS, 6], np.float32)}
        saved = Saved(tmp_path / "none", samples, {y.name: session.run(y.name, samples)})
    _, ours = freeze(saved, f"--input_saved_model_dir={folder}", "--input_checkpoint=")
    assert_same(ours, freeze_originally(saved, input_saved_model_dir=str(folder), input_checkpoint=""))
    assert_answers(saved, ours)


# What is wrong


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(mlp, tmp_path_factory.mktemp("saved"))


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (
            ["--input_graph=x"],
            TargetError,
            r"name the model with one of .* \(there is --input_graph and --input_saved_m",
        ),
        (["--input_checkpoint="], TargetError, "--input_checkpoint: missing"),
        (["--output_node_names="], TargetError, "--output_node_names: missing; add it"),
        (["--output_graph="], TargetError, "--output_graph: missing; name the file to write"),
        (["--output_graph=/tmp"], TargetError, "--output_graph: /tmp is a folder"),
        (["--checkpoint_version=3"], TargetError, "--checkpoint_version: 3 is neither 1 nor 2"),
        (
            ["--output_node_names=probabilitys"],
            ModelError,
            r"--output_node_names: .* 'probabilitys'; the nearest .* 'prob",
        ),
        (["--initializer_nodes=gone"], ModelError, "--initializer_nodes: the graph has no node 'gone'"),
        (
            ["--variable_names_whitelist=hidden"],
            ModelError,
            "whitelist: the graph has no variable 'hidden'; the nearest",
        ),
        (["--variable_names_blacklist=image"], ModelError, "blacklist: the graph has no variable 'image'"),
        (["--input_meta_graph=gone.meta"], ModelError, r"gone\.meta: cannot be read"),
        (["--input_checkpoint=gone"], ModelError, r"gone\.index: missing"),
        (["--output_graph=/gone/x.pb"], OutputError, r"/gone/x\.pb: cannot be written: there is no such folder"),
        (["--initializer_nodes=save/restore_all"], ModelError, "never run here: RestoreV2"),
    ],
)
def test_wrong_flags(saved: Saved, flags: list[str], error: type[Exception], message: str) -> None:
    if flags == ["--input_graph=x"]:
        flags = [*flags, "--input_saved_model_dir=y"]
    with pytest.raises(error, match=message):
        freeze(saved, *flags)


def test_a_graph_that_is_frozen_already(saved: Saved) -> None:
    freeze(saved, output="frozen.pb")
    with pytest.raises(ModelError, match=r"frozen\.pb: has no variables; it is frozen already"):
        freeze(saved, f"--input_graph={saved.prefix.with_name('frozen.pb')}", output="again.pb")


def test_a_result_that_protobuf_could_not_read(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_graph(saved, "large.pb")
    monkeypatch.setattr("mobile_export.classic.files.LARGEST", 1000)
    with pytest.raises(ConversionError, match=r"large_frozen\.pb: would have \d+ bytes, and protobuf reads no message"):
        freeze(saved, f"--input_graph={path}", output="large_frozen.pb")
    assert not saved.prefix.with_name("large_frozen.pb").exists()


def test_what_was_there_stays_when_writing_fails(saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ours.pb"
    path.write_text("before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match=r"ours\.pb: cannot be written: No space left on device"):
        freeze(saved, f"--output_graph={path}")
    assert [file.name for file in tmp_path.iterdir()] == ["ours.pb"]
    assert path.read_text() == "before"


# The command


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mobile-export", "freeze-graph", *arguments])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_command(saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    flags = ["-input_meta_graph", f"{saved.prefix}.meta", "--input_binary", "--input_checkpoint", str(saved.prefix)]
    flags += ["-output_node_names=probabilities", "--output_graph", str(tmp_path / "x.pb"), "--noclear_devices"]
    assert command(monkeypatch, *flags) == 0
    ops = len(GraphDef.FromString((tmp_path / "x.pb").read_bytes()).node)
    assert capsys.readouterr() == ("", f"{ops} ops in the final graph.\n")
    assert command(monkeypatch, *flags, "--format", "json") == 0
    size = (tmp_path / "x.pb").stat().st_size
    expected = {"output_graph": (tmp_path / "x.pb").as_posix(), "ops": ops, "bytes": size}
    assert json.loads(capsys.readouterr().out) == expected
    assert command(monkeypatch, "--input_binary") == 2
    assert command(monkeypatch, "graph.pb") == 2
    assert command(monkeypatch, *flags, "--output_node_names=gone") == 3
    assert capsys.readouterr().err.count("error: ") == 3


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert command(monkeypatch, flag) == 0
    shown = capsys.readouterr().out
    for name in (
        "input_graph",
        "output_node_names",
        "variable_names_blacklist",
        "variable_names_denylist",
        "input_saver",
    ):
        assert f"--{name}" in shown
