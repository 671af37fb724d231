"""Graphs: taken apart and put together again, looked through, rewritten, saved."""

import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs import graph as names
from mobile_export.graphs.graph import Graph, TensorSpec, attribute
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.graphs.tensors import dtype_number, write_shape
from mobile_export.session import import_tensorflow
from tests.graph_text import parse

TEXT = """
x = Placeholder float32[?,2]
w = Const float32[2]: 1 2
go = NoOp(^x)
y = Mul(x, w, ^go)
s = Split(w, y) num_split=2
z = Add(s, s:1)
input x = x:0
output z = z:0
output half = s:1
"""
LOOP = """
x = Placeholder float32[]
n = NextIteration(a)
e = Enter(x) frame_name=f
m = Merge(e, n)
c = Const float32[]: 1
a = Add(m, c)
input x = x:0
output a = a:0
"""

# Names

NAMELESS = ["a:b", ":0", "^", "", "a:-1", "a:99999999999999999999", "a:0:0", "^a:0", "a:", "a^b", "a:0\n", "a:\u0661"]


@pytest.mark.parametrize("name", NAMELESS)
def test_what_names_no_tensor_is_refused(name: str) -> None:
    graph_def = parse(TEXT).to_graph_def()
    graph_def.node[-1].input[1] = name
    with pytest.raises(ModelError, match=re.escape(f"node 'z': its input 1 is {name!r}, which names no tensor")):
        Graph.from_graph_def(graph_def)


@pytest.mark.parametrize("name", ["", "a:0", "^a"])
def test_what_no_node_can_be_named_is_refused(name: str) -> None:
    graph_def = parse(TEXT).to_graph_def()
    graph_def.node[-1].name = name
    with pytest.raises(ModelError, match=re.escape(f"a node is named {name!r}, which no node can be")):
        Graph.from_graph_def(graph_def)


def with_a_function() -> GraphDef:
    graph_def = parse(TEXT).to_graph_def()
    function = graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.add(name="a", op="Exp", input=["x", "^go"])
    function.node_def.add(name="b", op="Exp", input=["a:y:0"])
    function.ret["result"] = "b:y:0"
    function.control_ret["effect"] = "b"
    return graph_def


def test_names_in_functions() -> None:
    graph_def = with_a_function()
    assert Graph.from_graph_def(graph_def).to_graph_def() == graph_def


@pytest.mark.parametrize("name", ["a:y:0:0", ":y:0", "^", "", "a:y:-1", "a:y:99999999999999999999", "a::0", "^a:y:0"])
def test_what_names_no_tensor_in_a_function_is_refused(name: str) -> None:
    graph_def = with_a_function()
    graph_def.library.function[0].node_def[1].input[0] = name
    said = f"node 'b' of the function 'f': its input 0 is {name!r}, which names no tensor"
    with pytest.raises(ModelError, match=re.escape(said)):
        Graph.from_graph_def(graph_def)


@pytest.mark.parametrize("results", ["ret", "control_ret"])
@pytest.mark.parametrize("name", ["a:y:x", "^a", ""])
def test_what_names_no_result_is_refused(name: str, results: str) -> None:
    graph_def = with_a_function()
    getattr(graph_def.library.function[0], results)["result"] = name
    said = f"the result 'result' of the function 'f' is {name!r}, which names no tensor"
    with pytest.raises(ModelError, match=re.escape(said)):
        Graph.from_graph_def(graph_def)


# Problems


def refile(graph: Graph) -> None:
    graph.nodes["other"] = graph.nodes.pop("z")
    graph.outputs = graph.outputs[1:]


def read_nothing(graph: Graph) -> None:
    graph.nodes["z"].input[1] = "gone:1"


def wait_for_nothing(graph: Graph) -> None:
    graph.nodes["y"].input[2] = "^gone"


def control_before_data(graph: Graph) -> None:
    del graph.nodes["y"].input[:]
    graph.nodes["y"].input.extend(["x", "^go", "w"])


def lose_a_node(graph: Graph) -> None:
    graph.nodes["w"].op = "Identity"


