"""A file that is replaced is the old one or the new one."""

import os
import subprocess
import sys
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
    with pytest.raises(OutputError, match="or choose another folder"), replacing(tmp_path / "file/a"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_who_may_read_it_is_said_by_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    code = (
        f"import os, pathlib; from mobile_export.atomic import replacing; os.umask({umask})\n"
        f"with replacing(pathlib.Path({str(tmp_path / 'file')!r})) as file: file.write(b'shared')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_drafts_of_one_process_id_are_told_apart(tmp_path: Path) -> None:
    """As of containers that share a disk, in each of which the first process is number one."""
    with replacing(tmp_path / "file") as one, replacing(tmp_path / "file") as other:
        one.write(b"one")
        other.write(b"other")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert names(tmp_path) == ["file"]
