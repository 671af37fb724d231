import zipfile
from pathlib import Path

import numpy as np
import pytest

from mobile_export.data import content_hash, reader_of
from mobile_export.errors import ModelError
from mobile_export.target import DataSource
from tests.data.reading import peak_megabytes, read, spec

IMAGES = np.arange(400, dtype=np.float32).reshape(100, 4)
LABELS = np.arange(100)
SAVES = [np.savez, np.savez_compressed]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, image=IMAGES, label=LABELS, other=np.zeros(3))
    return path


@pytest.mark.parametrize("count", [None, 100, 101])
def test_all_samples_come_in_order(archive: Path, count: int | None) -> None:
    samples = read(archive, labels="label", samples=count)
    np.testing.assert_array_equal(samples["image"], IMAGES)
    np.testing.assert_array_equal(samples["label"], LABELS)


@pytest.mark.parametrize("count", [1, 4, 70, 99])
@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_draw_has_no_sample_twice_and_keeps_rows_together_and_in_order(
    count: int, save, order: str, tmp_path: Path
) -> None:
    save(tmp_path / "data.npz", image=np.asarray(IMAGES, order=order), label=LABELS)
    samples = read(tmp_path / "data.npz", labels="label", samples=count)
    rows = samples["label"]
    assert len(rows) == count
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(samples["image"], IMAGES[rows])


def test_a_draw_depends_on_its_seed_alone(archive: Path) -> None:
    draws = [tuple(read(archive, labels="label", samples=4, seed=seed)["label"]) for seed in (0, 0, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 2


@pytest.mark.parametrize("save", SAVES)
def test_large_samples_are_read_one_by_one(save, tmp_path: Path) -> None:
    large = np.arange(9, dtype=np.uint8)[:, None, None] + np.arange(1000, dtype=np.uint8).repeat(1500).reshape(
        1500, 1000
    )
    save(tmp_path / "data.npz", image=large)
    samples = read(tmp_path / "data.npz", spec(dtype="uint8", shape=(-1, 1500, 1000)), samples=4, seed=5)
    rows = np.sort(np.random.default_rng(5).choice(9, 4, replace=False))
    np.testing.assert_array_equal(samples["image"], large[rows])


@pytest.mark.parametrize("values", [np.array(["a", "word"] * 50), np.arange(100).astype(">i4"), LABELS > 3])
def test_types_of_labels(values: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", image=IMAGES, label=values)
    labels = read(tmp_path / "data.npz", labels="label")["label"]
    assert labels.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(labels, values)


def test_bytes_are_text(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", image=IMAGES, label=np.array(["wört".encode(), b"a"] * 50))
    labels = read(tmp_path / "data.npz", labels="label")["label"]
    assert (labels.dtype, labels[:2].tolist()) == ("<U5", ["wört", "a"])
    np.savez(tmp_path / "data.npz", image=IMAGES, label=np.array([b"\xff"] * 100))
    with pytest.raises(ModelError, match="array 'label': 'utf-8' codec can't decode"):
        read(tmp_path / "data.npz", labels="label")


def test_an_input_may_be_its_own_label(archive: Path) -> None:
    assert list(read(archive, labels="image")) == ["image"]


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little") + text + data


@pytest.mark.parametrize(
    ("arrays", "labels", "said"),
    [
        ({"image": IMAGES}, "label", "has no array 'label'; it holds 'image'"),
        ({}, None, "has no array 'image'; it holds nothing"),
        ({"image": IMAGES, "label": LABELS[:9]}, "label", r"the same number of samples .*'label': 9"),
        ({"image": IMAGES[:0]}, None, r"at least one; it has \{'image': 0\}"),
        ({"image": np.float32(3)}, None, r"at least one; it has \{'image': 0\}"),
        ({"image": IMAGES[:, :0]}, None, r"its samples are empty: it is float32\[100, 0\]"),
        (
            {"image": np.array([{}], object)},
            None,
            "cannot be read as .npz: array 'image': it holds object, not numbers",
        ),
        ({"image": np.zeros(3, "f4,i4")}, None, "it holds .*, not numbers or text"),
        ({"image": np.zeros(3, "M8[s]")}, None, "it holds datetime64"),
    ],
)
def test_wrong_contents(tmp_path: Path, arrays: dict[str, np.ndarray], labels: str | None, said: str) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match=said) as caught:
        read(path, labels=labels)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }\n"),
            "it has 0 bytes for float32",
        ),
        (npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 1000000000000), }\n"), "it has 0 bytes for float32"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, -4), }\n", bytes(99)), "it has 99 bytes"),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(1,) * 40}, }}\n", bytes(99)), "it has 99 bytes"),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(1 << 40,) * 3}, }}\n"), "it has 0 bytes"),
        (npy("{'descr': '<U0', 'fortran_order': False, 'shape': (3,), }\n"), "it holds <U0"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"\x80\x04N."), "it holds object"),
        (npy("__import__('os').abort()\n"), "malformed node"),
        (npy("{'descr': ((((((\n"), "its header is none of NumPy's"),
        (npy("(" * 9000), "its header is none of NumPy's"),
        (npy("{1: 2, 'descr': 3}\n"), "its header is none of NumPy's"),
        (npy("{'descr': 'no', 'fortran_order': False, 'shape': (1,), }\n"), "not a valid dtype descriptor"),
        (npy("{'descr': '<f4'}\n" + " " * 60_000), "Header info length"),
        (npy("{}\n", version=b"\x02\x00"), r"version \(2, 0\)"),
        (b"\x80\x04N.", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_lying_headers(member: bytes, said: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("image.npy", member)
    with pytest.raises(ModelError, match=rf"data\.npz: cannot be read as \.npz: array 'image': .*{said}|{said}"):
        read(tmp_path / "data.npz")


def test_samples_too_large_to_be_held(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("image.npy", "w") as f,
    ):
        f.write(npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1, {300 << 20}), }}\n"))
        for _ in range(300):
            f.write(bytes(1 << 20))
    with pytest.raises(ModelError, match="bytes of it would have to be held at once: make samples smaller"):
        read(tmp_path / "data.npz")


