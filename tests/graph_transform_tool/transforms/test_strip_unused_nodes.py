"""strip_unused_nodes beside the original's."""

import time
from dataclasses import replace

import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.session import import_tensorflow
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.original import OriginalAborted, OriginalError
from tests.graph_transform_tool.small_graphs import as_inputs, colocation, conv_net, loop, with_colocation

SIMPLE_ADD = """
add = Add(a, b)
a = Const float32[]: 1
b = Const float32[]: 2
c = Const float32[]: 3
output add = add:0
"""

COMMON_ANCESTOR = """
add1 = Add(add2, add3)
add2 = Add(c1, c2)
add3 = Add(c1, c3)
c1 = Const float32[]: 1
c2 = Const float32[]: 2
c3 = Const float32[]: 3
dangling = Placeholder float32[]
add4 = Add(add2, add3)
input dangling = dangling:0
output add1 = add1:0
"""

INSIDE = """
add = Add(mul, a)
mul = Mul(b, c)
a = Const float32[]: 1
b = Const float32[]: 2
c = Const float32[]: 3
output add = add:0
"""


def inside(*inputs: str):
    return as_inputs(parse(INSIDE), *inputs)


def test_what_no_output_needs_goes() -> None:
    assert set(agree(parse(SIMPLE_ADD), "strip_unused_nodes", order=True).nodes) == {"add", "a", "b"}


def test_common_ancestors_and_inputs_that_nobody_reads() -> None:
    assert "dangling" in agree(parse(COMMON_ANCESTOR), "strip_unused_nodes", order=True).nodes


def test_control_inputs_count() -> None:
    graph = parse("x = Placeholder float32[2]\nn = NoOp(^m)\nm = NoOp\ny = Relu(x, ^n)\ninput x = x\noutput y = y")
    assert "m" in agree(graph, "strip_unused_nodes").nodes


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        '(type=int32, shape="1,2,3")',
        "(type=quint8)",
        "(type=half, shape=7)",
        '(name=a, type_for_name=int64, shape_for_name="1,2", name=mul, type_for_name=quint8, shape_for_name="1, 2, 3")',
        '(type=int32, shape="2,2", name=other, type_for_name=bool, shape_for_name="1")',
    ],
)
def test_an_input_becomes_a_placeholder(parameters: str) -> None:
    found = agree(inside("mul:0", "a:0"), f"strip_unused_nodes{parameters}")
    assert {node.op for node in found.nodes.values()} == {"Add", "Placeholder"}


def test_a_placeholder_stays_as_it_is() -> None:
    graph = parse("x = Placeholder float32[2]\ny = Relu(x)\ninput x = x\noutput y = y")
    agree(graph, 'strip_unused_nodes(type=int32, shape="256,64")')
    theirs(graph, 'strip_unused_nodes(type=int32, shape="256*64")')  # where it needs no shape, it reads none
    with pytest.raises(TargetError, match="was 256,64 meant"):
        ours(graph, 'strip_unused_nodes(type=int32, shape="256*64")')


def test_graphs_of_real_shape() -> None:
    agree(conv_net(), "strip_unused_nodes")
    agree(loop(), "strip_unused_nodes")


def test_an_input_that_is_not_there_is_passed_over() -> None:
    graph = parse(SIMPLE_ADD)
    assert list(ours(replace(graph, inputs=inside("nowhere:0").inputs), "strip_unused_nodes").nodes) == [
        "add",
        "a",
        "b",
    ]


def test_unknown_sizes_abort_the_original() -> None:
    found, expected = ours_is_better(inside("mul:0"), 'strip_unused_nodes(shape="-1,4")')
    assert isinstance(expected, OriginalAborted)
    assert [dim.size for dim in found.nodes["mul"].attr["shape"].shape.dim] == [-1, 4]


def test_colocation_with_what_is_gone_is_dropped() -> None:
    graph = with_colocation(with_colocation(parse(SIMPLE_ADD), "add", "a"), "b", "c")
    found, expected = ours_is_better(graph, "strip_unused_nodes")
    with pytest.raises(Exception, match="colocate"):
        answers(expected, graph)
    answers(found, graph)
    assert colocation(found, "add") == [b"loc:@a"]
    assert "_class" not in found.nodes["b"].attr


def test_an_input_waits_for_nothing_that_is_gone() -> None:
    graph = parse("n = NoOp\nx = Placeholder(^n) float32[2]\ny = Relu(x)\ninput x = x\noutput y = y")
    graph.nodes["x"].input.append("^n")
    found, expected = ours_is_better(graph, "strip_unused_nodes")
    assert isinstance(expected, OriginalError)
    assert list(found.nodes) == ["x", "y"]


def test_an_input_of_which_other_outputs_are_read_is_refused() -> None:
    graph = parse(
        "x = Placeholder float32[4]\na = Const int32[]: 0\ns = Split(a, x) num_split=2\ny = Relu(s:1)\noutput y = y"
    )
    graph = as_inputs(graph, "s:0")
    expected = theirs(graph, "strip_unused_nodes")
    with pytest.raises(Exception, match="output"):
        import_tensorflow().import_graph_def(expected.to_graph_def())
    with pytest.raises(ModelError, match="'s' cannot become a Placeholder, since its output 's:1'"):
        ours(graph, "strip_unused_nodes")


def test_many_inputs_take_no_longer_each() -> None:
    lines = [f"a{i} = Const float32[]: 1\ni{i} = Identity(a{i})\ninput i{i} = i{i}:0" for i in range(4000)]
    lines.append(f"y = AddN({', '.join(f'i{i}' for i in range(4000))}) N=4000\noutput y = y:0")
    graph = parse("\n".join(lines))
    started = time.process_time()
    found = ours(graph, "strip_unused_nodes")
    assert time.process_time() - started < 5
    assert sum(node.op == "Placeholder" for node in found.nodes.values()) == 4000


def test_another_output_that_an_input_alone_read_is_no_hindrance() -> None:
    text = "x = Placeholder float32[4]\na = Const int32[]: 0\ns = Split(a, x) num_split=2\nr = Relu(s:1)\ny = Add(s, r)"
    found = ours(as_inputs(parse(text + "\noutput y = y"), "s:0", "r:0"), "strip_unused_nodes")
    assert {name: node.op for name, node in found.nodes.items()} == {"s": "Placeholder", "r": "Placeholder", "y": "Add"}


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ('shape="256*64"', "was 256,64 meant"),
        ('shape="1,a"', "is no shape"),
        ("type=foo", "is no element type"),
        ("type=float, type=int32", "type is given 2 times"),
        ('shape="1", shape="2"', "shape is given 2 times"),
        ("name=mul", "every name needs a type_for_name"),
        ("name=mul, type_for_name=float", "every name needs a shape_for_name"),
        ('shape_for_name="1"', "every name needs a shape_for_name"),
    ],
)
def test_errors(parameters: str, error: str) -> None:
    with pytest.raises(OriginalError):
        theirs(inside("mul:0"), f"strip_unused_nodes({parameters})")
    with pytest.raises(TargetError, match=f"^strip_unused_nodes: .*{error}"):
        ours(inside("mul:0"), f"strip_unused_nodes({parameters})")


def test_an_unknown_output_is_refused_by_both() -> None:
    graph = parse(SIMPLE_ADD)
    graph = replace(graph, outputs=(replace(graph.outputs[0], tensor="ad:0"),))
    with pytest.raises(OriginalError, match="Input node ad not found in graph"):
        theirs(graph, "strip_unused_nodes")
    with pytest.raises(ModelError, match="no output 'ad'; the nearest names are 'add'"):
        ours(graph, "strip_unused_nodes")
