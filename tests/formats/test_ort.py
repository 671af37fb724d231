"""The .ort format: answers, bytes, what is optimized beforehand, and the operators that a reduced build needs."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Quantizable, Request
from mobile_export.formats.onnx import ONNX
from mobile_export.formats.ort import ORT, required_operators
from mobile_export.graphs.graph import Graph
from mobile_export.runner import run_samples
from tests.formats.test_onnx import MODELS, NHWC, graph_of
from tests.formats.test_onnx_precisions import QUANTIZED, samples_of, small_network, squashed

PRECISIONS = ("float32", *QUANTIZED)


@pytest.fixture(scope="module")
def network() -> Graph:
    return graph_of(small_network, NHWC)


@pytest.fixture(scope="module")
def written(network: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every precision in both formats."""
    folder = tmp_path_factory.mktemp("ort")
    for unit in (ORT(), ONNX()):
        requests = [Request(p, folder / f"{p}{unit.suffix}", p) for p in PRECISIONS]
        unit.write(network, requests, samples_of(network))
    return folder


def test_is_quantizable() -> None:
    unit: Quantizable = ORT()
    assert isinstance(unit, Quantizable)
    assert (unit.precisions, unit.choices) == (ONNX.precisions, ONNX.choices)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_answers_as_the_onnx_file_does(precision: str, network: Graph, written: Path) -> None:
    ours, other = ORT().open(written / f"{precision}.ort"), ONNX().open(written / f"{precision}.onnx")
    assert (ours.inputs, ours.outputs) == (other.inputs, other.outputs)
    feeds = samples_of(network, seed=2)
    np.testing.assert_allclose(run_samples(ours, feeds)["y0"], run_samples(other, feeds)["y0"], atol=1e-5)


def test_nothing_else_is_left_in_the_folder(written: Path) -> None:
    assert {path.suffix for path in written.iterdir()} == {".ort", ".onnx"}


def test_weights_stay_as_narrow_as_they_are(written: Path) -> None:
    size = {precision: (written / f"{precision}.ort").stat().st_size for precision in PRECISIONS}
    values = 6992
    assert size["float32"] - size["float16"] > 1.2 * values
    assert size["float32"] - size["weight_int8"] > 1.8 * values
    assert size["float32"] - size["int8"] > 0.8 * values


def operators(path: Path) -> set[str]:
    lines = [line for line in required_operators([path]).splitlines() if not line.startswith("#")]
    return {name for line in lines for name in re.findall(r"\b[A-Z]\w+", line.split(";")[2])}


def test_fused_for_any_processor(written: Path) -> None:
    assert "FusedConv" in operators(written / "float32.ort")
    assert "QLinearConv" in operators(written / "int8.ort")
    for precision in PRECISIONS:
        assert "ReorderInput" not in operators(written / f"{precision}.ort")  # the layout of one kind of processor


def test_required_operators(written: Path) -> None:
    both = required_operators([written / "int8.ort", written / "float32.ort"])
    assert both == required_operators([written / "float32.ort", written / "int8.ort"])
    assert both.splitlines()[1:3] == ["# - float32.ort", "# - int8.ort"]
    assert str(written) not in both
    assert "QLinearConv" in both
    assert "FusedConv" in both
    assert "QLinearConv" not in required_operators([written / "float32.ort"])


@pytest.mark.parametrize("types", [False, True])
def test_onnx_runtimes_build_reads_the_required_operators(types: bool, written: Path, tmp_path: Path) -> None:
    from onnxruntime.tools.reduced_build_config_parser import parse_config

    path = tmp_path / "required_operators.config"
    path.write_text(required_operators([written / "int8.ort"]))
    needed, _ = parse_config(str(path), enable_type_reduction=types)
    assert "QLinearConv" in needed["com.microsoft"][1]
    assert "QuantizeLinear" in needed["ai.onnx"][13]


def test_logging_is_as_before(written: Path, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = list(logging.getLogger().handlers)
    required_operators([written / "int8.ort"])
    assert logging.getLogger().handlers == handlers
    assert capfd.readouterr() == ("", "")


WRITE = """
import sys
from pathlib import Path
from mobile_export.formats.format import Request
from mobile_export.formats.ort import ORT
from mobile_export.graphs.graph import Graph
ORT().write(Graph.load(Path(sys.argv[1])), [Request("a", Path(sys.argv[2]))], None)
"""


@pytest.mark.e2e
def test_same_bytes_in_any_process(network: Graph, written: Path, tmp_path: Path) -> None:
    network.save(tmp_path / "network.graph")
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = [sys.executable, "-c", WRITE, str(tmp_path / "network.graph"), str(tmp_path / f"{seed}.ort")]
        subprocess.run(arguments, check=True, env=environment)
        assert (tmp_path / f"{seed}.ort").read_bytes() == (written / "float32.ort").read_bytes()


def test_same_bytes_again(network: Graph, written: Path, tmp_path: Path) -> None:
    requests = [Request(p, tmp_path / f"{p}.ort", p) for p in PRECISIONS]
    ORT().write(network, requests, samples_of(network))
    for request in requests:
        assert request.path.read_bytes() == (written / request.path.name).read_bytes()


@pytest.mark.parametrize("name", ["while", "cond", "other dtypes", "constant output", "output is input"])
def test_loops_branches_and_odd_outputs(name: str, tmp_path: Path) -> None:
    graph = graph_of(*MODELS[name])
    feeds = {spec.name: array[:3] for spec, array in zip(graph.inputs, samples_of(graph).values(), strict=True)}
    answers = []
    for unit in (ORT(), ONNX()):
        path = tmp_path / f"model{unit.suffix}"
        unit.write(graph, [Request("model", path)], None)
        answers.append(unit.open(path)(feeds))
    for output, array in answers[0].items():
        np.testing.assert_allclose(array, answers[1][output], rtol=1e-5)


def test_refusals_are_those_of_onnx(tmp_path: Path) -> None:
    graph = graph_of(squashed, NHWC)
    with pytest.raises(
        ConversionError, match=r"artifact 'net': the int8 file would compute in float: Tanh \('squash'\)"
    ):
        ORT().write(graph, [Request("net", tmp_path / "net.ort", "int8")], samples_of(graph))
    assert list(tmp_path.iterdir()) == []


def test_required_operators_of_another_file_are_refused(written: Path) -> None:
    with pytest.raises(ConversionError, match=r"int8\.onnx is no \.ort file"):
        required_operators([written / "int8.onnx"])


def test_operators_of_bodies_are_required(tmp_path: Path) -> None:
    graph = graph_of(*MODELS["cond"])
    ORT().write(graph, [Request("model", tmp_path / "model.ort")], None)
    assert {"If", "Add", "Neg"} <= operators(tmp_path / "model.ort")


@pytest.mark.parametrize("cut", [0, 7, 100, 0.5, 0.9])
def test_damage_is_refused(cut: float, written: Path, tmp_path: Path) -> None:
    content = (written / "int8.ort").read_bytes()
    path = tmp_path / "damaged.ort"
    path.write_bytes(content[: cut if isinstance(cut, int) else int(cut * len(content))])
    with pytest.raises(ConversionError, match=r"does not load damaged\.ort"):
        ORT().open(path)
