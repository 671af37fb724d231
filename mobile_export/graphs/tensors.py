"""Between TensorFlow's tensor messages and NumPy arrays."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import TensorProto, TensorShapeProto

Array = NDArray[Any]
"""An array of any element type and shape."""
Real = NDArray[np.float64]
"""An array of real numbers."""


def real_rows(values: Array) -> Real:
    """`values` as float64 of shape [samples, values]; a complex number counts as two."""
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], axis=-1)
    rows: Real = np.asarray(values, np.float64).reshape(len(values), -1)
    return rows


def _bfloat16() -> dict[int, np.dtype[np.generic]]:
    """NumPy has no bfloat16; the package that adds it comes with TensorFlow, which the core goes without."""
    try:
        import ml_dtypes
    except ImportError:
        return {}
    return {14: np.dtype(ml_dtypes.bfloat16)}


# TensorFlow's DataType number → NumPy dtype. Strings, resources and variants have no array form; quantized types are
# records of one field, as TensorFlow itself hands them to NumPy.
_DTYPES: dict[int, np.dtype[np.generic]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    4: np.dtype(np.uint8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int8),
    8: np.dtype(np.complex64),
    9: np.dtype(np.int64),
    10: np.dtype(np.bool_),
    11: np.dtype([("qint8", np.int8)]),
    12: np.dtype([("quint8", np.uint8)]),
    13: np.dtype([("qint32", np.int32)]),
    **_bfloat16(),
    15: np.dtype([("qint16", np.int16)]),
    16: np.dtype([("quint16", np.uint16)]),
    17: np.dtype(np.uint16),
    18: np.dtype(np.complex128),
    19: np.dtype(np.float16),
    22: np.dtype(np.uint32),
    23: np.dtype(np.uint64),
}
_NUMBERS = {dtype: number for number, dtype in _DTYPES.items()}
_NAMES = {
    **{number: dtype.names[0] if dtype.names else dtype.name for number, dtype in _DTYPES.items()},
    7: "string",
    20: "resource",
    21: "variant",
}
_SPELLINGS = {"float": "float32", "double": "float64", "half": "float16"}
"""TensorFlow's own names that are not NumPy's."""
_NUMBERS_OF_NAMES = {name: number for number, name in _NAMES.items()}
_REFERENCE = 100  # a reference type is its base type plus this
# Where a TensorProto that has no tensor_content keeps its values.
_VALUE_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
}


def numpy_dtype(number: int) -> np.dtype[np.generic] | None:
    """The NumPy dtype of TensorFlow's DataType `number` (reference types too), or None where there is none."""
    return _DTYPES.get(number % _REFERENCE)


def dtype_number(dtype: np.dtype[np.generic]) -> int:
    """TensorFlow's DataType number of a NumPy dtype.

    Raises:
        ModelError: TensorFlow has no such type.
    """
    try:
        return _NUMBERS[np.dtype(dtype)]
    except KeyError:
        raise ModelError(f"TensorFlow has no element type {dtype}") from None


def dtype_number_of(name: str) -> int:
    """TensorFlow's DataType number of what `dtype_name` returns."""
    return _NUMBERS_OF_NAMES[name]


def dtype_number_spelled(text: str) -> int:
    """TensorFlow's DataType number of a type that people write `float`, `float32` or `DT_FLOAT`.

    Raises:
        KeyError: it is no type.
    """
    name = text.lower().removeprefix("dt_")
    return dtype_number_of(_SPELLINGS.get(name, name))


def dtype_named(name: str) -> np.dtype[np.generic]:
    """The NumPy dtype whose name is `name`."""
    return _DTYPES[dtype_number_of(name)]


def dtype_name(number: int) -> str:
    """How messages and the target file call DataType `number`: `float32`, `string`, …"""
    return _NAMES.get(number % _REFERENCE, f"type {number}")


MOST_DIMENSIONS = 32
"""Of an array: what every NumPy takes."""
LARGEST_FILL = 1 << 31
"""Bytes that a value may fill by repeating its last element: a few bytes of a file could ask for any number."""
_LARGEST_ARRAY = (1 << 63) - 1  # bytes, and NumPy leaves out the sizes that are 0 when it counts them


def fits_numpy(shape: Sequence[int], dtype: np.dtype[np.generic]) -> bool:
    """Whether NumPy has arrays of `shape`, sizes that a file may have made up; one that is empty has limits, too."""
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        return False
    return math.prod(filter(None, shape)) * dtype.itemsize <= _LARGEST_ARRAY


