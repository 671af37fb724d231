"""`precision = "auto"` as a user meets it: plain int8 stops the build, and the search finds what holds its limit."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobile_export import executors
from mobile_export.caching.folder import VARIABLE
from mobile_export.published.manifest import ArtifactEntry, load_manifest
from tests.dask_cluster import dask_cluster
from tests.search.broken import DIGITS, rescaled, save_model, trained

pytestmark = pytest.mark.e2e

DROP = "accuracy_drop = 0.01"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Path:
    """A network with channels a thousand times as large as others between its first layers, around a plain ReLU."""
    path = tmp_path_factory.mktemp("broken") / "model.pb"
    save_model(rescaled(trained(), "conv1", 4), path)
    return path


def target(
    model: Path, folder: Path, *artifacts: str, calibration: str = f"{DIGITS.as_posix()}/calibration.npz"
) -> Path:
    path = folder / "broken.toml"
    listed = ", ".join(f'{{ name = "file{index}", {keys} }}' for index, keys in enumerate(artifacts))
    path.write_text(f"""
name = "broken"
model.source = "{model.as_posix()}"
model.inputs = [{{ name = "image", tensor = "input:0", shape = [1, 28, 28, 1] }}]
model.outputs = [{{ name = "probabilities", tensor = "probabilities:0" }}]
data.calibration = {{ source = "{calibration}", samples = 100 }}
data.evaluation = {{ source = "{DIGITS.as_posix()}/evaluation.npz", samples = 300 }}
artifacts = [{listed}]
""")
    return path


def published(out: Path) -> dict[str, ArtifactEntry]:
    return {entry.name: entry for entry in load_manifest(out / "broken").artifacts}


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_plain_int8_stops_the_build(form: str, broken: Path, tmp_path: Path, mobile_export) -> None:
    path = target(broken, tmp_path, f'format = "{form}", precision = "int8", limits.{DROP}')
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert (ran.code, "accuracy_drop" in ran.out) == (1, True)
    assert not (tmp_path / "out/broken").exists()


def test_the_search_holds_the_limit_in_few_bytes(broken: Path, tmp_path: Path, mobile_export) -> None:
    limits = f"limits = {{ {DROP}, size_ratio = 0.45 }}"
    kinds = [f'format = "{form}", precision = "auto", {limits}' for form in ("tflite", "onnx")]
    integer = [f'{kind}, compute = "integer"' for kind in kinds]
    path = target(broken, tmp_path, *kinds, *integer)
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err + ran.out
    assert "file0: weight" in ran.out.replace("\n", " ")
    found = published(tmp_path / "out")
    for entry in found.values():
        assert entry.search is not None
        assert all(check.passed for check in entry.checks)
        assert [trial.bytes for trial in entry.search.trials if trial.scheme == entry.scheme] == [entry.bytes]
    for name in ("file2", "file3"):
        mixed = {found[name].scheme.precision, *found[name].scheme.layers.values()}
        assert "int8" in mixed
        assert len(mixed) >= 2
        assert not any(precision.startswith(("weight", "dynamic")) for precision in mixed)
    again = mobile_export("build", path, "--out", tmp_path / "out", "--format", "json")
    assert json.loads(again.out)[0]["status"] == "current"


def test_what_is_found_can_be_written_down(broken: Path, tmp_path: Path, mobile_export) -> None:
    path = target(broken, tmp_path, f'format = "tflite", precision = "auto", compute = "integer", limits.{DROP}')
    assert mobile_export("build", path, "--out", tmp_path / "out").code == 0
    (found,) = published(tmp_path / "out").values()
    scheme = found.scheme
    layers = ", ".join(f"{json.dumps(name)} = {json.dumps(precision)}" for name, precision in scheme.layers.items())
    keys = f'precision = "{scheme.precision}", layers = {{ {layers} }}, ranges = "{scheme.ranges}"'
    keys += f', weights = "{scheme.weights}", per_channel = {str(scheme.per_channel).lower()}'
    pinned = target(broken, tmp_path, f'format = "tflite", {keys}, allow_float_operators = true, limits.{DROP}')
    ran = mobile_export("build", pinned, "--out", tmp_path / "pinned")
    assert ran.code == 0, ran.err + ran.out
    (written,) = published(tmp_path / "pinned").values()
    assert written.sha256 == found.sha256


def test_nothing_passes(broken: Path, tmp_path: Path, mobile_export) -> None:
    path = target(broken, tmp_path, f'format = "tflite", precision = "auto", limits = {{ {DROP}, size = 10000 }}')
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 1, ran.err
    assert "no file holds all limits" in ran.out.replace("\n", " ")
    assert not (tmp_path / "out/broken").exists()


def test_a_cluster_gives_the_same_file(broken: Path, tmp_path: Path, mobile_export) -> None:
    path = target(broken, tmp_path, f'format = "onnx", precision = "auto", compute = "integer", limits.{DROP}')
    assert mobile_export("build", path, "--out", tmp_path / "here", "--no-cache").code == 0
    with dask_cluster(workers=2) as (address, _):
        ran = mobile_export("build", path, "--out", tmp_path / "there", "--no-cache", "--executor", address)
    assert ran.code == 0, ran.err
    (here,), (there,) = published(tmp_path / "here").values(), published(tmp_path / "there").values()
    assert (here.sha256, here.search) == (there.sha256, there.search)


def test_a_file_is_timed_once(broken: Path, tmp_path: Path, mobile_export) -> None:
    """A second time would differ by noise, and might fail what the search has found to hold."""
    limited = "limits = { accuracy_drop = 0.01, latency_ratio = 1.5 }"
    kinds = [f'format = "tflite", precision = "{precision}", {limited}' for precision in ("auto", "float32")]
    ran = mobile_export("build", target(broken, tmp_path, *kinds), "--out", tmp_path / "out")
    assert ran.code == 0, ran.err + ran.out
    assert "broken: time file0" not in ran.err  # the search has
    assert "broken: time file1" in ran.err
    found = published(tmp_path / "out")["file0"]
    assert found.search is not None
    (chosen,) = [t for t in found.search.trials if t.scheme == found.scheme and not t.probe]
    (searched,) = [reading.value for reading in chosen.readings if reading.name == "latency_ratio"]
    assert searched in [check.value for check in found.checks if check.name == "latency_ratio"]


def test_what_a_generator_gives_is_measured_anew(cache: Path, tmp_path: Path, mobile_export) -> None:
    """Its code is the same, and what it reads is not: no file is current, and no journal is that of this data."""
    (tmp_path / "own.py").write_text("""
