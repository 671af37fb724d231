"""Devices that need no set-up: this computer's own runtimes, with other kernels or with files that were changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from mobile_export.formats import FORMATS
from mobile_export.formats.flatbuffer import read_model, write_model
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.runner import Runner

Change = Callable[[np.ndarray], None]
"""Changes the values of a constant in place, as they are stored."""


class _Here:
    """What the devices below have in common."""

    name = "here"

    def require(self) -> None:
        """There is nothing to set up."""

    def runtime(self, kind: str) -> str:
        return f"{FORMATS[kind].runtime} on this computer"


class OwnKernels(_Here):
    """LiteRT's own kernels instead of XNNPACK's; a `Device`."""

    @contextmanager
    def open(self, kind: str, path: Path) -> Iterator[Runner]:
        assert kind == "tflite"
        yield TFLiteRunner(path, xnnpack=False)


@dataclass(frozen=True)
class Tampering(_Here):
    """Runs every file with the constants `changed` other than they are; a `Device`."""

    changed: dict[str, Change]

    @contextmanager
    def open(self, kind: str, path: Path) -> Iterator[Runner]:
        other = path.with_stem("other")
        other.write_bytes((_changed_tflite if kind == "tflite" else _changed_onnx)(path.read_bytes(), self.changed))
        yield FORMATS[kind].open(other)


def _changed_tflite(content: bytes, changed: dict[str, Change]) -> bytes:
    model: Any = read_model(content)
    for tensor in model.subgraphs[0].tensors:
        change = changed.get(tensor.name.decode())
        if change is not None:
            values = np.frombuffer(model.buffers[tensor.buffer].data, "<f4" if tensor.type == 0 else "i1").copy()
            change(values)
            model.buffers[tensor.buffer].data = values.view(np.uint8)
    return write_model(model)


def _changed_onnx(content: bytes, changed: dict[str, Change]) -> bytes:
    model = onnx.ModelProto.FromString(content)
    for tensor in model.graph.initializer:
        change = changed.get(tensor.name)
        if change is not None:
            values = onnx.numpy_helper.to_array(tensor).copy()
            change(values.reshape(-1))
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return model.SerializeToString()
