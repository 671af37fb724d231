"""Hash tables in place of columns that are mostly zero."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.graph import Graph, TensorSpec, short
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.session import import_tensorflow
from tests.graph_transform_tool.harness import agree, ours, ours_is_better, tally, theirs
from tests.graph_transform_tool.original import OriginalError

tf = import_tensorflow()
tf1 = tf.compat.v1

COLUMN = np.array([[0.2], [0.000001], [1.2], [0.001]], np.float32)


class Nodes:
    """A graph, node by node; as in the original's own tests, nodes have no attributes that nobody needs."""

    def __init__(self) -> None:
        self.graph = Graph()

    def add(self, op: str, name: str, *inputs: str) -> NodeDef:
        self.graph.nodes[name] = NodeDef(name=name, op=op, input=inputs)
        return self.graph.nodes[name]

    def constant(self, name: str, value: object, dtype: str = "int32") -> None:
        self.graph.set_constant(name, np.asarray(value, dtype))

    def strings(self, name: str, values: Sequence[str]) -> None:
        node = self.add("Const", name)
        node.attr["dtype"].type = node.attr["value"].tensor.dtype = 7
        node.attr["value"].tensor.tensor_shape.dim.add(size=len(values))
        node.attr["value"].tensor.string_val.extend(value.encode() for value in values)

    def concat(self, name: str, *inputs: str) -> None:
        self.add("ConcatV2", name, *inputs).attr["N"].i = len(inputs) - 1

    def gather(self, version: int, name: str, column: str, ids: str) -> None:
        if version == 1:
            self.add("Gather", name, column, ids)
        else:
            self.constant(f"{name}_axis", 0)
            self.add("GatherV2", name, column, ids, f"{name}_axis")

    def variable(self, name: str, restored: str) -> str:
        """A variable that is initialized and restored; the name of its initializer."""
        self.add("VariableV2", name).attr["dtype"].type = 1
        self.constant(f"{name}/Initializer/zeros/shape", [4, 1])
        self.constant(f"{name}/Initializer/zeros/Const", 0, "float32")
        zeros = f"{name}/Initializer/zeros"
        self.add("Fill", zeros, f"{name}/Initializer/zeros/shape", f"{name}/Initializer/zeros/Const")
        self.add("Assign", f"{name}/Assign", name, zeros)
        self.add("Assign", f"save/Assign_{name.replace('/', '_')}", name, restored)
        return f"{name}/Assign"

    def restore(self, names: Sequence[str], slices: Sequence[str]) -> None:
        self.strings("save/Const", ["model"])
        self.strings("save/RestoreV2/tensor_names", names)
        self.strings("save/RestoreV2/shape_and_slices", slices)
        inputs = ("save/Const", "save/RestoreV2/tensor_names", "save/RestoreV2/shape_and_slices")
        self.add("RestoreV2", "save/RestoreV2", *inputs).attr["dtypes"].list.type.extend([1] * len(names))

    def finished(self, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
        return replace(
            self.graph,
            inputs=tuple(TensorSpec(name, f"{name}:0", "int64", None) for name in inputs),
            outputs=tuple(TensorSpec(name, f"{name}:0", "float32", None) for name in outputs),
        )


def save(prefix: Path, values: dict[str, Array], slices: Sequence[str] = ()) -> str:
    """Write a checkpoint; a partitioned variable is `{name: part}` with a slice for each."""
    names = [name.partition("#")[0] for name in values]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=list(slices) or [""] * len(names),
        tensors=list(values.values()),
    )
    return str(prefix)


def call(checkpoint: str = "", start: str = "group_deps") -> str:
    given = f'input_checkpoint="{checkpoint}", ' if checkpoint else ""
    return f"sparsify_gather({given}group_init_node={start})"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("start", ["", "group_deps", "shared_inits"])
