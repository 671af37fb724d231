"""What is found in folders of data, and what among it is in nobody's way."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_export.data import content_hash, reader_of
from mobile_export.data.folder import files_below, files_in
from mobile_export.errors import ModelError
from mobile_export.target import DataSource


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def is_text(name: str) -> bool:
    return name.endswith(".txt")


def test_one_level_by_name(tmp_path: Path) -> None:
    folder = fill(tmp_path, "b.txt", "a.txt", ".hidden.txt", "c.md", "deep/d.txt", "folder.txt/e.md")
    assert files_in(folder, is_text) == [folder / "a.txt", folder / "b.txt"]


def test_any_depth_by_ending(tmp_path: Path) -> None:
    folder = fill(tmp_path, "b.TXT", "a/c/d.txt", ".git/e.txt", "a/.f.txt", "g.md", "h.csv")
    assert sorted(files_below(folder, [".txt", ".csv"])) == ["a/c/d.txt", "b.TXT", "h.csv"]


@pytest.mark.parametrize("find", [lambda folder: files_in(folder, is_text), lambda f: list(files_below(f, [".txt"]))])
def test_links(find, tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", "a.txt")
    (folder / "b.txt").symlink_to("a.txt")
    assert len(find(folder)) == 2
    (folder / "c.txt").symlink_to(fill(tmp_path, "outside.txt") / "outside.txt")
    with pytest.raises(
        ModelError, match=r"c\.txt: is a link out of .*data, which is not followed; copy the file there"
    ):
        find(folder)
    (folder / "c.txt").unlink()
    (folder / "b.txt").unlink()
    (folder / "b.txt").symlink_to("nothing")
    with pytest.raises(ModelError, match=r"b\.txt: is no file; remove it"):
        find(folder)


@pytest.mark.parametrize("find", [lambda folder: files_in(folder, is_text), lambda f: list(files_below(f, [".txt"]))])
def test_no_folder(find, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none: cannot be read: No such file or directory"):
        find(tmp_path / "none")


def test_below_links_to_folders_are_refused(tmp_path: Path) -> None:
    (fill(tmp_path, "a.txt") / "more").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="more: is a link to a folder, which is not followed"):
        list(files_below(tmp_path, [".txt"]))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images, and all that may lie about there."""
    folder = fill(tmp_path, "cat/notes.txt", "cat/part.tfrecord", "cat/array.npy")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "cat" / "a.png")
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "cat" / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "cat" / "dangling").symlink_to("nowhere")
    return folder


def test_what_is_no_data_is_in_nobodys_way(images: Path) -> None:
    source = DataSource(source=images)
    assert reader_of(source).files(source) == [images / "cat" / "a.png"]


def test_a_folder_of_images_is_walked_twice(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once to see that there is an image, once for all of them; the other readers look at the top alone."""
    walked = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda folder, **how: walked.append(folder) or walk(folder, **how))
    content_hash(DataSource(source=images))
    assert len(walked) == 2
