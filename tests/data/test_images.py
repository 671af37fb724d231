import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_export.data import content_hash, reader_of
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec
from mobile_export.target import DataSource, Images
from tests.data.reading import peak_megabytes, read, spec

RNG = np.random.default_rng(0)
RGB = spec(dtype="uint8", shape=(-1, 8, 6, 3))
GRAY = spec(dtype="uint8", shape=(-1, 8, 6, 1))


def pixels(height: int = 8, width: int = 6, channels: int = 3) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, channels)[: 2 if channels == 1 else 3]).astype(np.uint8)


def save(path: Path, values: np.ndarray, **how: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **how)


def one(folder: Path, given: TensorSpec = RGB, raw=(), **how: Any) -> np.ndarray:
    (image,) = read(folder, given, raw=raw, images=Images(**how))["image"]
    return image


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Three images in two folders, and what is hidden."""
    for name, shade in {
        "cat/b.png": 1,
        "cat/a.PNG": 0,
        "dog/deep/c.bmp": 2,
        "dog/.hidden.png": 9,
        ".git/x.png": 9,
    }.items():
        save(tmp_path / name, np.full((8, 6, 3), shade, np.uint8))
    (tmp_path / "cat" / "notes.txt").write_text("not ours")
    return tmp_path


def test_labels_are_numbers_of_folders_by_name(classes: Path) -> None:
    samples = read(classes, RGB, labels="label")
    assert samples["image"][:, 0, 0, 0].tolist() == [0, 1, 2]
    assert (samples["label"].dtype, samples["label"].tolist()) == (np.int64, [0, 0, 1])
    assert reader_of(DataSource(source=classes)).files(DataSource(source=classes)) == [
        classes / name for name in ("cat/a.PNG", "cat/b.png", "dog/deep/c.bmp")
    ]


def test_without_labels_images_may_lie_anywhere(classes: Path) -> None:
    save(classes / "z.png", np.full((8, 6, 3), 7, np.uint8))
    assert read(classes, RGB)["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 7]
    with pytest.raises(ModelError, match=r"z\.png: lies in no folder that says what it is"):
        read(classes, RGB, labels="label")


def test_an_image_may_be_its_own_label(classes: Path) -> None:
    assert list(read(classes, RGB, labels="image")) == ["image"]


def test_labels_are_numbers_of_classes_where_these_are_named(classes: Path) -> None:
    assert read(classes, RGB, labels="y", classes=("dog", "x", "cat"))["y"].tolist() == [2, 2, 0]
    assert read(classes, RGB, labels="y", classes=("yes", "no"))["y"].tolist() == [0, 0, 1]
    with pytest.raises(ModelError, match=r"cat: is no class of the output's labels file; name it as there"):
        read(classes, RGB, labels="y", classes=("dog", "kat"))


def test_a_class_without_images(classes: Path) -> None:
    (classes / "ant").mkdir()
    assert len(read(classes, RGB)["image"]) == 3
    with pytest.raises(ModelError, match="ant: holds no images; a folder is a class: fill it or remove it"):
        read(classes, RGB, labels="y")


def test_the_hash_is_of_names_too(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "a.png", np.zeros((8, 6, 3), np.uint8))
    table = tmp_path / "labels.csv"
    table.write_text("cat/a.png,1\n")
    source = DataSource(source=tmp_path)
    plain, listed = content_hash(source), content_hash(DataSource(source=tmp_path, images=Images(labels=table)))
    (tmp_path / "cat").rename(tmp_path / "dog")
    assert len({plain, listed, content_hash(source)}) == 3
    (tmp_path / "dog").rename(tmp_path / "cat")
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert content_hash(DataSource(source=moved)) == plain


def test_numbers_whose_order_by_name_is_another_are_refused(tmp_path: Path) -> None:
    for number in range(9, 12):
        save(tmp_path / f"{number}/a.png", pixels())
    with pytest.raises(ModelError, match=r"11 comes before 9; write all numbers with as many digits"):
        read(tmp_path, RGB, labels="y")
    (tmp_path / "9").rename(tmp_path / "09")
    assert read(tmp_path, RGB, labels="y")["y"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("lines", "dtype", "labels"),
    [
        ("dog/deep/c.bmp,7\ncat/b.png,-1\n", np.int64, [7, -1]),
        ("file,label\ncat/b.png, 0.5\n\ndog/deep/c.bmp,2\n", np.float64, [0.5, 2]),
        ('\ufeffcat/b.png,"a, b"\ncat/a.PNG,\ndog/deep/c.bmp,007\n', "<U4", ["a, b", "", "007"]),
    ],
)
def test_labels_from_a_table(lines: str, dtype: Any, labels: list[Any], classes: Path) -> None:
    table = classes / "labels.csv"
    table.write_text(lines, encoding="utf-8")
    samples = read(classes, RGB, labels="label", images=Images(labels=table))
    assert (samples["label"].dtype, samples["label"].tolist()) == (dtype, labels)
    shades = {"cat/a.PNG": 0, "cat/b.png": 1, "dog/deep/c.bmp": 2}
    listed = [line.split(",")[0].strip("\ufeff") for line in lines.splitlines() if line and "label" not in line]
    assert samples["image"][:, 0, 0, 0].tolist() == [shades[name] for name in listed]
    assert table in reader_of(DataSource(source=classes)).files(DataSource(source=classes, images=Images(labels=table)))


def test_names_of_classes_in_a_table_become_numbers(classes: Path) -> None:
    table = classes / "labels.csv"
    table.write_text("cat/a.PNG,no\ncat/b.png,yes\n")
    read_as = {names: read(classes, RGB, labels="y", classes=names, images=Images(labels=table))["y"].tolist()
               for names in (None, ("yes", "no"), ("no", "maybe"))}  # fmt: skip
    assert read_as == {None: ["no", "yes"], ("yes", "no"): [1, 0], ("no", "maybe"): ["no", "yes"]}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("cat/a.PNG,1\ncat/none.png,2\n", r"labels\.csv: line 2: .* has no image 'cat/none\.png'"),
        ("file,label\ncat/a.PNG,1\ncat/a.PNG,2\n", r"labels\.csv: line 3: 'cat/a\.PNG' is there twice"),
        ("../outside.png,1\n", r"line 1: .* has no image '\.\./outside\.png'"),
        ("cat/a.PNG,1,2\n", "line 1: has 3 fields; write a file name and a label"),
        ("cat/a.PNG,1\ncat/b.png,\n", "line 2: has no label; add it"),
        ("cat/a.PNG,1\nheader,label\n", "line 2: .* has no image 'header'"),
        ("file,label\n", "lists no images"),
        ("", "lists no images"),
        ('cat/a.PNG,"1\n', "line 1: unexpected end of data"),
        (f"cat/a.PNG,{'x' * 5000}\n", "line 1: the label has 5000 characters"),
    ],
)
def test_wrong_tables(lines: str, said: str, classes: Path) -> None:
    save(classes.parent / "outside.png", pixels())
    table = classes / "labels.csv"
    table.write_text(lines)
    with pytest.raises(ModelError, match=said):
        read(classes, RGB, labels="label", images=Images(labels=table))


def test_a_table_that_is_not_there(classes: Path) -> None:
    with pytest.raises(ModelError, match=r"labels\.csv: cannot be read: No such file"):
        read(classes, RGB, labels="label", images=Images(labels=classes / "labels.csv"))


def test_values_come_as_they_are(tmp_path: Path) -> None:
    values = pixels()
    save(tmp_path / "a.png", values)
    np.testing.assert_array_equal(one(tmp_path), values)
    np.testing.assert_array_equal(one(tmp_path, colours="bgr"), values[..., ::-1])
    for dtype in ("float32", "float16", "bfloat16", "int32", "int64"):
        image = one(tmp_path, spec(dtype=dtype, shape=(-1, 8, 6, 3)))
        assert image.dtype.name == dtype
        np.testing.assert_array_equal(image.astype(np.uint8), values)
        assert one(tmp_path, spec(dtype=dtype, shape=(1, 8, 6, 3)), raw=["image"]).dtype == np.uint8


@pytest.mark.parametrize("shape", [(-1, 8, 6, 1), (-1, 8, 6), (8, 6, 1)])
def test_gray_as_pillow_has_it(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = pixels()
    save(tmp_path / "a.png", values)
    image = one(tmp_path, spec(dtype="uint8", shape=shape))
    assert image.shape == (shape if shape[0] > 0 else shape[1:])
    np.testing.assert_array_equal(image.reshape(8, 6), Image.fromarray(values).convert("L"))


def test_a_whole_image_without_batch(tmp_path: Path) -> None:
    values = pixels()
    save(tmp_path / "a.png", values)
    np.testing.assert_array_equal(one(tmp_path, spec(dtype="uint8", shape=(8, 6, 3))), values)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_all_ways_to_store_colours(mode: str, tmp_path: Path) -> None:
    plain = np.zeros((8, 6, 3), np.uint8)
    plain[:4] = 255
    name = "a.jpg" if mode in ("CMYK", "YCbCr") else "a.png"
    Image.fromarray(plain).convert(mode).save(tmp_path / name)
    np.testing.assert_allclose(one(tmp_path).astype(int), plain, atol=3)


def test_transparent_palettes(tmp_path: Path) -> None:
    values = np.zeros((8, 6), np.uint8)
    values[4:] = 1
    image = Image.fromarray(values).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    assert one(tmp_path)[[0, 7], 0].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    values = pixels()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: to be turned clockwise
    save(tmp_path / "a.png", np.rot90(values), exif=exif)
    np.testing.assert_array_equal(one(tmp_path), values)


def reference(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), how))


@pytest.mark.parametrize(
    ("name", "filter_"),
    [("nearest", "NEAREST"), ("bilinear", "BILINEAR"), ("bicubic", "BICUBIC"), ("area", "BOX")],
)
def test_stretched(name: Any, filter_: str, tmp_path: Path) -> None:
    values = pixels(40, 50)
    save(tmp_path / "a.png", values)
    expected = reference(values, (8, 6), Image.Resampling[filter_])
    np.testing.assert_array_equal(one(tmp_path, resize="stretch", interpolation=name), expected)


def test_area_is_the_mean(tmp_path: Path) -> None:
    values = pixels(16, 12)
    save(tmp_path / "a.png", values)
    means = values.reshape(8, 2, 6, 2, 3).mean((1, 3))
    np.testing.assert_allclose(one(tmp_path, interpolation="area"), means, atol=1)  # rounded twice


@pytest.mark.parametrize("size", [(16, 40), (50, 12), (8, 6), (4, 3), (24, 18), (1, 1), (3, 500), (8, 7)])
def test_the_middle_is_cut_out(size: tuple[int, int], tmp_path: Path) -> None:
    """Against what people write by hand: resize until it fits, then cut; a pixel's place may round by half a pixel."""
    height, width = size
    values = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, 3)).copy()
    values[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    save(tmp_path / "a.png", values)
    scale = max(8 / height, 6 / width)
    fit = (max(8, round(height * scale)), max(6, round(width * scale)))
    resized = reference(values, fit, Image.Resampling.BILINEAR)
    top, left = (fit[0] - 8) // 2, (fit[1] - 6) // 2
    step = max(1.0, 255 / min(fit))
    np.testing.assert_allclose(one(tmp_path).astype(int), resized[top : top + 8, left : left + 6], atol=step)


def test_256_then_224(tmp_path: Path) -> None:
    """The usual recipe of ImageNet's models, but for what is rounded another way."""
    values = np.asarray(Image.fromarray(pixels(30, 40)).resize((512, 384), Image.Resampling.BICUBIC))
    save(tmp_path / "a.png", values)
    resized = reference(values, (288, 384), Image.Resampling.BILINEAR)
    image = one(tmp_path, spec(dtype="uint8", shape=(-1, 224, 224, 3)), shorter_side=288)
    difference = np.abs(image.astype(int) - resized[32:256, 80:304])
    assert (difference.max(), difference.mean() < 0.2) == (2, True)


@pytest.mark.parametrize(
    ("size", "inner"), [((16, 40), (2, 6)), ((50, 12), (8, 2)), ((8, 6), (8, 6)), ((1, 900), (1, 6))]
)
def test_padded(size: tuple[int, int], inner: tuple[int, int], tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.full((*size, 3), 200, np.uint8))
    image = one(tmp_path, resize="pad")
    inside = np.argwhere(image[..., 0] == 200)
    assert tuple(np.ptp(inside, axis=0) + 1) == inner
    assert (np.abs(inside.min(0) + inside.max(0) - [7, 5]) <= 1).all()
    assert set(np.unique(image)) <= {0, 200}


def test_a_very_long_image_costs_no_memory(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.full((1, 1_000_000), 9, np.uint8))
    for how in ("crop", "pad", "stretch"):
        assert one(tmp_path, GRAY, resize=how, shorter_side=6 if how == "crop" else None).max() == 9


@pytest.mark.parametrize(
    ("given", "how", "said"),
    [
        (
            spec(shape=(-1, 784)),
            {},
            r"images are fed to \[batch,height,width,channels\] .* 'image' is float32\[\?,784\]",
        ),
        (spec(shape=(-1, 3, 8, 6)), {}, "images are fed to"),
        (spec(shape=None), {}, "images are fed to"),
        (spec(shape=(-1, -1, 6, 3)), {}, r"images need a size: .* give it a shape in \[\[model.inputs\]\]"),
        (GRAY, {"colours": "rgb"}, 'images.colours = "rgb" has 3 channels'),
        (RGB, {"colours": "gray"}, 'images.colours = "gray" has 1 channels'),
        (RGB, {"shorter_side": 5}, "images.shorter_side is for crop, and at least the shorter side of the input"),
        (RGB, {"shorter_side": 9, "resize": "pad"}, "images.shorter_side is for crop"),
        (spec(dtype="int8", shape=(-1, 8, 6, 3)), {}, "values of images are 0 to 255; input 'image' is int8"),
        (spec(dtype="bool", shape=(-1, 8, 6, 3)), {}, "values of images are 0 to 255"),
        (spec(dtype="complex64", shape=(-1, 8, 6, 3)), {}, "values of images are 0 to 255"),
        (spec(shape=(-1, 1 << 20, 1 << 20, 3)), {}, "images of that size take more than"),
    ],
)
def test_inputs_that_take_no_images(given: TensorSpec, how: dict[str, Any], said: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png", pixels())
    with pytest.raises(ModelError, match=said) as caught:
        one(tmp_path, given, **how)
    assert str(caught.value).startswith(f"{tmp_path}: ")


def test_several_inputs(tmp_path: Path) -> None:
    save(tmp_path / "a.png", pixels())
    with pytest.raises(ModelError, match="feeds one input, and the model has 'image', 'mask'"):
        read(tmp_path, RGB, spec("mask"))


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bomb(20_000, 20_000), "has more pixels than any photo"),
        (bomb(10_000, 10_000), "has more pixels than any photo"),
        (bomb(100, 100), "cannot be read as an image"),
        (b"", "cannot be read as an image"),
        (b"GIF89a", "cannot be read as an image"),
        (b"\x80\x04N.", "cannot be read as an image"),
    ],
)
@pytest.mark.parametrize("name", ["bad.png", "bad.jpg"])
def test_bad_images_are_refused_by_name(data: bytes, said: str, name: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png", pixels())
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=rf"/{name}: {said}"):
        read(tmp_path, RGB)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp"])
