"""The ONNX format: answers, edges, names, bytes, and what it must refuse."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Request
from mobile_export.formats.onnx import ONNX
from mobile_export.formats.onnx_canonical import canonicalize
from mobile_export.formats.onnx_float import IR_VERSION, convert
from mobile_export.formats.onnx_mapping import OPSET
from mobile_export.formats.onnx_runner import MOST_BYTES
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import Session, import_tensorflow
from tests.loops import LAYERS, looking_back, loop_graph

tf = import_tensorflow()
Build = Callable[..., Sequence[Any]]
NHWC = (-1, 9, 8, 4)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def graph_of(build: Build, *shapes: tuple[int, ...] | None, dtype: str = "float32") -> Graph:
    """The graph of `build`, with inputs x0, x1, … of `shapes` and outputs y0, y1, …"""
    tf.compat.v1.disable_control_flow_v2()
    with tf.Graph().as_default() as tf_graph:
        dims = [None if shape is None else [None if d < 0 else d for d in shape] for shape in shapes]
        inputs = [tf.compat.v1.placeholder(dtype, d, f"placeholder_{k}") for k, d in enumerate(dims)]
        outputs = build(*inputs)
    specs = [[_spec(f"{kind}{k}", t) for k, t in enumerate(ts)] for kind, ts in (("x", inputs), ("y", outputs))]
    return Graph.from_graph_def(tf_graph.as_graph_def(), *specs)


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = None if tensor.shape.rank is None else tuple(-1 if d is None else d for d in tensor.shape.as_list())
    return TensorSpec(name, tensor.name, tensor.dtype.name, shape)


def write(graph: Graph, folder: Path) -> Path:
    path = folder / "model.onnx"
    ONNX().write(graph, [Request("digits", path)], None)
    return path


def assert_agrees(graph: Graph, path: Path, batch: int = 3) -> None:
    """The file answers as TensorFlow does."""
    shapes = [[batch if d < 0 else d for d in spec.shape or ()] for spec in graph.inputs]
    feeds = {spec.name: weights(*shape) for spec, shape in zip(graph.inputs, shapes, strict=True)}
    got = ONNX().open(path)(feeds)
    with Session(graph) as session:
        for name, want in session(feeds).items():
            assert got[name].dtype == want.dtype
            np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-5, err_msg=name)


def repeat(x: Any) -> list[Any]:
    """A loop that carries four variables and reads them out of order."""
    w = tf.constant(weights(4, 4))
    _, a, b, c = tf.compat.v1.while_loop(
        lambda i, *_: i < 3,
        lambda i, a, b, c: (i + 1, tf.matmul(a, w), b + tf.reduce_sum(a), c * 0.5),
        (0, x, 0.0, x),
    )
    return [c, a, b]


def fold_rows(x: Any) -> list[Any]:
    """A loop over a tensor list, as recurrent layers are frozen."""
    tf.compat.v1.enable_control_flow_v2()
    return [tf.scan(lambda state, row: tf.tanh(state + row), x, initializer=tf.zeros([4]))]


def choose(x: Any) -> list[Any]:
    above = tf.reduce_sum(x) > 0
    return list(tf.compat.v1.cond(above, lambda: (x * 2.0, x + 1.0, -x), lambda: (x - 1.0, x, x * x)))[::-1]


def layer_norm(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, weights(4), weights(4), 1e-3)


def shared_kernel(x: Any) -> list[Any]:
    kernel = tf.constant(weights(3, 3, 4, 40), name="kernel")
    return [tf.nn.conv2d(x, kernel, 1, "SAME"), tf.nn.conv2d(x * 2.0, kernel, 2, "SAME")]


MODELS: dict[str, tuple[Build, tuple[int, ...]]] = {
    "conv": (lambda x: [tf.nn.conv2d(x, weights(3, 3, 4, 8), 1, "VALID")], NHWC),
    "strided same": (lambda x: [tf.nn.conv2d(x, weights(3, 3, 4, 8), 2, "SAME")], NHWC),
    "dilated": (lambda x: [tf.nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME", dilations=2)], NHWC),
    "depthwise": (lambda x: [tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 2), [1, 2, 2, 1], "SAME")], NHWC),
    "batch norm": (
        lambda x: [
            tf.compat.v1.nn.fused_batch_norm(
                tf.nn.relu6(x), weights(4), weights(4), weights(4), abs(weights(4)) + 1, is_training=False
            )[0]
        ],
        NHWC,
    ),
    "pool": (lambda x: [tf.nn.max_pool2d(x, 3, 2, "SAME"), tf.nn.avg_pool2d(x, 2, 2, "SAME")], NHWC),
    "resize": (lambda x: [tf.compat.v1.image.resize_bilinear(x, [18, 16])], NHWC),
    "pad reshape": (lambda x: [tf.reshape(tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]]), [-1, 12 * 11 * 4])], NHWC),
    "shared kernel": (shared_kernel, NHWC),
    "dense softmax": (lambda x: [tf.nn.softmax(tf.matmul(x, weights(4, 1300)) + weights(1300))], (-1, 4)),
    "layer norm gelu": (lambda x: [tf.nn.gelu(layer_norm(x)), tf.nn.gelu(x, approximate=True)], (-1, 4)),
    "outputs of one node": (lambda x: list(tf.split(x * 2.0, 4, axis=1))[::-1], (-1, 4)),
    "other dtypes": (lambda x: [*tf.nn.top_k(x, 3), tf.argmax(x, -1), tf.shape(x), x > 0], (-1, 4)),
    "while": (repeat, (-1, 4)),
    "scan over a tensor list": (fold_rows, (3, 4)),
    "cond": (choose, (-1, 4)),
    "default input": (lambda x: [x * tf.compat.v1.placeholder_with_default(tf.constant(0.5), [])], (-1, 4)),
    "output is input": (lambda x: [x, tf.nn.relu(x), x], (-1, 4)),
    "output twice": (lambda x: [tf.nn.relu(x)] * 2, (-1, 4)),
    "constant output": (lambda x: [tf.constant(weights(50, 50)), x * 2.0, tf.constant(3.0), tf.constant(3.0)], (-1, 4)),
}


@pytest.mark.parametrize("build, shape", MODELS.values(), ids=MODELS)
def test_agrees_with_tensorflow(build: Build, shape: tuple[int, ...], tmp_path: Path) -> None:
    """And uses no operators but ONNX's own: a reduced ONNX Runtime may lack its private ones."""
    graph = graph_of(build, shape)
    path = write(graph, tmp_path)
    assert_agrees(graph, path)
    assert [(o.domain, o.version) for o in onnx.load(path).opset_import] == [("", OPSET)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["recurrent", "bidirectional", "stacked", "stopping", "mapped"])
