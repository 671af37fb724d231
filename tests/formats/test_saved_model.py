"""SavedModels: every loader of TensorFlow's takes them, and answers as the graph does."""

import ctypes
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats import FORMATS, About, Request
from mobile_export.formats.saved_model import read_saved_model, write_saved_model
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.protos import GraphDef, NodeDef, SavedModel
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from tests.graph_text import parse

tf = import_tensorflow()
FORMAT = FORMATS["saved_model"]

GRAPH = """
left = Placeholder float32[?,3]
image = Placeholder float32[?,3]
w = Const float32[3,4] ~1
m = MatMul(left, w) transpose_a=false transpose_b=false
n = MatMul(image, w) transpose_a=false transpose_b=false
sum = Add(m, n)
scores = Relu(sum)
input image = left:0
input other = image:0
output scores = sum:0 float32[?,4]
output positive = scores:0 float32[?,4]
output again = scores:0
"""
"""Public names that collide with names inside, in another order than that of the alphabet, one tensor twice."""

RNG = np.random.default_rng(0)
SAMPLES = {name: RNG.normal(size=(5, 3)).astype(np.float32) for name in ("image", "other")}


def quantized() -> Graph:
    """Weights as the Graph Transform Tool's quantize_weights leaves them."""
    graph = parse("""
x = Placeholder float32[?,3]
least = Const float32[]: -1.5
most = Const float32[]: 2.25
c = Const float32[3,400] ~1
w = Dequantize(c, least, most) mode=MIN_FIRST
y = MatMul(x, w) transpose_a=false transpose_b=false
input image = x:0
output scores = y:0 float32[?,400]
""")
    graph.set_constant("c", RNG.integers(0, 256, (3, 400)).astype(np.uint8).view([("quint8", np.uint8)]))
    graph.nodes["w"].attr["T"].type = 12
    return graph


GRAPHS = {"float": lambda: parse(GRAPH), "quantized weights": quantized}


@pytest.fixture(params=GRAPHS)
def graph(request) -> Graph:
    return GRAPHS[request.param]()


def write(graph: Graph, path: Path, labels: dict[str, tuple[str, ...]] | None = None) -> Path:
    FORMAT.write(graph, [Request("model", path, about=About(labels=labels or {}))], None)
    return path


def feeds(graph: Graph, rows: int = 5) -> dict[str, np.ndarray]:
    return {spec.name: SAMPLES[spec.name][:rows] for spec in graph.inputs}


def reference(graph: Graph, rows: int = 5) -> dict[str, np.ndarray]:
    with Session(graph) as session:
        return session(feeds(graph, rows))


def assert_same(answers: dict[str, np.ndarray], graph: Graph, rows: int = 5) -> None:
    expected = reference(graph, rows)
    assert answers.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(answers[name], array, rtol=1e-5, atol=1e-6)


def test_the_folder_runs_as_the_graph_does(graph: Graph, tmp_path: Path) -> None:
    runner = FORMAT.open(write(graph, tmp_path / "m.savedmodel"))
    assert [(e.name, e.shape) for e in runner.inputs] == [(s.name, s.shape) for s in graph.inputs]
    assert [(e.name, e.shape) for e in runner.outputs] == [(s.name, s.shape) for s in graph.outputs]
    answers = run_samples(runner, feeds(graph))
    assert list(answers) == [spec.name for spec in graph.outputs]
    for name, array in reference(graph).items():
        np.testing.assert_array_equal(answers[name], array)


@pytest.mark.parametrize("rows", [1, 5])
def test_tensorflow_2_loads_it(graph: Graph, rows: int, tmp_path: Path) -> None:
    loaded = tf.saved_model.load(str(write(graph, tmp_path / "m")))
    answers = loaded.signatures["serving_default"](**{n: tf.constant(a) for n, a in feeds(graph, rows).items()})
    assert_same({name: answer.numpy() for name, answer in answers.items()}, graph, rows)
    assert list(loaded.variables) == []


