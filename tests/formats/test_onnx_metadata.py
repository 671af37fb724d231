import json
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from mobile_export.formats import FORMATS, About, Request
from mobile_export.graphs.graph import Graph
from mobile_export.target import Preprocessing
from tests.formats.tf_graphs import make_graph, mobile_net, samples_for

REPOSITORY = Path(__file__).parents[2]
HOW = Preprocessing(scale=1 / 255, mean=(0.485,), std=(0.229, 0.224, 0.225), channel_order="bgr")
LABELS = {f"output_{number}": ("çat", 'a "dog"') for number in range(6)}  # many, to come in some hash table's order
ABOUT = About("3", LABELS, {"image": HOW})
FILES = [("onnx", "float32"), ("onnx", "int8"), ("ort", "float32"), ("ort", "int8")]


def network() -> Graph:
    return make_graph(mobile_net, ["image"], ["probabilities"])


def write_all(graph: Graph, folder: Path, about: About) -> list[Path]:
    paths = [folder / f"{precision}.{name}" for name, precision in FILES]
    for path, (name, precision) in zip(paths, FILES, strict=True):
        FORMATS[name].write(graph, [Request("a", path, precision, about=about)], samples_for(graph))
    return paths


def said_by(path: Path) -> dict[str, str]:
    session = onnxruntime.InferenceSession(path)
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_all(network(), tmp_path_factory.mktemp("described"), ABOUT)


def test_the_runtime_gives_it_out(files: list[Path]) -> None:
    for path in files:
        said = said_by(path)
        assert said.pop("version") == "3"
        assert json.loads(said.pop("preprocessing.image")) == json.loads(HOW.model_dump_json())
        assert {key: tuple(json.loads(value)) for key, value in said.items()} == {
            f"labels.{output}": names for output, names in LABELS.items()
        }


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    assert [said_by(path) for path in write_all(network(), tmp_path, About())] == [{}] * len(FILES)


SCRIPT = """
import sys
from pathlib import Path
from tests.formats.test_onnx_metadata import ABOUT, network, write_all
write_all(network(), Path(sys.argv[1]), ABOUT)
"""


def test_the_same_bytes_in_another_process(files: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, tmp_path]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=300)
    assert all(path.read_bytes() == (tmp_path / path.name).read_bytes() for path in files)
