"""TensorFlow Lite, called LiteRT today.

The graph is converted to float once; every other file is made of that one, with one calibration.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mobile_export.errors import ConversionError
from mobile_export.formats import flatbuffer
from mobile_export.formats.format import Layer, Request, calibrated_requests, quantize_all
from mobile_export.formats.refusals import naming, refuse_float_operators
from mobile_export.formats.tflite_base import Base, write_file
from mobile_export.formats.tflite_converter import convert
from mobile_export.formats.tflite_layers import PRECISIONS
from mobile_export.formats.tflite_metadata import add_metadata, append_files
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.clipping import CLIPPINGS
from mobile_export.quantize.scheme import INTEGERS
from mobile_export.runner import batches
from mobile_export.samples import Samples

CALIBRATION_BATCH = 16
"""Samples calibrated at once where the batch is dynamic."""


class TFLite:
    """One self-contained .tflite file; its `serving_default` signature has the public names.

    Its operators are TensorFlow Lite's builtin ones, and TensorFlow's own where all files that are asked for allow it.
    """

    suffix = ".tflite"
    folder = False
    runtime = "LiteRT"
    tools = ("ai-edge-litert", "litert-quantizer", "tensorflow")
    room: int | None = flatbuffer.MAX_BYTES
    precisions: Mapping[str, Sequence[str]] = {
        "float32": ("float32",),
        "float16": ("float32",),
        "dynamic": ("float32",),
        "int8": ("float32", "int8", "uint8"),
        "int16x8": ("float32", "int16"),
        "weight_int8": ("float32",),
        "weight_int4": ("float32",),
    }
    calibrated: Collection[str] = tuple(INTEGERS)
    layer_precisions: Sequence[str] = PRECISIONS
    choices: Mapping[str, Sequence[str]] = {"ranges": ("minmax", "percentile"), "weights": CLIPPINGS}

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> Mapping[str, str]:
        """Convert once, calibrate once; load each file before it counts as written."""
        with TemporaryDirectory(dir=requests[0].path.parent) as folder:
            self.convert(graph, Path(folder), requests)
            integers = calibrated_requests(self, requests)
            if calibration and integers:
                self.calibrate(graph, Path(folder), integers, calibration)
            return quantize_all(self, Path(folder), requests)

    def convert(self, graph: Graph, folder: Path, requests: Sequence[Request]) -> None:
        """Leave in `folder` what `Base` describes, without ranges."""
        Base(folder).create(convert(graph, all(request.allow_select_tf_ops for request in requests)))

    def calibrate(self, graph: Graph, folder: Path, requests: Sequence[Request], calibration: Samples) -> None:
        """Measure ranges, those of percentiles where a request has them."""
        base = Base(folder)
        _refuse_integers_of_select_tf_ops(base.content, requests)
        base.calibrate(lambda: _batches(graph, calibration), [request.numbers for request in requests])

    def layers(self, folder: Path) -> tuple[Layer, ...]:
        """Convolutions, matrix products and tables, by the tensor that each writes."""
        return Base(folder).layers

    def quantize(self, folder: Path, request: Request) -> str:
        """Write one file, and load it. A layer that cannot have its precision has the next of `layer_precisions`."""
        base, scheme = Base(folder), request.numbers
        with naming(request):
            plain = scheme.precisions | {request.interface} == {"float32"}
            model = flatbuffer.read_model(base.content) if plain else _quantized(base, request)
            add_metadata(model, request)
            write_file(request.path, flatbuffer.packed(model))
            append_files(request.path, request.about.files)
            _check_interface(self.open(request.path), base.float_edges, request)
        return "" if plain else base.engine(scheme)

    def stored(self, path: Path) -> dict[str, int]:
        model = flatbuffer.read_model(path.read_bytes())
        found: Counter[str] = Counter()
        for subgraph in model.subgraphs:
            for tensor in subgraph.tensors:
                if model.buffers[tensor.buffer].data is not None:
                    found[flatbuffer.type_name(tensor.type)] += math.prod(map(int, tensor.shape))
        return dict(found)

    def open(self, path: Path, threads: int | None = None) -> TFLiteRunner:
        """Load with XNNPACK, as an app does."""
        return TFLiteRunner(path, threads)


def _batches(graph: Graph, calibration: Samples) -> Iterator[dict[str, Array]]:
    """Samples in the model's own batch size, element types, names and order."""
    for _, _, batch in batches(graph.inputs, calibration, CALIBRATION_BATCH):
        yield {spec.name: np.asarray(batch[spec.name], spec.dtype) for spec in graph.inputs}


def _quantized(base: Base, request: Request) -> Any:
    model = base.quantized(request.numbers, request.interface)
    if not request.allow_float_operators:
        refuse_float_operators(base.left_in_float(model, request.numbers), request)
    return base.finished(model, request.interface)


def _refuse_integers_of_select_tf_ops(base: memoryview, requests: Sequence[Request]) -> None:
    needed = flatbuffer.select_tf_ops(base)
    if needed:
        with naming(requests[0]):
            raise ConversionError(
                f"{requests[0].precision} needs value ranges, and nothing here can run the model's Select TF ops "
                f"({', '.join(needed)}) to measure them; choose another precision"
            )


def _check_interface(runner: TFLiteRunner, floats: Sequence[bool], request: Request) -> None:
    """Refuse a file with another element type at an edge that is float in the float file."""
    edges = zip((*runner.inputs, *runner.outputs), floats, strict=True)
    other = [edge for edge, was_float in edges if was_float and edge.dtype != request.interface]
    if other:
        raise ConversionError(
            f"{other[0].name!r} stays {other[0].dtype}, since no operator of the "
            f"{request.numbers.precision} model reads or writes it; leave it out of the model's inputs and outputs, or "
            "ask for another interface"
        )
