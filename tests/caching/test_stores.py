"""Stores of a cache: the same promises, wherever files are kept."""

import os
import uuid
from pathlib import Path

import pytest

from mobile_export.caching import stores
from mobile_export.caching.places import is_cache
from mobile_export.caching.stores import FolderStore, RemoteStore, Store, open_store
from mobile_export.errors import MissingToolError, TargetError


@pytest.fixture(params=["folder", "file://", "memory://"])
def store(request, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "kept"))
    place = f"{tmp_path}/kept" if request.param == "file://" else f"/{uuid.uuid4().hex}"
    return open_store(f"{request.param}{place}")


def put(store: Store, folder: Path, name: str, content: bytes) -> None:
    (folder / "new").write_bytes(content)
    store.put(name, folder / "new")


def test_what_is_put_is_fetched(store: Store, tmp_path: Path) -> None:
    assert not store.fetch("blobs/ab/abc", tmp_path / "out")
    put(store, tmp_path, "blobs/ab/abc", b"weights")
    assert store.fetch("blobs/ab/abc", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"weights"
    assert not store.fetch("blobs/ab/other", tmp_path / "out2")


def test_what_an_interrupted_upload_left_is_replaced(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "a", b"wei")
    put(store, tmp_path, "a", b"weights")
    store.fetch("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"weights"


def test_what_is_there_is_not_put_again(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "a", b"weights")
    put(store, tmp_path, "a", b"WEIGHTS")
    store.fetch("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"weights"


def test_what_is_damaged_is_discarded(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "a", b"weights")
    store.discard("a")
    assert not store.fetch("a", tmp_path / "out")


@pytest.mark.parametrize("use", ["fetch", "put"])
def test_using_a_file_is_known_by_its_time(use: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "kept")
    put(store, tmp_path, "a", b"weights")
    os.utime(tmp_path / "kept/a", (1, 1))
    if use == "fetch":
        store.fetch("a", tmp_path / "out")
    else:
        put(store, tmp_path, "a", b"weights")
    assert (tmp_path / "kept/a").stat().st_mtime > 1


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    store = FolderStore(tmp_path / "kept")
    with pytest.raises(OSError, match="directory"):
        store.fetch("a/b", tmp_path / "out")
    with pytest.raises(OSError, match=r"directory|exists"):
        put(store, tmp_path, "a/b", b"")


def test_errors_of_a_client_are_those_of_a_place(tmp_path: Path, monkeypatch) -> None:
    store = RemoteStore("memory://there")

    class ClientError(Exception):
        pass

    def fail(*arguments: object) -> None:
        raise ClientError("no route to host")

    monkeypatch.setattr(type(store._files), "get_file", fail)
    with pytest.raises(OSError, match="ClientError: no route to host"):
        store.fetch("a", tmp_path / "out")


@pytest.mark.parametrize("address", ["cache", "/cache", "../cache", "C:\\cache", "c:/cache"])
def test_folders(address: str) -> None:
    assert isinstance(open_store(address), FolderStore)


def test_a_place_that_nothing_reaches() -> None:
    with pytest.raises(TargetError, match=r"--cache nowhere://x: .*nowhere; name a folder, or a URL that fsspec knows"):
        open_store("nowhere://x")


def test_a_package_that_is_missing(monkeypatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(stores.importlib, "import_module", missing)
    with pytest.raises(
        MissingToolError, match=r'--cache s3://b: No module .* pip install "mobile-export\[remote-cache\]"'
    ):
        open_store("s3://b")


def test_a_folder_is_tagged_as_a_cache(tmp_path: Path) -> None:
    put(FolderStore(tmp_path / "kept"), tmp_path, "artifacts/a", b"weights")
    assert is_cache(str(tmp_path / "kept"))