def drop_a_node(graph: Graph) -> None:
    graph.nodes["u"] = graph.nodes.pop("w")
    graph.nodes["u"].name = "u"
    graph.nodes["y"].input[1] = "u"
    graph.nodes["s"].input[0] = "u"


def change_dtype(graph: Graph) -> None:
    graph.constants["w"] = graph.constants["w"].astype(np.int32)


def lose_the_dtype(graph: Graph) -> None:
    del graph.nodes["w"].attr["dtype"]


def lose_the_value(graph: Graph) -> None:
    del graph.constants["w"]


def lose_the_input(graph: Graph) -> None:
    graph.inputs = (TensorSpec("x", "gone:0", "float32", None),)


def lose_the_output(graph: Graph) -> None:
    graph.outputs = (TensorSpec("z", "gone:0", "float32", None),)


def close_a_circle(graph: Graph) -> None:
    graph.nodes["y"].input[0] = "z"


def wait_in_a_circle(graph: Graph) -> None:
    graph.nodes["go"].input[0] = "^y"


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (refile, ["node 'z' is filed under 'other'"]),
        (read_nothing, ["node 'z' reads 'gone:1', which does not exist"]),
        (wait_for_nothing, ["node 'y' reads '^gone', which does not exist"]),
        (control_before_data, ["node 'y' has the data input 'w' after a control input"]),
        (lose_a_node, ["constant 'w' has no Const node"]),
        (drop_a_node, ["constant 'w' has no Const node", "Const 'u' has no value"]),
        (change_dtype, ["constant 'w' is int32, and its node says otherwise"]),
        (lose_the_dtype, ["constant 'w' is float32, and its node says otherwise"]),
        (lose_the_value, ["Const 'w' has no value"]),
        (lose_the_input, ["the input 'x' is the tensor 'gone:0', which does not exist"]),
        (lose_the_output, ["the output 'z' is the tensor 'gone:0', which does not exist"]),
        (close_a_circle, ["the graph has a cycle through 's', 'y', 'z'"]),
        (wait_in_a_circle, ["the graph has a cycle through 'go', 's', 'y', 'z'"]),
    ],
)
def test_problems(change, problems: list[str]) -> None:
    graph = parse(TEXT)
    assert graph.problems() == []
    change(graph)
    assert graph.problems() == problems


def test_looking_for_problems_changes_nothing() -> None:
    graph = parse(TEXT)
    lose_the_dtype(graph)
    before = graph.copy()
    graph.problems()
    assert graph.same_as(before)


# GraphDefs

ARRAYS = [
    np.array([[1.5, -2], [0, np.inf]], dtype)
    for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.complex64, np.complex128)
] + [np.array([[1, 0], [3, 127]], dtype) for dtype in ("b", "B", "h", "H", "i", "I", "q", "Q", "?")]
ARRAYS += [np.float32(3), np.zeros((0, 3), np.int32), np.arange(12, dtype=np.float32).reshape(3, 4).T]


def constants_of(arrays: list[np.ndarray]) -> GraphDef:
    """As TensorFlow writes them: packed, listed, or one value for all."""
    tf = import_tensorflow()
    graph_def = GraphDef()
    for index, array in enumerate(arrays):
        for kind, tensor in [("packed", tf.make_tensor_proto(array)), ("splat", tf.make_tensor_proto(array.flat[:1]))]:
            if kind == "splat":
                write_shape(tensor.tensor_shape, array.shape)
            node = graph_def.node.add(name=f"{kind}{index}", op="Const", device="/cpu:0")
            node.attr["dtype"].type = dtype_number(array.dtype)
            node.attr["value"].tensor.CopyFrom(tensor)
            node.attr["_class"].list.s.append(b"loc:@here")
    return graph_def


