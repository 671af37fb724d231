"""What is said of an artifact that is a folder."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.published.artifact_files import artifact_hash, artifact_size, files_of, sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("saved_model.pb", "assets/b.txt", "assets/A.txt", "assets.extra/warmup"):
        (tmp_path / "m" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / name).write_text(name)
    return tmp_path / "m"


def test_its_files_come_in_the_order_of_their_bytes(folder: Path) -> None:
    names = [path.relative_to(folder).as_posix() for path in files_of(folder)]
    assert names == ["assets.extra/warmup", "assets/A.txt", "assets/b.txt", "saved_model.pb"]
    assert artifact_size(folder) == sum(map(len, names))


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_its_hash_is_one_that_a_shell_can_tell(folder: Path) -> None:
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    told = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert artifact_hash(folder) == told.split()[0]


@pytest.mark.parametrize("change", ["content", "name", "more", "fewer", "moved"])
def test_every_change_is_another_hash(folder: Path, change: str) -> None:
    before, file = artifact_hash(folder), folder / "assets/b.txt"
    match change:
        case "content":
            file.write_text("assets/c.txt")
        case "name":
            file.rename(folder / "assets/c.txt")
        case "more":
            (folder / "assets/empty").touch()
        case "fewer":
            file.unlink()
        case "moved":
            file.rename(folder / "b.txt")
    assert artifact_hash(folder) != before


def test_a_file_is_what_it_was(folder: Path) -> None:
    file = folder / "saved_model.pb"
    assert files_of(file) == [file]
    assert artifact_size(file) == len("saved_model.pb")
    assert artifact_hash(file) == sha256_of(file)
    with pytest.raises(ModelError, match=r"nothing: cannot be read"):
        artifact_hash(folder / "nothing")
