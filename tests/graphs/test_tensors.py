"""TensorProtos in every encoding, against TensorFlow's own reading of them."""

import ml_dtypes
import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import TensorProto, TensorShapeProto
from mobile_export.graphs.tensors import (
    array_to_tensor,
    dtype_name,
    dtype_number,
    dtype_number_of,
    dtype_number_spelled,
    fits_numpy,
    map_array,
    numpy_dtype,
    read_shape,
    real_rows,
    tensor_to_array,
    write_shape,
)
from mobile_export.session import import_tensorflow

# DataType number, name, the field that lists values, and values in it (of complex numbers: both parts).
DTYPES = [
    (1, "float32", "float_val", [1.5, -2.25]),
    (2, "float64", "double_val", [1e300, -0.1]),
    (3, "int32", "int_val", [-(2**31), 7]),
    (4, "uint8", "int_val", [255, 3]),
    (5, "int16", "int_val", [-(2**15), 3]),
    (6, "int8", "int_val", [-128, 127]),
    (8, "complex64", "scomplex_val", [1.5, -2.0, 0.0, 3.0]),
    (9, "int64", "int64_val", [2**62 + 1, -1]),
    (10, "bool", "bool_val", [True, False]),
    (11, "qint8", "int_val", [-128, 127]),
    (12, "quint8", "int_val", [255, 3]),
    (13, "qint32", "int_val", [-(2**31), 7]),
    (14, "bfloat16", "half_val", [0x3FC0, 0xC010]),
    (15, "qint16", "int_val", [-(2**15), 7]),
    (16, "quint16", "int_val", [65535, 3]),
    (17, "uint16", "int_val", [65535, 3]),
    (18, "complex128", "dcomplex_val", [1e300, -2.0, 0.1, 3.0]),
    (19, "float16", "half_val", [0x3E00, 0xC080]),
    (22, "uint32", "uint32_val", [2**32 - 1, 3]),
    (23, "uint64", "uint64_val", [2**64 - 1, 3]),
]
EVERY_DTYPE = pytest.mark.parametrize(
    ("number", "name", "field", "values"), DTYPES, ids=[name for _, name, *_ in DTYPES]
)


BEYOND_NUMPY = [(0, 1 << 62, 1 << 62), (1 << 40, 0, 1 << 40), (0, 1 << 61)]
"""Shapes without elements, and beyond what NumPy can count."""


def proto(number: int, shape: tuple[int, ...], **fields: object) -> TensorProto:
    tensor = TensorProto(dtype=number, **fields)
    write_shape(tensor.tensor_shape, shape)
    return tensor


def reads_as_tensorflow_does(tensor: TensorProto) -> None:
    expected, found = import_tensorflow().make_ndarray(tensor), tensor_to_array(tensor, "n")
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()
    assert not found.flags.writeable


@EVERY_DTYPE
@pytest.mark.parametrize(
    ("listed", "shape"),
    [
        (2, (2,)),
        (2, (2, 1)),
        (1, ()),
        (1, (2, 3)),
        (2, (2, 3)),
        (1, (1000,)),
        (0, (2, 3)),
        (0, ()),
        (0, (0,)),
        (0, (2, 0)),
    ],
    ids=[
        "list",
        "matrix",
        "scalar",
        "splat",
        "last repeats",
        "large splat",
        "none",
        "no scalar",
        "empty",
        "empty rows",
    ],
)
def test_listed_values(number: int, name: str, field: str, values: list, listed: int, shape: tuple[int, ...]) -> None:
    parts = 2 if name.startswith("complex") else 1
    reads_as_tensorflow_does(proto(number, shape, **{field: values[: listed * parts]}))


@EVERY_DTYPE
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0, 3)])
def test_packed_values(number: int, name: str, field: str, values: list, shape: tuple[int, ...]) -> None:
    size = int(np.prod(shape, dtype=int)) * numpy_dtype(number).itemsize
    content = bytes(range(1, size + 1)) if name != "bool" else bytes([i % 2 for i in range(size)])
    reads_as_tensorflow_does(proto(number, shape, tensor_content=content))