@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("more", [1, 2])
def test_a_column(version: int, start: str, variable: bool, more: int, tmp_path: Path) -> None:
    """The original's TestSinglePartition: what else read the column, a concatenation of `more` others, shrinks."""
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    assigned = []
    if variable:
        nodes.restore(["w"], ["4 1 0,4:0,1"])
        assigned = [f"^{nodes.variable('w/part_1', 'save/RestoreV2')}"]
    else:
        nodes.constant("w/part_1", COLUMN, "float32")
    nodes.add("Identity", "w/read", "w/part_1")
    nodes.gather(version, "gather", "w/read", "ids")
    if start:
        nodes.add("NoOp", start, *assigned)
    others = [f"other_{index}" for index in range(more)]
    for name in (*others, "axis"):
        nodes.constant(name, 0)
    nodes.concat("concat", "w/read", *others, "axis")
    checkpoint = save(tmp_path / "model", {"w": COLUMN}) if variable else ""

    found = agree(nodes.finished(["ids"], ["gather"]), call(checkpoint, start or "group_deps"))

    assert found.constants["w/part_1/indices"].tolist() == [0, 2, 3]
    assert np.array_equal(found.constants["w/part_1/values"], COLUMN[[0, 2, 3], 0])
    assert found.nodes["concat"].op == ("Identity" if more == 1 else "ConcatV2")
    assert found.nodes["gather"].op == "ExpandDims"
    assert found.nodes[start or "group_deps"].input == ["^w/part_1/InitializeTable"]
    assert "w/part_1/Initializer/zeros" not in found.nodes


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("start", ["", "group_deps", "shared_inits"])
@pytest.mark.parametrize("variable", [False, True])
def test_two_columns(version: int, start: str, variable: bool, tmp_path: Path) -> None:
    """The original's TestMultiPartition: the concatenation of both goes."""
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    assigned = []
    if variable:
        nodes.restore(["w1", "w2"], ["4 1 0,4:0,1"] * 2)
    for port, name in enumerate(("w1", "w2")):
        if variable:
            assigned.append(f"^{nodes.variable(f'{name}/part_1', short(f'save/RestoreV2:{port}'))}")
        else:
            nodes.constant(f"{name}/part_1", COLUMN, "float32")
        nodes.add("Identity", f"{name}/part_1/read", f"{name}/part_1")
        nodes.gather(version, f"gather_{name}", f"{name}/part_1/read", "ids")
    nodes.constant("axis", 0)
    nodes.concat("concat", "w1/part_1/read", "w2/part_1/read", "axis")
    if start:
        nodes.add("NoOp", start, *assigned)
    checkpoint = save(tmp_path / "model", {"w1": COLUMN, "w2": COLUMN * 2}) if variable else ""

    found = agree(nodes.finished(["ids"], ["gather_w1", "gather_w2"]), call(checkpoint, start or "group_deps"))

    assert np.array_equal(found.constants["w2/part_1/values"], COLUMN[[0, 2, 3], 0] * (2 if variable else 1))
    assert not {"concat", "axis"} & set(found.nodes)
    assert len(found.nodes[start or "group_deps"].input) == 2


def test_nothing_to_replace_leaves_a_node_to_start() -> None:
    nodes = Nodes()
    nodes.constant("x", [1, 2])
    found = agree(nodes.finished([], ["x"]), "sparsify_gather")
    assert found.nodes["group_deps"].op == "NoOp"


def test_the_node_to_start_stays_although_training_waited_for_it() -> None:
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    nodes.constant("w", COLUMN, "float32")
    nodes.add("Identity", "read", "w")
    nodes.gather(1, "gather", "read", "ids")
    nodes.add("NoOp", "group_deps")
    nodes.add("Neg", "training", "read", "^group_deps")
    found = ours(nodes.finished(["ids"], ["gather"]), "sparsify_gather")
    assert "training" not in found.nodes
    assert found.nodes["group_deps"].input == ["^w/InitializeTable"]


def test_zeros_keep_one_row() -> None:
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    nodes.constant("w", np.zeros((5, 1)), "float32")
    nodes.add("Identity", "read", "w")
    nodes.gather(1, "gather", "read", "ids")
    found = agree(nodes.finished(["ids"], ["gather"]), "sparsify_gather")
    assert (found.constants["w/indices"], found.constants["w/values"]) == (0, 0)


@pytest.mark.parametrize("value", [1e-5, -1e-5, np.nextafter(np.float32(1e-5), np.float32(1)), 9.9e-6])
def test_the_threshold(value: float) -> None:
    nodes = Nodes()
    nodes.constant("ids", [0], "int64")
    nodes.constant("w", [[1], [value]], "float32")
    nodes.add("Identity", "read", "w")
    nodes.gather(2, "gather", "read", "ids")
    agree(nodes.finished(["ids"], ["gather"]), "sparsify_gather")


# What a linear model is in TensorFlow 1


def linear_model(ids: str = "int64", partitions: int = 1, version: int = 2) -> Graph:
    """y = Σ w[ids], as embedding lookups in the partitions of w, a third of which is zero."""
    column = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    column[::3] = 0
    with tf.Graph().as_default() as made:
        x = tf1.placeholder(ids, [None, 3], "x")
        found = []
        for index, part in enumerate(np.split(column, partitions)):
            read = tf.identity(tf.constant(part, name=f"w/part_{index}"), f"w/part_{index}/read")
            gathered = tf.gather(read, x) if version == 2 else tf.raw_ops.Gather(params=read, indices=x)
            found.append(tf.identity(gathered))
            found[-1].op._set_attr("_class", _colocated(f"w/part_{index}"))
        tf.reduce_sum(tf.add_n(found), [1, 2], name="y")
    specs = (TensorSpec("x", "x:0", ids, (-1, 3)),), (TensorSpec("y", "y:0", "float32", (-1,)),)
    return Graph.from_graph_def(made.as_graph_def(), *specs)


