"""Swift packages of published folders: what is in them, what they replace, and what is not packed."""

import concurrent.futures
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.apps import generate
from mobile_export.apps.pack import LIST, pack
from mobile_export.errors import CheckFailed, ModelError, OutputError, TargetError
from mobile_export.locking.pin import pin
from mobile_export.published.manifest import load_manifest
from tests.apps.manifests import entry, manifest
from tests.e2e.conftest import tree

MODULE = {"class_name": "Demo", "swift_module": "DemoModel"}
WRAPPER = {"Demo.swift", "DemoRuntime.swift", "DemoEdges.swift", "DemoSelfTest.swift"}


def published(folder: Path, *formats: str, **more: Any) -> Path:
    """A target `demo` with a file of each format, and a golden vector for those of ONNX."""
    contents = {form: f"the {form} file".encode() for form in formats or ("onnx", "tflite")}
    entries = []
    for form, content in contents.items():
        known = entry(f"demo_{form}", form)
        known = known.model_copy(update={"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)})
        (folder / known.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / known.file).write_bytes(content)
        entries.append(known)
    described = manifest(*entries, **{"app": MODULE, "golden": hashlib.sha256(b"").hexdigest(), **more})
    samples = {"inputs/image": np.zeros((1, 4), np.float32), "answers/demo_onnx/classes": np.zeros((1, 2), np.float32)}
    generated = generate(described, samples) if described.app and described.app.swift_module else {}
    for path, content in generated.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "golden.npz").write_bytes(b"")
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in generated.items()}
    described.model_copy(update={"generated": digests}).save(folder)
    return folder


def test_what_is_of_the_app_and_what_is_of_tests_lies_apart(tmp_path: Path) -> None:
    assert pack(published(tmp_path / "out", "onnx", "tflite", "graphdef"), tmp_path / "package")
    files = tree(tmp_path / "package")
    adapters = {"DemoOnnxRuntime.swift", "DemoLiteRT.swift"}
    assert set(files) == {
        "Package.swift",
        LIST,
        *(f"Sources/DemoModel/{name}" for name in WRAPPER | adapters),
        "Sources/DemoModel/Models/demo_onnx.onnx",
        "Sources/DemoModel/Models/demo_tflite.tflite",
        "Sources/CDemoModel/shim.c",
        "Sources/CDemoModel/include/CDemoModel.h",
        "Tests/DemoModelTests/GoldenTests.swift",
        "Tests/DemoModelTests/Golden/demo_onnx.golden",
    }
    assert files["Sources/DemoModel/Models/demo_onnx.onnx"] == b"the onnx file"
    tests = files["Tests/DemoModelTests/GoldenTests.swift"].decode()
    assert "test_demoOnnx" in tests
    assert "test_demoTflite" not in tests, "nothing was recorded for it"
    assert all(b"CDigitsModel" not in content for content in files.values())


def test_without_files_of_onnx_runtime_nothing_of_it_is_there(tmp_path: Path) -> None:
    pack(published(tmp_path / "out", "tflite"), tmp_path / "package")
    files = tree(tmp_path / "package")
    assert not any("CDemoModel" in path for path in files)
    assert b"onnxruntime" not in files["Package.swift"]


def test_the_package_has_the_name_that_is_asked_for(tmp_path: Path) -> None:
    pack(published(tmp_path / "out"), tmp_path / "package", name='My "Kit"')
    assert 'name: "My \\"Kit\\"",' in (tmp_path / "package/Package.swift").read_text()


def test_the_same_is_not_written_again(tmp_path: Path) -> None:
    out, package = published(tmp_path / "out"), tmp_path / "package"
    assert pack(out, package)
    before = (package / "Package.swift").stat().st_ino
    assert not pack(out, package)
    assert (package / "Package.swift").stat().st_ino == before


def test_what_swifts_tools_left_stays_and_the_rest_is_replaced(tmp_path: Path) -> None:
    package = tmp_path / "package"
    pack(published(tmp_path / "out", "onnx", "tflite"), package)
    (package / ".build").mkdir()
    (package / ".build/object").write_text("o")
    (package / "Package.resolved").write_text("{}")
    assert pack(published(tmp_path / "other", "onnx"), package)
    files = tree(package)
    assert files[".build/object"] == b"o"
    assert files["Package.resolved"] == b"{}"
    assert "Sources/DemoModel/Models/demo_tflite.tflite" not in files
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_somebody_edited_of_ours_is_written_anew(tmp_path: Path) -> None:
    out, package = published(tmp_path / "out"), tmp_path / "package"
    pack(out, package)
    (package / "Package.swift").write_text("broken")
    assert pack(out, package)
    assert "broken" not in (package / "Package.swift").read_text()


