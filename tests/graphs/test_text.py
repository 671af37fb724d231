"""Graphs as text: what golden cases compare."""

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.text import SHOWN_VALUES, render
from tests.graph_text import parse

CANONICAL = {
    "placeholders": """
x = Placeholder float32[?,4,4,3]
n = Placeholder int32[]
any = Placeholder bool[...]
input image = x:0
""",
    "constants": """
f = Const float32[2,2]: 1 -0.5 1e-07 2.5
s = Const float64[]: 3
i = Const int32[3]: -1 0 7
u = Const uint8[1]: 255
h = Const float16[2]: 0.5 nan
b = Const bfloat16[2]: 1.5 -inf
t = Const bool[2]: 1 0
none = Const int64[0]
rows = Const float32[2,0]
""",
    "edges": """
x = Placeholder float32[2]
c = Const(^x) float32[1]: 1
s = Split(c, x) num_split=2
y = Add(s, s:1, ^c, ^x)
go = NoOp(^y)
input x = x:0
output second = s:1
output sum = y:0
""",
    "attributes": """
x = Placeholder float32[1,8,8,1]
w = Const float32[1,1,1,1]: 1
c = Conv2D(x, w) data_format=NHWC padding=SAME strides=[1,2,2,1] use_cudnn_on_gpu=true
e = Elu(c) alpha=0.25 beta=-3 flag=false
d = Cast(e) DstT=int32 SrcT=float32
i = Abs(d) T=int32
l = Squeeze(e) squeeze_dims=[]
""",
}


DEFAULTED = """
n = Const int32[]: 3
d = PlaceholderWithDefault(n) dtype=int32 shape=[...]
"""


@pytest.mark.parametrize("text", [*CANONICAL.values(), DEFAULTED])
def test_what_is_rendered_parses_to_the_same(text: str) -> None:
    graph = parse(text)
    assert render(graph) == text.removeprefix("\n")
    again = parse(render(graph))
    assert list(again.nodes.items()) == list(graph.nodes.items())
    assert all(np.array_equal(again.constants[name], array, equal_nan=True) for name, array in graph.constants.items())
    assert (again.inputs, again.outputs) == (graph.inputs, graph.outputs)


def constant(value: np.ndarray) -> str:
    graph = Graph()
    graph.set_constant("c", value)
    return render(graph)


@pytest.mark.parametrize("change", [0, SHOWN_VALUES])
def test_large_constants_are_told_apart_by_their_bytes(change: int) -> None:
    value = np.zeros(SHOWN_VALUES + 1, np.float32)
    other = value.copy()
    other[change] = np.float32(1e-30)
    assert constant(value) == constant(value.copy())
    assert constant(value) != constant(other)
    assert constant(value) == constant(np.zeros(2 * len(value), np.float32)[::2])  # whatever its layout


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_small_integers_are_shown_whole(dtype: type) -> None:
    assert constant(np.array([1234567], dtype)) != constant(np.array([1234568], dtype))


def test_complex_constants() -> None:
    assert constant(np.complex64([1 + 2j])) == "c = Const complex64[1]: 1+2j\n"


def test_what_tensorflow_keeps_for_itself_is_left_out() -> None:
    graph = parse("x = Placeholder float32[2]\ny = Relu(x)")
    before = render(graph)
    graph.nodes["y"].attr["_class"].list.s.append(b"loc:@x")
    graph.nodes["y"].device = "/gpu:0"
    assert render(graph) == before


@pytest.mark.parametrize(
    ("set_attribute", "shown"),
    [
        (lambda a: a.list.type.extend([1, 3]), "[float32,int32]"),
        (lambda a: a.list.s.extend([b"a", b"b"]), "[a,b]"),
        (lambda a: a.list.f.extend([0.5, 1]), "[0.5,1]"),
        (lambda a: a.list.b.extend([True, False]), "[true,false]"),
        (lambda a: a.list.shape.add().dim.add(size=3), "[[3]]"),
        (lambda a: a.func.MergeFromString(b"\x0a\x03fun"), "fun"),
        (lambda a: a.tensor.SetInParent(), ""),
        (lambda a: a.SetInParent(), "none"),
        (lambda a: setattr(a, "s", b"\xff"), "�"),
    ],
)
def test_attributes_of_other_kinds(set_attribute, shown: str) -> None:
    graph = parse("x = Placeholder float32[2]\ny = Relu(x)")
    set_attribute(graph.nodes["y"].attr["k"])
    assert render(graph).splitlines()[1] == f"y = Relu(x) k={shown}"
