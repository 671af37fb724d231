"""insert_logging beside the original's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.transforms.operators import definition_of
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.small_graphs import branch, conv_net, loop

TEXT = """
a = Const float32[2]: 1 2
b = Const float32[2]: 3 4
add2 = Add(a, b)
add3 = Add(b, a)
mul = Mul(add2, add3)
add4 = Add(mul, add3)
add1 = Add(add4, add2)
output add1 = add1:0
"""

TOP = """
x = Placeholder float32[4]
k = Const int32[]: 2
top = TopKV2(x, k) Tk=int32 index_type=int32
c = Cast(top:1) SrcT=int32 DstT=float32
y = Add(c, c)
input x = x:0
output y = y:0
"""


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "(op=Add)",
        "(op=Add, op=Const)",
        "(prefix=add)",
        "(op=Add, prefix=add2, prefix=add3)",
        "(op=Mul, prefix=add)",
        "(op=Add, show_name=true, show_op=true)",
        '(op=Add, show_name=1, show_op=0, message="__requant_min_max: ", first_n=7, summarize=3)',
    ],
)
def test_prints(parameters: str) -> None:
    agree(parse(TEXT), f"insert_logging{parameters}", order=True)


def test_every_output_that_is_read() -> None:
    both = parse(TOP.replace("Add(c, c)", "Add(c, top)"))
    found = agree(both, "insert_logging(op=TopKV2)", order=True)
    assert list(found.nodes["top__print__"].input) == ["top", "top:0", "top:1"]
    assert list(found.nodes["y"].input) == ["c", "top__print__"]
    np.testing.assert_array_equal(answers(found, both), answers(both, both))


def test_types_are_those_of_what_is_printed() -> None:
    graph = parse(TOP)
    found, expected = ours_is_better(graph, "insert_logging(op=TopKV2)")
    assert list(expected.nodes["top__print__"].attr["U"].list.type) == [1, 3]
    assert list(found.nodes["top__print__"].attr["U"].list.type) == [3]
    with pytest.raises(Exception, match=r"NodeDef|inputs"):
        answers(expected, graph)
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_what_computes_nothing_is_not_printed() -> None:
    text = """
    x = Placeholder float32[2]
    r = Relu(x)
    n = NoOp(^r)
    y = Neg(x, ^n)
    input x = x:0
    output y = y:0
    """
    graph = parse(text)
    found, expected = ours_is_better(graph, "insert_logging")
    assert isinstance(expected, Exception) or "n__print__" in expected.nodes
    assert found.nodes.keys() == {"x", "x__print__", "r", "r__print__", "n", "y"}
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_graphs_of_real_shape() -> None:
    agree(conv_net(), "insert_logging(op=Conv2D, op=Relu, show_name=true)", order=True)


@pytest.mark.parametrize("graph", [loop(), branch()], ids=["loop", "branch"])
def test_loops_and_branches(graph: Graph) -> None:
    found, expected = ours_is_better(graph, "insert_logging(show_name=true)")
    seeds = range(6)
    truth = [answers(graph, graph, seed) for seed in seeds]
    np.testing.assert_array_equal([answers(found, graph, seed) for seed in seeds], truth)
    with pytest.raises(Exception, match=r"differ|NodeDef|Merge|cycle|nputs"):
        np.testing.assert_array_equal([answers(expected, graph, seed) for seed in seeds], truth, "differ")


def test_twice() -> None:
    graph = parse(TEXT)
    found, expected = ours_is_better(graph, "insert_logging(op=Mul) insert_logging(op=Mul)")
    assert isinstance(expected, ModelError)  # two nodes of one name
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def test_what_is_written(tmp_path: Path) -> None:
    graph = ours(parse(TEXT), 'insert_logging(op=Mul, show_name=true, show_op=true, message="see ", summarize=1)')
    graph.to_graph_def().SerializeToString()
    (tmp_path / "g.pb").write_bytes(graph.to_graph_def().SerializeToString())
    program = (
        "import sys, tensorflow.compat.v1 as tf; d = tf.GraphDef.FromString(open(sys.argv[1], 'rb').read());"
        "tf.import_graph_def(d, name=''); tf.Session().run('add1:0')"
    )
    run = subprocess.run([sys.executable, "-c", program, tmp_path / "g.pb"], capture_output=True, text=True, check=True)
    assert ";Mul;;mul__print__;see [16...]" in run.stderr


def test_an_operator_that_is_not_known_is_an_error() -> None:
    graph = parse("x = Placeholder float32[2]\nc = Custom(x)\ny = Relu(c)\ninput x = x\noutput y = y")
    assert definition_of("Custom") is None
    with pytest.raises(OriginalError, match="Custom"):
        theirs(graph, "insert_logging")
    with pytest.raises(ModelError, match="node 'c': TensorFlow has no operator 'Custom'"):
        ours(graph, "insert_logging")
    agree(graph, "insert_logging(op=Placeholder)")


@pytest.mark.parametrize("parameters", ["message=a, message=b", "show_name=perhaps", "first_n=x", "summarize=1.5"])
def test_errors(parameters: str) -> None:
    with pytest.raises(OriginalError):
        theirs(parse(TEXT), f"insert_logging({parameters})")
    with pytest.raises(TargetError, match=r"^insert_logging: "):
        ours(parse(TEXT), f"insert_logging({parameters})")


def test_an_output_that_is_not_there() -> None:
    graph = parse(TEXT)
    graph.nodes["add4"].input[0] = "mul:7"
    assert "mul__print__" in ours(graph, "insert_logging(op=Mul)").nodes
