"""merge_duplicate_nodes beside the original's."""

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.protos import NodeDef
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, same_answers
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.small_graphs import branch, colocation, conv_net, loop, with_colocation

QUANTIZES = """
a = Const float32[10]: 1 2 3 4 5 6 7 8 9 10
low = Const float32[]: 1
high = Const float32[]: 10
q1 = QuantizeV2(a, low, high) T=quint8 mode=MIN_FIRST
q2 = QuantizeV2(a, low, high) T=quint8 mode=MIN_FIRST
d1 = Dequantize(q1, q1:1, q1:2) T=quint8
d2 = Dequantize(q2, q2:1, q2:2) T=quint8
y = Add(d1, d2)
output y = y:0
"""

CONSTS = """
w = Const float32[10]: 1 2 3 4 5 6 7 8 9 10
m1 = Const float32[10]: 1 1 1 1 1 1 1 1 1 1
m2 = Const float32[10]: 1 1 1 1 1 1 1 1 1 1
a = Mul(w, m1)
b = Mul(w, m2)
y = Sub(a, b)
output y = y:0
"""

NESTED = """
x = Placeholder float32[2]
c1 = Const float32[2]: 1 2
c2 = Const float32[2]: 1 2
a1 = Add(x, c1)
a2 = Add(x, c2)
b1 = Relu(a1)
b2 = Relu(a2)
y = Mul(b1, b2)
input x = x:0
output y = y:0
"""

EDGES = """
x = Placeholder float32[2]
a = Relu(x)
b = Relu(x)
c = Relu(x)
s = Add(b, c)
input x = x:0
output a = a
output s = s
"""

QUANTIZED = np.arange(20, dtype=np.uint8).view([("quint8", np.uint8)])


def test_quantizes() -> None:
    graph = parse(QUANTIZES.replace("T=quint8", ""))
    for name in ("q1", "q2", "d1", "d2"):
        graph.nodes[name].attr["T"].type = 12
    found = same_answers(graph, "merge_duplicate_nodes")
    assert sorted(node.op for node in found.nodes.values()) == sorted(
        ["Const"] * 3 + ["QuantizeV2", "Dequantize", "Add"]
    )


def test_consts_and_what_reads_them() -> None:
    assert len(same_answers(parse(CONSTS), "merge_duplicate_nodes").nodes) == 4
    found = same_answers(parse(NESTED), "merge_duplicate_nodes")
    assert found.nodes.keys() == {"x", "c1", "a1", "b1", "y"}


def test_the_first_of_a_round_stays() -> None:
    text = EDGES.replace("output a = a", "output u = u") + "u = Neg(a)"
    graph = parse(text)
    assert agree(graph, "merge_duplicate_nodes").nodes.keys() == {"x", "a", "s", "u"}


def test_inputs_and_outputs_stay() -> None:
    assert agree(parse(EDGES), "merge_duplicate_nodes").nodes.keys() == {"x", "a", "b", "s"}


def test_an_output_named_with_its_port_stays_too() -> None:
    """The original compares the strings."""
    text = """
    x = Placeholder float32[4]
    i = Const int32[]: 0
    b = Split(i, x) num_split=2
    a = Split(i, x) num_split=2
    s = Add(b, b:1)
    input x = x:0
    output s = s:0
    output a = a:1
    """
    found, expected = ours_is_better(parse(text), "merge_duplicate_nodes")
    assert "a" not in expected.nodes
    assert {"a", "b"} <= found.nodes.keys()


def test_what_differs_stays() -> None:
    text = """
    x = Placeholder float32[2]
    a = Relu(x)
    b = Elu(x)
    c = LeakyRelu(x) alpha=0.1
    d = LeakyRelu(x) alpha=0.2
    e = Sub(a, b)
    f = Sub(b, a)
    n = NoOp(^a)
    g = Relu(x, ^n)
    h = Relu(x)
    y = AddN(c, d, e, f, g, h) N=6
    input x = x:0
    output y = y:0
    """
    graph = parse(text)
    graph.nodes["h"].device = "/cpu:0"
    assert len(agree(graph, "merge_duplicate_nodes").nodes) == len(graph.nodes)