def test_constants_of_all_types_come_and_go() -> None:
    tf = import_tensorflow()
    graph_def = constants_of([np.asarray(array) for array in ARRAYS])
    before = graph_def.SerializeToString(deterministic=True)
    graph = Graph.from_graph_def(graph_def)
    again = graph.to_graph_def()
    assert graph_def.SerializeToString(deterministic=True) == before
    assert not any("value" in node.attr for node in graph.nodes.values())
    for old, new in zip(graph_def.node, again.node, strict=True):
        expected = tf.make_ndarray(old.attr["value"].tensor)
        for found in (graph.constants[old.name], tf.make_ndarray(new.attr["value"].tensor)):
            assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
        for node in (old, new):
            node.attr["value"].tensor.Clear()
        assert old == new


def test_arrays_of_any_layout_are_written_by_rows() -> None:
    graph = Graph()
    graph.set_constant("c", np.arange(6).reshape(2, 3).T)
    (node,) = graph.to_graph_def().node
    assert import_tensorflow().make_ndarray(node.attr["value"].tensor).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_tensorflow_loads_and_runs_what_is_put_together_again() -> None:
    tf = import_tensorflow()
    with tf.Graph().as_default() as tf_graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        words = tf.constant([b"a", b"\xff"], name="words")
        with tf.control_dependencies([words]):
            tf.identity(x @ tf.constant([[1.0, 2.0], [3.0, 4.0]]) + tf.zeros([2]), name="y")
    graph = Graph.from_graph_def(tf_graph.as_graph_def())
    assert graph.problems() == []
    assert "words" not in graph.constants  # strings have no array form
    assert graph.nodes["words"].attr["value"].tensor.string_val[1] == b"\xff"
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(graph.to_graph_def(), name="")
    with tf.compat.v1.Session(graph=loaded) as session:
        assert session.run("y:0", {"x:0": [[1.0, 1.0]]}).tolist() == [[4.0, 6.0]]
    assert loaded.as_graph_def().versions == tf_graph.as_graph_def().versions


def test_functions_and_versions_are_kept() -> None:
    graph_def = GraphDef()
    graph_def.versions.producer = 1234
    graph_def.library.function.add().signature.name = "f"
    assert Graph.from_graph_def(graph_def).to_graph_def() == graph_def


def test_constants_may_lie_elsewhere() -> None:
    graph_def = parse(TEXT).to_graph_def(without=["w"])
    assert "value" not in graph_def.node[1].attr
    value = np.float32([5, 6])
    graph = Graph.from_graph_def(graph_def, mapped={"w": value})
    assert graph.constants["w"] is value
    assert graph.problems() == []


def test_two_nodes_of_one_name() -> None:
    graph_def = GraphDef(node=[NodeDef(name=name, op="NoOp") for name in "abcab"])
    with pytest.raises(ModelError, match="more than one node named 'a', 'b'"):
        Graph.from_graph_def(graph_def)


def test_a_value_of_another_shape() -> None:
    graph_def = parse(TEXT).to_graph_def()
    graph_def.node[1].attr["value"].tensor.tensor_shape.dim[0].size = 3
    with pytest.raises(ModelError, match=r"node 'w': its value has 8 bytes for float32\[3\]"):
        Graph.from_graph_def(graph_def)


def test_a_value_of_another_type() -> None:
    graph_def = parse(TEXT).to_graph_def()
    graph_def.node[1].attr["dtype"].type = 3
    with pytest.raises(ModelError, match="node 'w'"):
        Graph.from_graph_def(graph_def)


# Files


def test_save_and_load(tmp_path: Path) -> None:
    graph = parse(TEXT)
    for index, array in enumerate(ARRAYS):
        graph.set_constant(f"c{index}", np.asarray(array))
    words = graph.nodes["words"] = NodeDef(name="words", op="Const")
    words.attr["dtype"].type = 7
    words.attr["value"].tensor.string_val.append(b"\xff")
    graph.library.function.add().signature.name = "f"
    graph.outputs += (TensorSpec("scalar", "c0:0", "float16", ()), TensorSpec("any", "c1:0", "float32", None))
    graph.save(tmp_path / "graph")
    loaded = Graph.load(tmp_path / "graph")
    assert list(loaded.nodes.items()) == list(graph.nodes.items())
    assert list(loaded.constants) == list(graph.constants)
    for name, array in graph.constants.items():
        found = loaded.constants[name]
        assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert not found.flags.owndata
        assert not found.flags.writeable
        assert found.ctypes.data % 64 == 0 or not found.size
    assert (loaded.inputs, loaded.outputs) == (graph.inputs, graph.outputs)
    assert (loaded.library, loaded.versions) == (graph.library, graph.versions)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "graph").read_bytes()


