"""Models that no file can hold, or that nobody should run: one message; where it names a cut, that builds as pasted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mobile_export.graphs.protos import GraphDef, SavedModel
from mobile_export.session import import_tensorflow
from tests import worker_functions
from tests.e2e.conftest import tree
from tests.formats.tf_graphs import weights

pytestmark = pytest.mark.e2e

Build = Callable[[Any], Any]
ALL = ("tflite", "onnx", "graphdef", "memmapped")


def save(build: Build, folder: Path) -> Path:
    """A frozen graph, as a file."""
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        build(tf)
    path = folder / "model.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def target(model: Path, edges: str, formats: tuple[str, ...] = ALL) -> Path:
    artifacts = "\n".join(f'[[artifacts]]\nname = "{kind}"\nformat = "{kind}"' for kind in formats)
    path = model.parent / "target.toml"
    path.write_text(f'name = "model"\n[model]\nsource = "{model.name}"\n{edges}\n{artifacts}\n')
    return path


def dense(tf: Any, x: Any, name: str) -> Any:
    return tf.nn.softmax(tf.matmul(x, weights(1, x.shape[-1], 3)), name=name)


def speech(tf: Any) -> None:
    raw = import_tensorflow().raw_ops
    sound = raw.DecodeWav(contents=tf.placeholder(tf.string, [], "wav"), desired_channels=1, desired_samples=1600)
    spectrum = raw.AudioSpectrogram(input=sound.audio, window_size=640, stride=320)
    features = raw.Mfcc(spectrogram=spectrum, sample_rate=sound.sample_rate, dct_coefficient_count=10, name="mfcc")
    dense(tf, tf.reshape(features, [-1, 40]), "scores")


def photograph(tf: Any) -> None:
    image = tf.image.decode_jpeg(tf.placeholder(tf.string, [], "jpeg"), channels=3)
    pixels = tf.image.resize_bilinear(tf.expand_dims(tf.cast(image, tf.float32), 0), [4, 4]) / 255.0
    dense(tf, tf.reshape(pixels, [-1, 48]), "scores")


def named_classes(tf: Any) -> None:
    scores = dense(tf, tf.placeholder(tf.float32, [None, 4], "x"), "scores")
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2], tf.int64), tf.constant(["a", "b", "c"]))
    tf.identity(tf.lookup.StaticHashTable(pairs, "?").lookup(tf.argmax(scores, 1, name="best")), name="names")


def noise(tf: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    dense(tf, x + tf.random_normal([4], name="noise"), "scores")


def inverse(tf: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 2, 2], "x")
    dense(tf, tf.reshape(tf.linalg.inv(x, name="inverse"), [-1, 4]), "scores")


@dataclass(frozen=True)
class Case:
    """A model, its output, the formats asked for, the exit code, and what is said before the lines to paste."""

    build: Build
    output: str
    formats: tuple[str, ...]
    code: int
    said: tuple[str, ...]


CASES = {
    "speech": Case(
        speech,
        "scores",
        ALL,
        3,
        ("input 'wav' is string, which no format here holds: cut at 'mfcc:0' (float32[1,4,10]):",),
    ),
    "named classes": Case(
        named_classes, "names", ALL, 3, ("never run here: HashTableV2 (node ", "cut at 'best:0' (int64[?]):")
    ),
    "noise": Case(
        noise,
        "scores",
        ALL,
        3,
        ("RandomStandardNormal (node 'noise/RandomStandardNormal') draws random numbers and is no dropout", "cut at"),
    ),
    "TFLite lacks it": Case(
        inverse, "scores", ("tflite",), 4, ("TensorFlow Lite has no operator for MatrixInverse", "cut at 'inverse:0'")
    ),
    "ONNX lacks it": Case(
        inverse, "scores", ("onnx",), 4, ("MatrixInverse (node 'inverse'): cut at 'inverse:0' (float32[?,2,2]):",)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cut_that_is_named_builds(name: str, tmp_path: Path, mobile_export: Any) -> None:
    case = CASES[name]
    model = save(case.build, tmp_path)
    named = f'[[model.outputs]]\nname = "{case.output}"\ntensor = "{case.output}:0"\n'
    ran = mobile_export("build", target(model, named, case.formats), "--out", tmp_path / "out")
    assert ran.code == case.code, ran.err
    for words in case.said:
        assert words in ran.err
    assert "Traceback" not in ran.err
    pasted = ran.err[ran.err.index("[[model.") :] + ("" if "[[model.outputs]]" in ran.err else named)
    ran = mobile_export("build", target(model, pasted, case.formats), "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert len(list((tmp_path / "out/model/assets/models/model").iterdir())) == len(case.formats)


def test_an_image_is_decoded_by_the_app(tmp_path: Path, mobile_export: Any) -> None:
    model = save(photograph, tmp_path)
    ran = mobile_export("build", target(model, ""), "--out", tmp_path / "out")
    assert ran.code == 3, ran.err
    assert "never run here: DecodeJpeg (node 'DecodeJpeg'): cut at 'DecodeJpeg:0' (uint8[?,?,3]):\n" in ran.err


# Programs


def writes(tf: Any, path: str) -> None:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    with tf.control_dependencies([tf.io.write_file(path, "written", name="innocent")]):
        dense(tf, tf.identity(x), "scores")


def reads(tf: Any, path: str) -> None:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    dense(tf, x + tf.strings.to_number(tf.io.read_file(path, name="innocent")), "scores")


def maps(tf: Any, path: str) -> None:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    raw = import_tensorflow().raw_ops
    dense(tf, x + raw.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name=path, name="innocent"), "scores")


def reads_in_a_function(tf: Any, path: str) -> None:
    read = import_tensorflow().function(lambda: tf.strings.to_number(tf.io.read_file(path, name="innocent")))
    dense(tf, tf.placeholder(tf.float32, [None, 4], "x") + read(), "scores")


def calls_python(tf: Any, path: str) -> None:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    called = tf.py_func(lambda v: Path(path).write_text("called") and v, [x], tf.float32, name="innocent")
    dense(tf, tf.ensure_shape(called, [None, 4]), "scores")


SECRET = b"1234567890.5"


@pytest.mark.parametrize(
    ("program", "op", "does"),
    [
        (writes, "WriteFile", "reads or writes files"),
        (reads, "ReadFile", "reads or writes files"),
        (maps, "ImmutableConst", "reads or writes files"),
        (reads_in_a_function, "ReadFile", "reads or writes files"),
        (calls_python, "PyFunc", "calls Python"),
    ],
)
@pytest.mark.parametrize("named", [False, True], ids=["as it is", "with its inputs named"])
def test_a_program_is_refused_by_name(
    program: Callable[[Any, str], None], op: str, does: str, named: bool, tmp_path: Path, mobile_export: Any
) -> None:
    file = tmp_path / "file"
    file.write_bytes(SECRET)
    before = file.stat()
    model = save(lambda tf: program(tf, str(file)), tmp_path)
    edges = '[[model.inputs]]\nname = "x"\ntensor = "x:0"\n' if named else ""
    edges += '[[model.outputs]]\nname = "scores"\ntensor = "scores:0"\n'
    ran = mobile_export("build", target(model, edges), "--out", tmp_path / "out")
    assert ran.code == 3, ran.err
    assert f"a model that {does} is not let in: {op} (node 'innocent'" in ran.err
    assert "Traceback" not in ran.err
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (SECRET, before.st_mtime_ns)
    assert tree(tmp_path / "out") == {}


def test_an_effect_that_nothing_waits_for_is_refused_too(tmp_path: Path, mobile_export: Any) -> None:
    """TensorFlow runs it wherever the function is called; inlined, it would vanish without a word."""
    tf, file, folder = import_tensorflow(), tmp_path / "file", tmp_path / "model"
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def serve(x: Any) -> Any:
        tf.io.write_file(str(file), "written", name="innocent")
        return tf.nn.relu(x)

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures=serve)
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph_def = saved.meta_graphs[0].graph_def
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            node.input[:] = [name for name in node.input if not name.startswith("^")]
    for function in graph_def.library.function:
        function.control_ret.clear()
        function.signature.ClearField("control_output")
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    ran = mobile_export("build", target(folder, ""), "--out", tmp_path / "out")
    assert ran.code == 3, ran.err
    assert "a model that reads or writes files is not let in: WriteFile (node 'innocent' of the function" in ran.err
    assert not file.exists()


# What TensorFlow would not survive


def broken_loop(graph_def: GraphDef) -> str:
    (merge,) = [node for node in graph_def.node if node.op == "Merge" and node.name.endswith("Merge_1")]
    merge.input.insert(0, merge.input[0])
    merge.attr["N"].i = 3
    return f"Merge (node '{merge.name}') does not begin a loop with one value, and its turns with another"


def switch_of_one_input(graph_def: GraphDef) -> str:
    switch = next(node for node in graph_def.node if node.op == "Switch")
    del switch.input[1]
    return f"node '{switch.name}' has 1 inputs, and Switch takes 2"


def port_of_words(graph_def: GraphDef) -> str:
    graph_def.node[-1].input[0] += ":first"
    return f"its input 0 is '{graph_def.node[-1].input[0]}', which names no tensor"


@pytest.mark.parametrize("damage", [broken_loop, switch_of_one_input, port_of_words])
def test_a_malformed_graph_is_refused_by_node(
    damage: Callable[[GraphDef], str], tmp_path: Path, mobile_export: Any
) -> None:
    def looping(tf: Any) -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        tf.disable_control_flow_v2()
        try:
            y = tf.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, h * 2.0), [0, x])[1]
        finally:
            tf.enable_control_flow_v2()
        dense(tf, y, "scores")

    model = save(looping, tmp_path)
    graph_def = GraphDef.FromString(model.read_bytes())
    said = damage(graph_def)
    model.write_bytes(graph_def.SerializeToString())
    ran = mobile_export("build", target(model, ""), "--out", tmp_path / "out")
    assert ran.code == 3, ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_model_that_ends_tensorflow_is_to_blame(tmp_path: Path, mobile_export: Any, monkeypatch: Any) -> None:
    model = save(lambda tf: dense(tf, tf.placeholder(tf.float32, [None, 4], "x"), "scores"), tmp_path)
    monkeypatch.setattr("mobile_export.building.making.prepare", worker_functions.abort_on_a_model)
    monkeypatch.setattr("mobile_export.inspection.inspect.look", worker_functions.abort_on_a_model)
    for command in (("build", target(model, ""), "--out", tmp_path / "out"), ("inspect", model)):
        ran = mobile_export(*command)
        assert ran.code == 3, ran.err
        assert "model.pb: TensorFlow does not survive this model; export it again (" in " ".join(ran.err.split())
        assert "Check failed: frame != nullptr" in " ".join(ran.err.split())


def test_a_choice_among_branches_builds(tmp_path: Path, mobile_export: Any) -> None:
    def choosing(tf: Any) -> None:
        x = tf.placeholder(tf.float32, [1, 4], "x")
        index = tf.cast(tf.argmax(x[0]), tf.int32)
        doubled = tf.exp(x)
        dense(tf, tf.switch_case(index, [lambda: x, lambda: doubled * 2.0, lambda: x - doubled]), "scores")

    ran = mobile_export("build", target(save(choosing, tmp_path), ""), "--out", tmp_path / "out")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    "vast",
    [
        lambda tf: tf.fill([1 << 20, 1 << 20], 1.0),
        lambda tf: tf.tile(tf.ones([1, 1]), [1 << 20, 1 << 20]),
        lambda tf: tf.one_hot(tf.range(1 << 20), 1 << 20),
        lambda tf: tf.reshape(tf.range(0.0, float(1 << 40)), [1 << 20, 1 << 20]),
    ],
)
def test_a_small_file_may_not_ask_for_all_memory(vast: Build, tmp_path: Path, mobile_export: Any) -> None:
    def build(tf: Any) -> None:
        dense(tf, tf.placeholder(tf.float32, [None, 4], "x") + tf.reduce_sum(vast(tf)), "scores")

    ran = mobile_export("build", target(save(build, tmp_path), ""), "--out", tmp_path / "out")
    assert ran.code in (3, 4), ran.err
    assert "Traceback" not in ran.err
    assert "OOM" in ran.err or "memory" in ran.err or "too large" in ran.err
