from pathlib import Path

import numpy as np
import pytest

from mobile_export.data import read_samples
from mobile_export.errors import ModelError

IMAGES = np.arange(40, dtype=np.float32).reshape(10, 4)
LABELS = np.arange(10)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, image=IMAGES, label=LABELS, other=np.zeros(3))
    return path


@pytest.mark.parametrize("count", [None, 10, 11])
def test_all_samples_come_in_order(archive: Path, count: int | None) -> None:
    samples = read_samples(archive, ["image", "label"], count)
    assert list(samples) == ["image", "label"]
    np.testing.assert_array_equal(samples["image"], IMAGES)
    np.testing.assert_array_equal(samples["label"], LABELS)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_a_draw_has_no_sample_twice_and_keeps_rows_together_and_in_order(archive: Path, count: int) -> None:
    samples = read_samples(archive, ["image", "label"], count)
    rows = samples["label"]
    assert len(rows) == count
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(samples["image"], IMAGES[rows])


def test_a_draw_depends_on_its_seed_alone(archive: Path) -> None:
    draws = [tuple(read_samples(archive, ["label"], 4, seed)["label"]) for seed in (0, 0, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 2


def test_compressed_archives_are_read_too(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "data.npz", image=IMAGES)
    np.testing.assert_array_equal(read_samples(tmp_path / "data.npz", ["image"])["image"], IMAGES)


@pytest.mark.parametrize(
    ("arrays", "names", "said"),
    [
        ({"image": IMAGES}, ["image", "label"], "has no array 'label'; it holds 'image'"),
        ({}, ["image"], "has no array 'image'; it holds nothing"),
        ({"image": IMAGES, "label": LABELS[:9]}, ["image", "label"], r"the same number of samples .*'label': 9"),
        ({"image": IMAGES[:0]}, ["image"], r"at least one; it has \{'image': 0\}"),
        ({"image": np.float32(3)}, ["image"], r"at least one; it has \{'image': 0\}"),
        ({"image": np.array([{}], object)}, ["image"], "cannot be read as .npz: Object arrays"),
    ],
)
def test_wrong_contents(tmp_path: Path, arrays: dict[str, np.ndarray], names: list[str], said: str) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match=said) as caught:
        read_samples(path, names)
    assert str(caught.value).startswith(f"{path}: ")


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:5000] + bytes([data[5000] ^ 255]) + data[5001:]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"", lambda _: b"text", lambda _: b"\x80\x04N."])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")  # NumPy's
def test_damaged_files(tmp_path: Path, damage, save) -> None:
    path = tmp_path / "data.npz"
    save(path, image=np.random.default_rng(0).random((100, 100)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=r"data\.npz: cannot be read as \.npz: "):
        read_samples(path, ["image"])


def test_a_renamed_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", IMAGES)
    (tmp_path / "data.npy").rename(tmp_path / "data.npz")
    with pytest.raises(ModelError, match=r"data\.npz: cannot be read as \.npz: "):
        read_samples(tmp_path / "data.npz", ["image"])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"data\.npz: no such data file"):
        read_samples(tmp_path / "data.npz", ["image"])


def test_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("1,2")
    with pytest.raises(ModelError, match=r"data\.csv: data is read from: npz"):
        read_samples(path, ["image"])


def test_a_folder_named_npz(tmp_path: Path) -> None:
    (tmp_path / "data.npz").mkdir()
    with pytest.raises(ModelError, match="cannot be read"):
        read_samples(tmp_path / "data.npz", ["image"])