def test_tensorflow_1_loads_it(graph: Graph, tmp_path: Path) -> None:
    folder = str(write(graph, tmp_path / "m"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signed = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def["serving_default"]
        fetches = {name: info.name for name, info in signed.outputs.items()}
        fed = {signed.inputs[name].name: array for name, array in feeds(graph).items()}
        assert_same(session.run(fetches, fed), graph)
    assert signed.method_name == "tensorflow/serving/predict"
    assert {i.dtype for i in (*signed.inputs.values(), *signed.outputs.values())} == {1}
    assert all([dim.size for dim in info.tensor_shape.dim] == [-1, 3] for info in signed.inputs.values())


def test_the_loader_of_servers_loads_it(graph: Graph, tmp_path: Path) -> None:
    """The C++ one: that of TensorFlow Serving and Triton, and of the bindings for Java, Go and C."""
    folder = write(graph, tmp_path / "m", {"scores": ("cat", "dog")})
    assert load_as_servers_do(folder, "serve") == (0, "")
    code, said = load_as_servers_do(folder, "train")
    assert code
    assert "train" in said


def load_as_servers_do(folder: Path, tag: str) -> tuple[int, str]:
    """TensorFlow's status code and message after loading."""
    library = ctypes.CDLL(next(Path(tf.sysconfig.get_lib()).glob("libtensorflow_cc.*")))
    for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel"):
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    status, graph, options = map(
        ctypes.c_void_p, (library.TF_NewStatus(), library.TF_NewGraph(), library.TF_NewSessionOptions())
    )
    tags = (ctypes.c_char_p * 1)(tag.encode())
    session = ctypes.c_void_p(
        library.TF_LoadSessionFromSavedModel(
            options, None, str(folder).encode(), tags, ctypes.c_int(1), graph, None, status
        )
    )
    found = library.TF_GetCode(status), library.TF_Message(status).decode()
    if session:
        library.TF_DeleteSession(session, status)
    library.TF_DeleteGraph(graph)
    library.TF_DeleteSessionOptions(options)
    library.TF_DeleteStatus(status)
    return found


def test_the_command_line_of_savedmodels_shows_and_runs_it(tmp_path: Path) -> None:
    graph = parse(GRAPH)
    folder = write(graph, tmp_path / "m")
    np.savez(tmp_path / "data.npz", **SAMPLES)
    given = ";".join(f"{name}={tmp_path / 'data.npz'}[{name}]" for name in SAMPLES)
    out = tmp_path / "out"
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
            text=True,
        )
        for command in (
            ["show", "--dir", folder, "--all"],
            [
                *["run", "--dir", folder, "--tag_set", "serve", "--signature_def", "serving_default"],
                *["--inputs", given, "--outdir", out],
            ],
        )
    ]
    for one in running:
        stdout, stderr = one.communicate(timeout=120)
        assert one.returncode == 0, stderr
        if "show" in one.args:
            assert "signature_def['serving_default']" in stdout
            assert "Method name is: tensorflow/serving/predict" in stdout
            assert "shape: (-1, 4)" in stdout
    assert_same({path.stem: np.load(path) for path in out.iterdir()}, graph)


def test_labels_are_assets_that_the_loader_finds(tmp_path: Path) -> None:
    folder = write(parse(GRAPH), tmp_path / "m", {"scores": ("cat", "dog")})
    (asset,) = tf.saved_model.load(str(folder)).asset_paths
    found = Path(asset.asset_path.numpy().decode())
    assert found == folder / "assets" / "scores_labels.txt"
    assert found.read_text() == "cat\ndog\n"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        assert session.run(meta.asset_file_def[0].tensor_info.name) == b"scores_labels.txt"
    assert_same(FORMAT.open(folder)(feeds(parse(GRAPH))), parse(GRAPH))


def test_without_labels_it_is_one_file(tmp_path: Path) -> None:
    assert [path.name for path in write(parse(GRAPH), tmp_path / "m").rglob("*")] == ["saved_model.pb"]


def test_the_nodes_keep_their_names(tmp_path: Path) -> None:
    graph = parse(GRAPH)
    assert list(read_saved_model(write(graph, tmp_path / "m")).nodes) == list(graph.nodes)


def test_same_graph_same_bytes(graph: Graph, tmp_path: Path) -> None:
    requests = [Request(name, tmp_path / name) for name in ("a", "b")]
    FORMAT.write(graph, requests, None)
    FORMAT.write(graph.copy(), [Request("c", tmp_path / "c")], None)
    assert len({(tmp_path / name / "saved_model.pb").read_bytes() for name in "abc"}) == 1


