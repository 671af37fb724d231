import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ConversionError, ModelError, NotRunnableError, OutputError
from mobile_export.formats.flatbuffer import float_operators, read_model, schema, select_tf_ops, walk
from mobile_export.formats.format import Request
from mobile_export.formats.tflite import TFLite
from mobile_export.graphs.graph import Graph
from mobile_export.runner import Samples, run_samples
from mobile_export.session import Session
from tests.formats.tf_graphs import Build, make_graph, mobile_net, samples_for, weights
from tests.loops import LAYERS, growing, loop_graph, recurrent

KINDS = [(precision, interface) for precision, allowed in TFLite.precisions.items() for interface in allowed]
BOUNDS = {
    "float32": 1e-5,
    "float16": 1e-3,
    "dynamic": 0.01,
    "int8": 0.02,
    "int16x8": 0.01,
    "weight_int8": 0.01,
    "weight_int4": 0.2,
}
"""Largest difference from TensorFlow, as a share of the output's range."""
REPOSITORY = Path(__file__).parents[2]


def write(graph: Graph, folder: Path, precision: str, interface: str = "float32", **options: Any) -> Path:
    path = folder / f"{precision}_{interface}.tflite"
    TFLite().write(graph, [Request("a", path, precision, interface, **options)], samples_for(graph))
    return path


def reference(graph: Graph, samples: Samples) -> Samples:
    with Session(graph) as session:
        return run_samples(session, samples)


def difference(answers: Samples, expected: Samples) -> float:
    return max(float(np.abs(answers[name] - expected[name]).max() / np.ptp(expected[name])) for name in expected)


def one_operator(function: Any, shape: tuple[int | None, ...] = (1, 8)) -> Graph:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, shape, name="x")
        return [x], [function(tf, x)]

    return make_graph(build, ["in"], ["out"])


@pytest.fixture(scope="module")
def graph() -> Graph:
    return make_graph(mobile_net, ["image"], ["probabilities"])


