"""Checkpoints that TensorFlow wrote, read as TensorFlow reads them; and every way in which one can be broken."""

import os
import random
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mobile_export.checkpoints.bundle import Bundle
from mobile_export.checkpoints.prefix import find_checkpoint
from mobile_export.checkpoints.slices import slice_key
from mobile_export.checkpoints.table import checksum
from mobile_export.errors import ModelError
from mobile_export.graphs.protos import BundleEntryProto, BundleHeaderProto
from tests.sources.checkpoints import block, handle, save_variables, sealed, table, variables, varint

tf1 = tf.compat.v1
DTYPES = [
    tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.int8, tf.int16, tf.int32, tf.int64,
    tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.complex64, tf.complex128,
]  # fmt: skip
MODELS = os.environ.get("MOBILE_EXPORT_MODELS")


def save_tensors(prefix: Path, tensors: dict[str, object]) -> Path:
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.convert_to_tensor(value) for value in tensors.values()],
    )
    return prefix


def assert_reads_like_tensorflow(prefix: Path, spelled: str = "") -> Bundle:
    reader = tf1.train.NewCheckpointReader(spelled or str(prefix))
    bundle = Bundle.open(prefix)
    assert set(bundle.entries) == set(reader.get_variable_to_shape_map())
    for name in bundle.entries:
        value, expected = bundle.read(name), reader.get_tensor(name)
        assert (value.dtype, value.shape) == (expected.dtype, expected.shape), name
        assert value.tobytes() == np.asarray(expected).tobytes(), name
        assert not value.flags.writeable
        assert value.flags.aligned
    return bundle


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with several variables, a string and a partitioned variable among them."""
    folder = tmp_path_factory.mktemp("pristine")
    plain = {"a/weights": np.arange(20, dtype=np.float32).reshape(4, 5), "b": np.float32(7), "text": "hello"}
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=[*plain, "parts", "parts"],
        shape_and_slices=["", "", "", "4 3 0,1:-", "4 3 1,3:-"],
        tensors=[*map(tf.convert_to_tensor, plain.values()), tf.zeros([1, 3]), tf.ones([3, 3])],
    )
    return folder / "model.ckpt"


@pytest.fixture
def prefix(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    shutil.copytree(pristine.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / pristine.name


def index_of(prefix: Path) -> Path:
    return Path(f"{prefix}.index")


def shard_of(prefix: Path) -> Path:
    return Path(f"{prefix}.data-00000-of-00001")


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


# What TensorFlow writes


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
def test_saver(tmp_path: Path, use_resource: bool) -> None:
    assert_reads_like_tensorflow(save_variables(tmp_path / "model.ckpt", lambda: variables(use_resource)))


def test_every_dtype_and_rank(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors: dict[str, object] = {}
    for dtype in DTYPES:
        for shape in ([], [0], [3], [2, 3, 1], [1, 0, 2]):  # odd sizes, so that later ones lie at odd places
            bits = rng.integers(0, 2, shape)
            tensors[f"{dtype.name}{shape}"] = tf.cast(tf.constant(bits * 3), dtype)
    bundle = assert_reads_like_tensorflow(save_tensors(tmp_path / "all", tensors))
    assert len(bundle.entries) == 5 * len(DTYPES)


def test_sharded(tmp_path: Path) -> None:
    def build() -> None:
        for i in range(4):
            with tf.device(f"/cpu:{i % 2}"):
                tf1.get_variable(f"v{i}", [i + 1, 3], use_resource=True)

    bundle = assert_reads_like_tensorflow(save_variables(tmp_path / "model.ckpt", build, sharded=True))
    names = ["model.ckpt.index", "model.ckpt.data-00000-of-00002", "model.ckpt.data-00001-of-00002"]
    assert [path.name for path in bundle.files] == names


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(("shape", "axis", "parts"), [([7], 0, 3), ([300, 4], 0, 4), ([3, 9000, 2], 1, 5)])
def test_partitioned(tmp_path: Path, shape: list[int], axis: int, parts: int, use_resource: bool) -> None:
    def build() -> None:
        partitioner = tf1.fixed_size_partitioner(parts, axis)
        tf1.get_variable("embedding/table", shape, partitioner=partitioner, use_resource=use_resource)
        tf1.get_variable("one", [4], partitioner=tf1.fixed_size_partitioner(1))

    bundle = assert_reads_like_tensorflow(save_variables(tmp_path / "model.ckpt", build, sharded=True))
    assert len(bundle.entries["embedding/table"].slices) == parts


def test_slices_of_several_axes_and_odd_names(tmp_path: Path) -> None:
    name = "odd \x00\xff name é"
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "grid"),
        tensor_names=[name] * 4,
        shape_and_slices=["4 5 0,2:0,3", "4 5 2,2:0,3", "4 5 0,1:3,2", "4 5 1,3:3,2"],
        tensors=[tf.fill(size, float(i)) for i, size in enumerate([(2, 3), (2, 3), (1, 2), (3, 2)])],
    )
    grid = Bundle.open(tmp_path / "grid").read(name)
    np.testing.assert_array_equal(grid, [[0, 0, 0, 2, 2], [0, 0, 0, 3, 3], [1, 1, 1, 3, 3], [1, 1, 1, 3, 3]])


def test_many_blocks(tmp_path: Path) -> None:
    tensors = {f"{i * 7919 % 3000:04d}/{'long' * 50}": np.float32(i) for i in range(3000)}
    prefix = save_tensors(tmp_path / "many", tensors)
    assert index_of(prefix).stat().st_size > 2 * (1 << 18)  # TensorFlow's block size
    bundle = Bundle.open(prefix)
    assert {name: bundle.read(name) for name in bundle.entries} == tensors


def test_object_based_checkpoint(tmp_path: Path) -> None:
    prefix = Path(tf.train.Checkpoint(v=tf.Variable([1.0, 2.0])).write(str(tmp_path / "objects")))
    bundle = Bundle.open(prefix)
    np.testing.assert_array_equal(bundle.read("v/.ATTRIBUTES/VARIABLE_VALUE"), [1, 2])
    assert "_CHECKPOINTABLE_OBJECT_GRAPH" in bundle.names


def test_prefix_without_base_name(tmp_path: Path) -> None:
    save_variables(Path(f"{tmp_path / 'saved'}{os.sep}x"), lambda: variables(True))
    for path in (tmp_path / "saved").glob("x.*"):
        path.rename(path.with_name(path.name.removeprefix("x")))
    for meant in ("saved", "saved/.index", "saved/.data-00000-of-00001"):
        assert find_checkpoint(tmp_path / meant) == tmp_path / "saved"
    assert_reads_like_tensorflow(tmp_path / "saved", spelled=f"{tmp_path / 'saved'}/")


def test_values_are_views_of_the_file(pristine: Path) -> None:
    bundle = Bundle.open(pristine)
    weights = bundle.read("a/weights")
    assert np.shares_memory(weights, bundle.read("a/weights"))
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 0


def test_tensorflow_is_not_imported(pristine: Path) -> None:
    code = (
        "import pathlib, sys; from mobile_export.checkpoints.bundle import Bundle;"
        f"print(Bundle.open(pathlib.Path({str(pristine)!r})).read('b'), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7.0", "False"]


@pytest.mark.skipif(not MODELS, reason="MOBILE_EXPORT_MODELS names no folder with trained models")
def test_trained_models() -> None:
    found = sorted(Path(MODELS or "").rglob("*.index"))
    assert found, f"no checkpoint in {MODELS}"
    for index in found:
        assert_reads_like_tensorflow(find_checkpoint(index))


# What is broken


def delete_index(prefix: Path) -> None:
    index_of(prefix).unlink()


def delete_shard(prefix: Path) -> None:
    shard_of(prefix).unlink()


def truncate_shard(prefix: Path) -> None:
    os.truncate(shard_of(prefix), 45)


def empty_shard(prefix: Path) -> None:
    os.truncate(shard_of(prefix), 0)


def truncate_index(prefix: Path) -> None:
    os.truncate(index_of(prefix), index_of(prefix).stat().st_size - 1)


def damage_index(prefix: Path) -> None:
    flip(index_of(prefix), 40)


def make_index_a_pointer(prefix: Path) -> None:
    index_of(prefix).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 300\n")


def make_shard_a_pointer(prefix: Path) -> None:
    shard_of(prefix).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 300\n")


def make_index_a_folder(prefix: Path) -> None:
    index_of(prefix).unlink()
    index_of(prefix).mkdir()


def make_shard_a_folder(prefix: Path) -> None:
    shard_of(prefix).unlink()
    shard_of(prefix).mkdir()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (delete_index, r"model\.ckpt\.index: cannot be read: No such file or directory; copy it"),
        (delete_shard, r"model\.ckpt\.data-00000-of-00001: missing; .* copy it beside the index"),
        (truncate_shard, r"00001: shorter than the index says \(expected \d+ bytes, found 45\); copy"),
        (empty_shard, r"00001: shorter than the index says \(expected \d+ bytes, found 0\); copy"),
        (truncate_index, r"model\.ckpt\.index: not the index of a V2 checkpoint, or cut short; copy"),
        (damage_index, r"model\.ckpt\.index: the checksum of the block at byte 0 is wrong; copy"),
        (make_index_a_pointer, r"index: not the index .* Git LFS pointer; run `git lfs pull`"),
        (make_shard_a_pointer, r"00001: shorter .* Git LFS pointer; run `git lfs pull`"),
        (make_index_a_folder, r"model\.ckpt\.index: cannot be read"),
        (make_shard_a_folder, r"00001: cannot be read"),
    ],
)
def test_broken_files(prefix: Path, break_it: Callable[[Path], None], message: str) -> None:
    break_it(prefix)
    with pytest.raises(ModelError, match=message):
        Bundle.open(prefix)


def test_every_damaged_byte_of_a_variable_is_noticed(prefix: Path) -> None:
    entry = Bundle.open(prefix).entries["a/weights"]
    for at in range(entry.offset, entry.offset + entry.size):
        flip(shard_of(prefix), at)
        with pytest.raises(ModelError, match=r"00001: the bytes of 'a/weights' are damaged"):
            Bundle.open(prefix).read("a/weights")
        assert Bundle.open(prefix).read("b") == 7
        flip(shard_of(prefix), at)


def test_damaged_slice(prefix: Path) -> None:
    data = shard_of(prefix).read_bytes()
    flip(shard_of(prefix), data.index(np.ones(9, np.float32).tobytes()))
    with pytest.raises(ModelError, match=r"the bytes of 'parts' are damaged"):
        Bundle.open(prefix).read("parts")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/weight", r"index: has no variable 'a/weight' \(near it: 'a/weights'\); take a checkpoint and"),
        ("zzz", r"has no variable 'zzz' \(near it: 'a/weights', 'b', 'parts'\)"),
        ("text", r"'text' is string, and only numbers and booleans can be read"),
    ],
)
def test_what_cannot_be_read(pristine: Path, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Bundle.open(pristine).read(name)


# Indexes that no writer of ours would write, with right checksums


HEADER = BundleHeaderProto(num_shards=1)


def entry(**fields: object) -> BundleEntryProto:
    """A float32 of 4 bytes."""
    shape = fields.pop("shape", [])
    made = BundleEntryProto(**{"dtype": 1, "size": 4, "crc32c": checksum(bytes(4)), **fields})
    for size in shape:  # type: ignore[attr-defined]
        made.shape.dim.add(size=size)
    return made


def sliced(shape: list[int], *slices: list[tuple[int, int]]) -> BundleEntryProto:
    made = entry(shape=shape, size=0)
    for extents in slices:
        added = made.slices.add()
        for start, length in extents:
            added.extent.add(start=start, length=length)
    return made


def write(prefix: Path, items: dict[bytes, BundleEntryProto], header: BundleHeaderProto = HEADER) -> Path:
    messages = {b"": header, **items}
    index_of(prefix).write_bytes(table(block((k, m.SerializeToString()) for k, m in sorted(messages.items()))))
    shard_of(prefix).write_bytes(bytes(4))
    return prefix


def test_the_writer_of_these_tests_is_right(tmp_path: Path) -> None:
    halves = {slice_key("s", ((at, 1),)): entry(shape=[1]) for at in (0, 1)}
    prefix = write(tmp_path / "x", {b"v": entry(), b"s": sliced([2], [(0, 1)], [(1, 1)]), **halves})
    assert tf.train.load_checkpoint(str(prefix)).get_tensor("v") == 0
    assert Bundle.open(prefix).read("v") == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": [1 << 40], "size": 4 << 40}, r"shorter than the index says"),
        ({"shape": [1 << 40]}, r"'v' is float32\[1099511627776\] and has 4 bytes"),
        ({"shape": [2]}, r"'v' is float32\[2\] and has 4 bytes"),
        ({"shape": [-1, -1]}, r"impossible shape"),
        ({"shape": [0, 1 << 62, 1 << 62], "size": 0}, r"impossible shape"),
        ({"shape": [1] * 65}, r"impossible shape"),
        ({"offset": -1}, r"the entry of 'v' makes no sense"),
        ({"size": -4}, r"the entry of 'v' makes no sense"),
        ({"offset": (1 << 63) - 1}, r"shorter than the index says"),
        ({"shard_id": 1}, r"the entry of 'v' makes no sense"),
        ({"shard_id": -1}, r"the entry of 'v' makes no sense"),
        ({"dtype": 12}, r"'v' is quint8"),
        ({"dtype": 99}, r"'v' is type 99"),
        ({"crc32c": 1}, r"wrong checksum"),
    ],
)
def test_lying_entries(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Bundle.open(write(tmp_path / "x", {b"v": entry(**fields)})).read("v")


ONE = [(0, 1)]


@pytest.mark.parametrize(
    ("whole", "parts", "message"),
    [
        (sliced([2], ONE), {}, r"'v' lacks its slice \[\(0, 1\)\]"),
        (sliced([2], ONE), {(0, 1): entry(shape=[1])}, r"'v' is not the sum of its slices"),
        (sliced([2], ONE, ONE), {(0, 1): entry(shape=[1])}, r"'v' is not the sum of its slices"),
        (sliced([1], [(0, 2)]), {(0, 2): entry(shape=[1])}, r"'v' has a slice outside of its shape"),
        (sliced([1], [(-1, 2)]), {(-1, 2): entry(shape=[1])}, r"'v' has a slice outside of its shape"),
        (sliced([1], [(0, 1), (0, 1)]), {}, r"'v' has a slice outside of its shape"),
        (sliced([1], ONE), {(0, 1): entry(shape=[1, 1])}, r"'v' has a slice that does not fit its place"),
        (sliced([1], ONE), {(0, 1): entry(shape=[1], dtype=3)}, r"'v' lacks its slice"),
        (sliced([1], ONE), {(0, 1): sliced([1], ONE)}, r"'v' lacks its slice"),
        (sliced([1 << 40], [(0, 1 << 40)]), {(0, 1 << 40): entry(shape=[1 << 40])}, r"not the sum of its slices"),
    ],
)
def test_lying_slices(
    tmp_path: Path, whole: BundleEntryProto, parts: dict[tuple[int, int], BundleEntryProto], message: str
) -> None:
    items = {slice_key("v", (extent,)): part for extent, part in parts.items()}
    with pytest.raises(ModelError, match=message):
        Bundle.open(write(tmp_path / "x", {b"v": whole, **items})).read("v")


def test_overlapping_slices(tmp_path: Path) -> None:
    prefix = write(
        tmp_path / "x",
        {
            b"v": sliced([3], [(0, 2)], [(1, 1)]),
            slice_key("v", ((0, 2),)): entry(shape=[2], size=8, crc32c=checksum(bytes(8))),
            slice_key("v", ((1, 1),)): entry(shape=[1]),
        },
    )
    shard_of(prefix).write_bytes(bytes(12))
    with pytest.raises(ModelError, match=r"'v' has slices that overlap"):
        Bundle.open(prefix).read("v")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (BundleHeaderProto(num_shards=1, endianness=1), r"x\.index: written on a big-endian machine; save it again"),
        (BundleHeaderProto(num_shards=0), r"x\.index: its header is not that of a V2 checkpoint"),
        (BundleHeaderProto(num_shards=1, version={"min_consumer": 2}), r"its header is not that of a V2 checkpoint"),
        (BundleHeaderProto(num_shards=(1 << 31) - 1), r"x\.data-00000-of-2147483647: missing"),
    ],
)
def test_headers(tmp_path: Path, header: BundleHeaderProto, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Bundle.open(write(tmp_path / "x", {b"v": entry()}, header))


TWO = block([(b"", HEADER.SerializeToString()), (b"v", entry().SerializeToString())])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table(block([(b"", b"")], compression=1)), r"compressed with Snappy, which a checkpoint never is"),
        (table(block([(b"", b"")], compression=9)), r"compressed with an unknown method \(9\)"),
        (table(TWO, [varint(1 << 40) + varint(1)]), r"a block lies outside of the file"),
        (table(TWO, [varint(0) + varint(1 << 62)]), r"a block lies outside of the file"),
        (table(TWO, [handle(0, TWO), handle(0, TWO)]), r"its blocks overlap"),
        (table(TWO, [b"\xff" * 10 + b"\1"]), r"a number is longer than 64 bits"),
        (table(TWO, [b"\xff"]), r"a number runs over the end of its block"),
        (table(block([(b"b", b""), (b"a", b"")])), r"its keys are not in order"),
        (table(block([(b"a", b""), (b"a", b"")])), r"its keys are not in order"),
        (table(sealed(b"\1")), r"a block is too short"),
        (table(sealed(struct.pack("<I", 1 << 30))), r"a block is too short"),
        (table(sealed(b"\5\0\0" + struct.pack("<II", 0, 1))), r"an entry does not fit into its block"),
        (table(sealed(b"\0\x7f\0" + struct.pack("<II", 0, 1))), r"an entry does not fit into its block"),
        (table(block([(b"", b"\xff")])), r"its header is not that of a V2 checkpoint"),
        (table(block([(b"", HEADER.SerializeToString()), (b"v", b"\xff")])), r"the entry of 'v' makes no sense"),
        (b"", r"not the index of a V2 checkpoint, or cut short"),
        (bytes.fromhex("57fb808b247547db"), r"not the index of a V2 checkpoint, or cut short"),
    ],
)
def test_lying_tables(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.index").write_bytes(content)
    with pytest.raises(ModelError, match=rf"x\.index: .*{message}"):
        Bundle.open(tmp_path / "x")


def test_keys_that_unfold_without_end(tmp_path: Path) -> None:
    """A long key that 20,000 entries share would take 2 GB."""
    key = bytes([1]) * 100_000
    items = b"\0" + varint(len(key)) + b"\0" + key + (varint(len(key)) + b"\0\0") * 20_000
    (tmp_path / "x.index").write_bytes(table(sealed(items + struct.pack("<II", 0, 1))))
    tracemalloc.start()
    with pytest.raises(ModelError):
        Bundle.open(tmp_path / "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_an_index_of_impossible_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.index").open("wb") as file:
        file.truncate((1 << 30) + 1)  # takes no room on most file systems
    with pytest.raises(ModelError, match=r"x\.index: too large for the index of a checkpoint"):
        Bundle.open(tmp_path / "x")


def read_all(prefix: Path) -> dict[str, bytes]:
    bundle = Bundle.open(prefix)
    return {name: bundle.read(name).tobytes() for name, found in bundle.entries.items() if found.dtype != tf.string}


def test_any_truncation_or_damage_of_an_index_is_a_model_error(prefix: Path) -> None:
    whole, expected = index_of(prefix).read_bytes(), read_all(prefix)
    rng, stop = random.Random(1), time.monotonic() + 2
    broken = [whole[:length] for length in range(0, len(whole), 3)]
    for _ in range(1000):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        broken.append(bytes(damaged))
    for content in broken:
        if time.monotonic() > stop:
            break
        index_of(prefix).write_bytes(content)
        try:
            assert read_all(prefix) == expected  # some bytes have no meaning, as the padding of the footer
        except ModelError:
            continue


def test_any_damage_behind_a_right_checksum_is_a_model_error(tmp_path: Path) -> None:
    halves = {slice_key("s", ((at, 1),)): entry(shape=[1]) for at in (0, 1)}
    write(tmp_path / "x", {b"v": entry(), b"s": sliced([2], [(0, 1)], [(1, 1)]), **halves})
    whole = index_of(tmp_path / "x").read_bytes()
    data = whole[: whole.index(b"\0\1\0\0\0\0", 40) + 5]
    rng, stop = random.Random(2), time.monotonic() + 2
    while time.monotonic() < stop:
        body = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        index_of(tmp_path / "x").write_bytes(table(sealed(bytes(body))))
        try:
            read_all(tmp_path / "x")
        except ModelError:
            continue


# Which checkpoint is meant


def make(folder: Path, *names: str, state: str | None = None) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    if state is not None:
        (folder / "checkpoint").write_text(state)
    return folder


@pytest.mark.parametrize(
    ("state", "base"),
    [
        ('model_checkpoint_path: "a"\nall_model_checkpoint_paths: "b"\n', "a"),
        ('all_model_checkpoint_paths: "a"\nmodel_checkpoint_path: "b"\n', "b"),
        ('model_checkpoint_path: "/gone/long/ago/b"\n', "b"),
        ('model_checkpoint_path: "../../elsewhere/b"\n', "b"),
        (r'model_checkpoint_path: "C:\\models\\b"' + "\n", "b"),
        (r'model_checkpoint_path: "\303\251"' + "\n", "é"),
    ],
)
def test_state_file(tmp_path: Path, state: str, base: str) -> None:
    make(tmp_path, "a.index", "b.index", "é.index", state=state)
    assert find_checkpoint(tmp_path) == tmp_path / base


def test_state_file_that_tensorflow_wrote(tmp_path: Path) -> None:
    save_variables(tmp_path / "b", lambda: variables(True))
    make(tmp_path, "a.index")
    assert find_checkpoint(tmp_path) == tmp_path / "b"
    moved = tmp_path.rename(tmp_path.with_name(tmp_path.name + "-moved"))
    assert find_checkpoint(moved) == moved / "b"


@pytest.mark.parametrize("meant", ["m", "m.index", "m.meta", "m.data-00000-of-00001"])
def test_prefix_or_any_file(tmp_path: Path, meant: str) -> None:
    make(tmp_path, "m.index", "m.meta", "m.data-00000-of-00001", "other.index")
    assert find_checkpoint(tmp_path / meant) == tmp_path / "m"


@pytest.mark.parametrize("state", [None, "", "not a text protobuf", 'model_checkpoint_path: "open'])
def test_only_checkpoint_of_a_folder(tmp_path: Path, state: str | None) -> None:
    make(tmp_path, "m.index", "._m.index", "notes.txt", state=state)
    assert find_checkpoint(tmp_path) == tmp_path / "m"


def test_prefix_wins_over_the_folder_of_its_name(tmp_path: Path) -> None:
    make(tmp_path, "m.index", "m/.index")
    assert find_checkpoint(tmp_path / "m") == tmp_path / "m"
    with pytest.raises(ModelError, match=r"\.index: cannot be told from .*m\.index; give one of them another name"):
        find_checkpoint(tmp_path / "m" / ".index")


@pytest.mark.parametrize(
    ("names", "state", "meant", "message"),
    [
        ([], None, "", r"there is no checkpoint in this folder"),
        ([], None, "m", r"m\.index: missing; there is no checkpoint in this folder"),
        ([], None, "none/m", r"none/m\.index: missing; there is no checkpoint in this folder"),
        (["a.index", "b.index"], None, "", r"which checkpoint is meant is not clear; name one of \S*/a, \S*/b$"),
        (["a.index", "b.index"], None, "m", r"m\.index: missing; name one of \S*/a, \S*/b$"),
        ([f"{i}.index" for i in range(7)], None, "", r"name one of \S*/0, .*\S*/4 and 2 more$"),
        (
            ["a.index"],
            'model_checkpoint_path: "b"\n',
            "",
            r"checkpoint: names 'b', which is not in this folder; name one",
        ),
        (["a.index"], 'model_checkpoint_path: ".."\n', "", r"names '\.\.', which is not in this folder"),
        (["a.index"], r'model_checkpoint_path: "\x"', "", r"checkpoint: model_checkpoint_path has a bad escape"),
    ],
)
def test_unclear_paths(tmp_path: Path, names: list[str], state: str | None, meant: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_checkpoint(make(tmp_path, *names, state=state) / meant)