def test_columns_too_large_to_be_held(tmp_path: Path) -> None:
    with (tmp_path / "data.npy").open("wb") as file:
        file.write(npy(f"{{'descr': '|u1', 'fortran_order': True, 'shape': ({100 << 20}, 3), }}\n"))
        file.truncate(301 << 20)
    with pytest.raises(ModelError, match=r"it lies by columns; save np.ascontiguousarray\(it\)"):
        read(tmp_path / "data.npy", spec(dtype="uint8", shape=(-1, 3)))


def test_more_samples_than_can_be_counted(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "data.npz", image=np.zeros((1 << 24) + 1, np.uint8))
    with pytest.raises(ModelError, match=r"data\.npz: holds more than 16777216 samples; name a part of it"):
        read(tmp_path / "data.npz", spec(dtype="uint8", shape=(-1,)), samples=2)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:5000] + bytes([data[5000] ^ 255]) + data[5001:]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"", lambda _: b"text", lambda _: b"\x80\x04N."])
@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("count", [None, 2])
def test_damaged_files(tmp_path: Path, damage, save, count: int | None) -> None:
    """Whichever samples are drawn: what lies between them and after them is checked, too."""
    path = tmp_path / "data.npz"
    save(path, image=np.random.default_rng(0).random((100, 100)))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=r"data\.npz: cannot be read as \.npz: "):
        read(path, spec(dtype="float64", shape=(-1, 100)), samples=count)


def test_a_renamed_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", IMAGES)
    (tmp_path / "data.npy").rename(tmp_path / "data.npz")
    with pytest.raises(ModelError, match=r"data\.npz: cannot be read as \.npz: "):
        read(tmp_path / "data.npz")


@pytest.mark.parametrize("dtype", ["string", "resource", "qint8"])
def test_inputs_that_take_no_numbers(dtype: str, archive: Path) -> None:
    with pytest.raises(ModelError, match=rf"data\.npz: input 'image' is {dtype}; only numbers can be fed"):
        read(archive, spec(dtype=dtype))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"data\.npz: no such data file"):
        read(tmp_path / "data.npz")


def test_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "data.pkl"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelError, match=r"data\.pkl: is no data that is read here: npz, npy, "):
        read(path)


def test_its_hash_is_the_files(archive: Path) -> None:
    from mobile_export.published.artifact_files import sha256_of

    source = DataSource(source=archive)
    assert reader_of(source).files(source) == [archive]
    assert content_hash(source) == sha256_of(archive)


@pytest.mark.parametrize("save", ["savez", "savez_compressed"])
def test_memory_does_not_grow_with_the_file(save: str, tmp_path: Path) -> None:
    values = np.zeros((12_000, 10_000), np.uint8)  # 120 MB
    getattr(np, save)(tmp_path / "data.npz", image=values)
    del values
    script = f"read({str(tmp_path / 'data.npz')!r}, spec(dtype='uint8', shape=(-1, 10_000)), samples=50)"
    assert peak_megabytes(script) < 60
