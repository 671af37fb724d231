"""A model is a program: what it may do, at any depth, under any name."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.formats import FORMATS, Request
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.ops import FOLDABLE, PERILS, RUNNABLE
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.safety import refuse_dropped, refuse_perilous, refuse_unlisted
from mobile_export.session import Session, import_tensorflow
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.propagate_constants import propagate_constants
from tests.formats.tf_graphs import make_graph
from tests.graph_text import parse

tf = import_tensorflow()
tf1, raw = tf.compat.v1, tf.raw_ops


def graph_of(build: Callable[[Any], Any]) -> Graph:
    """From x: float32[?,3] to y, nothing pruned."""

    def make(tf1: Any) -> Any:
        x = tf1.placeholder(tf1.float32, [None, 3], "x")
        return [x], [tf.identity(build(x), name="y")]

    return make_graph(make, ["x"], ["y"])


def waiting_for(effect: Callable[[], Any]) -> Callable[[Any], Any]:
    """A graph that is the identity, and waits for `effect`."""

    def build(x: Any) -> Any:
        with tf.control_dependencies([effect()]):
            return tf.identity(x)

    return build


def called(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`build` in a function that a function calls."""
    inner = tf.function(build)
    return tf.function(lambda x: inner(x) + 1.0)


def in_a_branch(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return tf.function(lambda x: tf.cond(tf.reduce_sum(x) > 1e9, lambda: build(x), lambda: x))


def in_a_loop(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return tf.function(lambda x: tf.while_loop(lambda v: tf.reduce_sum(v) > 1e9, build, [x])[0])


def reading(x: Any) -> Any:
    return x + tf.strings.to_number(tf.io.read_file("/no/such/file", name="innocent"))


def writing(x: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file("/no/such/folder/file", "x", name="innocent")]):
        return tf.identity(x)


def python(x: Any) -> Any:
    return tf.ensure_shape(tf1.py_func(lambda v: v, [x], tf.float32, name="innocent"), [None, 3])


@pytest.mark.parametrize("where", [lambda build: build, called, in_a_branch, in_a_loop])
@pytest.mark.parametrize(
    ("build", "said"),
    [
        (reading, "reads or writes files is not let in: ReadFile (node 'innocent'"),
        (writing, "reads or writes files is not let in: WriteFile (node 'innocent'"),
        (python, "calls Python is not let in: PyFunc (node 'innocent'"),
    ],
)
def test_what_a_models_answers_hang_on_is_refused_at_any_depth(where: Any, build: Any, said: str) -> None:
    graph = graph_of(where(build))
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        refuse_perilous(graph)
    assert caught.value.nodes
    assert set(caught.value.nodes) <= set(graph.nodes)
    with pytest.raises(ModelError, match="never run here"):
        Session(graph)


def test_what_inlining_would_drop_is_refused() -> None:
    graph = graph_of(called(lambda x: writing(x) + 1.0))
    for function in graph.library.function:  # nothing waits for it any more
        function.control_ret.clear()
        for node in function.node_def:
            node.input[:] = [name for name in node.input if not name.startswith("^")]
    for node in graph.nodes.values():
        node.input[:] = [name for name in node.input if not name.startswith("^")]
    inlined = inline_functions(graph)
    refuse_perilous(inlined)
    said = r"reads or writes files is not let in: WriteFile \(node 'innocent' of the function"
    with pytest.raises(ModelError, match=said):
        refuse_dropped(graph, inlined)


def test_what_inlining_keeps_is_left_to_who_knows_the_cut() -> None:
    graph = graph_of(called(reading))
    inlined = inline_functions(graph)
    refuse_dropped(graph, inlined)
    with pytest.raises(ModelError, match="ReadFile"):
        refuse_perilous(inlined)


PERILOUS = """
    WriteFile SaveV2 RestoreV2 MergeV2Checkpoints MatchingFiles ImmutableConst DecodeProtoV2 LoadAndRemapMatrix
    FixedUnigramCandidateSampler TFRecordDatasetV2 TextLineReaderV2 SnapshotDatasetV2 CreateSummaryFileWriter RpcCall
    DumpTensor Send CollectiveGather DataServiceDatasetV4 EagerPyFunc PyFuncStateless XlaCustomCallV2 TRTEngineOp
    DebugIdentityV3 Abort
"""


@pytest.mark.parametrize("op", PERILOUS.split())
def test_what_only_a_control_edge_keeps_alive_is_refused(op: str) -> None:
    graph = parse("x = Placeholder float32[2]\ne = NoOp\ny = Identity(x, ^e)\ninput x = x:0\noutput y = y:0")
    graph.nodes["e"].op = op
    with pytest.raises(ModelError, match=rf"is not let in: {op} \(node 'e'\)$"):
        refuse_perilous(graph)


def test_a_print_into_a_file_is_refused() -> None:
    graph = graph_of(waiting_for(lambda: tf.print("x", output_stream="file:///no/such/file")))
    with pytest.raises(ModelError, match="reads or writes files is not let in: PrintV2"):
        refuse_perilous(graph)


@pytest.mark.parametrize(
    "effect",
    [
        lambda: tf1.Assert(True, [1.0]),
        lambda: tf.print("x"),
        lambda: tf1.Print(1.0, [1.0]),
        lambda: tf.debugging.check_numerics(1.0, ""),
        lambda: tf1.summary.scalar("a", 1.0),
    ],
)
def test_what_watches_is_let_in(effect: Callable[[], Any]) -> None:
    refuse_perilous(graph_of(waiting_for(effect)))


def test_what_is_not_reached_does_not_matter() -> None:
    def build(x: Any) -> Any:
        writing(reading(x))
        return x

    graph = graph_of(build)
    assert {"ReadFile", "WriteFile"} <= {node.op for node in graph.nodes.values()}
    refuse_perilous(graph)
    graph = graph_of(lambda x: tf.identity(reading(x), name="behind") * 2.0)
    graph.inputs = (TensorSpec("x", "behind:0", "float32", None),)
    refuse_perilous(graph)


@pytest.mark.parametrize(("filled_by_a_file", "let_in"), [(True, True), (False, False)])
def test_what_fills_a_table_is_part_of_the_model(filled_by_a_file: bool, let_in: bool, tmp_path: Path) -> None:
    """A vocabulary is for the source to vouch for; keys that come out of another file are not."""
    words = tmp_path / "words"
    words.write_text("a\nb\n")

    def build(x: Any) -> Any:
        keys = (
            tf.lookup.TextFileInitializer(str(words), tf.string, 0, tf.int64, 1)
            if filled_by_a_file
            else tf.lookup.KeyValueTensorInitializer(tf.io.read_file(str(words))[None], [1.0])
        )
        found = tf.lookup.StaticHashTable(keys, -1).lookup(tf.constant(["a"]))
        return x + tf.cast(found, tf.float32)

    graph = graph_of(build)
    words.unlink()
    if let_in:
        refuse_perilous(graph)
    else:
        with pytest.raises(ModelError, match="ReadFile"):
            refuse_perilous(graph)
    with pytest.raises(ModelError, match="never run here: HashTableV2"):
        Session(graph)


# Names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Relu", "function 'Relu' has the name of an operator"),
        ("VarHandleOp", "function 'VarHandleOp' has the name of an operator"),
        ("WriteFile", "TensorFlow does not accept the graph: .*'WriteFile'"),
    ],
)
def test_a_function_may_not_have_an_operators_name(name: str, said: str) -> None:
    graph = graph_of(lambda x: tf.function(lambda v: tf.exp(v))(x))
    (call,) = [node for node in graph.nodes.values() if "f" in node.attr]
    graph.library.function[0].signature.name = call.attr["f"].func.name = name
    with pytest.raises(ModelError, match=said):
        Session(graph)


