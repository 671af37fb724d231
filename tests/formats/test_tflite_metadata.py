import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import OutputError
from mobile_export.formats.flatbuffer import read_model, write_model
from mobile_export.formats.format import About, Request
from mobile_export.formats.tflite import TFLite
from mobile_export.formats.tflite_metadata import ENTRY, append_files, metadata
from mobile_export.graphs.graph import Graph
from mobile_export.runner import run_samples
from mobile_export.target import Preprocessing
from tests.formats.tf_graphs import make_graph, mobile_net, samples_for

KINDS = [(precision, interface) for precision, allowed in TFLite.precisions.items() for interface in allowed]
NAMES = tuple(f"çlass {number}" for number in range(10))
IMAGES = Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
ABOUT = About("3", {"probabilities": NAMES}, {"image": IMAGES})
REPOSITORY = Path(__file__).parents[2]


def network() -> Graph:
    return make_graph(mobile_net, ["image"], ["probabilities"])


def write_all(graph: Graph, folder: Path, about: About) -> dict[tuple[str, str], Path]:
    folder.mkdir(exist_ok=True)
    requests = [Request("a", folder / f"{p}_{i}.tflite", p, i, about=about) for p, i in KINDS]
    TFLite().write(graph, requests, samples_for(graph))
    return {(r.precision, r.interface): r.path for r in requests}


def metadata_of(path: Path) -> list[bytes]:
    """The metadata in a file; the standard allows one."""
    model = read_model(path.read_bytes())
    return [bytes(model.buffers[entry.buffer].data) for entry in model.metadata if entry.name == ENTRY]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network()


@pytest.fixture(scope="module")
def files(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    return write_all(graph, tmp_path_factory.mktemp("described"), ABOUT)


@pytest.fixture(scope="module")
def silent(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The same of a model of which only the names are known."""
    return write_all(graph, tmp_path_factory.mktemp("silent"), About())


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_says_it_once(files: dict[tuple[str, str], Path], kind: tuple[str, str]) -> None:
    (found,) = metadata_of(files[kind])
    assert found[4:8] == b"M001"
    said = f"{kind[0]}; by mobile-export"
    for text in ("a", said, "3", "image", "probabilities", "probabilities_labels.txt", "1.0.0"):
        assert f"{text}\0".encode() in found
    for number in np.array([0.485, 0.406, 0.229, 0.225], np.float64) * 255:
        assert np.float32(number).tobytes() in found


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_in_an_archive_behind_the_model(files: dict[tuple[str, str], Path], kind: tuple[str, str]) -> None:
    content = files[kind].read_bytes()
    with zipfile.ZipFile(files[kind]) as archive:
        assert archive.testzip() is None
        (member,) = archive.infolist()
        assert (member.filename, member.compress_type) == ("probabilities_labels.txt", zipfile.ZIP_STORED)
        assert archive.read(member).decode().splitlines() == list(NAMES)
        assert content[member.header_offset :].startswith(b"PK\3\4"), "offsets count from the file's beginning"
    assert content[4:8] == b"TFL3"


def test_without_labels_there_is_no_archive(silent: dict[tuple[str, str], Path]) -> None:
    assert not any(map(zipfile.is_zipfile, silent.values()))
    for path in silent.values():
        (found,) = metadata_of(path)
        assert b"image\0" in found
        assert b"labels" not in found


@pytest.mark.parametrize("kind", KINDS)
def test_answers_stay(
    graph: Graph, files: dict[tuple[str, str], Path], silent: dict[tuple[str, str], Path], kind: tuple[str, str]
) -> None:
    samples = samples_for(graph, 20)
    before, after = (run_samples(TFLite().open(made[kind]), samples) for made in (silent, files))
    np.testing.assert_array_equal(before["probabilities"], after["probabilities"])


def test_other_loaders_take_it(graph: Graph, files: dict[tuple[str, str], Path]) -> None:
    """LiteRT's newer interface, which maps the file; and both interfaces from memory."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.interpreter import Interpreter

    path = files["float32", "float32"]
    image = samples_for(graph, 1)["image"]
    expected = TFLite().open(path)({"image": image})["probabilities"]
    for compiled in (CompiledModel.from_file(str(path)), CompiledModel.from_buffer(path.read_bytes())):
        inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
        inputs[0].write(image.ravel())
        compiled.run_by_index(0, inputs, outputs)
        np.testing.assert_allclose(outputs[0].read(10, np.float32), expected[0], atol=1e-6)
    signature = Interpreter(model_content=path.read_bytes()).get_signature_runner()
    np.testing.assert_array_equal(signature(image=image)["probabilities"], expected)


def test_it_adds_less_than_a_kilobyte_and_the_labels(
    files: dict[tuple[str, str], Path], silent: dict[tuple[str, str], Path]
) -> None:
    labels = sum(len(f"{name}\n".encode()) for name in NAMES)
    for kind, path in files.items():
        assert 0 < path.stat().st_size - silent[kind].stat().st_size < labels + 1000
        assert len(metadata_of(silent[kind])[0]) < 500


SCRIPT = """
import sys
from pathlib import Path
from tests.formats.test_tflite_metadata import ABOUT, network, write_all
write_all(network(), Path(sys.argv[1]), ABOUT)
"""


def test_the_same_bytes_in_another_process(files: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, tmp_path]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=300)
    assert all(path.read_bytes() == (tmp_path / path.name).read_bytes() for path in files.values())


def test_the_archive_knows_no_time_and_no_machine(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"model")
    append_files(path, {"a.txt": b"x", "b.txt": b""})
    with zipfile.ZipFile(path) as archive:
        assert [(m.filename, m.date_time[0], m.create_system) for m in archive.infolist()] == [
            ("a.txt", 1980, 3),
            ("b.txt", 1980, 3),
        ]
        assert archive.read("a.txt") == b"x"


def test_what_looks_like_an_archive_in_the_weights_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(weights := b"PK\5\6" + bytes(18))  # an empty archive, as it were
    append_files(path, {"a.txt": b"x"})
    assert path.read_bytes().startswith(weights)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["a.txt"]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        append_files(tmp_path, {"a.txt": b"x"})


@pytest.mark.parametrize(
    ("how", "normalized"),
    [
        (Preprocessing(), True),
        (Preprocessing(scale=1e-10, mean=(1e30,), std=(1e30,)), False),  # 1e40 is none in float32
        (Preprocessing(scale=1e10, std=(1e-40,)), False),  # 1e-50 is 0
        (Preprocessing(scale=1e-300, mean=(1e300,), std=(1e300,)), False),
        (Preprocessing(scale=1e-10, mean=(1e30,), std=(1e30,), fold=True), True),
    ],
)
def test_numbers_that_readers_cannot_have(
    silent: dict[tuple[str, str], Path], how: Preprocessing, normalized: bool
) -> None:
    model = read_model(silent["float32", "float32"].read_bytes())
    without = metadata(model, Request("a", Path(), about=About(preprocessing={"image": Preprocessing(std=(1e-50,))})))
    found = metadata(model, Request("a", Path(), about=About(preprocessing={"image": how})))
    assert (len(found) > len(without)) == normalized


def test_a_model_written_again_keeps_its_metadata(files: dict[tuple[str, str], Path]) -> None:
    """And loses what is behind it: whoever edits a file appends it last."""
    path = files["int8", "uint8"]
    again = read_model(write_model(read_model(path.read_bytes())))
    assert [bytes(again.buffers[e.buffer].data) for e in again.metadata if e.name == ENTRY] == metadata_of(path)
