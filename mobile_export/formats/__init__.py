"""Output formats, one a file. A format writes artifacts, and runs them in the runtime that the phone uses."""

from mobile_export.formats.format import About, FolderFormat, Format, Layer, Quantizable, Request
from mobile_export.formats.graphdef import FrozenGraphDef
from mobile_export.formats.memmapped import Memmapped
from mobile_export.formats.onnx import ONNX
from mobile_export.formats.ort import ORT
from mobile_export.formats.saved_model import ServableFolder
from mobile_export.formats.tflite import TFLite

__all__ = ["FORMATS", "QUANTIZABLE", "About", "FolderFormat", "Format", "Layer", "Quantizable", "Request"]

FORMATS: dict[str, Format] = {
    "tflite": TFLite(),
    "onnx": ONNX(),
    "ort": ORT(),
    "graphdef": FrozenGraphDef(),
    "memmapped": Memmapped(),
    "saved_model": ServableFolder(),
}
"""By the name that `[[artifacts]] format` uses."""

QUANTIZABLE: dict[str, Quantizable] = {name: unit for name, unit in FORMATS.items() if isinstance(unit, Quantizable)}
"""Those whose layers may differ in precision, so that `auto` can search among them."""