def test_a_function_may_be_called_like_what_it_does() -> None:
    graph = graph_of(lambda x: tf.function(lambda v: tf.exp(v))(x))
    (call,) = [node for node in graph.nodes.values() if "f" in node.attr]
    call.op = graph.library.function[0].signature.name = "SaveEnergy"
    call.attr.clear()
    refuse_perilous(graph)
    with Session(graph) as session:
        assert session({"x": np.zeros([1, 3], np.float32)})["y"].tolist() == [[1.0] * 3]


@pytest.mark.parametrize("name", ["WriteFile", "SymbolicGradient", "nowhere"])
def test_only_functions_of_the_model_may_be_called(name: str) -> None:
    graph = graph_of(lambda x: tf.function(lambda v: tf.exp(v))(x))
    (call,) = [node for node in graph.nodes.values() if "f" in node.attr]
    call.attr["f"].func.name = name
    with pytest.raises(ModelError, match=f"never run here: .*node {call.name!r}"):
        Session(graph)


@pytest.mark.parametrize("op", ["MapDefun", "RemoteCall", "SymbolicGradient", "XlaLaunch", "TPUExecute", "NobodysOp"])
def test_operators_that_nobody_listed_are_never_run(op: str) -> None:
    graph = parse("x = Placeholder float32[2]\ny = Relu(x)\ninput x = x:0\noutput y = y:0")
    graph.nodes["y"].op = op
    with pytest.raises(ModelError, match=rf"never run here: {op} \(node 'y'\)"):
        Session(graph)


