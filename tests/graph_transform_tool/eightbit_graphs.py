"""Graphs of what has eight-bit kernels, named as in the original's unit tests where they are theirs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.ops import RUNNABLE
from mobile_export.graphs.tensors import Array, dtype_named, dtype_number_of
from mobile_export.session import Session, import_tensorflow
from tests.graph_text import parse
from tests.graph_transform_tool.harness import answers
from tests.loops import control_flow

tf = import_tensorflow()

_WITHOUT_T = {"FakeQuantWithMinMaxVars", "QuantizedBiasAdd", "RequantizationRange", "Requantize", "QuantizedRelu"}


def read(text: str) -> Graph:
    """The graph of `text`, in which quint8 constants are written `Const uint8` and their names end in `codes`."""
    graph = parse(text)
    for name, node in graph.nodes.items():
        if node.op in _WITHOUT_T:
            node.attr.pop("T", None)
        for value in node.attr.values():
            if value.s in (b"quint8", b"qint32", b"quint16"):
                value.type = dtype_number_of(value.s.decode())
        if name.endswith("codes") and node.op == "Const":
            graph.constants[name] = graph.constants[name].view(dtype_named("quint8"))
            node.attr["dtype"].type = dtype_number_of("quint8")
    return graph


def error(graph: Graph, like: Graph, seed: int = 0) -> float:
    """The largest difference of answers, as a fraction of the largest answer of `like`."""
    pairs = zip(answers(graph, like, seed), answers(like, like, seed), strict=True)
    return max(float(np.abs(one - other).max() / (np.abs(other).max() or 1)) for one, other in pairs)


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes.values()]


def run(graph: Graph, feeds: dict[str, Array], outputs: tuple[str, ...] = ("y:0",)) -> list[Array]:
    with Session(replace(graph, inputs=(), outputs=()), allowed=RUNNABLE | set(ops(graph))) as session:
        return session.evaluate(outputs, feeds)


def sequence(*values: float) -> str:
    return " ".join(map(str, values))


X = "x = Placeholder float32[1,4,6,2]\ninput x = x:0\n"
ONE_TO_12 = sequence(*range(1, 13))
PLAIN = {
    "MatMulTiny, one product": """
        a = Const float32[1,1]: 2
        b = Const float32[1,1]: 3
        y = MatMul(a, b) transpose_a=false transpose_b=false
        output y = y:0
    """,
    "MatMulTiny, two columns": """
        a = Const float32[1,1]: 1
        b = Const float32[1,2]: 2 3
        y = MatMul(a, b) transpose_a=false transpose_b=false
        output y = y:0
    """,
    "MatMulTiny, ones": """
        a = Const float32[1,2]: 1 1
        b = Const float32[2,1]: 1 1
        y = MatMul(a, b) transpose_a=false transpose_b=false
        output y = y:0
    """,
    "MatMulTiny, zeros": """
        a = Const float32[1,2]: 0 0
        b = Const float32[2,1]: 1 1
        y = MatMul(a, b) transpose_a=false transpose_b=false
        output y = y:0
    """,
    "MatMulTiny": """
        a = Const float32[1,2]: 1 2
        b = Const float32[2,1]: 1 2
        y = MatMul(a, b) transpose_a=false transpose_b=false
        output y = y:0
    """,
    "MatMulSmall": """
        a = Const float32[2,3]: 1 2 3 4 5 6
        b = Const float32[3,4]: 7 8 9 10 11 12 13 14 15 16 17 18
        y = MatMul(a, b) transpose_a=false transpose_b=false
        output y = y:0
    """,
    "MatMul, transposed": """
        a = Placeholder float32[3,2]
        b = Const float32[4,3] ~2
        y = MatMul(a, b) transpose_a=true transpose_b=true
        input a = a:0
        output y = y:0
    """,
    "Mul": X + "w = Const float32[2]: 0.5 -3\ny = Mul(x, w)\noutput y = y:0",
    "Add": X + "w = Const float32[2]: 0.5 -3\ny = Add(x, w)\noutput y = y:0",
    "OddPaddingProblem": f"""
        x = Const float32[1,4,4,1]: {sequence(*range(1, 17))}
        w = Const float32[3,3,1,1]: {sequence(*range(1, 10))}
        y = Conv2D(x, w) padding=SAME strides=[1,2,2,1]
        output y = y:0
    """,
    "Conv2D": f"""
        x = Const float32[1,3,4,1]: {ONE_TO_12}
        w = Const float32[3,3,1,1]: 1 4 7 2 5 8 3 6 9
        y = Conv2D(x, w) padding=SAME strides=[1,1,1,1] data_format=NHWC dilations=[1,1,1,1]
        output y = y:0
    """,
    "Conv2D, valid": X
    + "w = Const float32[3,3,2,4] ~1\ny = Conv2D(x, w) padding=VALID strides=[1,2,2,1]\noutput y = y:0",
    "BiasAdd": f"""
        x = Const float32[1,1,2,6]: {ONE_TO_12}
        b = Const float32[6]: 1 2 3 4 5 6
        y = BiasAdd(x, b) data_format=NHWC
        output y = y:0
    """,
    "Concat": f"""
        axis = Const int32[]: 0
        a = Const float32[2,2,3]: {ONE_TO_12}
        b = Const float32[2,2,3]: {sequence(*range(13, 25))}
        y = Concat(axis, a, b) N=2
        output y = y:0
    """,
    "Relu": X + "y = Relu(x)\noutput y = y:0",
    "Relu6": X + "y = Relu6(x)\noutput y = y:0",
    "MaxPool": X + "y = MaxPool(x) ksize=[1,2,2,1] strides=[1,1,1,1] padding=SAME\noutput y = y:0",
    "AvgPool": X + "y = AvgPool(x) ksize=[1,2,2,1] strides=[1,1,1,1] padding=SAME\noutput y = y:0",
    "Reshape": X + "s = Const int32[2]: 12 4\ny = Reshape(x, s) Tshape=int32\noutput y = y:0",
    "ResizeBilinear": X + "s = Const int32[2]: 7 9\ny = ResizeBilinear(x, s) align_corners=true\noutput y = y:0",
    "ResizeBilinear, half pixels off": X
    + "s = Const int32[2]: 7 9\ny = ResizeBilinear(x, s) align_corners=false half_pixel_centers=false\noutput y = y:0",
    "a port": """
        x = Placeholder float32[2,4]
        axis = Const int32[]: 1
        s = Split(axis, x) num_split=2
        y = Add(s:1, s)
        input x = x:0
        output y = y:0
    """,
    "a name that says its port": X + "y = Relu(x:0)\noutput y = y:0",
    "nothing to do": X + "y = Sigmoid(x)\noutput y = y:0",
    "operators without a kernel": X + "y = AddV2(x, x)\nz = Softmax(y)\noutput y = z:0",
}


ROUND_TRIP = """
    codes = Requantize(sum, sum:1, sum:2, range, range:1) Tinput=qint32 out_type=quint8
    d = Dequantize(codes, codes:1, codes:2) T=quint8 mode=MIN_FIRST
    flat_shape = Const int32[1]: -1
    axes = Const int32[]: 0
    flat = Reshape(d, flat_shape) Tshape=int32
    low = Min(flat, axes) keep_dims=false Tidx=int32
    high = Max(flat, axes) keep_dims=false Tidx=int32
    again = QuantizeV2(d, low, high) T=quint8 mode=MIN_FIRST
    y = Dequantize(again, again:1, again:2) T=quint8 mode=MIN_FIRST
