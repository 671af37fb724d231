"""Encoded images, and the arrays that a model takes of them."""

import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from mobile_export.data.dataset import LARGEST_SAMPLE
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec, format_shape
from mobile_export.graphs.tensors import Array, dtype_named
from mobile_export.target import Images
from mobile_export.tools import import_tool

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")
"""Of files in these formats."""
_CHANNELS = {"gray": 1, "rgb": 3, "bgr": 3}
_FILTERS = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "area": "BOX"}
_LARGEST_VALUE = 255
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What Pillow raises of damaged files, by the place that met the damage."""


@dataclass(frozen=True)
class Pictures:
    """How images become samples of an input.

    Attributes:
        how: as the target declares it.
        colours: order of the channels.
        height, width: of a sample.
        shape, dtype: of a sample; values are 0 to 255.
    """

    how: Images
    colours: str
    height: int
    width: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @classmethod
    def of(cls, spec: TensorSpec, raw: bool, how: Images) -> "Pictures":
        """For the input `spec`.

        Args:
            raw: whether values are preprocessed later, so that they stay bytes.

        Raises:
            ModelError: it takes no images, or none as `how` says.
        """
        form = f"input {spec.name!r} is {spec.dtype}{format_shape(spec.shape)}"
        shape = _image_shape(spec.shape)
        if shape is None:
            raise ModelError(f"images are fed to [batch,height,width,channels] of 1 or 3 channels; {form}")
        height, width, channels = shape if len(shape) > 2 else (*shape, 1)
        if height < 0 or width < 0:
            raise ModelError(f"images need a size: {form}; give it a shape in [[model.inputs]]")
        colours = how.colours or ("gray" if channels == 1 else "rgb")
        if _CHANNELS[colours] != channels:
            raise ModelError(f'images.colours = "{colours}" has {_CHANNELS[colours]} channels; {form}')
        if how.shorter_side is not None and (how.resize != "crop" or how.shorter_side < min(height, width)):
            raise ModelError(f"images.shorter_side is for crop, and at least the shorter side of the input; {form}")
        dtype = np.dtype(np.uint8) if raw else _holding_bytes(spec.dtype)
        if dtype is None:
            raise ModelError(f"values of images are 0 to {_LARGEST_VALUE}; {form}")
        if math.prod(shape) * dtype.itemsize > LARGEST_SAMPLE:
            raise ModelError(f"images of that size take more than {LARGEST_SAMPLE} bytes; {form}")
        return cls(how, colours, height, width, shape, dtype)

    def decode(self, file: IO[bytes], where: str) -> Array:
        """The sample that an encoded image is: turned upright, its colours brought in order, resized.

        Args:
            where: what the image is called, for errors.

        Raises:
            ModelError: it is damaged, has more than 8 bits a channel, or more pixels than a photo.
            MissingToolError: Pillow is not installed.
        """
        import_tool("PIL")
        from PIL import Image, ImageOps, UnidentifiedImageError

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                with Image.open(file, formats=_FORMATS) as image:
                    if image.mode.startswith(("I", "F")):
                        raise ModelError(f"{where}: has more than 8 bits a channel; store it in an .npz")
                    upright = ImageOps.exif_transpose(image).convert("L" if self.colours == "gray" else "RGB")
                values = np.asarray(self._resized(upright)).reshape(self.shape)
            except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
                raise ModelError(f"{where}: has more pixels than any photo: {error}") from error
            except UnidentifiedImageError as error:
                raise ModelError(f"{where}: cannot be read as an image: none of {', '.join(_FORMATS)}") from error
            except _DAMAGED as error:
                raise ModelError(f"{where}: cannot be read as an image: {error}") from error
        return (values[..., ::-1] if self.colours == "bgr" else values).astype(self.dtype)

    def _resized(self, image: Any) -> Any:
        """Pillow's image in the sample's size; what is cut off is never made, however long the image is."""
        from PIL import Image

        size, (width, height) = (self.width, self.height), image.size
        resample = Image.Resampling[_FILTERS[self.how.interpolation]]
        scales = (self.width / width, self.height / height)
        if self.how.resize == "stretch":
            return image.resize(size, resample)
        if self.how.resize == "pad":
            inner = [max(1, round(side * min(scales))) for side in image.size]
            padded = Image.new(image.mode, size)
            padded.paste(image.resize(inner, resample), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
            return padded
        scale = max(*scales, (self.how.shorter_side or 0) / min(image.size))
        across, down = min(width, self.width / scale), min(height, self.height / scale)
        left, top = (width - across) / 2, (height - down) / 2
        return image.resize(size, resample, box=(left, top, left + across, top + down))


def _image_shape(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Of one image, [height, width, channels] or [height, width]: a row of an input of `shape`, or all of it."""
    if shape is None or len(shape) not in (3, 4):
        return None
    if len(shape) == 4:
        return shape[1:] if shape[-1] in _CHANNELS.values() else None
    return shape if shape[-1] in _CHANNELS.values() and shape[0] > 1 else shape[1:]


def _holding_bytes(name: str) -> np.dtype[np.generic] | None:
    """The type `name` if it holds 0 to 255."""
    if name.startswith(("float", "bfloat")):
        return dtype_named(name)
    integer = name.startswith(("int", "uint")) and np.iinfo(name).max >= _LARGEST_VALUE
    return np.dtype(name) if integer else None