# Walking and rewriting


def test_a_copy_is_independent_and_shares_arrays() -> None:
    graph = parse(TEXT)
    copied = graph.copy()
    assert copied.same_as(graph)
    assert copied.constants["w"] is graph.constants["w"]
    copied.nodes["z"].op = "Sub"
    copied.set_constant("w", np.float32([9]))
    copied.remove(["go"])
    copied.outputs = ()
    assert graph.to_graph_def() == parse(TEXT).to_graph_def()
    assert graph.outputs == parse(TEXT).outputs


def reorder(graph: Graph) -> None:
    graph.nodes["x"] = graph.nodes.pop("x")


def replace_array(graph: Graph) -> None:
    graph.constants["w"] = graph.constants["w"].copy()


def add_function(graph: Graph) -> None:
    graph.library = type(graph.library)()
    graph.library.function.add().signature.name = "f"


@pytest.mark.parametrize(
    "change", [reorder, replace_array, add_function, lose_the_value, lose_the_input, lose_the_output, read_nothing]
)
def test_same_as_sees_every_difference(change) -> None:
    graph = parse(TEXT)
    other = graph.copy()
    change(other)
    assert not other.same_as(graph)


@pytest.mark.parametrize(
    ("tensors", "inputs", "outputs"),
    [
        ({"x:0": "w:0"}, {"y": ["w", "w", "^go"]}, ["z:0", "s:1"]),
        ({"x": "s:1"}, {"y": ["s:1", "w", "^go"]}, ["z:0", "s:1"]),
        ({"s:1": "s:0"}, {"z": ["s", "s"]}, ["z:0", "s:0"]),
        ({"s": "w"}, {"z": ["w", "s:1"]}, ["z:0", "s:1"]),
        ({"z:0": "y"}, {}, ["y:0", "s:1"]),
        (
            {"w": "s:1", "s:1": "y:0", "y:0": "x"},
            {"y": ["x", "x", "^go"], "s": ["x", "x"], "z": ["s", "x"]},
            ["z:0", "x:0"],
        ),
        ({"go": "x"}, {}, ["z:0", "s:1"]),  # control edges stay
    ],
)
def test_redirect(tensors: dict[str, str], inputs: dict[str, list[str]], outputs: list[str]) -> None:
    graph = parse(TEXT)
    graph.redirect(tensors)
    expected = {name: list(node.input) for name, node in parse(TEXT).nodes.items()} | inputs
    assert {name: list(node.input) for name, node in graph.nodes.items()} == expected
    assert [spec.tensor for spec in graph.outputs] == outputs


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (TEXT, "x w go y s z"),
        ("c = Relu(b)\nb = Relu(a)\na = Placeholder float32[1]\nd = Placeholder float32[1]", "a d b c"),
        ("b = NoOp(^a)\na = NoOp", "a b"),
        ("b = Add(a, a:1, ^a)\na = Split(c)\nc = Placeholder float32[1]", "c a b"),
        (LOOP, "x c e m a n"),
        ("", ""),
    ],
)
def test_topological_order(text: str, order: str) -> None:
    assert parse(text).topological_order() == order.split()


@pytest.mark.parametrize("op", ["NextIteration", "RefNextIteration"])
def test_loops_of_tensorflow_are_no_cycles(op: str) -> None:
    graph = parse(LOOP)
    graph.nodes["n"].op = op
    assert graph.problems() == []
    graph.nodes["n"].op = "Identity"
    with pytest.raises(ModelError, match="cycle through 'a', 'm', 'n'"):
        graph.topological_order()