def test_truncated_images(name: str, tmp_path: Path) -> None:
    save(tmp_path / name, pixels(200, 200))
    data = (tmp_path / name).read_bytes()
    for size in (len(data) // 2, len(data) // 4, 30):
        (tmp_path / name).write_bytes(data[:size])
        with pytest.raises(ModelError, match=f"{name}: cannot be read as an image"):
            read(tmp_path, RGB)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp", "a.ppm"])
def test_damaged_images_are_read_or_refused(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / name, pixels(20, 20), **({} if name[2:] in ("bmp", "ppm") else {"exif": exif}))
    data = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, min(len(data), 200), 3):
            damaged[place] = rng.integers(256)
        (tmp_path / name).write_bytes(damaged)
        try:
            read(tmp_path, RGB)
        except ModelError as error:
            refused += 1
            assert name in str(error)
    assert refused


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.full((8, 6), 1000, np.uint16))
    with pytest.raises(ModelError, match=r"a\.png: has more than 8 bits a channel; store it in an \.npz"):
        one(tmp_path)


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    save(tmp_path / "outside" / "a.png", pixels())
    save(tmp_path / "inside" / "b.png", pixels())
    (tmp_path / "inside" / "c.png").symlink_to("b.png")
    assert len(read(tmp_path / "inside", RGB)["image"]) == 2
    (tmp_path / "inside" / "a.png").symlink_to(tmp_path / "outside" / "a.png")
    with pytest.raises(ModelError, match=r"a\.png: is a link out of"):
        read(tmp_path / "inside", RGB)
    (tmp_path / "inside" / "a.png").unlink()
    (tmp_path / "inside" / "a.png").symlink_to("nowhere.png")
    with pytest.raises(ModelError, match=r"a\.png: is no file; remove it"):
        read(tmp_path / "inside", RGB)


def test_memory_does_not_grow_with_the_folder(tmp_path: Path) -> None:
    save(tmp_path / "0.bmp", pixels(1000, 1000))
    data = (tmp_path / "0.bmp").read_bytes()
    for number in range(1, 40):  # 120 MB
        (tmp_path / f"{number}.bmp").write_bytes(data)
    script = f"read({str(tmp_path)!r}, spec(dtype='uint8', shape=(-1, 224, 224, 3)))"
    assert peak_megabytes(script) < 40