def _colocated(name: str) -> object:
    node = NodeDef()
    node.attr["_class"].list.s.append(f"loc:@{name}".encode())
    return node.attr["_class"]


def run(graph: Graph, feeds: dict[str, Array], tables: str | None = None) -> Array:
    """`y`, after running the NoOp `tables`."""
    with tf.Graph().as_default():
        tf.import_graph_def(graph.to_graph_def(), name="")
        with tf1.Session() as session:
            if tables is not None:
                session.run(tables)
            return session.run("y:0", {f"{name}:0": value for name, value in feeds.items()})


def does_not_run(result: Graph | Exception, feeds: dict[str, Array]) -> bool:
    """Whether the original refused, or left what TensorFlow refuses."""
    if isinstance(result, Graph):
        with pytest.raises((ValueError, tf.errors.OpError)):
            run(result, feeds, "group_deps")
    return True


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("partitions", [1, 2])
@pytest.mark.parametrize("ids", ["int32", "int64"])
def test_the_same_answers(ids: str, partitions: int, version: int) -> None:
    """The original leaves ids of 32 bits to a table that takes 64, and colocation with nodes that are gone."""
    graph = linear_model(ids, partitions, version)
    found, expected = ours_is_better(graph, "sparsify_gather")
    feeds = {"x": np.arange(30, dtype=ids).reshape(10, 3) % (60 // partitions)}
    np.testing.assert_allclose(run(found, feeds, "group_deps"), run(graph, feeds), rtol=1e-6)
    assert sum(node.op == "HashTable" for node in found.nodes.values()) == partitions
    assert does_not_run(expected, feeds)


def test_the_same_answers_as_the_original() -> None:
    graph = linear_model()
    for node in graph.nodes.values():
        node.attr.pop("_class", None)
    found = agree(graph, "sparsify_gather")
    feeds = {"x": np.array([[1, 2, 3], [57, 58, 59]])}
    np.testing.assert_allclose(run(found, feeds, "group_deps"), run(graph, feeds), rtol=1e-6)


def two_lookups(other: str) -> Graph:
    """A column that two Gathers read, or a Gather and something else."""
    graph = linear_model()
    nodes = Nodes()
    nodes.graph = graph
    for node in graph.nodes.values():
        node.attr.pop("_class", None)
    gather = next(node for node in graph.nodes.values() if node.op == "GatherV2")
    second = nodes.add(gather.op, "second", *gather.input)
    second.MergeFrom(NodeDef(attr=gather.attr))
    graph.nodes["y"].input[0] = "both"
    if other == "Sum":
        second.op = "Sum"
        second.attr.clear()
        del second.input[1:]
        nodes.constant("dims", [0, 1])
        second.input.append("dims")
        second.attr["Tidx"].type = 3
        second.attr["T"].type = 1
    nodes.add("AddV2", "both", gather.name, "second").attr["T"].type = 1
    return graph


@pytest.mark.parametrize("other", ["GatherV2", "Sum"])
def test_a_column_that_is_read_twice(other: str) -> None:
    graph = two_lookups(other)
    found, expected = ours_is_better(graph, "sparsify_gather")
    feeds = {"x": np.array([[1, 2, 3], [57, 58, 59]])}
    np.testing.assert_allclose(run(found, feeds, "group_deps"), run(graph, feeds), rtol=1e-6)
    assert does_not_run(expected, feeds)
    assert sum(node.op == "HashTable" for node in found.nodes.values()) == 1


def partitioned_training_graph(prefix: Path) -> Graph:
    """A linear model with a variable in two parts, trained and saved by TensorFlow."""
    with tf.Graph().as_default() as made:
        tf1.set_random_seed(3)
        x = tf1.placeholder("int64", [None, 3], "x")
        w = tf1.get_variable(
            "w",
            [8, 1],
            initializer=tf1.random_normal_initializer(),
            partitioner=tf1.fixed_size_partitioner(2),
            use_resource=False,
        )
        low, high = (tf.raw_ops.Gather(params=part, indices=tf.math.floormod(x, 4)) for part in w)
        y = tf.reduce_sum(tf.where(tf.expand_dims(x < 4, -1), low, high), [1, 2], name="y")
        tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y * y))
        saver = tf1.train.Saver()
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            saver.save(session, str(prefix), write_meta_graph=False)
    specs = (TensorSpec("x", "x:0", "int64", (-1, 3)),), (TensorSpec("y", "y:0", "float32", (-1,)),)
    return Graph.from_graph_def(made.as_graph_def(), *specs)


