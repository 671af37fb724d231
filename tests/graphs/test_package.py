"""The memory-mapped package: its layout as TensorFlow defines it, and files that are damaged."""

import struct
from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.package import ALIGNMENT, open_package, write_package
from mobile_export.graphs.protos import MemmappedFileSystemDirectory

REGIONS = [("a", bytes(range(70)), True), ("b", b"x" * 200, True), ("graph", b"hello", False), ("more", b"!", False)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.mmpb"


def directory(*entries: tuple[str, int, int]) -> bytes:
    """The directory that lists (name, offset, length)."""
    message = MemmappedFileSystemDirectory()
    for name, offset, length in entries:
        message.element.add(name=name, offset=offset, length=length)
    return message.SerializeToString()


def package(data: bytes, listed: bytes, start: int | None = None) -> bytes:
    return data + listed + struct.pack("<Q", len(data) if start is None else start)


@pytest.mark.parametrize(
    "regions",
    [REGIONS, REGIONS[:1], REGIONS[2:], [("a", memoryview(b"abc"), True)], [("a", b"", True), ("b", b"x", False)]],
)
def test_what_was_written_is_read(path: Path, regions: list) -> None:
    write_package(path, regions)
    found = open_package(path)
    assert [(name, bytes(data)) for name, data in found.items()] == [(name, bytes(data)) for name, data, _ in regions]


def test_layout(path: Path) -> None:
    write_package(path, REGIONS)
    data = path.read_bytes()
    (start,) = struct.unpack("<Q", data[-8:])
    listed = [(e.name, e.offset, e.length) for e in MemmappedFileSystemDirectory.FromString(data[start:-8]).element]
    assert ALIGNMENT == 64
    assert listed == [("a", 0, 70), ("b", 128, 200), ("graph", 328, 5), ("more", 333, 1)]
    assert start == 334
    assert data[:start] == bytes(range(70)) + b"\0" * 58 + b"x" * 200 + b"hello!"


def test_same_regions_same_bytes(path: Path) -> None:
    write_package(path, REGIONS)
    first = path.read_bytes()
    write_package(path, iter(REGIONS))
    assert path.read_bytes() == first


def test_regions_are_read_in_place(path: Path) -> None:
    write_package(path, REGIONS)
    region = open_package(path)["b"]
    assert region.readonly
    with path.open("r+b") as file:
        file.seek(128)
        file.write(b"y")
    assert bytes(region[:2]) == b"yx"


def test_a_directory_without_lengths(path: Path) -> None:
    """As TensorFlow wrote them before 1.13: a region ends where the next begins."""
    path.write_bytes(package(b"aaabbc", directory(("a", 0, 0), ("b", 3, 0), ("c", 5, 0))))
    assert {name: bytes(data) for name, data in open_package(path).items()} == {"a": b"aaa", "b": b"bb", "c": b"c"}


def test_every_truncation_is_found(path: Path) -> None:
    write_package(path, REGIONS)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"model\.mmpb: "):
            open_package(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be mapped"),
        (b"short", "not a memory-mapped package"),
        (package(b"", b""), "not a memory-mapped package"),
        (package(b"abc", directory(("a", 0, 3)), start=999), "not a memory-mapped package"),
        (package(b"abc", directory(("a", 0, 3)), start=2**64 - 1), "not a memory-mapped package"),
        (package(b"abc", b"\xff\xff\xff"), "the directory of the package does not parse"),
        (package(b"abc", directory(("a", 0, 3)), start=1), "the directory of the package does not parse"),
        (package(b"abc", directory(("a", 0, 3), ("b", 3, 1))), "region 'b' lies outside of the file"),
        (package(b"abc", directory(("a", 4, 0))), "region 'a' lies outside of the file"),
        (package(b"abc", directory(("a", 0, 4))), "region 'a' lies outside of the file"),
        (package(b"abc", directory(("a", 2**63, 2**63))), "region 'a' lies outside of the file"),
        (package(b"abc", directory(("a", 2**64 - 1, 1))), "region 'a' lies outside of the file"),
        (package(b"abc", directory(("b", 2, 0), ("a", 0, 0))), "region 'b' lies outside of the file"),
    ],
)
def test_damage(path: Path, data: bytes, said: str) -> None:
    path.write_bytes(data)
    with pytest.raises(ModelError, match=rf"model\.mmpb: {said}"):
        open_package(path)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_what_is_no_file(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    with pytest.raises(ModelError, match=r"model\.mmpb: cannot be mapped"):
        open_package(path)
