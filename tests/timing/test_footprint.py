"""The first answer in a fresh process: seconds, and memory that grows with what a file loads."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ConversionError, NotRunnableError
from mobile_export.formats import FORMATS, Request
from mobile_export.samples import save_samples
from mobile_export.timing import File, footprint, footprints
from tests.formats.tf_graphs import make_graph
from tests.timing.files import product, samples_of

LARGE, SMALL = 2500, 500  # 25 MB and 1 MB of weights
MB = 1e6


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("footprint")


def test_a_file_of_25_mb_takes_more_than_one_of_1_mb(folder: Path) -> None:
    large, small = (
        footprint(product(folder, "tflite", size), samples_of(folder, size), {}, processes=1) for size in (LARGE, SMALL)
    )
    assert large.resident - small.resident > 20 * MB
    assert small.resident < 25 * MB
    assert large.first_answer > small.first_answer > 0
    assert all(found.anonymous <= found.resident for found in (large, small))
    assert large.processes == 1


def test_a_mapped_graph_takes_no_memory_for_its_weights(folder: Path) -> None:
    plain, mapped = (
        footprint(product(folder, form, LARGE), samples_of(folder, LARGE), {}, processes=1)
        for form in ("graphdef", "memmapped")
    )
    assert plain.anonymous > 25 * MB
    assert mapped.anonymous < plain.anonymous / 3
    assert mapped.resident > 25 * MB  # its pages are read, and can be dropped


def test_what_cannot_run_here_says_so(tmp_path: Path) -> None:
    path, samples = tmp_path / "inverse.tflite", tmp_path / "samples.npz"
    inverse = make_graph(
        lambda tf: (lambda x: ([x], [tf.linalg.inv(x)]))(tf.placeholder(tf.float32, (1, 4, 4))), "x", "y"
    )
    FORMATS["tflite"].write(inverse, [Request("inverse", path, allow_select_tf_ops=True)], None)
    save_samples(samples, {"x": np.eye(4, dtype=np.float32)[None]})
    with pytest.raises(NotRunnableError, match="Flex delegate"):
        footprint(File("tflite", path), samples, {})


def test_several_files_have_their_processes_in_rounds_and_one_that_fails_stops_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, loaded = sys.modules["mobile_export.timing.footprint"], []
    cost = module._cost

    def noted(file: File, *arguments: object) -> object:
        loaded.append(file.format)
        return cost(file, *arguments)

    monkeypatch.setattr(module, "_cost", noted)
    broken = folder / "broken.tflite"
    broken.write_bytes(b"no model")
    files = {form: product(folder, form, SMALL) for form in ("tflite", "onnx")} | {"broken": File("tflite", broken)}
    found = footprints(files, samples_of(folder, SMALL), {}, processes=2)
    assert loaded == ["tflite", "onnx"] * 2
    assert {name: one.processes for name, one in found.footprints.items()} == {"tflite": 2, "onnx": 2}
    assert list(found.failed) == ["broken"]
    assert "broken.tflite" in found.failed["broken"]
    bounded = footprints({"tflite": files["tflite"]}, samples_of(folder, SMALL), {}, processes=3, patience=0)
    assert bounded.footprints["tflite"].processes == 1


def test_a_process_ends_with_whoever_has_started_it(folder: Path) -> None:
    file = product(folder, "graphdef", SMALL)
    result = folder / "none.json"
    arguments = [file.format, str(file.path), str(samples_of(folder, SMALL)), "1", str(result)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mobile_export.timing.fresh", *arguments], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        time.sleep(0.1)  # TensorFlow's import takes longer
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 1
    assert not result.exists()


def test_a_process_that_ends_badly_or_never_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["mobile_export.timing.footprint"]
    with pytest.raises(ConversionError, match=r"no-such.tflite: a fresh process that loads it does not end well: .*"):
        module._cost(File("tflite", folder / "no-such.tflite"), samples_of(folder, SMALL), 1)
    monkeypatch.setattr(module, "SECONDS", 0.05)
    with pytest.raises(ConversionError, match=r"tflite_500.tflite: no answer after 0.05 s in a fresh process"):
        module._cost(product(folder, "tflite", SMALL), samples_of(folder, SMALL), 1)


@pytest.mark.parametrize(
    ("form", "others"), [("tflite", "tensorflow onnxruntime"), ("onnx", "tensorflow ai_edge_litert onnx")]
)
def test_only_the_runtime_that_the_phone_uses_is_imported(folder: Path, form: str, others: str) -> None:
    file, samples = product(folder, form, SMALL), samples_of(folder, SMALL)
    with np.load(samples) as drawn:
        save_samples(folder / "fed.npz", {"x": drawn["x"][:1]})
    script = (
        "import json, sys; from pathlib import Path; from mobile_export.timing.fresh import measure;"
        f"measure({form!r}, Path({str(file.path)!r}), Path({str(folder / 'fed.npz')!r}), 1);"
        "print(json.dumps(list(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not set(others.split()) & set(json.loads(ended.stdout.splitlines()[-1]))
