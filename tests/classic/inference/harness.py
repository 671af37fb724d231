"""Our steps of optimize_for_inference beside TensorFlow's own tool, on one graph.

    assert_agrees(graph)     exact: same nodes, operators, inputs, attributes and bits; order aside
    assert_same_answers(…)   equal in meaning: the same bits in answers
    assert_better(graph)     the original fails or answers otherwise than the graph; ours answers as the graph does
    assert_does_more(graph)  the original changes nothing; ours does, and answers the same

Graphs are written as text; here is what most of them have.
"""

from dataclasses import replace

import numpy as np
from tensorflow.python.tools import optimize_for_inference_lib as original

from mobile_export.classic.inference.optimize import Optimized, Request, optimize
from mobile_export.graphs.graph import Graph, node_name, short
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.session import import_tensorflow
from tests.graph_text import parse
from tests.graph_transform_tool.harness import tally

tf = import_tensorflow()
tf1 = tf.compat.v1


NAME = "optimize_for_inference"
"""In the tally."""

FLOAT, UINT8, BOOL = 1, 4, 10


CONV = "Conv2D({}) strides=[1,1,1,1] padding=SAME data_format=NHWC"


NORM = "is_training=false epsilon=0.001 data_format=NHWC"


HEAD = """
    x = Placeholder float32[1,8,8,3]
    w = Const float32[3,3,3,8] ~1
    b = Const float32[8] ~2
    gamma = Const float32[8] ~3
    beta = Const float32[8] ~4
    mean = Const float32[8] ~5
    variance = Const float32[8] +6
    epsilon = Const float32[]: 0.001
"""


TAIL = """
    y = Relu(norm)
    input x = x:0
    output y = y:0
"""


def network(*middle: str, tail: str = TAIL) -> Graph:
    """A graph of an image, constants of 8 channels, the nodes in `middle`, of which `norm` is the last, and a Relu."""
    graph = parse(HEAD + "\n".join(middle) + tail)
    if any(node.op.startswith("BatchNorm") for node in graph.nodes.values()):
        graph.versions.producer = 8  # the last that may have it
    return graph


def conv(name: str = "conv", inputs: str = "x, w") -> str:
    return f"{name} = {CONV.format(inputs)}"


def norm(source: str, version: str = "V3", **attributes: str) -> str:
    kept = " ".join(f"{key}={value}" for key, value in attributes.items()) or NORM
    types = " U=float32" if version else ""
    return f"norm = FusedBatchNorm{version}({source}, gamma, beta, mean, variance) {kept}{types}"


def old_norm(source: str, scaled: str) -> str:
    attributes = f"variance_epsilon=0.001 scale_after_normalization={scaled}"
    return f"norm = BatchNormWithGlobalNormalization({source}, mean, variance, beta, gamma) {attributes}"


def decomposed(source: str, add: str = "Add", gamma: bool = True, last: str = "product, offset") -> list[str]:
    """What tf.nn.batch_normalization makes."""
    scale = ["root = Rsqrt(shifted)", "scale = Mul(root, gamma)"] if gamma else ["scale = Rsqrt(shifted)"]
    return [
        f"shifted = {add}(variance, epsilon)",
        *scale,
        f"product = Mul({source}, scale)",
        "moved = Mul(mean, scale)",
        "offset = Sub(beta, moved)",
        f"norm = {add}({last})",
    ]


RESIZE = ["size = Const int32[2]: 16 12", "large = ResizeBilinear(x, size) align_corners=false"]


PADDINGS = "paddings = Const int32[4,2]: 0 0 1 2 2 1 0 0"


def pad(source: str, mode: str = "REFLECT", attributes: str = "Tpaddings=int32") -> list[str]:
    return [PADDINGS, f"padded = MirrorPad({source}, paddings) mode={mode} {attributes}"]


def theirs(graph: Graph, toco_compatible: bool = False, types: int | list[int] = FLOAT) -> GraphDef:
    """What the original makes of `graph`."""
    inputs, outputs = ([node_name(spec.tensor) for spec in specs] for specs in (graph.inputs, graph.outputs))
    return original.optimize_for_inference(graph.to_graph_def(), inputs, outputs, types, toco_compatible)