"""
SUM = """
    x_codes = Const uint8[1,6]: 0 50 100 150 200 255
    x_low = Const float32[]: 0
    x_high = Const float32[]: 255
    b_codes = Const uint8[6]: 1 2 3 4 5 6
    b_low = Const float32[]: 0
    b_high = Const float32[]: 255
    sum = QuantizedBiasAdd(x_codes, b_codes, x_low, x_high, b_low, b_high) T1=quint8 T2=quint8 out_type=qint32
    range = RequantizationRange(sum, sum:1, sum:2) Tinput=qint32
"""
# The original passes by one conversion of each Dequantize, whichever comes first; its own tests run this step alone.
ROUND_TRIPS = {
    "RemoveRedundantQuantization": """
        codes = Const uint8[6]: 0 50 100 150 200 255
        codes1 = Const float32[]: 2
        codes2 = Const float32[]: 3
    """
    + ROUND_TRIP.replace("codes:", "codes").partition("quint8\n")[2],
    "RemoveRedundantQuantizationWithBiasAdd": SUM + ROUND_TRIP,
    "RemoveRedundantQuantizationWithMultipleOutputs": SUM + ROUND_TRIP + "z = Relu(d)\noutput z = z:0",
}


WITHOUT_RESHAPE = (
    ROUND_TRIP.replace("flat = Reshape(d, flat_shape) Tshape=int32", "")
    .replace("(flat,", "(d,")
    .replace("axes = Const int32[]: 0", "axes = Const int32[2]: 0 1")
)
ADJACENT = """
    codes = Requantize(sum, sum:1, sum:2, range, range:1) Tinput=qint32 out_type=quint8
    d = Dequantize(codes, codes:1, codes:2) T=quint8 mode=MIN_FIRST
    low = Const float32[]: 0
    high = Const float32[]: 270
    wide = QuantizeV2(d, low, high) T=qint32 mode=MIN_FIRST
    low2 = Const float32[]: 0
    high2 = Const float32[]: 270
    narrow = Requantize(wide, wide:1, wide:2, low2, high2) Tinput=qint32 out_type=quint8
    y = Dequantize(narrow, narrow:1, narrow:2) T=quint8 mode=MIN_FIRST