def test_recurrent_layers(name: str, version: int, tmp_path: Path) -> None:
    graph = loop_graph(LAYERS[name], version)
    assert_agrees(graph, write(graph, tmp_path))


def test_a_loop_that_reads_what_it_fills_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"of loops it knows those that read one list and fill another") as caught:
        write(loop_graph(looking_back, version=2), tmp_path)
    assert caught.value.nodes


def two_in_two_out(a: Any, b: Any) -> list[Any]:
    return [tf.nn.relu(b, name="x0"), a + 1.0]


def test_edges_are_the_graphs(tmp_path: Path) -> None:
    graph = graph_of(two_in_two_out, (-1, 5, -1), (2, 3))
    path = write(graph, tmp_path)
    assert_agrees(graph, path)
    runner = ONNX().open(path)
    edges = [(e.name, e.dtype, e.shape) for e in (*runner.inputs, *runner.outputs)]
    assert edges == [(s.name, s.dtype, s.shape) for s in (*graph.inputs, *graph.outputs)]
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", 5, "x0_dim_2"]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_dynamic_batch_is_kept(batch: int, tmp_path: Path) -> None:
    graph = graph_of(MODELS["strided same"][0], NHWC)
    assert_agrees(graph, write(graph, tmp_path), batch)


def test_an_input_that_no_output_needs_stays(tmp_path: Path) -> None:
    graph = graph_of(lambda a, b: [tf.nn.relu(b)], (-1, 4), (-1, 2))
    path = write(graph, tmp_path)
    assert [edge.name for edge in ONNX().open(path).inputs] == ["x0", "x1"]
    assert_agrees(graph, path)