def tensor_to_array(tensor: TensorProto, name: str) -> Array:
    """The value of a numeric TensorProto; `name` is its node, for errors. The array is read-only.

    Values may be packed bytes, or a list whose last entry repeats up to the shape's size.

    Raises:
        ModelError: more or fewer values than the shape holds, or a dimension that is unknown or beyond all measure.
    """
    dtype = numpy_dtype(tensor.dtype)
    shape = read_shape(tensor.tensor_shape)
    if dtype is None or shape is None or not fits_numpy(shape, dtype):
        raise ModelError(f"node {name!r}: its value has no fixed numeric type and shape")
    size = math.prod(shape)
    if tensor.tensor_content:
        if len(tensor.tensor_content) != size * dtype.itemsize:
            raise ModelError(
                f"node {name!r}: its value has {len(tensor.tensor_content)} bytes for {dtype}{list(shape)}"
            )
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = listed_values(tensor, dtype)
    if values.size > size:
        raise ModelError(f"node {name!r}: its value has {values.size} elements for the shape {list(shape)}")
    if size * dtype.itemsize > LARGEST_FILL:
        raise ModelError(f"node {name!r}: its value would fill {size * dtype.itemsize} bytes of shape {list(shape)}")
    if values.size <= 1:  # takes no memory, however many there are
        return np.broadcast_to(values[0] if values.size else np.zeros((), dtype), shape)
    filled = np.zeros(size, dtype)
    filled[: values.size] = values
    filled[values.size :] = values[-1]
    filled.flags.writeable = False
    return filled.reshape(shape)


def array_to_tensor(array: Array, tensor: TensorProto) -> None:
    """Write `array` into the empty `tensor`: as packed bytes, or as one listed value where it repeats one element."""
    tensor.dtype = dtype_number(array.dtype)
    write_shape(tensor.tensor_shape, array.shape)
    repeated = array.size > 1 and not any(array.strides)  # broadcast, as `tensor_to_array` makes of a listed value
    if not repeated:
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()
        return
    value = np.array(array.flat[:1])
    if array.dtype.name in ("float16", "bfloat16"):
        value = value.view(np.uint16)
    elif array.dtype.names:
        value = value.view(_field(array.dtype))
    elif array.dtype.kind == "c":
        value = value.view(value.real.dtype)
    getattr(tensor, _VALUE_FIELDS.get(array.dtype.name, "int_val")).extend(value.tolist())


def map_array(region: memoryview, dtype: np.dtype[np.generic], shape: tuple[int, ...], name: str) -> Array:
    """A view of mapped bytes as an array.

    Raises:
        ModelError: the region is too small, its address is no multiple of the element size, or no array has the shape.
    """
    if not fits_numpy(shape, dtype) or len(region) < math.prod(shape) * dtype.itemsize:
        raise ModelError(f"constant {name!r} of {dtype}{list(shape)} does not fit its region of {len(region)} bytes")
    array = np.frombuffer(region, dtype, math.prod(shape)).reshape(shape)
    if not array.flags.aligned:
        raise ModelError(f"constant {name!r} lies at a misaligned offset")
    return array


def listed_values(tensor: TensorProto, dtype: np.dtype[np.generic]) -> Array:
    """The values that `tensor` lists one by one, as many as there are, in one dimension."""
    values = np.asarray(getattr(tensor, _VALUE_FIELDS.get(dtype.name, "int_val")))
    if dtype.name in ("float16", "bfloat16"):  # bit patterns, one an int
        return values.astype(np.uint16).view(dtype)
    if dtype.names:
        return values.astype(_field(dtype)).view(dtype)
    if dtype.kind == "c":  # real and imaginary parts alternate
        return (values[0::2] + 1j * values[1::2]).astype(dtype)
    return values.astype(dtype)


def _field(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """The integers that a quantized type holds."""
    return next(iter((dtype.fields or {}).values()))[0]


def read_shape(shape: TensorShapeProto) -> tuple[int, ...] | None:
    """Sizes, -1 where unknown; None when the rank is unknown."""
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def write_shape(shape: TensorShapeProto, sizes: Iterable[int] | None) -> None:
    """Replace the contents of `shape`; `sizes` as `read_shape` returns it."""
    shape.Clear()
    if sizes is None:
        shape.unknown_rank = True
        return
    for size in sizes:
        shape.dim.add(size=size)