"""
EIGHTBIT = {
    "a round trip without a Reshape": SUM + WITHOUT_RESHAPE,
    "MergeAdjacentRequantizes": SUM + ADJACENT,
}


NETS = {
    "MergeAdjacentRequantizes, read by others": SUM + ADJACENT + "z = Sigmoid(d)\noutput y = y:0\noutput z = z:0",
    "two readers": X + "a = Relu(x)\nb = Relu6(x)\ny = Sub(a, b)\noutput y = y:0",
    "one range for both operands": X
    + """
        a = Relu(x)
        axis = Const int32[]: 3
        b = MaxPool(a) ksize=[1,2,2,1] strides=[1,1,1,1] padding=SAME
        c = AvgPool(a) ksize=[1,2,2,1] strides=[1,1,1,1] padding=SAME
        d = Concat(axis, a, b, c) N=3
        output d = d:0
    """,
    "float between": X + "a = Relu(x)\nb = Sigmoid(a)\ny = Relu6(b)\noutput y = y:0",
    "an intermediate output": X + "a = Relu(x)\ny = Relu6(a)\noutput a = a:0\noutput y = y:0",
    "ExcludeNonFloat": """
        i = Const int32[4,5] ~1
        s = Const int32[2]: 10 2
        f = Const float32[4,5] ~2
        ri = Reshape(i, s) T=int32 Tshape=int32
        rf = Reshape(f, s) Tshape=int32
        a = Relu(ri) T=int32
        b = Cast(a) SrcT=int32 DstT=float32 Truncate=false
        c = Relu(rf)
        output b = b:0
        output c = c:0
    """,
    "a network": X
    + """
        w1 = Const float32[3,3,2,4] ~1
        b1 = Const float32[4] ~2
        c1 = Conv2D(x, w1) padding=SAME strides=[1,1,1,1]
        a1 = BiasAdd(c1, b1)
        r1 = Relu(a1)
        p1 = MaxPool(r1) ksize=[1,2,2,1] strides=[1,2,2,1] padding=VALID
        w2 = Const float32[1,1,4,4] ~3
        c2 = Conv2D(p1, w2) padding=SAME strides=[1,1,1,1]
        s2 = Add(c2, p1)
        r2 = Relu6(s2)
        shape = Const int32[2]: -1 24
        flat = Reshape(r2, shape) Tshape=int32
        w3 = Const float32[24,5] ~4
        logits = MatMul(flat, w3) transpose_a=false transpose_b=false
        y = Softmax(logits)
        output y = y:0
        output logits = logits:0
    """,
    "MergeDuplicateConsts": f"""
        a = Const float32[12]: {ONE_TO_12}
        b = Const float32[12]: {ONE_TO_12}
        c = Add(a, b)
        d = Const float32[12]: 2 3 4 5 6 7 8 9 10 11 12 13
        y = Mul(c, d)
        output y = y:0
    """,
    "MergeDuplicatesNested": f"""
        a = Const float32[12]: {ONE_TO_12}
        ar = Relu(a)
        b = Const float32[12]: {ONE_TO_12}
        br = Relu(b)
        c = Sub(ar, br)
        d = Const float32[12] ~1
        y = Mul(c, d)
        output y = y:0
    """,
}


RANGES = "low = Const float32[]: 0\nhigh = Const float32[]: 6\n"
BIASED = X + RANGES + "w = Const float32[1,1,2,3] ~1\nb = Const float32[3] ~2\n"
BIASED += "c = Conv2D(x, w) padding=SAME strides=[1,1,1,1]\na = BiasAdd(c, b)\n"
TRAINED = {
    "ConvertFakeQuantsToRequantize": BIASED + "y = FakeQuantWithMinMaxVars(a, low, high)\noutput y = y:0",
    "HoistFakeQuants": BIASED
    + """
        r = Relu(a)
        p = MaxPool(r) ksize=[1,2,2,1] strides=[1,1,1,1] padding=SAME
        y = FakeQuantWithMinMaxVars(p, low, high) num_bits=8 narrow_range=false
        output y = y:0
    """,
    "hoisted over three": BIASED
    + "r = Relu(a)\ni = Identity(r)\nj = Identity(i)\ny = FakeQuantWithMinMaxVars(j, low, high)\noutput y = y:0",
    "hoisted over five": BIASED
    + "r = Relu(a)\ni = Identity(r)\nj = Identity(i)\nk = Identity(j)\nl = Identity(k)\n"
    + "y = FakeQuantWithMinMaxVars(l, low, high)\noutput y = y:0",
    "someone reads what it reads": BIASED
    + "r = Relu(a)\ny = FakeQuantWithMinMaxVars(r, low, high)\nz = Sigmoid(r)\noutput y = y:0\noutput z = z:0",
    "a network goes on": BIASED
    + """
        r = Relu(a)
        f = FakeQuantWithMinMaxVars(r, low, high)
        w2 = Const float32[1,1,3,2] ~5
        c2 = Conv2D(f, w2) padding=SAME strides=[1,1,1,1]
        low2 = Const float32[]: -5
        high2 = Const float32[]: 5
        y = FakeQuantWithMinMaxVars(c2, low2, high2)
        output y = y:0
    """,
    "two share a range": BIASED
    + "f = FakeQuantWithMinMaxVars(a, low, high)\nr = Relu6(f)\n"
    + "y = FakeQuantWithMinMaxVars(r, low, high)\noutput y = y:0",
    "its range is computed": BIASED + "n = Identity(low)\ny = FakeQuantWithMinMaxVars(a, n, high)\noutput y = y:0",
    "weights": X
    + """
        low = Const float32[]: -2
        high = Const float32[]: 2
        w = Const float32[1,1,2,3] ~1
        i = Identity(w)
        f = FakeQuantWithMinMaxVars(i, low, high)
        y = Conv2D(x, f) padding=SAME strides=[1,1,1,1]
        output y = y:0
    """,
}


FAILING = {
    "Add(x, x)": X + "y = Add(x, x)\noutput y = y:0",
    "Concat(x, x)": X + "axis = Const int32[]: 3\ny = Concat(axis, x, x) N=2\noutput y = y:0",
    "a control input": X + "n = NoOp\ny = Relu(x, ^n)\noutput y = y:0",
    "a size in 64 bits": X + "s = Const int64[2]: 12 4\ny = Reshape(x, s) Tshape=int64\noutput y = y:0",
    "different strides": X
    + "w = Const float32[3,3,2,4] ~1\ny = Conv2D(x, w) padding=VALID strides=[1,1,2,1]\noutput y = y:0",
    "explicit padding": X
    + "w = Const float32[3,3,2,4] ~1\ny = Conv2D(x, w) padding=EXPLICIT strides=[1,1,1,1] "
    + "explicit_paddings=[0,0,1,1,2,0,0,0]\noutput y = y:0",
    "defaults left out": X
    + "w = Const float32[2,2] ~1\ns = Const int32[2]: 24 2\nr = Reshape(x, s)\n"
    + "y = MatMul(r, w)\noutput y = y:0",
    "default type of the shape": X + "s = Const int32[2]: 24 2\ny = Reshape(x, s)\noutput y = y:0",
    "an output behind which a range was trained": BIASED
    + "r = Relu(a)\ny = FakeQuantWithMinMaxVars(r, low, high)\noutput a = a:0\noutput r = r:0\noutput y = y:0",
}


def looping(x: Any) -> Any:
    w = tf.constant(np.random.default_rng(0).normal(size=(3, 3)) / 2, tf.float32)
    return tf.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, tf.nn.relu(tf.matmul(h, w))), (0, x))[1]


def branching(x: Any) -> Any:
    return tf.compat.v1.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x), lambda: tf.nn.relu6(-x))


def residual(x: Any) -> Any:
    def convolution(x: Any, size: int, seed: int) -> Any:
        w = np.random.default_rng(seed).normal(size=(size, size, x.shape[-1], 8)).astype(np.float32)
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, 1, "SAME"), np.linspace(-1, 1, 8, dtype=np.float32)))

    x = tf.reshape(x, [-1, 2, 3, 2])
    a = convolution(x, 1, 1)
    b = convolution(a, 3, 2)
    c = tf.raw_ops.Add(x=a, y=b)
    d = tf.raw_ops.Concat(concat_dim=3, values=[c, convolution(c, 1, 3), tf.nn.max_pool2d(c, 3, 1, "SAME")])
    return tf.matmul(tf.reshape(tf.nn.avg_pool2d(d, [2, 3], 1, "VALID"), [-1, 24]), np.eye(24, 5, dtype=np.float32))


def made(build: Callable[[Any], Any]) -> Graph:
    """The graph of what `build` makes of x: float32[4,3]."""
    with control_flow(1), tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [4, 3], "x")
        tf.identity(build(x), "y")
    specs = (TensorSpec("x", "x:0", "float32", (4, 3)),), (TensorSpec("y", "y:0", "float32", None),)
    return Graph.from_graph_def(graph.as_graph_def(), *specs)