def test_an_input_may_cut_the_graph(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [tf.identity(tf.split(x, 2, axis=1)[1] * 3.0, name="end")], (-1, 4))
    graph.inputs = (TensorSpec("half", "split:1", "float32", (-1, 2)),)
    runner = ONNX().open(write(graph, tmp_path))
    np.testing.assert_array_equal(runner({"half": np.float32([[1, 2]])})["y0"], [[3, 6]])


def test_unknown_output_rank_is_inferred(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [tf.nn.relu(x)], (-1, 4))
    graph.outputs = (TensorSpec("y0", graph.outputs[0].tensor, "float32", None),)
    assert ONNX().open(write(graph, tmp_path)).outputs[0].shape == (-1, 4)


def test_model_is_clean(tmp_path: Path) -> None:
    """Batch norms, layout transposes and identities are gone; only what is used is imported; names are TensorFlow's."""

    def build(x: Any) -> list[Any]:
        for k in range(3):
            x = tf.nn.conv2d(x, weights(3, 3, 4, 4), 1, "SAME", name=f"conv{k}")
            bias = [weights(4), weights(4), weights(4), abs(weights(4)) + 1]
            x = tf.compat.v1.nn.fused_batch_norm(x, *bias, is_training=False, name=f"bn{k}")[0]
            x = tf.nn.relu6(x, name=f"relu{k}")
        return [tf.reduce_mean(x, [1, 2])]

    model = onnx.load(write(graph_of(build, NHWC), tmp_path))
    ops = [node.op_type for node in model.graph.node]
    assert sorted(ops) == ["Clip"] * 3 + ["Conv"] * 3 + ["GlobalAveragePool", "Squeeze", "Transpose"]
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert (model.ir_version, model.producer_name) == (IR_VERSION, "mobile-export")
    assert not model.doc_string and not model.metadata_props and not model.graph.value_info
    assert {"bn0", "relu0", "bn1", "relu1", "bn2", "relu2"} <= {node.name for node in model.graph.node}
    onnx.checker.check_model(model, full_check=True)


def test_equal_weights_are_stored_once(tmp_path: Path) -> None:
    model = onnx.load(write(graph_of(shared_kernel, NHWC), tmp_path))
    assert len([tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]) == 1


def test_all_requests_get_the_same_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    ONNX().write(graph_of(choose, (-1, 4)), [Request(path.stem, path) for path in paths], None)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


WRITE_ALL = """
import sys
from pathlib import Path
from mobile_export.formats.format import Request
from mobile_export.formats.onnx import ONNX
from mobile_export.graphs.graph import Graph
for path in map(Path, sys.argv[1:]):
    ONNX().write(Graph.load(path), [Request(path.stem, path.with_suffix(".onnx"))], None)
"""