def test_a_node_that_reads_itself() -> None:
    graph = parse(TEXT)
    graph.nodes["go"].input[0] = "^go"
    with pytest.raises(ModelError, match="cycle through 'go'"):
        graph.topological_order()


@pytest.mark.parametrize(
    ("tensors", "stop", "found"),
    [
        (["z:0"], [], "go s w x y z"),
        (["z"], ["y"], "s w y z"),
        (["s:1", "go"], ["s"], "go s x"),
        (["gone:0"], [], ""),
    ],
)
def test_reachable(tensors: list[str], stop: list[str], found: str) -> None:
    assert parse(TEXT).reachable(tensors, stop) == set(found.split())


def test_reachable_goes_round_a_loop() -> None:
    assert parse(LOOP).reachable(["a"]) == {"x", "n", "e", "m", "c", "a"}


def test_prune() -> None:
    graph = parse(TEXT + "u = Const float32[1]: 1\nv = Relu(u)\nb = Placeholder float32[1]\ninput b = b:0")
    graph.inputs += (TensorSpec("y", "y:0", "float32", None),)
    graph.prune()
    assert list(graph.nodes) == ["x", "w", "y", "s", "z", "b"]  # not `go`, behind an input; not `u` and `v`
    assert list(graph.constants) == ["w"]


def test_consumers_and_producers() -> None:
    graph = parse(TEXT)
    found = {name: [(node.name, index) for node, index in readers] for name, readers in graph.consumers().items()}
    assert found == {
        "x": [("go", 0), ("y", 0)],
        "w": [("y", 1), ("s", 0)],
        "go": [("y", 2)],
        "y": [("s", 1)],
        "s": [("z", 0), ("z", 1)],
    }
    assert [graph.producer(tensor) for tensor in ("s:1", "^go", "gone")] == [graph.nodes["s"], graph.nodes["go"], None]
    assert [name for name in graph.nodes if graph.is_output(name)] == ["s", "z"]
    assert [name for name in graph.nodes if graph.is_input(name)] == ["x"]


def test_constants_are_added_under_free_names_and_set_in_place() -> None:
    graph = parse(TEXT)
    assert [graph.add_constant(name, np.float32([1])) for name in ("w", "w", "k")] == ["w_1", "w_2", "k"]
    graph.set_constant("go", np.int64(3))
    assert list(graph.nodes) == ["x", "w", "go", "y", "s", "z", "w_1", "w_2", "k"]
    assert (graph.nodes["go"].op, list(graph.nodes["go"].input), graph.constants["go"]) == ("Const", [], 3)
    assert graph.problems() == []


def test_reading_an_attribute_adds_none() -> None:
    node = NodeDef()
    assert attribute(node, "T").type == 0
    assert not node.attr


@pytest.mark.parametrize(
    ("tensor", "node", "port", "canonical", "short"),
    [
        ("a", "a", 0, "a:0", "a"),
        ("a:0", "a", 0, "a:0", "a"),
        ("a:12", "a", 12, "a:12", "a:12"),
        ("a/b:10", "a/b", 10, "a/b:10", "a/b:10"),
        ("^a", "a", -1, "^a", "^a"),
    ],
)
def test_tensor_names(tensor: str, node: str, port: int, canonical: str, short: str) -> None:
    functions = (names.node_name, names.port, names.canonical, names.short)
    assert tuple(function(tensor) for function in functions) == (node, port, canonical, short)


def test_inputs_by_kind() -> None:
    node = parse(TEXT).nodes["y"]
    assert (names.data_inputs(node), names.control_inputs(node)) == (["x", "w"], ["^go"])


@pytest.mark.parametrize(("shape", "text"), [(None, "[...]"), ((), "[]"), ((-1, 28, 1), "[?,28,1]")])
def test_shapes_as_text(shape: tuple[int, ...] | None, text: str) -> None:
    assert names.format_shape(shape) == text
    assert str(TensorSpec("image", "x:0", "float32", shape)) == f"image: float32{text} (x:0)"