@pytest.fixture(scope="module")
def files(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("all")
    requests = [Request("a", folder / f"{p}_{i}.tflite", p, i) for p, i in KINDS]
    TFLite().write(graph, requests, samples_for(graph))
    return {(r.precision, r.interface): r.path for r in requests}


@pytest.mark.parametrize(("precision", "interface"), KINDS)
def test_file_has_the_interface_and_the_answers_of_the_graph(
    graph: Graph, files: dict[tuple[str, str], Path], precision: str, interface: str
) -> None:
    runner = TFLite().open(files[precision, interface])
    assert [(e.name, e.dtype, e.shape) for e in runner.inputs] == [("image", interface, (-1, 16, 16, 3))]
    assert [(e.name, e.dtype, e.shape) for e in runner.outputs] == [("probabilities", interface, (-1, 10))]
    assert all((e.scale is None) == (interface == "float32") for e in (*runner.inputs, *runner.outputs))
    samples = samples_for(graph, 40)
    assert difference(run_samples(runner, samples), reference(graph, samples)) < BOUNDS[precision]


@pytest.mark.parametrize(("precision", "interface"), KINDS)
def test_signature_runner_knows_the_public_names(
    graph: Graph, files: dict[tuple[str, str], Path], precision: str, interface: str
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    runner = TFLite().open(files[precision, interface])
    image = runner.inputs[0].quantize(samples_for(graph, 3)["image"])
    signature = Interpreter(model_path=str(files[precision, interface])).get_signature_runner("serving_default")
    answers = signature(image=image)
    assert list(answers) == ["probabilities"]
    np.testing.assert_array_equal(answers["probabilities"], runner({"image": image})["probabilities"])


def test_uint8_is_int8_moved_by_128(files: dict[tuple[str, str], Path]) -> None:
    edges = [(r.inputs[0], r.outputs[0]) for r in (TFLite().open(files["int8", i]) for i in ("int8", "uint8"))]
    for signed, unsigned in zip(*edges, strict=True):
        assert (unsigned.scale, unsigned.zero_point) == (signed.scale, signed.zero_point + 128)


@pytest.mark.parametrize(("precision", "most"), [("float16", 0.55), ("dynamic", 0.3), ("int8", 0.32)])
def test_size(files: dict[tuple[str, str], Path], precision: str, most: float) -> None:
    sizes = {kind: path.stat().st_size for kind, path in files.items()}
    assert sizes[precision, "float32"] < most * sizes["float32", "float32"]


def test_dynamic_leaves_depthwise_convolutions_in_float(files: dict[tuple[str, str], Path]) -> None:
    types, operators = schema().TensorType, schema().BuiltinOperator
    model = read_model(files["dynamic", "float32"].read_bytes())
    kinds = {code: s.tensors[o.inputs[1]].type for s, o, code in walk(model) if len(o.inputs) > 1}
    assert kinds[operators.DEPTHWISE_CONV_2D] == types.FLOAT32
    assert kinds[operators.FULLY_CONNECTED] == types.INT8


@pytest.mark.parametrize("interface", TFLite.precisions["int8"])
def test_int8_computes_in_integers(files: dict[tuple[str, str], Path], interface: str) -> None:
    assert float_operators(read_model(files["int8", interface].read_bytes())) == []
    assert "FULLY_CONNECTED" in str(float_operators(read_model(files["dynamic", "float32"].read_bytes())))


@pytest.mark.parametrize(
    "function",
    [
        lambda tf, x: tf.nn.leaky_relu(x, 0.1),  # TensorFlow's quantizer knows it
        lambda tf, x: tf.nn.relu(x) - 0.3 * tf.nn.relu(-x),  # nobody knows NEG
        lambda tf, x: x / tf.sqrt(tf.reduce_sum(tf.square(x), 1, keepdims=True) + 1.0),
        lambda tf, x: tf.nn.softmax(tf.concat([tf.pad(x, [[0, 0], [1, 1]]), tf.reshape(x, [1, 8]) + 1.0], 1)),
    ],
    ids=["leaky_relu", "prelu", "l2_norm", "pad_reshape_concat_softmax"],
)
def test_operators_that_need_help_become_int8(tmp_path: Path, function: Any) -> None:
    graph = one_operator(function)
    path = write(graph, tmp_path, "int8")
    assert float_operators(read_model(path.read_bytes())) == []
    samples = samples_for(graph)
    assert difference(run_samples(TFLite().open(path), samples), reference(graph, samples)) < 0.05


def test_float_operator_inside_int8_is_refused_by_name(tmp_path: Path) -> None:
    graph = one_operator(lambda tf, x: tf.sin(tf.matmul(x, weights(1, 8, 8)), name="bent"))
    with pytest.raises(ConversionError, match=r"'a'.*SIN \('out'\).*allow_float_operators"):
        write(graph, tmp_path, "int8")
    path = write(graph, tmp_path, "int8", allow_float_operators=True)
    assert [entry.partition(" ")[0] for entry in float_operators(read_model(path.read_bytes()))] == ["SIN"]
    samples = samples_for(graph)
    assert difference(run_samples(TFLite().open(path), samples), reference(graph, samples)) < 0.03


@pytest.mark.e2e
def test_same_inputs_same_bytes_in_another_process(
    graph: Graph, files: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    graph.save(tmp_path / "graph")
    program = """
import sys
from pathlib import Path
from mobile_export.formats.format import Request
from mobile_export.formats.tflite import TFLite
from mobile_export.graphs.graph import Graph
from tests.formats.tf_graphs import samples_for
graph = Graph.load(Path(sys.argv[1]))
requests = [Request("a", Path(f"{p}_{i}"), p, i) for p, allowed in TFLite.precisions.items() for i in allowed]
TFLite().write(graph, requests[::-1], samples_for(graph))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", program, str(tmp_path / "graph")]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    for (precision, interface), path in files.items():
        assert (tmp_path / f"{precision}_{interface}").read_bytes() == path.read_bytes(), (precision, interface)


def test_order_is_the_graphs_order(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        a, b = (tf.placeholder(tf.float32, [2, size], name=name) for name, size in (("zz", 4), ("aa", 3)))
        low, high = tf.split(tf.matmul(a, weights(1, 4, 6)), [4, 2], 1)
        return [a, b], [high, low, tf.nn.relu(b)]

    graph = make_graph(build, ["second", "first"], ["y", "z", "x"])
    samples = samples_for(graph, 7)
    for precision, interface in KINDS:
        runner = TFLite().open(write(graph, tmp_path, precision, interface))
        assert [(e.name, e.shape) for e in runner.inputs] == [("second", (2, 4)), ("first", (2, 3))]
        assert [(e.name, e.shape) for e in runner.outputs] == [("y", (2, 2)), ("z", (2, 4)), ("x", (2, 3))]
        assert difference(run_samples(runner, samples), reference(graph, samples)) < BOUNDS[precision]


def test_one_tensor_under_several_public_names(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        y = tf.nn.relu(x)
        return [x], [tf.identity(x), y, tf.identity(y)]

    graph = make_graph(build, ["x"], ["same", "y", "again"])
    samples = samples_for(graph)
    for precision, interface in KINDS:
        path = write(graph, tmp_path, precision, interface)
        names = [t.name for s in read_model(path.read_bytes()).subgraphs for t in s.tensors]
        assert len(names) == len(set(names))
        assert {b"x", b"same", b"y", b"again"} <= set(names)
        answers = run_samples(TFLite().open(path), samples)
        assert list(answers) == ["same", "y", "again"]
        assert difference(answers, reference(graph, samples)) < 0.01


def test_integer_edges_stay_integers(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        words = tf.placeholder(tf.int32, [None, 6], name="words")
        scores = tf.matmul(tf.reduce_mean(tf.gather(weights(1, 10, 16), words), 1), weights(2, 16, 5))
        return [words], [scores, tf.argmax(scores, 1)]

    graph = make_graph(build, ["words"], ["scores", "best"])
    samples = samples_for(graph)
    for interface in TFLite.precisions["int8"]:
        runner = TFLite().open(write(graph, tmp_path, "int8", interface))
        assert [e.dtype for e in (*runner.inputs, *runner.outputs)] == ["int32", interface, "int64"]
        answers = run_samples(runner, samples)
        np.testing.assert_array_equal(answers["best"], answers["scores"].argmax(1))
        assert difference(answers, reference(graph, samples) | {"best": answers["best"]}) < 0.02


def test_the_declared_shape_wins_over_the_placeholders(graph: Graph, tmp_path: Path) -> None:
    fixed = replace(graph, inputs=(replace(graph.inputs[0], shape=(4, 16, 16, 3)),))
    runner = TFLite().open(write(fixed, tmp_path, "int8"))
    assert (runner.inputs[0].shape, runner.outputs[0].shape) == ((4, 16, 16, 3), (4, 10))
    assert len(run_samples(runner, samples_for(fixed, 6))["probabilities"]) == 6


def test_dynamic_sizes_behind_the_batch(tmp_path: Path) -> None:
    def function(tf: Any, x: Any) -> Any:
        return tf.reduce_mean(tf.nn.conv2d(x, weights(1, 3, 3, 2, 4), 1, "VALID"), [1, 2])

    graph = one_operator(function, (None, None, None, 2))
    samples = samples_for(graph, 20)
    for precision in ("float32", "int8"):
        runner = TFLite().open(write(graph, tmp_path, precision))
        assert runner.inputs[0].shape == (-1, -1, -1, 2)
        assert difference(run_samples(runner, samples), reference(graph, samples)) < BOUNDS[precision]
        assert runner({"in": np.zeros((1, 9, 7, 2), np.float32)})["out"].shape == (1, 4)


def test_lacking_operator_is_named(tmp_path: Path) -> None:
    graph = one_operator(lambda tf, x: tf.linalg.inv(tf.reshape(x, [2, 2]), name="inverse"), (1, 4))
    with pytest.raises(ConversionError, match=r"no operator for MatrixInverse \(node 'inverse'\)") as caught:
        write(graph, tmp_path, "float32")
    assert "\n" not in str(caught.value)


REFUSALS: dict[str, tuple[Build | Any, str, str, str]] = {
    "float64": (lambda tf, x: tf.nn.relu(tf.cast(x, tf.float64)), "float32", "float32", "Relu .*on float64"),
    "float16_overflow": (lambda tf, x: tf.matmul(x, 1e6 * weights(1, 8, 8)), "float16", "float32", "range of float16"),
    "infinity": (lambda tf, x: tf.log(tf.nn.relu(x)), "int8", "float32", "'out' reaches infinity"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(tmp_path: Path, name: str) -> None:
    function, precision, interface, message = REFUSALS[name]
    with pytest.raises(ConversionError, match=message):
        write(one_operator(function), tmp_path, precision, interface)


def test_int8_needs_samples(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="representative samples"):
        TFLite().write(graph, [Request("a", tmp_path / "f", "int8")], None)


def test_an_input_that_nothing_reads_cannot_become_int8(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x, unread = (tf.placeholder(tf.float32, [1, 4], name=name) for name in ("x", "unread"))
        return [x, unread], [tf.nn.relu(x)]

    graph = make_graph(build, ["x", "unread"], ["y"])
    write(graph, tmp_path, "int8")
    with pytest.raises(ConversionError, match="'unread' stays float32"):
        write(graph, tmp_path, "int8", "int8")


def test_damaged_files_are_refused(files: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    content = files["float32", "float32"].read_bytes()
    for damaged in (b"", b"not a model", content[: len(content) // 2], b"\0" * 4096):
        (tmp_path / "damaged.tflite").write_bytes(damaged)
        with pytest.raises(ConversionError, match=r"damaged\.tflite"):
            TFLite().open(tmp_path / "damaged.tflite")
    with pytest.raises(ConversionError):
        TFLite().open(tmp_path / "missing.tflite")


def test_wrong_inputs_are_refused(files: dict[tuple[str, str], Path]) -> None:
    runner = TFLite().open(files["float32", "float32"])
    with pytest.raises(ModelError, match="does not take"):
        runner({"image": np.zeros((1, 8, 8, 3), np.float32)})
    with pytest.raises(ModelError, match="does not take"):
        runner({"image": np.zeros((1, 16, 16, 3), np.int8)})


def test_answers_outlive_the_next_run(files: dict[tuple[str, str], Path], graph: Graph) -> None:
    runner = TFLite().open(files["float32", "float32"])
    samples = samples_for(graph, 2)["image"]
    first = runner({"image": samples[:1]})["probabilities"]
    kept = first.copy()
    runner({"image": samples[1:]})
    np.testing.assert_array_equal(first, kept)


def test_a_path_that_cannot_be_written(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        TFLite().write(graph, [Request("a", tmp_path)], None)


def test_stdout_stays_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    graph = one_operator(lambda tf, x: tf.nn.leaky_relu(x))
    requests = [Request("a", tmp_path / f"{p}_{i}", p, i) for p, i in KINDS]
    TFLite().write(graph, requests, samples_for(graph, 200))
    assert capfd.readouterr().out == ""


def inverse(shape: tuple[int | None, ...]) -> Graph:
    return one_operator(lambda tf, x: tf.linalg.inv(tf.exp(x)), shape)


@pytest.mark.parametrize("shape", [(1, 4, 4), (None, 4, 4), (1, None, 4)])
@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_select_tf_ops_where_they_are_allowed(tmp_path: Path, shape: tuple[int | None, ...], precision: str) -> None:
    runner = TFLite().open(write(inverse(shape), tmp_path, precision, allow_select_tf_ops=True))
    assert [edge.name for edge in (*runner.inputs, *runner.outputs)] == ["in", "out"]
    assert runner.inputs[0].shape == tuple(-1 if size is None else size for size in shape)
    with pytest.raises(NotRunnableError, match="not run: no interpreter here has the Flex delegate"):
        runner({"in": np.zeros((1, 4, 4), np.float32)})


def test_select_tf_ops_need_leave_for_every_file(tmp_path: Path) -> None:
    requests = [Request(n, tmp_path / n, allow_select_tf_ops=n == "a") for n in ("a", "b")]
    with pytest.raises(ConversionError, match=r"MatrixInverse .* unless Select TF ops are allowed with allow"):
        TFLite().write(inverse((1, 4, 4)), requests, None)
    with pytest.raises(ConversionError, match="artifact 'a': int8 needs value ranges, and nothing here can run"):
        write(inverse((1, 4, 4)), tmp_path, "int8", allow_select_tf_ops=True)


def test_builtin_operators_come_first(tmp_path: Path) -> None:
    graph = one_operator(lambda tf, x: tf.tanh(x))
    path = write(graph, tmp_path, "float32", allow_select_tf_ops=True)
    before = path.read_bytes()
    assert select_tf_ops(before) == []
    assert write(graph, tmp_path, "float32").read_bytes() == before


def test_what_even_tensorflows_operators_lack_promises_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="no operator for Asin") as caught:
        write(one_operator(lambda tf, x: tf.asin(tf.tanh(x))), tmp_path, "float32")
    assert "Select TF ops" not in str(caught.value)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_loops_of_fixed_size(tmp_path: Path, name: str, version: int) -> None:
    graph = loop_graph(LAYERS[name], version)
    samples = samples_for(graph, 3)
    for precision in ("float32", "float16", "dynamic"):
        runner = TFLite().open(write(graph, tmp_path, precision))
        assert difference(run_samples(runner, samples), reference(graph, samples)) < BOUNDS[precision]


@pytest.mark.parametrize("version", [1, 2])
def test_loops_over_any_batch_need_a_shape(tmp_path: Path, version: int) -> None:
    said = r"only where all sizes are fixed; give 'x' a shape without -1 .* such as a batch of 1$"
    with pytest.raises(ConversionError, match=said):
        write(loop_graph(recurrent, version, (-1, 6, 3)), tmp_path, "float32")


@pytest.mark.parametrize(("version", "operator"), [(1, "TensorArrayV3"), (2, "TensorListReserve")])
def test_lists_that_grow_are_refused(tmp_path: Path, version: int, operator: str) -> None:
    said = (
        rf"no operator for {operator} \(node '.*'\).* only where it is known beforehand how many elements of what shape"
    )
    with pytest.raises(ConversionError, match=said):
        write(loop_graph(growing, version), tmp_path, "float32")
