"""V1 checkpoints that TensorFlow wrote, read as TensorFlow reads them; and every way in which one can be broken."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mobile_export.checkpoints.prefix import find_checkpoint
from mobile_export.checkpoints.slices import slice_key
from mobile_export.checkpoints.v1_checkpoint import V1Checkpoint
from mobile_export.errors import ModelError
from mobile_export.graphs.protos import SavedTensorSlices
from tests.sources.checkpoints import block, save_variables, table, tf1, variables

V1 = tf1.train.SaverDef.V1
DTYPES = [
    tf.float32, tf.float64, tf.float16, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.bool,
    tf.complex64, tf.complex128,
]  # fmt: skip


def save_tensors(path: Path, tensors: dict[str, object], slices: list[str] | None = None) -> Path:
    with tf.Graph().as_default(), tf1.Session() as session:
        values = [tf.convert_to_tensor(value) for value in tensors.values()]
        saved = tf.raw_ops.SaveSlices(
            filename=str(path),
            tensor_names=list(tensors),
            shapes_and_slices=slices or [""] * len(tensors),
            data=values,
        )
        session.run(saved)
    return path


def assert_reads_like_tensorflow(prefix: Path, spelled: str = "") -> V1Checkpoint:
    names = set(tf1.train.NewCheckpointReader(spelled or str(prefix)).get_variable_to_shape_map())
    checkpoint = V1Checkpoint.open(find_checkpoint(prefix))
    assert set(checkpoint.names) == names
    values = {name: checkpoint.read(name) for name in names}
    with tf.Graph().as_default(), tf1.Session() as session:
        pattern = spelled or str(prefix)
        expected = session.run(
            {n: tf.raw_ops.Restore(file_pattern=pattern, tensor_name=n, dt=v.dtype) for n, v in values.items()}
        )
    for name, value in values.items():
        assert (value.dtype, value.shape) == (expected[name].dtype, expected[name].shape), name
        assert value.tobytes() == expected[name].tobytes(), name
        assert not value.flags.writeable
    return checkpoint


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build() -> None:
        tf1.get_variable("a/weights", [4, 5])
        tf1.get_variable("parts", [7, 2], partitioner=tf1.fixed_size_partitioner(3))
        tf1.get_variable("text", initializer="hello")

    return save_variables(tmp_path_factory.mktemp("pristine") / "model.ckpt", build, version=V1)


@pytest.fixture
def path(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    return Path(shutil.copy(pristine, tmp_path))


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
def test_saver(tmp_path: Path, use_resource: bool) -> None:
    assert_reads_like_tensorflow(save_variables(tmp_path / "model.ckpt", lambda: variables(use_resource), version=V1))


def test_every_dtype_and_rank(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors: dict[str, object] = {}
    for dtype in DTYPES:
        for shape in ([], [3], [2, 3, 1]):
            bits = rng.integers(0, 2, shape)
            tensors[f"{dtype.name}{shape}"] = tf.cast(bits * (3 if dtype.is_unsigned else -3), dtype).numpy()
    assert_reads_like_tensorflow(save_tensors(tmp_path / "all", tensors))


def test_many_blocks_that_could_be_compressed(tmp_path: Path) -> None:
    tensors = {f"{i * 7919 % 300:04d}": np.full(2000, i % 7, np.float32) for i in range(300)}
    path = save_tensors(tmp_path / "many", tensors)
    assert path.stat().st_size > 2 * (1 << 18)  # TensorFlow's block size
    assert_reads_like_tensorflow(path)


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(("shape", "axis", "parts"), [([7], 0, 3), ([300, 4], 0, 4), ([3, 9000, 2], 1, 5)])
def test_partitioned(tmp_path: Path, shape: list[int], axis: int, parts: int, use_resource: bool) -> None:
    def build() -> None:
        partitioner = tf1.fixed_size_partitioner(parts, axis)
        tf1.get_variable("embedding/table", shape, partitioner=partitioner, use_resource=use_resource)

    assert_reads_like_tensorflow(save_variables(tmp_path / "model.ckpt", build, version=V1))


def sharded(folder: Path) -> Path:
    def build() -> None:
        for i in range(4):
            with tf.device(f"/cpu:{i % 2}"):
                tf1.get_variable(f"v{i}", [i + 1, 3], use_resource=True)

    return save_variables(folder / "model.ckpt", build, sharded=True, version=V1)


@pytest.mark.parametrize("meant", ["model.ckpt", "model.ckpt-?????-of-00002", "model.ckpt-00001-of-00002", ""])
def test_sharded(tmp_path: Path, meant: str) -> None:
    spelled = sharded(tmp_path)
    assert spelled.name == "model.ckpt-?????-of-00002"
    checkpoint = assert_reads_like_tensorflow(tmp_path / meant, str(spelled))
    assert [path.name for path in checkpoint.files] == ["model.ckpt-00000-of-00002", "model.ckpt-00001-of-00002"]
    assert set(checkpoint.names) == {"v0", "v1", "v2", "v3"}


def test_v2_is_taken_where_there_are_both(tmp_path: Path) -> None:
    save_variables(tmp_path / "model.ckpt", lambda: variables(False))
    (tmp_path / "model.ckpt").write_bytes(b"something else")
    assert find_checkpoint(tmp_path / "model.ckpt") == tmp_path / "model.ckpt"


def test_tensorflow_is_not_imported(pristine: Path) -> None:
    script = (
        "import pathlib, sys; from mobile_export.checkpoints.v1_checkpoint import V1Checkpoint;"
        f"print(V1Checkpoint.open(pathlib.Path({str(pristine)!r})).read('parts').shape, 'tensorflow' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "(7, 2) False\n"


# What is broken, or lies


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/weight", r"model\.ckpt: has no variable 'a/weight' \(near it: 'a/weights'\); take a checkpoint and"),
        ("text", r"model\.ckpt: 'text' is string, and only numbers and booleans can be read"),
    ],
)
def test_what_cannot_be_read(pristine: Path, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        V1Checkpoint.open(pristine).read(name)


def test_missing_shard(tmp_path: Path) -> None:
    sharded(tmp_path)
    (tmp_path / "model.ckpt-00000-of-00002").unlink()
    with pytest.raises(ModelError, match=r"model\.ckpt: shard 0 of 2 is missing"):
        V1Checkpoint.open(find_checkpoint(tmp_path / "model.ckpt"))
    (tmp_path / "model.ckpt-00000-of-00003").touch()
    with pytest.raises(ModelError, match=r"there are shards of several checkpoints here, of 2 and of 3; keep"):
        V1Checkpoint.open(find_checkpoint(tmp_path / "model.ckpt"))


def test_shards_of_two_checkpoints(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x-00000-of-00002", {"v": np.zeros(3, np.float32)})
    save_tensors(tmp_path / "x-00001-of-00002", {"v": np.zeros(4, np.float32)})
    with pytest.raises(ModelError, match=r"x-00001-of-00002: 'v' is another one in another shard"):
        V1Checkpoint.open(tmp_path / "x")


def write(path: Path, shape: list[int], slices: list[list[tuple[int, int]]], values: dict[int, list[float]]) -> Path:
    """A checkpoint with one variable `v` that has `values` in some of its `slices`."""
    listed = SavedTensorSlices()
    variable = listed.meta.tensor.add(name="v", type=1)
    for size in shape:
        variable.shape.dim.add(size=size)
    items = []
    for index, extents in enumerate(slices):
        part = variable.slice.add()
        for start, length in extents:
            part.extent.add(start=start, length=length)
        if index in values:
            stored = SavedTensorSlices()
            stored.data.data.float_val.extend(values[index])
            items.append((slice_key("v", tuple(extents)), stored.SerializeToString()))
    path.write_bytes(table(block([(b"", listed.SerializeToString()), *sorted(items)])))
    return path


def test_the_writer_of_these_tests_is_right(tmp_path: Path) -> None:
    path = write(tmp_path / "x", [3], [[(0, 1)], [(1, 2)]], {0: [1], 1: [2, 3]})
    assert_reads_like_tensorflow(path)
    assert V1Checkpoint.open(path).read("v").tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("shape", "slices", "values", "message"),
    [
        ([3], [[(0, 1)], [(1, 2)]], {0: [1]}, r"'v' lacks its slice \[\(1, 2\)\]"),
        ([3], [[(0, 3)]], {0: [1]}, r"'v' lacks its slice \[\(0, 3\)\], or has another number of values"),
        ([3], [[(0, 3)]], {0: [1, 2, 3, 4]}, "or has another number of values"),
        ([1 << 40], [[(0, 1 << 40)]], {0: [1]}, "or has another number of values"),
        ([3], [[(0, 1)], [(1, 1)]], {0: [1], 1: [2]}, "'v' is not the sum of its slices"),
        ([3], [[(0, 2)]], {0: [1, 2]}, "'v' is not the sum of its slices"),
        ([3], [[(0, 2)], [(1, 1)]], {0: [1, 2], 1: [3]}, "'v' has slices that overlap"),
        ([3], [[(2, 2)]], {0: [1, 2]}, "'v' has a slice outside of its shape"),
        ([3], [[(0, 3), (0, 1)]], {0: [1, 2, 3]}, "'v' has a slice outside of its shape"),
        ([3], [], {}, "what it says of 'v' makes no sense"),
        ([-1], [[(0, 3)]], {0: [1, 2, 3]}, "what it says of 'v' makes no sense"),
    ],
)
def test_lying_slices(
    tmp_path: Path, shape: list[int], slices: list[list[tuple[int, int]]], values: dict[int, list[float]], message: str
) -> None:
    with pytest.raises(ModelError, match=rf"x: {message}" if message.startswith(("'", "what")) else message):
        V1Checkpoint.open(write(tmp_path / "x", shape, slices, values)).read("v")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(at: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 0x10
        path.write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, r"model\.ckpt: not a V1 checkpoint, or cut short; copy the checkpoint again"),
        (lambda path: path.write_bytes(b""), "not a V1 checkpoint, or cut short"),
        (lambda path: path.write_bytes(b"version https://git-lfs.github.com"), "it is a Git LFS pointer"),
        (flip(20), r"model\.ckpt: the checksum of the block at byte 0 is wrong"),
        (lambda path: path.write_bytes(table(block([(b"", b"\xff\xff")]))), "its list of variables is damaged"),
        (lambda path: path.unlink(), r"model\.ckpt\.index: missing; there is no checkpoint in this folder"),
    ],
    ids=["cut", "empty", "pointer", "flipped", "no list", "gone"],
)
def test_broken_files(path: Path, change: Callable[[Path], object], message: str) -> None:
    change(path)
    with pytest.raises(ModelError, match=message):
        V1Checkpoint.open(find_checkpoint(path))


def test_any_truncation_or_damage_is_a_model_error(path: Path) -> None:
    def read_all() -> dict[str, bytes]:
        checkpoint = V1Checkpoint.open(path)
        return {name: checkpoint.read(name).tobytes() for name in checkpoint.names if name != "text"}

    whole, expected = path.read_bytes(), read_all()
    rng, stop = random.Random(1), time.monotonic() + 2
    broken = [whole[:length] for length in range(0, len(whole), 3)]
    for _ in range(1000):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        broken.append(bytes(damaged))
    for content in broken:
        if time.monotonic() > stop:
            break
        path.write_bytes(content)
        try:
            assert read_all() == expected  # some bytes have no meaning, as the padding of the footer
        except ModelError:
            continue
