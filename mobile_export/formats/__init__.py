"""Output formats, one a file. A format writes artifacts, and runs them in the runtime that the phone uses."""

from mobile_export.formats.format import Format, Request
from mobile_export.formats.graphdef import FrozenGraphDef
from mobile_export.formats.memmapped import Memmapped
from mobile_export.formats.onnx import ONNX
from mobile_export.formats.saved_model import ServableFolder
from mobile_export.formats.tflite import TFLite

__all__ = ["FORMATS", "Format", "Request"]

FORMATS: dict[str, Format] = {
    "tflite": TFLite(),
    "onnx": ONNX(),
    "graphdef": FrozenGraphDef(),
    "memmapped": Memmapped(),
    "saved_model": ServableFolder(),
}
"""By the name that `[[artifacts]] format` uses."""