def test_stateful_operators_stay() -> None:
    text = """
    s = Const int32[1]: 2
    a = RandomUniform(s) T=int32 dtype=float32
    b = RandomUniform(s) T=int32 dtype=float32
    y = Sub(a, b)
    output y = y:0
    """
    assert len(agree(parse(text), "merge_duplicate_nodes").nodes) == 4


def test_ports_and_control_edges() -> None:
    text = """
    x = Placeholder float32[4]
    i = Const int32[]: 0
    a = Split(i, x) num_split=2
    b = Split(i, x) num_split=2
    n = NoOp(^b)
    y = Sub(a:1, b:1, ^n)
    input x = x:0
    output y = y:0
    """
    found = agree(parse(text), "merge_duplicate_nodes")
    assert list(found.nodes["y"].input) == ["a:1", "a:1", "^n"]
    assert list(found.nodes["n"].input) == ["^a"]


def test_graphs_of_real_shape() -> None:
    for graph in (conv_net(), branch(), loop()):
        found = same_answers(graph, "merge_duplicate_nodes")
        np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_a_loop_that_computes_the_same_twice() -> None:
    """The NextIterations are the same, and then the Merges that read them, and all that follows."""
    text = """
    x = Placeholder float32[]
    zero = Const float32[]: 0
    e1 = Enter(x) frame_name=f
    e2 = Enter(x) frame_name=f
    m1 = Merge(e1, n1) N=2
    m2 = Merge(e2, n2) N=2
    l = Enter(zero) frame_name=f is_constant=true
    less = Less(m1, l)
    cond = LoopCond(less)
    s1 = Switch(m1, cond)
    s2 = Switch(m2, cond)
    one = Enter(zero) frame_name=f is_constant=true
    i1 = Exp(s1:1)
    i2 = Exp(s1:1)
    n1 = NextIteration(i1)
    n2 = NextIteration(i2)
    x1 = Exit(s1)
    x2 = Exit(s2)
    y = Sub(x1, x2)
    input x = x:0
    output y = y:0
    """
    graph = parse(text)
    graph.nodes["cond"].attr.pop("T")
    found = same_answers(graph, "merge_duplicate_nodes")
    ops = Counter(node.op for node in found.nodes.values())
    assert (ops["Enter"], ops["Merge"], ops["NextIteration"], ops["Exit"]) == (2, 1, 1, 1)


def test_constants_are_compared_by_value() -> None:
    """One is written as bytes, the other as an element that repeats."""
    graph = parse(CONSTS)
    graph.constants["m2"] = np.broadcast_to(np.float32(1), (10,))
    found, expected = ours_is_better(graph, "merge_duplicate_nodes")
    assert {"m1", "m2"} <= expected.nodes.keys()
    assert found.nodes.keys() == {"w", "m1", "a", "y"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.arange(20.0), np.arange(20.0), True),
        (np.arange(20.0), np.append(np.arange(19.0), 7), False),
        (np.zeros(20), -np.zeros(20), False),
        (np.full(20, np.nan), np.full(20, np.nan), True),
        (np.zeros(20), np.append(np.zeros(19), 1), False),
        (np.zeros((4, 5)), np.zeros((5, 4)), False),
        (np.zeros(20, np.float32), np.zeros(20, np.int32), False),
        (np.zeros(0), np.zeros(0), True),
        (np.zeros(()), np.zeros(()), True),
        (np.zeros(20, [("quint8", np.uint8)]), np.zeros(20, [("qint8", np.int8)]), False),
        (QUANTIZED, QUANTIZED.copy(), True),
        (np.broadcast_to(np.float32(3), (1 << 28,)), np.broadcast_to(np.float32(3), (1 << 28,)), True),
        (np.arange(20.0).reshape(4, 5).T, np.ascontiguousarray(np.arange(20.0).reshape(4, 5).T), True),
    ],
)  # fmt: skip
def test_which_constants_are_the_same(one: np.ndarray, other: np.ndarray, same: bool) -> None:
    graph = Graph()
    graph.set_constant("a", one)
    graph.set_constant("b", other)
    for name in ("u", "v"):
        graph.nodes[name] = NodeDef(name=name, op="Shape", input=["a" if name == "u" else "b"])
    graph.outputs = tuple(TensorSpec(n, f"{n}:0", "int32", None) for n in ("u", "v"))
    found = ours(graph, "merge_duplicate_nodes")
    assert found.nodes.keys() == {"a", "u", "v"} | (set() if same else {"b"})


