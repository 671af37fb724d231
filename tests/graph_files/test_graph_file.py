"""Files that hold a graph, in every form; and files that hold something else, or less."""

import gzip
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from mobile_export.errors import ModelError
from mobile_export.graph_files.graph_file import looks_like_a_graph, read_graph, read_restore_op
from mobile_export.graph_files.message_file import LARGEST
from mobile_export.graphs.package import write_package
from mobile_export.graphs.protos import GraphDef, MetaGraphDef, SaverDef
from mobile_export.graphs.tensors import dtype_number

WEIGHTS = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)


def a_graph(values: np.ndarray = WEIGHTS) -> GraphDef:
    graph = GraphDef()
    graph.versions.producer = 27
    image = graph.node.add(name="image", op="Placeholder")
    image.attr["dtype"].type = 1
    weights = graph.node.add(name="weights", op="Const")
    weights.attr["dtype"].type = dtype_number(values.dtype)
    weights.attr["value"].tensor.dtype = dtype_number(values.dtype)
    for size in values.shape:
        weights.attr["value"].tensor.tensor_shape.dim.add(size=size)
    weights.attr["value"].tensor.tensor_content = values.tobytes()
    graph.node.add(name="out", op="MatMul", input=["image", "weights"]).attr["T"].type = 1
    return graph


def a_meta_graph() -> MetaGraphDef:
    meta = MetaGraphDef(graph_def=a_graph(), saver_def=SaverDef(restore_op_name="save/restore_all"))
    meta.meta_info_def.tensorflow_version = "1.15.0"
    for i in range(200):  # as TensorFlow lists the operators that the graph has
        meta.meta_info_def.stripped_op_list.op.add(name=f"Operator{i}").input_arg.add(name="x", type=1)
    return meta


FORMS = {
    "binary": lambda: (a_graph().SerializeToString(), None),
    "text": lambda: (text_format.MessageToString(a_graph()).encode(), None),
    "commented": lambda: (b"# A graph.\n\n# Two lines.\n" + text_format.MessageToString(a_graph()).encode(), None),
    "one line": lambda: (text_format.MessageToString(a_graph(), as_one_line=True).encode(), None),
    "Windows": lambda: (text_format.MessageToString(a_graph()).replace("\n", "\r\n").encode(), None),
    "meta": lambda: (a_meta_graph().SerializeToString(), "save/restore_all"),
    "meta text": lambda: (text_format.MessageToString(a_meta_graph()).encode(), "save/restore_all"),
    "meta without saver": lambda: (MetaGraphDef(graph_def=a_graph()).SerializeToString(), None),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, tmp_path: Path) -> None:
    path = tmp_path / "anything"
    content, restore = FORMS[form]()
    path.write_bytes(content)
    saved = read_graph(path)
    assert saved.restore == restore
    assert list(saved.graph.nodes) == ["image", "weights", "out"]
    assert saved.graph.versions.producer == 27
    np.testing.assert_array_equal(saved.graph.constants["weights"], WEIGHTS)