def ours(graph: Graph, toco_compatible: bool = False, **constants: bool) -> Optimized:
    """What ours makes of it."""
    inputs, outputs = ([node_name(spec.tensor) for spec in specs] for specs in (graph.inputs, graph.outputs))
    request = Request(dict.fromkeys(inputs), outputs, constants, toco_compatible)
    return optimize(replace(graph, inputs=(), outputs=()), request)


def answers(graph_def: GraphDef, like: Graph) -> list[Array]:
    """What TensorFlow computes for random values of the inputs of `like`."""
    rng = np.random.default_rng(0)
    feeds = {}
    for spec in like.inputs:
        values = rng.normal(size=[2 if size < 0 else size for size in spec.shape or ()])
        feeds[spec.tensor] = (values if spec.dtype == "float32" else np.abs(values * 50)).astype(spec.dtype)
    config = tf1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # which has folds of its own
    with tf.Graph().as_default() as loaded, tf1.Session(graph=loaded, config=config) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run([spec.tensor for spec in like.outputs], feeds)


def difference(ones: list[Array], others: list[Array]) -> float:
    """The largest, relative to the largest magnitude."""
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-9)) for a, b in zip(ones, others, strict=True))


def described(node: NodeDef) -> tuple[object, ...]:
    attributes = {key: value.SerializeToString(deterministic=True) for key, value in node.attr.items()}
    return node.op, node.device, [short(name) for name in node.input], attributes


def assert_agrees(graph: Graph, toco_compatible: bool = False, runs: bool = True) -> Graph:
    """Hold ours to the original's nodes, operators, inputs, attributes and bits; returns ours."""
    tally(NAME, "exact")
    expected_def = theirs(graph, toco_compatible)
    expected, found = Graph.from_graph_def(expected_def), ours(graph, toco_compatible).graph
    assert sorted(found.nodes) == sorted(expected.nodes)
    for name, node in expected.nodes.items():
        assert described(found.nodes[name]) == described(node)
    assert found.constants.keys() == expected.constants.keys()
    for name, value in expected.constants.items():
        assert found.constants[name].dtype == value.dtype
        np.testing.assert_array_equal(found.constants[name], value, err_msg=name)
    if runs:
        before, after = answers(graph.to_graph_def(), graph), answers(found.to_graph_def(), graph)
        assert difference(after, answers(expected_def, graph)) == 0
        assert difference(after, before) < 1e-5
    return found


def is_wrong(graph: Graph, toco_compatible: bool = False) -> bool:
    """Whether the original fails on `graph`, or its result does not load, or answers something else."""
    try:
        found = answers(theirs(graph, toco_compatible), graph)
    except (AssertionError, LookupError, TypeError, ValueError, tf.errors.OpError):
        return True
    return difference(found, answers(graph.to_graph_def(), graph)) > 1e-3


def assert_better(graph: Graph, toco_compatible: bool = False) -> Graph:
    """Hold ours to the graph's own answers, where the original is wrong; returns ours."""
    tally(NAME, "better")
    assert is_wrong(graph, toco_compatible)
    found = ours(graph, toco_compatible).graph
    assert difference(answers(found.to_graph_def(), graph), answers(graph.to_graph_def(), graph)) < 1e-5
    return found


def assert_same_answers(graph: Graph) -> Graph:
    """Hold ours to the bits that the original's result answers; returns ours."""
    tally(NAME, "equal in meaning")
    found = ours(graph).graph
    assert difference(answers(found.to_graph_def(), graph), answers(theirs(graph), graph)) == 0
    return found


def assert_does_more(graph: Graph) -> Graph:
    """Hold ours to the graph's own answers, where the original leaves all operators as they are; returns ours."""
    tally(NAME, "better")
    assert sorted(ops(Graph.from_graph_def(theirs(graph)))) == sorted(ops(graph))
    found = ours(graph).graph
    assert difference(answers(found.to_graph_def(), graph), answers(graph.to_graph_def(), graph)) < 1e-5
    return found


def ops(graph: Graph) -> list[str]:
    """Operators besides constants and placeholders, in order."""
    return [node.op for node in graph.nodes.values() if node.op not in ("Const", "Placeholder")]


FOLDED = ["Conv2D", "BiasAdd", "Relu"]