def test_what_is_allowed_may_be_less() -> None:
    graph = parse("x = Placeholder float32[2]\ny = Relu(x)\ninput x = x:0\noutput y = y:0")
    refuse_unlisted(graph, FOLDABLE | {"Placeholder"})
    with pytest.raises(ModelError, match=r"Placeholder \(node 'x'\)"):
        refuse_unlisted(graph, FOLDABLE)


# What takes too much


def test_what_is_larger_than_memory_is_not_folded() -> None:
    graph = propagate_constants(graph_of(lambda x: tf.fill([1 << 20, 1 << 20, 3], 1.0, name="vast") * x[0]))
    assert graph.nodes["vast"].op == "Fill"


# Lists


def registered() -> list[Any]:
    from tensorflow.python.framework import op_def_registry

    definitions = map(op_def_registry.get, dir(raw))
    return [definition for definition in definitions if definition is not None]


def is_perilous(op: str) -> bool:
    return any(operators.fullmatch(op) for operators in PERILS.values())


def test_nothing_that_runs_is_perilous() -> None:
    assert [op for op in RUNNABLE if is_perilous(op)] == []


def test_operators_that_name_files_or_addresses_are_perilous() -> None:
    """As TensorFlow's own definitions name their attributes and arguments; a new operator shows here."""
    telling = re.compile(r"file(name|_?pattern)s?|.*_file|.*path(_prefix)?|.*urls?|.*address|(save|log)_dir")
    harmless = {"ShardedFilename", "ShardedFilespec", "DataServiceDataset"}
    found = {
        definition.name
        for definition in registered()
        for part in (*definition.attr, *definition.input_arg)
        if telling.fullmatch(part.name)
    }
    assert len(found) > 20
    assert {op for op in found if not is_perilous(op)} - harmless == set()


def test_a_published_file_that_somebody_changed_is_not_run(tmp_path: Path) -> None:
    """Files that are opened to be run or verified are as untrusted as models."""
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(3, np.float32).tobytes())
    for name, suffix in (("graphdef", ".pb"), ("memmapped", ".mmpb")):
        graph = graph_of(lambda x: x + 1.0)
        node = NodeDef(name="leak", op="ImmutableConst" if name == "graphdef" else "ReadFile")
        node.attr["memory_region_name"].s = str(secret).encode()
        graph.nodes["leak"] = node
        graph.nodes["y"].input.append("^leak")
        path = tmp_path / f"changed{suffix}"
        FORMATS[name].write(graph, [Request("changed", path)], None)
        with pytest.raises(ModelError, match=r"never run here: (ImmutableConst|ReadFile) \(node 'leak'\)"):
            FORMATS[name].open(path)