@pytest.mark.e2e
def test_same_bytes_in_any_process(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.graph" for name in ("batch norm", "shared kernel", "while", "cond")]
    for path in paths:
        graph_of(*MODELS[path.stem]).save(path)
    written = []
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", WRITE_ALL, *map(str, paths)], check=True, env=environment)
        written.append([path.with_suffix(".onnx").read_bytes() for path in paths])
    assert written[0] == written[1]
    here = [convert(Graph.load(path)).SerializeToString(deterministic=True) for path in reversed(paths)]
    assert here[::-1] == written[0]


def test_importing_the_module_is_cheap() -> None:
    heavy = "{'tensorflow', 'tf2onnx', 'onnx', 'onnxruntime'}"
    code = f"import sys, mobile_export.formats.onnx; assert not {heavy} & set(sys.modules), 'imported'"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


REFUSED: dict[str, tuple[Callable[[], Graph], str]] = {
    "unknown operator": (
        lambda: graph_of(lambda x: [tf.math.erfinv(x, name="inverse")], (-1, 4)),
        r"Erfinv \(node 'inverse/Erfinv'\)",
    ),
    "unknown operator in a branch": (
        lambda: graph_of(lambda x: [tf.compat.v1.cond(x[0, 0] > 0, lambda: tf.math.erfinv(x), lambda: x)], (-1, 4)),
        "Erfinv",
    ),
    "handler fails": (
        lambda: graph_of(lambda x: [tf.math.real(tf.signal.rfft(x))[:, :2]], (-1, 4)),
        r"tf2onnx cannot convert RFFT \(node 'rfft'\)",
    ),
    "no rank": (lambda: graph_of(lambda x: [tf.nn.relu(x)], None), "the rank of input 'x0' is unknown"),
    "loads nowhere": (  # tf2onnx reports success: ONNX Runtime has no such kernel
        lambda: graph_of(
            lambda x: [tf.nn.conv2d(x, np.float64(weights(3, 3, 4, 8)), 1, "SAME")], NHWC, dtype="float64"
        ),
        r"does not load the model: Could not find an implementation for Conv.* node with name 'Conv2D'",
    ),
    "placeholder that is no input": (
        lambda: graph_of(lambda x: [x + tf.compat.v1.placeholder("float32", [], "forgotten")], (-1, 4)),
        "'forgotten'",
    ),
}


@pytest.mark.parametrize("make, message", REFUSED.values(), ids=REFUSED)
def test_refuses(make: Callable[[], Graph], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    graph = make()
    capfd.readouterr()
    with pytest.raises(ConversionError, match=message) as raised:
        write(graph, tmp_path)
    assert str(raised.value).startswith("artifact 'digits': ")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_refuses_an_input_and_an_output_of_one_name(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [tf.nn.relu(x)], (-1, 4))
    graph.outputs = (TensorSpec("x0", graph.outputs[0].tensor, "float32", (-1, 4)),)
    with pytest.raises(ConversionError, match="'x0'"):
        write(graph, tmp_path)


def test_refuses_what_one_file_cannot_hold(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [x + 1.0], (-1, 4))
    graph.constants["huge"] = np.broadcast_to(np.float32(0), (MOST_BYTES // 4 + 1,))
    with pytest.raises(ConversionError, match=r"2\.0 GiB"):
        write(graph, tmp_path)


def test_refuses_a_declared_shape_that_the_model_contradicts(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [tf.nn.relu(x)], (-1, 4))
    graph.outputs = (TensorSpec("y0", graph.outputs[0].tensor, "float32", (-1, 5)),)
    with pytest.raises(ConversionError, match="y0"):
        write(graph, tmp_path)


def test_a_functions_constant_may_share_a_weights_name(tmp_path: Path) -> None:
    """tf2onnx looks both up in one table."""

    def build(x: Any) -> list[Any]:
        tf.compat.v1.enable_control_flow_v2()
        chosen = tf.cond(x[0, 0] > 0, lambda: x, lambda: x * tf.constant(weights(2, 2048) * 2, name="shared"))
        return [chosen + tf.constant(weights(2, 2048), name="shared"), x[0, 0]]

    graph = graph_of(build, (2, 2048))
    assert any(node.name == "shared" for function in graph.library.function for node in function.node_def)
    assert_agrees(graph, write(graph, tmp_path))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 9])
def test_open_refuses_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "corrupt.onnx"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=r"does not load corrupt\.onnx"):
        ONNX().open(path)


def test_open_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"does not load missing\.onnx"):
        ONNX().open(tmp_path / "missing.onnx")


def test_a_batch_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    runner = ONNX().open(write(graph_of(lambda x: [x * 2.0], (-1, 4)), tmp_path))
    with pytest.raises(ConversionError, match="x0"):
        runner({"x0": weights(3, 5)})


def test_tf2onnx_logs_as_before_afterwards(tmp_path: Path) -> None:
    logger = logging.getLogger("tf2onnx")
    before = (list(logger.handlers), logger.propagate)
    write(graph_of(lambda x: [x * 2.0], (-1, 4)), tmp_path)
    assert (logger.handlers, logger.propagate) == before


def test_canonical_form_is_a_fixed_point() -> None:
    graph = graph_of(repeat, (3, 4))
    model = convert(graph)
    before = model.SerializeToString(deterministic=True)
    canonicalize(model, {spec.name: spec.name for spec in (*graph.inputs, *graph.outputs)}, graph.nodes)
    assert model.SerializeToString(deterministic=True) == before
