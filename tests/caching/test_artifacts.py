"""Built artifacts that are kept: whole, or not at all."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mobile_export.caching.artifacts import ArtifactCache, Finished
from mobile_export.caching.stores import FolderStore, RemoteStore
from mobile_export.published.artifact_files import artifact_hash, artifact_size
from mobile_export.published.manifest import (
    ArtifactEntry,
    CheckEntry,
    EdgeEntry,
    Preparation,
    SchemeEntry,
    TransformEntry,
)

KEY = "ab" * 32
FILE = "assets/models/t/m.tflite"
PREPARATION = Preparation(
    form="graphdef",
    notes=("dropout was live",),
    warnings=("few samples",),
    transforms=(TransformEntry(name="sort", nodes_before=3, nodes_after=2, difference=0.0),),
)


def finished(folder: Path, passed: bool = True, files: dict[str, str] | None = None) -> Finished:
    """An artifact in `folder`: a file, or a folder of files."""
    path = folder / FILE
    for name, content in (files or {"": "weights"}).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    edge = EdgeEntry(name="x", dtype="float32", shape=(1, 2))
    check = CheckEntry(check="size", name="size", value=7, limit=7 if passed else 6, at_least=False, passed=passed)
    entry = ArtifactEntry(
        name="m",
        file=FILE,
        format="tflite",
        precision="float32",
        interface="float32",
        scheme=SchemeEntry(precision="float32"),
        sha256=artifact_hash(path),
        bytes=artifact_size(path),
        zipped_bytes=9,
        inputs=(edge,),
        outputs=(edge,),
        checks=(check,),
        key=KEY,
    )
    return Finished(entry, {"inputs/x": np.ones((1, 2), np.float32), "answers/m/x": np.zeros((1, 2))}, PREPARATION)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def cache(kept: Path) -> ArtifactCache:
    return ArtifactCache(FolderStore(kept))


@pytest.mark.parametrize("files", [None, {"saved_model.pb": "graph", "assets/labels.txt": "0", "assets/more.txt": "0"}])
def test_what_is_added_is_restored(cache: ArtifactCache, tmp_path: Path, files: dict[str, str] | None) -> None:
    built = finished(tmp_path / "one", files=files)
    assert not cache.added
    cache.add(built, tmp_path / "one" / FILE)
    assert cache.added
    found = cache.restore(KEY, "assets/models/u/m.tflite", tmp_path / "two")
    assert found is not None
    assert found.entry == built.entry.model_copy(update={"file": "assets/models/u/m.tflite"}), "of another target"
    assert found.preparation == PREPARATION
    assert {name: array.tolist() for name, array in found.golden.items()} == {
        "inputs/x": [[1, 1]],
        "answers/m/x": [[0, 0]],
    }
    assert artifact_hash(tmp_path / "two" / found.entry.file) == built.entry.sha256


def test_another_key_is_not_there(cache: ArtifactCache, tmp_path: Path) -> None:
    cache.add(finished(tmp_path), tmp_path / FILE)
    assert cache.restore("cd" * 32, FILE, tmp_path / "two") is None
    assert cache.trouble is None


def test_what_missed_a_limit_is_not_kept(cache: ArtifactCache, kept: Path, tmp_path: Path) -> None:
    cache.add(finished(tmp_path, passed=False), tmp_path / FILE)
    assert not kept.exists()


def edit(path: Path, change: Callable[[dict], object]) -> None:
    entry = json.loads(path.read_text())
    change(entry)
    path.write_text(json.dumps(entry))


def poison(entry: Path, golden: bytes) -> None:
    """Let an entry name these bytes, by their right hash, as what is recorded of it."""
    digest = hashlib.sha256(golden).hexdigest()
    blob = entry.parents[2] / "blobs" / digest[:2] / digest
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(golden)
    edit(entry, lambda e: e.update(golden=digest))


def npy(array: np.ndarray, claimed: int = 3) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (claimed,)})
    return file.getvalue() + array.tobytes()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def uninflatable() -> bytes:
    whole = bytearray(zipped({"inputs/x.npy": npy(np.ones(3))}))
    start = 30 + len("inputs/x.npy")
    whole[start : start + 8] = b"\xff" * 8
    return bytes(whole)


DAMAGE: dict[str, Callable[[Path, list[Path]], object]] = {
    "entry cut short": lambda entry, blobs: entry.write_bytes(entry.read_bytes()[:-9]),
    "entry empty": lambda entry, blobs: entry.write_bytes(b""),
    "entry of another key": lambda entry, blobs: edit(entry, lambda e: e["artifact"].update(key="0" * 64)),
    "entry of another file": lambda entry, blobs: edit(entry, lambda e: e["artifact"].update(sha256="0" * 64)),
    "entry that missed": lambda entry, blobs: edit(entry, lambda e: e["artifact"]["checks"][0].update(passed=False)),
    "entry of a later version": lambda entry, blobs: edit(entry, lambda e: e.update(schema_version=2)),
    "files lead outside": lambda entry, blobs: edit(entry, lambda e: e.update(files={"../../evil": e["files"]})),
    "files lead to the root": lambda entry, blobs: edit(entry, lambda e: e.update(files={"/tmp/evil": e["files"]})),
    "no files": lambda entry, blobs: edit(entry, lambda e: e.update(files={})),
    "a digest that is a path": lambda entry, blobs: edit(entry, lambda e: e.update(golden="../../../etc/passwd")),
    "golden that is none": lambda entry, blobs: edit(entry, lambda e: e.update(golden=e["files"])),
    "golden that is an array": lambda entry, blobs: poison(entry, npy(np.ones(3))),
    "golden that claims to be large": lambda entry, blobs: poison(entry, zipped({"x.npy": npy(np.ones(3), 1 << 60)})),
    "golden that does not inflate": lambda entry, blobs: poison(entry, uninflatable()),
    "golden of another artifact": lambda entry, blobs: poison(entry, zipped({"answers/n/x.npy": npy(np.ones(3))})),
    "entry of another artifact": lambda entry, blobs: edit(entry, lambda e: e["artifact"].update(name="n")),
    "entry of another format": lambda entry, blobs: edit(entry, lambda e: e["artifact"].update(file="a/m.onnx")),
    "blobs cut short": lambda entry, blobs: [blob.write_bytes(blob.read_bytes()[:-1]) for blob in blobs],
    "blobs changed": lambda entry, blobs: [blob.write_bytes(b"x" * blob.stat().st_size) for blob in blobs],
    "blobs gone": lambda entry, blobs: [blob.unlink() for blob in blobs],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_not_there_and_is_made_again(
    cache: ArtifactCache, kept: Path, tmp_path: Path, damage: str
) -> None:
    built = finished(tmp_path)
    cache.add(built, tmp_path / FILE)
    DAMAGE[damage](next(kept.glob("artifacts/entries/*/*")), list(kept.glob("artifacts/blobs/*/*")))
    assert cache.restore(KEY, FILE, tmp_path / "two") is None
    assert cache.trouble is None
    assert not [path for path in (tmp_path / "two").rglob("*") if path.is_file()]
    cache.add(built, tmp_path / FILE)
    assert cache.restore(KEY, FILE, tmp_path / "two") is not None


def test_a_place_that_cannot_be_used_is_asked_once(kept: Path, tmp_path: Path, monkeypatch) -> None:
    kept.write_text("a file")
    cache = ArtifactCache(FolderStore(kept))
    assert cache.restore(KEY, FILE, tmp_path / "two") is None
    assert "kept" in str(cache.trouble)
    monkeypatch.setattr(FolderStore, "fetch", None)
    assert cache.restore(KEY, FILE, tmp_path / "two") is None
    cache.add(finished(tmp_path), tmp_path / FILE)
    assert not cache.added


def test_a_remote_place_gives_what_a_folder_gave(cache: ArtifactCache, kept: Path, tmp_path: Path) -> None:
    cache.add(finished(tmp_path), tmp_path / FILE)
    remote = ArtifactCache(RemoteStore(f"file://{kept}"))
    assert remote.restore(KEY, FILE, tmp_path / "two") is not None
    shutil.rmtree(kept)
    assert remote.restore(KEY, FILE, tmp_path / "three") is None
    remote.add(finished(tmp_path), tmp_path / FILE)
    assert cache.restore(KEY, FILE, tmp_path / "three") is not None


def test_a_place_that_may_only_be_read_is_no_trouble(cache: ArtifactCache, tmp_path: Path, monkeypatch) -> None:
    cache.add(finished(tmp_path), tmp_path / FILE)
    readers = ArtifactCache(FolderStore(tmp_path / "kept"))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FolderStore, "put", refuse)
    assert readers.restore(KEY, FILE, tmp_path / "two") is not None
    readers.add(finished(tmp_path), tmp_path / FILE)
    assert (readers.trouble, readers.added) == (None, False)
    assert readers.restore(KEY, FILE, tmp_path / "three") is not None


USE = """
import pathlib, sys
from mobile_export.caching.artifacts import ArtifactCache
from mobile_export.caching.stores import FolderStore
from tests.caching.test_artifacts import FILE, KEY, finished
kept, work = map(pathlib.Path, sys.argv[1:])
found = 0
for _ in range(60):
    cache = ArtifactCache(FolderStore(kept))
    cache.add(finished(work / "one"), work / "one" / FILE)
    restored = cache.restore(KEY, FILE, work / "two")
    assert cache.trouble is None, cache.trouble
    assert restored is None or (work / "two" / FILE).read_text() == "weights"
    found += restored is not None
print(found)
"""
PRUNE = """
import pathlib, sys
from mobile_export.caching.places import make_folder
from mobile_export.caching.pruning import prune
make_folder(sys.argv[1])
while True:
    prune(pathlib.Path(sys.argv[1]), 0)
"""


def test_builds_at_once_while_all_is_pruned_again_and_again(tmp_path: Path) -> None:
    kept, root = tmp_path / "kept", Path(__file__).parent.parent
    pruning = subprocess.Popen([sys.executable, "-c", PRUNE, str(kept)], cwd=root)
    try:
        running = [
            subprocess.Popen(
                [sys.executable, "-c", USE, str(kept), str(tmp_path / name)],
                cwd=root,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in ("a", "b")
        ]
        ended = [process.communicate(timeout=60) for process in running]
    finally:
        pruning.kill()
        pruning.wait()
    assert [err for _, err in ended] == ["", ""]
    assert all(out.strip().isdigit() for out, _ in ended)
