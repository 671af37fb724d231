import gzip
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from PIL import Image

from mobile_export.data import Wanted, read_samples, reader_of
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec
from mobile_export.graphs.protos import Example
from mobile_export.session import import_tensorflow
from mobile_export.target import DataSource, Images
from tests.data.reading import peak_megabytes, read, spec

X = spec("x", shape=(-1, 2, 2))
VALUES = np.arange(400, dtype=np.float32).reshape(100, 2, 2)


def example(**features: Any) -> bytes:
    """Bytes, texts, whole and real numbers, one or a list of them; a double underscore stands for a slash."""
    made = Example()
    for name, values in features.items():
        feature = made.features.feature[name.replace("__", "/")]
        values = np.ravel(values).tolist() if isinstance(values, list | np.ndarray) else [values]
        kind = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}[type(values[0])]
        kind.value.extend(values)
    return made.SerializeToString()


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def write(path: Path, *examples: bytes) -> Path:
    written = b"".join(map(record, examples))
    path.write_bytes(gzip.compress(written) if path.suffix == ".gz" else written)
    return path


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("count", [None, 70, 1])
def test_what_tensorflow_writes(compression: str, count: int | None, tmp_path: Path) -> None:
    tf = import_tensorflow()
    path = tmp_path / f"data.tfrecord{'.gz' if compression else ''}"
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for number, values in enumerate(VALUES):
            features = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=values.ravel())),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
            }
            made = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(made.SerializeToString())
    samples = read(path, X, labels="y", samples=count)
    rows = np.arange(100) if count is None else np.sort(np.random.default_rng(0).choice(100, count, replace=False))
    assert samples["y"].tolist() == rows.tolist()
    np.testing.assert_array_equal(samples["x"], VALUES[rows])


def test_parts_count_on_in_the_order_of_their_names(tmp_path: Path) -> None:
    parts = {
        "b.tfrecords": range(2, 5),
        "a.tfrecord-00000-of-00002": range(2),
        "c.tfrecord.gz": range(5, 9),
        "d.tfrecord": (),
    }
    for name, numbers in parts.items():
        write(tmp_path / name, *(example(n=number) for number in numbers))
    (tmp_path / "notes.txt").write_text("not ours")
    n = spec("n", "int32", (-1,))
    assert read(tmp_path, n)["n"].tolist() == list(range(9))
    for seed in range(5):
        rows = np.sort(np.random.default_rng(seed).choice(9, 4, replace=False))
        assert read(tmp_path, n, samples=4, seed=seed)["n"].tolist() == rows.tolist()
    source = DataSource(source=tmp_path)
    assert reader_of(source).files(source) == [tmp_path / name for name in sorted(parts)]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (spec("x"), [0.0, 0.5, 1.5, -1.0]),
        (spec("x", "float64"), [0.0, 0.5, 1.5, -1.0]),
        (spec("x", "bfloat16"), [0.0, 0.5, 1.5, -1.0]),
        (spec("x"), [0, 5, 15, -1]),
        (spec("x", "int8"), [0, 5, 15, -1]),
        (spec("x", "bool"), [0, 1, 1, 0]),
        (spec("x"), np.float32([0, 0.5, 1.5, -1]).tobytes()),
        (spec("x", "int64"), np.array([0, 5, 1 << 40, -1], "<i8").tobytes()),
        (spec("x", "uint8"), bytes([0, 5, 255, 7])),
    ],
)
def test_types(given: TensorSpec, values: Any, tmp_path: Path) -> None:
    x = read(write(tmp_path / "data.tfrecord", example(x=values)), given)["x"]
    assert (x.dtype.name, x.shape) == (given.dtype, (1, 4))
    assert x[0].tolist() == (values if isinstance(values, list) else np.frombuffer(values, given.dtype).tolist())


@pytest.mark.parametrize("data", [bytes([0, 5, 255, 7]), np.float32([0, 5, 255, 7]).tobytes()])
def test_raw_bytes_of_what_is_preprocessed(data: bytes, tmp_path: Path) -> None:
    x = read(write(tmp_path / "data.tfrecord", example(x=data)), spec("x"), raw=["x"])["x"]
    assert (x.dtype, x.tolist()) == (np.uint8 if len(data) == 4 else np.float32, [[0, 5, 255, 7]])


@pytest.mark.parametrize("name", ["image", "image__encoded"])
@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP"])
def test_encoded_images(name: str, form: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3)).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, form, **({"lossless": True} if form == "WEBP" else {}))
    path = write(tmp_path / "data.tfrecord", example(**{name: file.getvalue()}))
    given = spec(shape=(-1, 8, 6, 3))
    np.testing.assert_array_equal(read(path, given)["image"][0], pixels.astype(np.float32))
    image = read(path, given, raw=["image"], images=Images(colours="bgr"))["image"][0]
    np.testing.assert_array_equal(image, pixels[..., ::-1])


def test_a_tensor_that_begins_like_an_image(tmp_path: Path) -> None:
    data = b"BM" + bytes(10)
    path = write(tmp_path / "data.tfrecord", example(x=data))
    assert read(path, spec("x", "uint8", (-1, 12)))["x"].tobytes() == data
    with pytest.raises(ModelError, match="record 0: feature 'x': images are fed to"):
        read(path, spec("x", "uint8", (-1, -1)))


