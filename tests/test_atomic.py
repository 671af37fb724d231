"""A file that is replaced is the old one or the new one."""

from pathlib import Path

import pytest

from mobile_export.atomic import replacing
from mobile_export.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder/file"
    for text in (b"old", b"new"):
        with replacing(path) as file:
            file.write(text)
            file.flush()
            assert not path.exists() or path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path, aside = tmp_path / "file", tmp_path / "aside"
    path.write_bytes(b"old")
    aside.mkdir()
    with pytest.raises(ValueError, match="no"), replacing(path, aside) as file:
        file.write(b"new")
        assert [other.parent for other in tmp_path.rglob("*.part")] == [aside]
        raise ValueError("no")
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["file"])


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    words = "file: cannot be written: No space left on device; make room"
    with pytest.raises(OutputError, match=words), replacing(tmp_path / "file"):
        raise OSError(28, "No space left on device")


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="; choose another folder"), replacing(tmp_path / "file/a"):
        pass