def test_strings() -> None:
    graph = Graph(outputs=(TensorSpec("y", "y:0", "string", None),))
    for name, text in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        graph.nodes[name] = node = NodeDef(name=name, op="Const")
        node.attr["dtype"].type = node.attr["value"].tensor.dtype = 7
        node.attr["value"].tensor.tensor_shape.SetInParent()
        node.attr["value"].tensor.string_val.append(text)
    graph.nodes["y"] = node = NodeDef(name="y", op="StringJoin", input=["a", "b", "c"])
    node.attr["N"].i = 3
    assert list(agree(graph, "merge_duplicate_nodes").nodes["y"].input) == ["a", "a", "c"]


def test_placeholders_stay_apart() -> None:
    """Where the inputs are not named, the original takes them for one."""
    text = (
        "a = Placeholder float32[2]\nb = Placeholder float32[2]\ny = Sub(a, b)\ninput a = a\ninput b = b\noutput y = y"
    )
    graph = replace(parse(text), inputs=())
    found, expected = ours_is_better(graph, "merge_duplicate_nodes")
    assert len(set(expected.nodes["y"].input)) == 1
    assert list(found.nodes["y"].input) == ["a", "b"]


def test_operators_that_are_not_known_stay() -> None:
    text = """
    x = Placeholder float32[2]
    a = Custom(x)
    b = Custom(x)
    c = Relu(a)
    d = Relu(a)
    y = AddN(b, c, d) N=3
    input x = x:0
    output y = y:0
    """
    found, expected = ours_is_better(parse(text), "merge_duplicate_nodes")
    assert isinstance(expected, OriginalError)
    assert found.nodes.keys() == {"x", "a", "b", "c", "y"}


def test_colocation_follows() -> None:
    graph = with_colocation(parse(NESTED), "y", "b2")
    found, expected = ours_is_better(graph, "merge_duplicate_nodes")
    gone = colocation(expected, "y")[0].removeprefix(b"loc:@").decode()
    assert gone == "b2"
    assert colocation(found, "y") == [b"loc:@b1"]
    answers(found, graph)
    if "b2" not in expected.nodes:  # which of both stays is arbitrary there
        with pytest.raises(Exception, match="colocate"):
            answers(expected, graph)


def test_a_hundred_thousand_nodes_take_seconds() -> None:
    graph = Graph(inputs=(TensorSpec("x", "x:0", "float32", (2,)),), outputs=(TensorSpec("y", "y:0", "float32", (2,)),))
    graph.nodes["x"] = NodeDef(name="x", op="Placeholder")
    graph.nodes["x"].attr["dtype"].type = 1
    before = ["x", "x"]
    for i in range(25_000):
        for k in range(2):
            graph.set_constant(f"c{i}_{k}", np.full(4, i, np.float32))
            graph.nodes[f"a{i}_{k}"] = node = NodeDef(name=f"a{i}_{k}", op="Add", input=[before[k], f"c{i}_{k}"])
            node.attr["T"].type = 1
        before = [f"a{i}_0", f"a{i}_1"]
    graph.nodes["y"] = NodeDef(name="y", op="Sub", input=before)
    graph.nodes["y"].attr["T"].type = 1
    started = time.process_time()
    found = ours(graph, "merge_duplicate_nodes")
    assert time.process_time() - started < 20
    assert len(found.nodes) == 50_002