@EVERY_DTYPE
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (1000,)])
@pytest.mark.parametrize("splat", [False, True])
def test_written_values(number: int, name: str, field: str, values: list, shape: tuple[int, ...], splat: bool) -> None:
    listed = proto(number, (1,), **{field: values[: 2 if name.startswith("complex") else 1]})
    one = tensor_to_array(listed, "n").reshape(())
    array = np.broadcast_to(one, shape) if splat else np.full(shape, one)
    written = TensorProto()
    array_to_tensor(array, written)
    assert import_tensorflow().make_ndarray(written).tobytes() == array.tobytes()
    assert written.ByteSize() < 50 or not splat
    reads_as_tensorflow_does(written)


@EVERY_DTYPE
def test_types(number: int, name: str, field: str, values: list) -> None:
    dtype = import_tensorflow().dtypes.as_dtype(number)
    assert (dtype.as_numpy_dtype, dtype.name) == (numpy_dtype(number), name)
    assert numpy_dtype(number + 100) == numpy_dtype(number)  # a reference to it
    assert (dtype_name(number), dtype_number_of(name), dtype_number(numpy_dtype(number))) == (name, number, number)


@pytest.mark.parametrize(
    ("number", "name"),
    [(7, "string"), (20, "resource"), (21, "variant")],
)
def test_types_without_arrays(number: int, name: str) -> None:
    assert numpy_dtype(number) is None
    assert (dtype_name(number), dtype_name(number + 100), dtype_number_of(name)) == (name, name, number)
    assert import_tensorflow().dtypes.as_dtype(number).name == name


def test_types_that_tensorflow_lacks() -> None:
    with pytest.raises(ModelError, match="TensorFlow has no element type"):
        dtype_number(np.dtype(np.longdouble))
    assert (numpy_dtype(99), dtype_name(99)) == (None, "type 99")