def test_the_message_has_the_whole_graph_and_no_more(graph: Graph, tmp_path: Path) -> None:
    data = (write(graph, tmp_path / "m") / "saved_model.pb").read_bytes()
    saved = SavedModel.FromString(data)
    assert saved.saved_model_schema_version == 1
    assert [meta.graph_def for meta in saved.meta_graphs] == [graph.to_graph_def()]
    assert saved.ByteSize() == len(data)


def test_other_tags_signatures_and_methods(tmp_path: Path) -> None:
    names = {"tags": ["serve", "gpu"], "signature": "classes", "method_name": "tensorflow/serving/classify"}
    write_saved_model(tmp_path / "m", parse(GRAPH), **names)
    (meta,) = SavedModel.FromString((tmp_path / "m/saved_model.pb").read_bytes()).meta_graphs
    assert list(meta.meta_info_def.tags) == ["serve", "gpu"]
    assert {key: one.method_name for key, one in meta.signature_def.items()} == {
        "classes": "tensorflow/serving/classify"
    }
    assert "classes" in tf.saved_model.load(str(tmp_path / "m")).signatures


def test_more_than_protobuf_reads_is_refused(tmp_path: Path) -> None:
    graph = parse("x = Placeholder float32[2]\ny = Relu(x)\ninput x = x:0\noutput y = y:0")
    graph.set_constant("w", np.zeros((1 << 29) - 4, np.float32))  # takes no memory, since nobody writes to it
    with pytest.raises(ConversionError, match=r"^big\.savedmodel: its graph has 21\d{8} bytes.*memmapped"):
        write(graph, tmp_path / "big.savedmodel")
    assert not list(tmp_path.iterdir())


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    whole = (write(parse(GRAPH), tmp_path / "m") / "saved_model.pb").read_bytes()
    for content in (None, b"", b"no graph", GraphDef().SerializeToString(), SavedModel().SerializeToString()):
        folder = tmp_path / "damaged"
        folder.mkdir(exist_ok=True)
        if content is not None:
            (folder / "saved_model.pb").write_bytes(content)
        with pytest.raises(ConversionError, match=r"damaged/saved_model\.pb: "):
            FORMAT.open(folder)
    picked = random.Random(0)
    for size in picked.sample(range(len(whole)), 40):
        (folder / "saved_model.pb").write_bytes(whole[:size])
        with pytest.raises(ConversionError, match=r"damaged/saved_model\.pb: "):
            FORMAT.open(folder)


def test_a_savedmodel_of_others_is_refused(tmp_path: Path) -> None:
    module = tf.Module()
    module.f = tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([None])])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": module.f})
    with pytest.raises(ConversionError, match="only files built by this tool run"):
        FORMAT.open(tmp_path / "m")


@pytest.mark.parametrize("change", ["operator", "tensor", "type"])
def test_a_folder_that_somebody_changed_is_not_run(change: str, tmp_path: Path) -> None:
    folder = write(parse(GRAPH), tmp_path / "m")
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    meta = saved.meta_graphs[0]
    if change == "operator":
        meta.graph_def.node.append(NodeDef(name="leak", op="ReadFile", input=["w"]))
    elif change == "tensor":
        meta.signature_def["serving_default"].outputs["scores"].name = "nowhere:0"
    else:
        meta.signature_def["serving_default"].inputs["image"].dtype = 99
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(
        ModelError if change == "operator" else ConversionError, match=r"ReadFile|nowhere|of 'image' neither"
    ):
        FORMAT.open(folder)


def test_scalars_and_unknown_ranks_keep_their_shapes(tmp_path: Path) -> None:
    graph = parse("a = Placeholder float32[]\nb = Placeholder float32[...]\nc = Mul(a, b)\noutput c = c:0")
    graph.inputs = (TensorSpec("a", "a:0", "float32", ()), TensorSpec("b", "b:0", "float32", None))
    graph.outputs = (replace(graph.outputs[0], shape=None),)
    folder = write(graph, tmp_path / "m")
    assert [edge.shape for edge in (*FORMAT.open(folder).inputs, *FORMAT.open(folder).outputs)] == [(), None, None]
    given = {"a": tf.constant(2.0), "b": tf.ones([2, 2])}
    np.testing.assert_array_equal(tf.saved_model.load(str(folder)).signatures["serving_default"](**given)["c"], 2.0)