from pathlib import Path
import numpy as np

def samples():
    with np.load(Path(__file__).with_name("data.npz")) as data:
        yield from ({"image": image} for image in data["image"])
""")
    with np.load(DIGITS / "calibration.npz") as data:
        images = data["image"]
    save_model(trained(), tmp_path / "sound.pb")
    kinds = [f'format = "tflite", precision = {keys}' for keys in ('"auto", compute = "integer"', '"int8"')]
    path = target(tmp_path / "sound.pb", tmp_path, *kinds, calibration="own:samples")
    built = []
    for some in (images[:100], images[100:]):
        np.savez(tmp_path / "data.npz", image=some)
        ran = mobile_export("build", path, "--out", tmp_path / "out", "--format", "json")
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)[0]["status"] == "published"
        built.append(published(tmp_path / "out"))
    assert built[0]["file1"].sha256 != built[1]["file1"].sha256
    assert built[0]["file0"].search != built[1]["file0"].search
    assert [*cache.rglob("*.jsonl")] == []


def test_more_than_a_cluster_is_sent(broken: Path, tmp_path: Path, monkeypatch, mobile_export) -> None:
    monkeypatch.setattr(executors, "LARGEST_PARCEL", 100_000)
    path = target(broken, tmp_path, f'format = "tflite", precision = "auto", limits.{DROP}')
    with dask_cluster(workers=1) as (address, _):
        ran = mobile_export("build", path, "--out", tmp_path / "out", "--executor", address)
    assert (ran.code, "draw fewer with samples, or leave --executor out" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("dask://127.0.0.1:1", 5, "no Dask scheduler answers there"),
        ("spark://host", 2, "not understood; write dask://HOST:PORT"),
    ],
)
def test_nobody_at_the_executors_address(
    address: str, code: int, said: str, broken: Path, tmp_path: Path, mobile_export
) -> None:
    path = target(broken, tmp_path, f'format = "tflite", precision = "auto", limits.{DROP}')
    ran = mobile_export("build", path, "--out", tmp_path / "out", "--executor", address)
    assert (ran.code, said in ran.err) == (code, True), ran.err