def test_bfloat16_is_the_type_that_tensorflow_uses() -> None:
    assert numpy_dtype(14).type is ml_dtypes.bfloat16 is import_tensorflow().bfloat16.as_numpy_dtype


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (proto(1, (2,), tensor_content=b"1234567"), r"node 'n': its value has 7 bytes for float32\[2\]"),
        (proto(1, (2,), tensor_content=b"123456789abc"), r"node 'n': its value has 12 bytes for float32\[2\]"),
        (proto(1, (), float_val=[1, 2]), r"node 'n': its value has 2 elements for the shape \[\]"),
        (proto(3, (2, 0), int_val=[1]), r"node 'n': its value has 1 elements for the shape \[2, 0\]"),
        (proto(1, (-1,), float_val=[1]), "node 'n': its value has no fixed numeric type and shape"),
        (TensorProto(dtype=1, tensor_shape=TensorShapeProto(unknown_rank=True)), "no fixed numeric type and shape"),
        (proto(7, (1,), string_val=[b"x"]), "no fixed numeric type and shape"),
        (proto(0, (1,), float_val=[1]), "no fixed numeric type and shape"),
        pytest.param(proto(1, (1 << 32, 1 << 32)), "node 'n': "),
        *((proto(1, shape), "no fixed numeric type and shape") for shape in BEYOND_NUMPY),
        (proto(1, (1,) * 70, tensor_content=b"1234"), "no fixed numeric type and shape"),
    ],
)
def test_damaged_values(tensor: TensorProto, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        tensor_to_array(tensor, "n")


REGION = memoryview(np.arange(16, dtype=np.float32).tobytes())


@pytest.mark.parametrize("shape", [(16,), (4, 4), (3,), (), (0,), (2, 0)])
def test_mapped_arrays_are_views(shape: tuple[int, ...]) -> None:
    array = map_array(REGION, np.dtype(np.float32), shape, "w")
    np.testing.assert_array_equal(array, np.arange(array.size).reshape(shape))
    assert (array.dtype, array.shape) == (np.float32, shape)
    assert array.size == 0 or np.shares_memory(array, np.frombuffer(REGION, np.uint8))


@pytest.mark.parametrize(
    ("region", "shape", "said"),
    [
        (REGION, (17,), r"constant 'w' of float32\[17\] does not fit its region of 64 bytes"),
        (REGION[:-1], (4, 4), "does not fit its region of 63 bytes"),
        (REGION, (-4, -4), "does not fit"),
        (REGION[1:], (2,), "constant 'w' lies at a misaligned offset"),
        pytest.param(REGION, (1 << 32, 1 << 32), "does not fit"),
        *((REGION, shape, "does not fit") for shape in BEYOND_NUMPY),
        (REGION, (1,) * 70, "does not fit"),
    ],
)
def test_regions_that_do_not_fit(region: memoryview, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        map_array(region, np.dtype(np.float32), shape, "w")


@pytest.mark.parametrize("shape", [(), (0,), (1,) * 32, (0, 1 << 60), (1 << 30, 1 << 30), (2, (1 << 60) - 1)])
def test_shapes_that_fit_are_those_numpy_takes(shape: tuple[int, ...]) -> None:
    assert fits_numpy(shape, np.dtype(np.float32))
    assert np.broadcast_to(np.float32(0), shape).shape == shape


@pytest.mark.parametrize("shape", [*BEYOND_NUMPY, (1,) * 65, (2, 1 << 60), (-1, 2)])
def test_shapes_that_fit_not_are_those_numpy_refuses(shape: tuple[int, ...]) -> None:
    assert not fits_numpy(shape, np.dtype(np.float32))
    with pytest.raises(ValueError, match=r"."):
        np.broadcast_to(np.float32(0), shape)


@pytest.mark.parametrize("shape", [None, (), (3,), (-1, 28, 28, 1), (0, 2)])
def test_shapes(shape: tuple[int, ...] | None) -> None:
    message = TensorShapeProto(dim=[TensorShapeProto.Dim(size=9)])
    write_shape(message, shape)
    assert read_shape(message) == shape
    tf = import_tensorflow()
    assert tf.TensorShape(message) == tf.TensorShape(None if shape is None else [None if d < 0 else d for d in shape])


def test_one_value_for_all_takes_no_memory_of_its_own() -> None:
    tensor = TensorProto(dtype=1, float_val=[3.0])
    tensor.tensor_shape.dim.add(size=1 << 20)
    filled = tensor_to_array(tensor, "n")
    assert filled.strides == (0,)
    assert not filled.flags.writeable
    assert (filled.shape, filled[-1]) == ((1 << 20,), 3.0)


def test_more_dimensions_than_an_array_has() -> None:
    tensor = TensorProto(dtype=1, float_val=[3.0])
    for _ in range(300):
        tensor.tensor_shape.dim.add(size=1)
    with pytest.raises(ModelError, match="no fixed numeric type and shape"):
        tensor_to_array(tensor, "n")


@pytest.mark.parametrize(
    ("text", "number"), [("float", 1), ("DT_FLOAT", 1), ("float32", 1), ("double", 2), ("Half", 19), ("quint8", 12)]
)
def test_types_as_people_spell_them(text: str, number: int) -> None:
    assert dtype_number_spelled(text) == number
    with pytest.raises(KeyError):
        dtype_number_spelled(f"{text}s")


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        (np.array([1, 2], np.uint8), [[1], [2]]),
        (np.arange(4, dtype=np.float16).reshape(2, 1, 2), [[0, 1], [2, 3]]),
        (np.array([[1 + 2j, 3]], np.complex64), [[1, 2, 3, 0]]),
        (np.array([True, False]), [[1], [0]]),
    ],
)
def test_real_rows(values: np.ndarray, rows: list[list[float]]) -> None:
    found = real_rows(values)
    assert (found.dtype, found.tolist()) == (np.float64, rows)