def test_parts_of_a_variable_have_their_own_rows(tmp_path: Path) -> None:
    """The original reads the first part for each, and leaves gradients that want to be where a variable is gone."""
    graph = partitioned_training_graph(tmp_path / "model")
    found, expected = ours_is_better(graph, call(str(tmp_path / "model")))
    whole = tf.raw_ops.RestoreV2(
        prefix=str(tmp_path / "model"), tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0].numpy()
    feeds = {"x": np.array([[0, 1, 2], [3, 4, 5], [6, 7, 7]])}
    np.testing.assert_allclose(run(found, feeds, "group_deps"), whole[feeds["x"]].sum((1, 2)), rtol=1e-6)
    assert np.array_equal(expected.constants["w/part_1/values"], whole[:4, 0])
    assert does_not_run(expected, feeds)


def test_a_checkpoint_of_which_the_file_has_a_slice(tmp_path: Path) -> None:
    """The original's TestTensorSlice."""
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    nodes.restore(["w"], ["4 1 0,2:0,1"])
    nodes.variable("w/part_0", "save/RestoreV2")
    nodes.add("Identity", "w/read", "w/part_0")
    nodes.gather(1, "gather", "w/read", "ids")
    parts = {"w": COLUMN[:2], "w#": COLUMN[2:]}
    checkpoint = save(tmp_path / "model", parts, ["4 1 0,2:0,1", "4 1 2,2:0,1"])
    found = agree(nodes.finished(["ids"], ["gather"]), call(checkpoint))
    assert found.constants["w/part_0/indices"].tolist() == [0]


def test_thousands_of_tables() -> None:
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    for i in range(8000):
        nodes.constant(f"w{i}", COLUMN, "float32")
        nodes.add("Identity", f"read{i}", f"w{i}")
        nodes.add("Gather", f"gather{i}", f"read{i}", "ids")
    nodes.add("NoOp", "group_deps", *(f"^read{i}" for i in range(8000)))
    graph = nodes.finished(["ids"], [f"gather{i}" for i in range(8000)])
    started = time.process_time()
    found = ours(graph, "sparsify_gather")
    assert time.process_time() - started < 10
    assert len(found.nodes["group_deps"].input) == 8000


def test_a_concatenation_of_what_is_left_keeps_its_control_edges() -> None:
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    for i in range(3):
        nodes.constant(f"w{i}", COLUMN, "float32")
        nodes.add("Identity", f"read{i}", f"w{i}")
        if i:
            nodes.gather(1, f"gather{i}", f"read{i}", "ids")
    nodes.constant("axis", 0)
    nodes.add("NoOp", "n", "^read1")
    nodes.concat("concat", "read1", "read0", "read2", "axis")
    concat = nodes.graph.nodes["concat"]
    concat.attr["N"].i = 3
    concat.attr["_class"].list.s.extend([b"loc:@read1", b"loc:@read0", b"other"])
    concat.input.extend(["^ids", "^read2"])
    found = ours(nodes.finished(["ids"], ["gather1", "gather2"]), "sparsify_gather")
    assert (found.nodes["concat"].op, list(found.nodes["concat"].input)) == ("Identity", ["read0", "^ids"])
    assert found.nodes["concat"].attr["_class"].list.s[:] == [b"loc:@read0", b"other"]
    assert not {"n", "axis", "N"} & {*found.nodes, *found.nodes["concat"].attr}


def column_graph(value: object = COLUMN, dtype: str = "float32", axis: int = 0) -> Graph:
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    nodes.constant("w", value, dtype)
    nodes.add("Identity", "read", "w")
    nodes.gather(2, "gather", "read", "ids")
    nodes.constant("gather_axis", axis)
    return nodes.finished(["ids"], ["gather"])


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (column_graph(COLUMN.T), r"shape \[1, 4\]"),
        (column_graph(COLUMN, "float64"), "float64"),
        (column_graph(axis=1), "axis"),
    ],
)
def test_what_it_refuses(graph: Graph, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        ours(graph, "sparsify_gather")
    with pytest.raises(OriginalError):
        theirs(graph, "sparsify_gather")
    tally("sparsify_gather", "exact")


def test_a_variable_needs_a_checkpoint(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.constant("ids", [0, 1], "int64")
    nodes.restore(["v"], [""])
    nodes.variable("w", "save/RestoreV2")
    nodes.add("Identity", "read", "w")
    nodes.gather(1, "gather", "read", "ids")
    graph = nodes.finished(["ids"], ["gather"])
    with pytest.raises(TargetError, match="input_checkpoint is missing; name the checkpoint with the value of 'w'"):
        ours(graph, "sparsify_gather")
    with pytest.raises(ModelError, match="has no variable 'v'"):
        ours(graph, call(save(tmp_path / "model", {"other": COLUMN})))


def test_the_node_to_start_is_no_noop() -> None:
    with pytest.raises(ModelError, match="'ids' is no NoOp"):
        ours(column_graph(), call(start="ids"))
