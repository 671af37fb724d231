"""`compare` as a user meets it: a small network in all its forms, one of which a converter refuses."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from mobile_export.compare.result import Comparison
from mobile_export.published.manifest import load_manifest
from mobile_export.session import import_tensorflow

pytestmark = pytest.mark.e2e

OWN = '[[artifacts]]\nname = "plain"\nformat = "tflite"\nlimits = { accuracy_drop = 0.05 }\n'
TOO_LARGE = '[[artifacts]]\nname = "too_large"\nformat = "graphdef"\nlimits = { size = 100 }\n'
FEW = "plain,tflite:float16,tflite:int8,weight_int8"


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A folder with a network that has a sine in its middle, which no integer kernel computes, and labelled samples."""
    folder = tmp_path_factory.mktemp("network")
    tf, rng = import_tensorflow(), np.random.default_rng(0)
    first, last = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 256), (256, 4)))
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, 16], "input")
        tf.identity(tf.sin(tf.nn.relu(x @ first)) @ last, "scores")
    (folder / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    samples = rng.standard_normal((200, 16)).astype(np.float32)
    labels = (np.sin(np.maximum(samples @ first, 0)) @ last).argmax(axis=1)
    np.savez(folder / "samples.npz", x=samples, label=labels)
    np.savez(folder / "calibration.npz", x=rng.standard_normal((50, 16)).astype(np.float32))
    return folder


def target(network: Path, folder: Path, artifacts: str = OWN) -> Path:
    path = folder / "wave.toml"
    path.write_text(f"""# a network with a sine
name = "wave"
[model]
source = "{(network / "model.pb").as_posix()}"
inputs = [{{ name = "x", tensor = "input:0" }}]
outputs = [{{ name = "scores", tensor = "scores:0" }}]
[data]
calibration = {{ source = "{(network / "calibration.npz").as_posix()}" }}
evaluation = {{ source = "{(network / "samples.npz").as_posix()}" }}
{artifacts}""")
    return path


def test_candidates_side_by_side_then_one_is_picked_and_built(network: Path, tmp_path: Path, mobile_export) -> None:
    path, reports = target(network, tmp_path), tmp_path / "reports"
    options = ("--candidates", FEW, "--html", reports / "{target}.html", "--markdown", reports / "{target}.md")
    ran = mobile_export("compare", path, *options, "--json", reports / "all.json", "--pick", "size")
    assert ran.code == 0, ran.err
    found = Comparison.model_validate_json((reports / "all.json").read_text())
    by_name = {candidate.name: candidate for candidate in found.candidates}
    assert set(by_name) == {
        "plain",
        "tflite_float16",
        "tflite_int8",
        "tflite_weight_int8",
        *(f"{form}_weight_int8" for form in ("onnx", "ort")),
    }

    refused = by_name.pop("tflite_int8")
    assert "SIN" in refused.refused
    assert refused.refused in " ".join(ran.out.split())
    assert (refused.entry, refused.pareto) == (None, False)
    for candidate in by_name.values():
        assert candidate.passed, candidate.name
        assert {timing.threads for timing in candidate.timings} >= {1}
        assert all(0 < timing.median <= timing.p90 for timing in candidate.timings)
        assert candidate.footprint is not None
        assert candidate.footprint.first_answer > 0
        assert candidate.surveys, candidate.name
        assert bool(candidate.layers) == (
            candidate.name in ("tflite_float16", "tflite_weight_int8", "onnx_weight_int8")
        )
    assert (by_name["plain"].in_target, by_name["tflite_weight_int8"].in_target) == (True, False)
    drop = by_name["tflite_weight_int8"].check("accuracy_drop")
    assert drop is not None
    assert (drop.limit, drop.interval is not None) == (0.05, True)
    assert found.reference is not None
    assert (found.metric, found.samples, found.reference.value) == ("top1", 200, 1.0)
    before, after = found.graphs
    assert before.nodes >= after.nodes > 0
    assert [node.operator for node in after.listing].count("Sin") == 1
    assert next(node.shape for node in after.listing if node.operator == "Sin") == "[1,256]"
    assert {entry.name for entry in found.manifest.artifacts} == set(by_name)
    assert "this computer" in ran.out
    assert (reports / "wave.html").read_text().startswith("<!doctype html>")
    assert "| candidate |" in (reports / "wave.md").read_text()

    picked = min((one for one in by_name.values() if one.pareto), key=lambda one: one.entry.zipped_bytes)
    assert f"the best by size is {picked.name}, which was added to {path}" in ran.err
    assert path.read_text().startswith("# a network with a sine\n")
    assert tomllib.loads(path.read_text())["artifacts"][1]["name"] == picked.name
    built = mobile_export("build", path, "--out", tmp_path / "out")
    assert built.code == 0, built.err
    assert f"plain, {picked.name} from the cache" in built.err
    shipped = {entry.name: entry for entry in load_manifest(tmp_path / "out/wave").artifacts}
    assert shipped == {name: by_name[name].entry for name in ("plain", picked.name)}

    again = mobile_export("compare", path, "--no-timing", "--candidates", picked.name, "--pick", "size")
    assert again.code == 0, again.err
    assert f"the best by size is {picked.name}, which the target has already" in again.err
    assert f"{picked.name} from the cache" in again.err


def test_a_missed_limit_and_a_baseline(network: Path, tmp_path: Path, mobile_export) -> None:
    path = target(network, tmp_path)
    built = mobile_export("build", path, "--out", tmp_path / "out")
    assert built.code == 0, built.err
    text = path.read_text()
    path.write_text(text + TOO_LARGE)
    options = ("--candidates", "plain,too_large", "--no-timing", "--baseline", tmp_path / "out/wave")
    ran = mobile_export("compare", path, *options, "--format", "json")
    assert ran.code == 0, ran.err
    (found,) = json.loads(ran.out)
    comparison = Comparison.model_validate(found["comparison"])
    assert [(c.artifact, c.what, c.after) for c in comparison.changes] == [
        ("too_large", "present", "new: graphdef float32")
    ]
    assert [candidate.timings for candidate in comparison.candidates] == [(), ()]
    ran = mobile_export("compare", path, *options, "--fail-on-limits")
    assert ran.code == 1
    assert "error: wave: too_large missed a limit or could not be made" in ran.err
    assert "≤ 100 B" in ran.out
    alone = mobile_export("compare", path, "--candidates", "too_large", "--no-timing", "--pick", "size")
    assert alone.code == 1
    assert "no candidate passed" in alone.err
    assert path.read_text() == text + TOO_LARGE


def test_what_is_asked_wrongly_is_said_before_any_work(network: Path, tmp_path: Path, mobile_export) -> None:
    path = target(network, tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(path.read_text().replace('name = "wave"', 'name = "other"'))
    for arguments, words in (
        ((path, "--candidates", "tflite:int9"), "'tflite:int9' is not known"),
        ((path, other, "--html", "report.html"), "report-{target}.html"),
        ((path, "--no-timing", "--pick", "latency"), "--pick latency asks for what --no-timing leaves out"),
        ((path, "--baseline", tmp_path / "nowhere.json"), "nowhere.json: cannot be read"),
    ):
        ran = mobile_export("compare", *arguments)
        assert ran.code in (2, 3), ran.err
        assert words in ran.err
        assert "prepare" not in ran.err


def test_a_report_that_cannot_be_written_is_said_before_any_work(network: Path, tmp_path: Path, mobile_export) -> None:
    ran = mobile_export("compare", target(network, tmp_path), "--markdown", tmp_path, "--json", tmp_path / "all.json")
    assert ran.code == 6
    assert ran.err == f"error: --markdown {tmp_path}: is a folder; name a file in it\n"


def test_one_target_that_fails_stops_no_other(network: Path, tmp_path: Path, mobile_export) -> None:
    path = target(network, tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(
        path.read_text().replace('name = "wave"', 'name = "other"').replace((network / "model.pb").as_posix(), "no.pb")
    )
    ran = mobile_export("compare", other, path, "--candidates", "plain", "--no-timing")
    assert ran.code == 3
    assert "error: other: " in ran.err
    assert "wave: the model itself" in ran.out
