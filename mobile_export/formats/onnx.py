"""ONNX, for ONNX Runtime on the phone."""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_export.errors import ConversionError
from mobile_export.formats.onnx_runner import message_of, serialize
from mobile_export.formats.onnx_stages import OnnxModels

if TYPE_CHECKING:
    from onnx import ModelProto


class ONNX(OnnxModels):
    """One .onnx file; layouts at the edges are TensorFlow's, and reals there are float32 at any precision."""

    suffix = ".onnx"

    def stored(self, path: Path) -> dict[str, int]:
        import onnx

        model = onnx.load(path)
        found: Counter[str] = Counter()
        for tensor in model.graph.initializer:
            found[str(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))] += math.prod(tensor.dims)
        return dict(found)

    def save(self, model: "ModelProto", path: Path) -> None:
        """Write what ONNX's checker accepts."""
        from onnx import checker, shape_inference

        path.write_bytes(serialize(model))
        try:
            checker.check_model(str(path), full_check=True)
        except (checker.ValidationError, shape_inference.InferenceError) as error:
            raise ConversionError(f"{path.name} is not valid ONNX: {message_of(error)}") from error