@pytest.mark.parametrize("strange", ["notes.txt", "Sources/DemoModel/Mine.swift"])
def test_files_of_others_are_left_alone(tmp_path: Path, strange: str) -> None:
    package = tmp_path / "package"
    pack(published(tmp_path / "out", "onnx", "tflite"), package)
    (package / strange).write_text("mine")
    with pytest.raises(OutputError, match=f"{Path(strange).name}: was not written by pack, and would be lost"):
        pack(published(tmp_path / "other", "onnx"), package)
    assert (package / strange).read_text() == "mine"
    assert (package / "Sources/DemoModel/Models/demo_tflite.tflite").exists()


def test_a_folder_with_other_things_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis\.txt: was not written by pack"):
        pack(published(tmp_path / "out"), tmp_path / "home")
    assert tree(tmp_path / "home") == {"thesis.txt": b"mine"}


def test_the_shim_alone(tmp_path: Path) -> None:
    assert pack(published(tmp_path / "out"), tmp_path / "CDemoModel", shim=True)
    assert set(tree(tmp_path / "CDemoModel")) == {"shim.c", "include/CDemoModel.h", LIST}
    with pytest.raises(TargetError, match="no file of it is for ONNX Runtime"):
        pack(published(tmp_path / "tflite", "tflite"), tmp_path / "none", shim=True)


def test_the_shim_has_no_name(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="--name Kit: the shim alone is no package"):
        pack(published(tmp_path / "out"), tmp_path / "CDemoModel", name="Kit", shim=True)
    assert not (tmp_path / "CDemoModel").exists()


def test_what_lock_copied_is_enough(tmp_path: Path) -> None:
    """The recorded answers, which enter no package, are not there."""
    out = published(tmp_path / "out")
    pin([out], tmp_path / "mobile-export.lock", copy_to=f"{tmp_path}/models")
    assert not (tmp_path / "models/demo/golden.npz").exists()
    assert pack(tmp_path / "models/demo", tmp_path / "package")
    assert not pack(out, tmp_path / "package")


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """What lies there in the end is one of the packages, whole."""
    one, other = published(tmp_path / "one", "onnx"), published(tmp_path / "other", "onnx", "tflite")
    to = tmp_path / "package"
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for done in [threads.submit(pack, out, to) for out in (one, other) * 3]:
            done.result()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other", "package"]
    for out in (one, other):
        pack(out, tmp_path / f"{out.name} package")
    assert tree(to) in [tree(tmp_path / f"{out.name} package") for out in (one, other)]


def test_what_missed_a_limit_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"was published although limits were missed \(--gate warn\)"):
        pack(published(tmp_path / "out", gate="warn"), tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_a_target_without_swift_has_no_package(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"demo: the target asks for no Swift; add \[app\] with a swift_module"):
        pack(published(tmp_path / "out", app={"class_name": "Demo"}), tmp_path / "package")


@pytest.mark.parametrize("path", ["assets/models/demo/demo_onnx.onnx", "swift/Demo.swift"])
def test_damaged_folders_are_not_packed(tmp_path: Path, path: str) -> None:
    out = published(tmp_path / "out")
    (out / path).write_bytes(b"other")
    with pytest.raises(
        CheckFailed, match=f"{Path(path).name} is not the file that was published; build the target again"
    ):
        pack(out, tmp_path / "package")


@pytest.mark.parametrize("path", ["swift/../../secret", "/etc/passwd"])
def test_no_path_of_a_manifest_leaves_its_folder(tmp_path: Path, path: str) -> None:
    out = published(tmp_path / "out")
    loaded = load_manifest(out)
    loaded.model_copy(update={"generated": {**loaded.generated, path: "0" * 64}}).save(out)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        pack(out, tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_a_name_is_no_path_either(tmp_path: Path) -> None:
    out = published(tmp_path / "out", "onnx")
    loaded = load_manifest(out)
    renamed = loaded.artifacts[0].model_copy(update={"name": "../../../escaped"})
    loaded.model_copy(update={"artifacts": (renamed,)}).save(out)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        pack(out, tmp_path / "package")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