@pytest.mark.parametrize(
    ("given", "dtype", "expected"),
    [
        ([3, 1], np.int64, [3, 1]),
        ([0.5, 1.0], np.float32, [0.5, 1.0]),
        ([[1, 2], [3, 4]], np.int64, [[1, 2], [3, 4]]),
        ([b"a", "wört".encode()], "<U4", ["a", "wört"]),
        ([b"7", b"12"], "<U2", ["7", "12"]),
        ([b"dog", b"cat"], np.int64, [1, 0]),
        ([b"cow", b""], "<U3", ["cow", ""]),
    ],
)
def test_labels(given: list[Any], dtype: Any, expected: list[Any], tmp_path: Path) -> None:
    path = write(tmp_path / "data.tfrecord", *(example(x=[0.0] * 4, a__b=label) for label in given))
    labels = read(path, X, labels="a/b", classes=("cat", "dog"))["a/b"]
    assert (labels.dtype, labels.tolist()) == (dtype, expected)


GOOD = example(x=[0.0] * 4, y=1)


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([], "holds no samples"),
        ([GOOD, example(y=1)], "record 1: has no feature 'x'; it has 'y'"),
        ([GOOD, example(x=[0.0] * 4)], "record 1: has no feature 'y'; it has 'x'"),
        ([GOOD, example(x=[0.0] * 3, y=1)], r"record 1: feature 'x' has 3 numbers; the model takes float32\[\?,2,2\]"),
        ([GOOD, example(x=b"12345", y=1)], "record 1: feature 'x' has 5 bytes, which are no image"),
        ([GOOD, example(x=[b"1234", b""], y=1)], "record 1: feature 'x' has 2 byte strings; store one"),
        ([GOOD, example(x=[0.0] * 4, y=b"\xff")], "record 1: feature 'y' is not UTF-8 text"),
        (
            [GOOD, example(x=[0.0] * 4, y=b"text")],
            r"record 1: 'y' is <U4\[\], and that of the first sample is int64\[\]",
        ),
        ([GOOD, example(x=[0.0] * 4, y=[1, 2])], r"record 1: 'y' is int64\[2\], and that of the first"),
        ([GOOD, b"\xff\xff\xff"], r"record 1: is no tf\.train\.Example"),
        ([GOOD, example(x=b"\x89PNG\r\n\x1a\n", y=1)], "record 1: feature 'x': cannot be read as an image"),
    ],
)
def test_wrong_contents(examples: list[bytes], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "data.tfrecord", *examples)
    with pytest.raises(ModelError, match=said) as caught:
        read(path, X, labels="y")
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("dtype", "values", "said"),
    [
        ("int32", [0.5], "record 0: feature 'x' is real numbers; the model takes int32"),
        ("uint8", [256], "feature 'x' has numbers from 256 to 256; the model takes uint8"),
        ("uint8", [-1], "has numbers from -1 to -1"),
        ("float32", np.zeros(0), "record 0: feature 'x' has no values"),
    ],
)
def test_numbers_that_an_input_does_not_hold(dtype: str, values: Any, said: str, tmp_path: Path) -> None:
    made = Example()
    made.features.feature["x"].SetInParent()
    data = example(x=values) if len(values) else made.SerializeToString()
    with pytest.raises(ModelError, match=said):
        read(write(tmp_path / "data.tfrecord", data), spec("x", dtype, (-1,)))


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


SECOND = len(record(GOOD))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-1], "record 1: the file ends early"),
        (lambda data: data[: SECOND + 5], "record 1: the file ends early"),
        (lambda data: data[: SECOND + 13], "record 1: the file ends early"),
        (lambda data: flipped(data, SECOND + 6), "record 1: is damaged, or the file is no TFRecord"),
        (lambda data: flipped(data, SECOND + 9), "record 1: is damaged, or the file is no TFRecord"),
        (lambda data: flipped(data, SECOND + 14), "record 1: is damaged: its checksum is wrong"),
        (lambda data: flipped(data, len(data) - 1), "record 1: is damaged: its checksum is wrong"),
        (lambda _: b"x,y\n1,2,3,4,5\n", "record 0: is damaged, or the file is no TFRecord"),
        (
            lambda _: struct.pack("<QI", 1 << 40, masked(struct.pack("<Q", 1 << 40))),
            "record 0: has 1099511627776 bytes",
        ),
    ],
)
@pytest.mark.parametrize("name", ["data.tfrecord", "data.tfrecord.gz"])
def test_damaged_files(damage: Any, said: str, name: str, tmp_path: Path) -> None:
    data = damage(record(GOOD) + record(GOOD))
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(ModelError, match=said):
        read(tmp_path / name, X)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: flipped(data, 30), lambda _: b"no gzip"])
def test_damaged_compression(damage: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "data.tfrecord.gz", GOOD)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=r"data\.tfrecord\.gz: "):
        read(path, X)


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    path = write(tmp_path / "data.tfrecord", GOOD)
    _, batches = read_samples(DataSource(source=path), Wanted((X,)))
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"data\.tfrecord: was changed while it was read"):
        list(batches)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    data = record(example(x=bytes(100_000)))
    with (tmp_path / "data.tfrecord").open("wb") as file:
        file.writelines([data] * 1000)  # 100 MB
    script = f"read({str(tmp_path / 'data.tfrecord')!r}, spec('x', 'uint8', (-1, 100_000)), samples=50)"
    assert peak_megabytes(script) < 30
