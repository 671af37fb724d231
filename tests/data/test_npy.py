from pathlib import Path

import numpy as np
import pytest

from mobile_export.data import content_hash, reader_of
from mobile_export.errors import ModelError
from mobile_export.target import DataSource
from tests.data.reading import peak_megabytes, read, spec

IMAGES = np.arange(400, dtype=np.float32).reshape(100, 4)
LABELS = np.arange(100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "image.npy", IMAGES)
    np.save(tmp_path / "label.npy", LABELS)
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "notes.txt").write_text("not ours")
    np.save(tmp_path / ".hidden.npy", np.zeros(3))
    return tmp_path


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_single_array_is_the_only_input(order: str, tmp_path: Path) -> None:
    np.save(tmp_path / "any.npy", np.asarray(IMAGES, order=order))
    rows = np.sort(np.random.default_rng(3).choice(100, 7, replace=False))
    np.testing.assert_array_equal(read(tmp_path / "any.npy", samples=7, seed=3)["image"], IMAGES[rows])


def test_a_folder_has_an_array_a_name(folder: Path) -> None:
    samples = read(folder, labels="label", samples=7)
    np.testing.assert_array_equal(samples["image"], IMAGES[samples["label"]])


def test_its_files_and_their_hash(folder: Path) -> None:
    source = DataSource(source=folder)
    names = ["image.npy", "label.npy", "other.npy"]
    assert reader_of(source).files(source) == [folder / name for name in names]
    before = content_hash(source)
    (folder / "notes.txt").write_text("changed")
    assert content_hash(source) == before
    np.save(folder / "label.npy", LABELS[::-1])
    after = content_hash(source)
    (folder / "label.npy").rename(folder / "labels.npy")
    assert len({before, after, content_hash(source)}) == 3


def test_a_hash_is_that_of_the_lines_of_sha256sum(folder: Path) -> None:
    import hashlib
    import subprocess

    lines = subprocess.run(["sha256sum", "image.npy", "label.npy", "other.npy"], cwd=folder, capture_output=True).stdout
    assert content_hash(DataSource(source=folder)) == hashlib.sha256(lines).hexdigest()


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        ("image.npy", "label", r"image\.npy: is one array, and 'image', 'label' are wanted; name a folder"),
        ("", "truth", r"has no file truth\.npy; it holds image, label, other"),
        ("", "other", "the same number of samples in every array"),
    ],
)
def test_what_is_missing(folder: Path, name: str, labels: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        read(folder / name, labels=labels)


def test_names_stay_in_the_folder(folder: Path) -> None:
    inside = folder / "inside"
    inside.mkdir()
    np.save(inside / "image.npy", IMAGES)
    with pytest.raises(ModelError, match=r"has no file \.\./label\.npy"):
        read(inside, labels="../label")
    (inside / "label.npy").symlink_to(folder / "label.npy")
    with pytest.raises(ModelError, match=r"label\.npy: is a link out of .*inside, which is not followed"):
        read(inside, labels="label")
    (inside / "label.npy").unlink()
    (inside / "label.npy").symlink_to("image.npy")
    np.testing.assert_array_equal(read(inside, labels="label")["label"], IMAGES)


def test_folders_in_the_folder_are_not_entered(folder: Path) -> None:
    source = DataSource(source=folder)
    before = reader_of(source).files(source)
    (folder / "more").symlink_to(folder.parent)
    (folder / "deep.npy").mkdir()
    np.save(folder / "deep.npy" / "image.npy", IMAGES)
    assert reader_of(source).files(source) == before


def test_damaged(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    np.save(path, IMAGES)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ModelError, match=r"data\.npy: cannot be read as \.npy: array 'image': it has 1599 bytes for float32\[100, 4\]"
    ):
        read(path)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ModelError, match=r"data\.npy: cannot be read as \.npy: array 'image': it holds object"):
        read(path)


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    from mobile_export.data import Wanted, read_samples

    np.save(tmp_path / "image.npy", IMAGES)
    _, batches = read_samples(DataSource(source=tmp_path), Wanted((spec(),)))
    np.save(tmp_path / "image.npy", IMAGES[:50])
    with pytest.raises(ModelError, match=r"image\.npy: cannot be read as \.npy: array 'image': it ends early"):
        list(batches)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no data that is read here: npz, npy"):
        read(tmp_path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.zeros((20_000, 10_000), np.uint8))  # 200 MB
    script = f"read({str(tmp_path / 'data.npy')!r}, spec(dtype='uint8', shape=(-1, 10_000)), samples=50)"
    assert peak_megabytes(script) < 30