@pytest.mark.parametrize("form", ["binary", "text", "commented", "one line", "meta text"])
def test_a_graph_is_known_by_how_it_begins(form: str, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(FORMS[form]()[0])
    assert (looks_like_a_graph(tmp_path / "model") or "").startswith(("it begins as", "it is text that begins with "))


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n\nab", b"name: 'caffe'", b"\n\x05\x12\x03abc", b"\x89HDF\r\n\x1a\n", b"node\0"]
)
def test_other_files_are_not_taken_for_graphs(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(content)
    assert looks_like_a_graph(tmp_path / "model") is None


@pytest.mark.parametrize("size", [0, 100, 1 << 22])
def test_every_byte_survives_the_text_form(size: int, tmp_path: Path) -> None:
    values = np.frombuffer(bytes(range(256)) + b'\\\\""\\"\'\\n' + random.Random(0).randbytes(size), np.uint8)
    text = text_format.MessageToString(a_graph(values))
    (tmp_path / "graph.pbtxt").write_text(text)
    started = time.process_time()
    np.testing.assert_array_equal(read_graph(tmp_path / "graph.pbtxt").graph.constants["weights"], values)
    assert time.process_time() - started < 1  # protobuf's own parser takes 2 s


def test_a_stand_in_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    graph = a_graph(np.frombuffer(b"\0value 7 is elsewhere", np.uint8))
    (tmp_path / "graph.pbtxt").write_text(text_format.MessageToString(graph))
    assert bytes(read_graph(tmp_path / "graph.pbtxt").graph.constants["weights"]) == b"\0value 7 is elsewhere"


def a_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def write(content: bytes) -> object:
    return lambda path: path.write_bytes(content)


def without_values() -> bytes:
    graph = a_graph()
    del graph.node[1].attr["value"]
    return graph.SerializeToString()


def dangling() -> bytes:
    graph = a_graph()
    graph.node.add(name="reader", op="Identity", input=["gone"])
    return graph.SerializeToString()


def cyclic() -> bytes:
    graph = a_graph()
    graph.node.add(name="a", op="Identity", input=["b"])
    graph.node.add(name="b", op="Identity", input=["a"])
    return graph.SerializeToString()


def nested() -> bytes:
    return b'node { name: "a" op: "b" attr { key: "c" value { ' + b"list { func { attr { value { " * 2000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_zip, r"graph\.pb: no GraphDef, but a zip archive \(a \.keras file is one\)"),
        (write(b"\x89HDF\r\n\x1a\n" + bytes(9)), "but an HDF5 file, as Keras writes them"),
        (write(b"\x1c\0\0\0TFL3" + bytes(9)), "but a TFLite model"),
        (write(b"\x08\x07\x12\x07pytorch"), "but an ONNX model"),
        (write(b"\x08\x01\x12\x90\x40\x0a"), "but a SavedModel; name its folder"),
        (write(b"saved_model_schema_version: 1"), "but a SavedModel; name its folder"),
        (write(gzip.compress(a_graph().SerializeToString())), "but compressed with gzip"),
        (write(b"version https://git-lfs.github.com/spec/v1\n"), r"it is a Git LFS pointer; run `git lfs pull`"),
        (write(b""), r"graph\.pb: there is no graph in it"),
        (write(bytes(1000)), "neither a GraphDef nor a MetaGraph, or cut short; copy"),
        (write(a_graph().SerializeToString()[:-50]), "neither a GraphDef nor a MetaGraph, or cut short"),
        (write(a_meta_graph().SerializeToString()[:-50]), "neither a GraphDef nor a MetaGraph, or cut short"),
        (write(b"node {\n  name: 'a'\n  oop: 'b'\n}"), r"graph\.pb: line 3, column 3: .* no field named .oop"),
        (write(b"node {\n  name: 'a'"), r"graph\.pb: line 2, column \d+: Expected"),
        (write(b"node { name: '" + b"a" * 9000 + rb"\x' }"), r"graph\.pb: line 1, column 14: …a{100}.{,100}$"),
        (write(b"name: 'caffe'"), r"graph\.pb: line 1, column 1: .* no field named .name"),
        (write(b"node { name: '\xff\xfe\xfd' }"), r"graph\.pb: neither a message in binary form nor text in UTF-8"),
        (write(nested()), r"graph\.pb: nested too deeply for a graph"),
        (write(without_values()), r"graph\.pb: 1 of its constants have no value, 'weights' first"),
        (write(dangling()), "the graph is malformed as it came in: node 'reader' reads 'gone', which does not exist"),
        (write(cyclic()), "malformed as it came in: the graph has a cycle through 'a', 'b'; export the model again"),
        (lambda path: path.mkdir(), r"graph\.pb: cannot be read"),
        (lambda path: None, r"graph\.pb: cannot be read: No such file"),
    ],
)
def test_what_is_no_graph(make: object, message: str, tmp_path: Path) -> None:
    make(tmp_path / "graph.pb")  # type: ignore[operator]
    with pytest.raises(ModelError, match=message):
        read_graph(tmp_path / "graph.pb")


@pytest.mark.parametrize(("size", "message"), [(LARGEST + 1, "reads no message above 2 GB; bring the graph without")])
def test_sizes_are_looked_at_before_anything_is_read(size: int, message: str, tmp_path: Path) -> None:
    with (tmp_path / "graph.pb").open("wb") as file:
        file.truncate(size)
    with pytest.raises(ModelError, match=message):
        read_graph(tmp_path / "graph.pb")


def test_long_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.pbtxt").write_bytes(b"node { name: 'a' op: 'b' }\n" * (3 << 20))
    with pytest.raises(ModelError, match=r"graph\.pbtxt: too long for a graph in text form; save it in binary form"):
        read_graph(tmp_path / "graph.pbtxt")


@pytest.mark.filterwarnings("ignore:.*invalid (octal )?escape sequence:DeprecationWarning")  # protobuf's own
@pytest.mark.parametrize("form", ["binary", "meta", "text"])
def test_any_truncation_or_damage_is_a_model_error(form: str, tmp_path: Path) -> None:
    whole = FORMS[form]()[0]
    rng, stop = random.Random(1), time.monotonic() + 2
    while time.monotonic() < stop:
        damaged = bytearray(whole[: rng.randrange(1, len(whole))] if rng.random() < 0.5 else whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / "graph.pb").write_bytes(bytes(damaged))
        try:
            read_graph(tmp_path / "graph.pb")
        except ModelError:
            continue


SAVER = SaverDef(filename_tensor_name="save/Const:0", restore_op_name="save/restore_all", save_tensor_name="x")


@pytest.mark.parametrize("content", [SAVER.SerializeToString(), text_format.MessageToString(SAVER).encode()])
def test_saver_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "saver").write_bytes(content)
    assert read_restore_op(tmp_path / "saver") == "save/restore_all"


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"filename_tensor_name: 'x'"])
def test_saver_files_that_restore_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "saver").write_bytes(content)
    with pytest.raises(ModelError, match=r"saver: no SaverDef, or one that restores nothing"):
        read_restore_op(tmp_path / "saver")


def test_a_memory_mapped_graph_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "graph.mmpb"
    write_package(
        path, [("memmapped_package://w", bytes(range(256)) * 64, True), ("memmapped_package://.", b"", False)]
    )
    with pytest.raises(ModelError, match=r"graph\.mmpb: no GraphDef, but a memory-mapped one.*name the graph it was"):
        read_graph(path)
