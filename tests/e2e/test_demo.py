"""What `make demo` promises."""

import json
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

from mobile_export import workers
from mobile_export.published.manifest import load_manifest

pytestmark = pytest.mark.e2e

ARTIFACTS = {
    "android": {
        "digits_int8",
        "digits_uint8",
        "digits_dynamic",
        "digits_float16",
        "digits_smallest",
        "digits_onnx",
        "digits_onnx_int8",
        "digits_mapped",
    },
    "ios": {
        "digits_ios_onnx",
        "digits_ios_onnx_int8",
        "digits_ios_float32",
        "digits_ios_int8",
        "digits_ios_graph",
    },
}


@pytest.mark.parametrize("target", ARTIFACTS)
def test_every_artifact_is_published_and_passed(example, target: str) -> None:
    folder = example / "out" / target
    manifest = load_manifest(folder)
    assert {a.name for a in manifest.artifacts} == ARTIFACTS[target]
    assert all(check.passed for a in manifest.artifacts for check in a.checks)
    assert manifest.gate == "closed"
    in_app = {p.name for p in (folder / "assets" / "models" / target).iterdir()}
    assert in_app == {a.file.rpartition("/")[2] for a in manifest.artifacts}


def test_the_table_names_every_artifact(demo) -> None:
    _, ran = demo
    for name in ARTIFACTS["android"] | ARTIFACTS["ios"]:
        assert name in ran.out
    assert "evaluation accuracy" in ran.err


def test_nothing_but_the_published_folders_is_left(example) -> None:
    assert sorted(p.name for p in (example / "out").iterdir()) == ["android", "ios"]


@pytest.mark.parametrize("target", ARTIFACTS)
def test_every_artifact_meets_the_demanded_accuracy(example, target: str) -> None:
    for artifact in load_manifest(example / "out" / target).artifacts:
        accuracy = {check.name: check.value for check in artifact.checks}["accuracy"]
        assert accuracy >= 0.965, artifact.name


def test_manifests_name_no_time_host_or_place(example) -> None:
    for path in (example / "out").glob("*/manifest.json"):
        text = path.read_text()
        assert str(example) not in text
        assert "/tmp" not in text
        assert json.loads(text)["schema_version"] == 1


def test_training_nodes_are_gone(example) -> None:
    steps = load_manifest(example / "out" / "android").transforms
    assert steps[0].nodes_before > 2 * steps[-1].nodes_after
    differences = [step.difference for step in steps if step.difference is not None]
    assert max(differences) <= 1e-4


def test_an_unchanged_build_keeps_every_file_and_imports_nothing_heavy(example, mobile_export) -> None:
    before = {p: p.stat().st_mtime_ns for p in (example / "out").rglob("*") if p.is_file()}
    targets = [str(example / "targets" / f"{name}.toml") for name in ARTIFACTS]
    code = (
        "import sys; from mobile_export import cli\n"
        f"sys.argv = ['mobile-export', 'build', *{targets!r}, '--out', {str(example / 'out')!r}]\n"
        "try: cli.main()\nexcept SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'tensorflow', 'onnx', 'onnxruntime', 'tf2onnx', 'ai_edge_litert'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
    assert {p: p.stat().st_mtime_ns for p in (example / "out").rglob("*") if p.is_file()} == before


def test_a_second_build_gives_the_same_bytes(example, mobile_export, tmp_path) -> None:
    from tests.e2e.conftest import tree

    targets = [example / "targets" / f"{name}.toml" for name in ARTIFACTS]
    ran = mobile_export("build", *targets, "--out", tmp_path / "again", "--no-cache")
    assert ran.code == 0, ran.err
    first, second = tree(example / "out"), tree(tmp_path / "again")
    assert [name for name in first if first[name] != second.get(name)] == []


def test_it_builds_where_workers_cannot_be_forked(example, mobile_export, monkeypatch, tmp_path) -> None:
    """As on macOS and Windows: every worker starts afresh."""
    monkeypatch.setattr(workers, "_context", lambda: multiprocessing.get_context("spawn"))
    options = ("--out", tmp_path, "--artifact", "digits_int8")
    ran = mobile_export("build", example / "targets/android.toml", *options)
    assert ran.code == 0, ran.err
    built = "android/assets/models/android/digits_int8.tflite"
    assert (tmp_path / built).read_bytes() == (example / "out" / built).read_bytes()


def test_verify(example, mobile_export) -> None:
    ran = mobile_export("verify", example / "out")
    assert ran.code == 0, ran.err
    assert ran.out.count(": ok") == sum(map(len, ARTIFACTS.values()))


def test_tensorflows_own_memmapped_env_gives_the_recorded_answers(example, memmapped_env) -> None:
    from tests.native.memmapped_env import run

    folder = example / "out/android"
    with np.load(folder / "golden.npz") as golden:
        images, answers = golden["inputs/image"], golden["answers/digits_mapped/probabilities"]
    for image, answer in zip(images, answers, strict=True):
        package = folder / "assets/models/android/digits_mapped.mmpb"
        ran = run(memmapped_env, package, ("image", image[None]), "probabilities")
        np.testing.assert_allclose(ran.output[0], answer, rtol=1e-5, atol=1e-7)


def test_run(example, mobile_export, tmp_path) -> None:
    data, saved = example / "examples/digits/evaluation.npz", tmp_path / "answers.npz"
    artifact = example / "out/android/assets/models/android/digits_int8.tflite"
    ran = mobile_export("run", artifact, "--data", data, "--samples", "100", "--save", saved, "--format", "json")
    assert ran.code == 0, ran.err
    (output,) = json.loads(ran.out)["outputs"]
    assert (output["name"], output["shape"]) == ("probabilities", [100, 10])
    with np.load(saved) as archive:
        assert archive["probabilities"].shape == (100, 10)
