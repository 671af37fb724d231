"""Hashes that are known without reading."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.incremental import digests
from mobile_export.incremental.digests import LARGE, known_sha256


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """What is hashed."""
    hashed: list[Path] = []
    sha256_of = digests.sha256_of
    monkeypatch.setattr(digests, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    return hashed


@pytest.fixture
def weights(tmp_path: Path, monkeypatch) -> Path:
    """A large file, seen by a clock that runs ahead: it was written long ago."""
    path = tmp_path / "weights"
    path.write_bytes(b"w" * LARGE)
    monkeypatch.setattr(digests.time, "time_ns", lambda: path.stat().st_ctime_ns + 60 * 10**9)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_file_is_read_once(weights: Path, read: list[Path]) -> None:
    assert known_sha256(weights) == known_sha256(weights) == digest(weights)
    assert read == [weights]


def test_a_relative_path_is_the_same_file(weights: Path, read: list[Path], monkeypatch) -> None:
    known_sha256(weights)
    monkeypatch.chdir(weights.parent)
    assert known_sha256(Path("weights")) == digest(weights)
    assert len(read) == 1


def test_a_small_one_every_time(tmp_path: Path, read: list[Path], cache: Path) -> None:
    (tmp_path / "labels").write_text("cat")
    assert known_sha256(tmp_path / "labels") == known_sha256(tmp_path / "labels") == digest(tmp_path / "labels")
    assert len(read) == 2
    assert not (cache / "digests").exists()


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_changed_one_again(weights: Path, read: list[Path], keep_time: bool) -> None:
    known_sha256(weights)
    before = weights.stat()
    time.sleep(0.02)
    weights.write_bytes(b"v" * LARGE)
    if keep_time:
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known_sha256(weights) == digest(weights)
    assert len(read) == 2


def test_one_that_was_just_written_is_not_trusted(tmp_path: Path, read: list[Path]) -> None:
    (tmp_path / "weights").write_bytes(b"w" * LARGE)
    known_sha256(tmp_path / "weights")
    known_sha256(tmp_path / "weights")
    assert len(read) == 2


@pytest.mark.parametrize("note", [b"", b"\xff", b"1 2 3 4 5\n6\n" + b"0" * 64])
def test_a_damaged_note_is_none(weights: Path, read: list[Path], cache: Path, note: bytes) -> None:
    known_sha256(weights)
    (path,) = (cache / "digests").iterdir()
    path.write_bytes(note)
    assert known_sha256(weights) == digest(weights)
    assert len(read) == 2


def test_a_cache_that_cannot_be_written(weights: Path, monkeypatch, read: list[Path]) -> None:
    monkeypatch.setenv("MOBILE_EXPORT_CACHE", str(weights))
    assert known_sha256(weights) == known_sha256(weights) == digest(weights)


def test_one_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"weights: cannot be read"):
        known_sha256(tmp_path / "weights")
