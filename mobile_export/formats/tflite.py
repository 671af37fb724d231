"""TensorFlow Lite, called LiteRT today.

The graph is converted to float once; every other precision is made of that file, and every interface of the int8
one. TensorFlow's frozen-graph route is the cheapest and leaves no signature: it is added afterwards.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.errors import ConversionError, OutputError
from mobile_export.formats import flatbuffer, tflite_edges
from mobile_export.formats.format import Request
from mobile_export.formats.tflite_rewrites import ease_quantization, keep_integers
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.graph import Graph, short, total_bytes
from mobile_export.quantize.engines import batched, calibrate, quantize, quantize_with_tensorflow
from mobile_export.quantize.recipes import DYNAMIC, FLOAT16, INT8
from mobile_export.samples import Samples
from mobile_export.session import import_tensorflow
from mobile_export.tensors import Array

CALIBRATION_BATCH = 16
"""Samples calibrated at once where the batch is dynamic."""


class TFLite:
    """One self-contained .tflite file of builtin operators; its `serving_default` signature has the public names."""

    suffix = ".tflite"
    runtime = "LiteRT"
    tools = ("ai-edge-litert", "litert-quantizer", "tensorflow")
    precisions: Mapping[str, Sequence[str]] = {
        "float32": ("float32",),
        "float16": ("float32",),
        "dynamic": ("float32",),
        "int8": ("float32", "int8", "uint8"),
    }
    calibrated: Collection[str] = ("int8",)

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> None:
        """Convert once, calibrate once, quantize once a precision; load each file before it counts as written."""
        base = convert(graph)
        for precision in dict.fromkeys(request.precision for request in requests):
            content = _at_precision(base, precision, graph, calibration)
            for request in (r for r in requests if r.precision == precision):
                if precision == "int8":
                    _refuse_float_operators(content, request)
                _write(request.path, base if content is base else _finished(content, request.interface, graph))
                _check_interface(self.open(request.path), request, graph)

    def open(self, path: Path) -> TFLiteRunner:
        """Load with XNNPACK, as an app does."""
        return TFLiteRunner(path)


def convert(graph: Graph) -> bytes:
    """The float32 file of `graph`, with signature and public names.

    Raises:
        ConversionError: TensorFlow Lite lacks an operator, or the graph is too large for it.
    """
    if total_bytes(graph.constants) > flatbuffer.MAX_BYTES:
        raise ConversionError("the model is larger than 2 GB, which is all that a .tflite file can hold")
    unknown = [spec.name for spec in graph.inputs if spec.shape is None]
    if unknown:
        raise ConversionError(f"the input {unknown[0]!r} has no known rank; give its shape in [[model.inputs]]")
    tensorflow = import_tensorflow()
    converter = tensorflow.compat.v1.lite.TFLiteConverter(
        graph.to_graph_def(),
        None,
        None,
        input_arrays_with_shape=[(short(spec.tensor), spec.shape) for spec in graph.inputs],
        output_arrays=[short(spec.tensor) for spec in graph.outputs],
    )
    converter.exclude_conversion_metadata = True  # TensorFlow's version and options, of no use to an app
    model = flatbuffer.read_model(_run(converter))
    _publish(model, graph)
    return flatbuffer.write_model(model)


def _run(converter: Any) -> bytes:
    from tensorflow.lite.python.convert import ConverterError

    try:
        converted: bytes = converter.convert()
    except (ConverterError, ValueError) as error:
        raise ConversionError(_explain(str(error))) from error
    return converted


def _explain(message: str) -> str:
    """One sentence for what MLIR says in dozens of lines."""
    refused: dict[str, None] = {}
    for line in message.splitlines():
        operator = re.search(r"error: .*'tf\.(\w+)' op is neither|failed to legalize operation 'tf\.(\w+)'", line)
        if operator:
            nodes = [name for name in re.findall(r'"([^"]*)"', line.split("'tf.")[0]) if not name.endswith(":")]
            node = f" (node {nodes[0].partition('@')[0]!r})" if nodes else ""
            refused[(operator[1] or operator[2]) + node] = None
    if not refused:
        return f"the TensorFlow Lite converter failed: {message.strip().splitlines()[0]}"
    types = " on float64" if "f64>" in message else ""
    return (
        f"TensorFlow Lite has no operator for {', '.join(refused)}{types}; "
        "cut them off by naming inputs and outputs that need none of them, or change the model"
    )


def _at_precision(base: bytes, precision: str, graph: Graph, calibration: Samples | None) -> bytes | bytearray:
    if precision == "float32":
        return base
    if precision == "int8":
        if not calibration:
            raise ConversionError("int8 needs representative samples; name them in [data] calibration")
        return _int8(base, list(_calibration_batches(graph, calibration)))
    return quantize(base, {"float16": FLOAT16, "dynamic": DYNAMIC}[precision])


def _calibration_batches(graph: Graph, calibration: Samples) -> Iterator[dict[str, Array]]:
    """Samples in the model's own batch size, element types, names and order."""
    shapes = [spec.shape for spec in graph.inputs]
    fixed = {shape[0] if shape else 1 for shape in shapes if not shape or shape[0] >= 0}
    size = CALIBRATION_BATCH if not fixed else fixed.pop() if len(fixed) == 1 else 1
    for batch in batched({spec.name: calibration[spec.name] for spec in graph.inputs}, size):
        yield {
            spec.name: np.asarray(batch[spec.name] if spec.shape else batch[spec.name][0], spec.dtype)
            for spec in graph.inputs
        }


def _int8(base: bytes, batches: list[dict[str, Array]]) -> bytes:
    """The int8 file that leaves fewest operators in float; TensorFlow's engine is asked only when some are left."""
    model = flatbuffer.read_model(base)
    if tflite_edges.has_dynamic_sizes(model):
        tflite_edges.set_default_shapes(model, [array.shape for array in batches[0].values()])
        base = flatbuffer.write_model(model)
    if ease_quantization(model):
        base = flatbuffer.write_model(model)
    ranges = calibrate(base, tflite_edges.SIGNATURE, batches)
    if not ranges:
        return base
    flatbuffer.set_ranges(model, ranges)
    try:
        content = _integers(quantize(base, INT8, ranges))
    except ConversionError:  # it fails on loops, for one
        return _integers(quantize_with_tensorflow(flatbuffer.write_model(model)))
    left = len(flatbuffer.float_operators(content))
    if left:
        other = _integers(quantize_with_tensorflow(flatbuffer.write_model(model)))
        content = other if len(flatbuffer.float_operators(other)) < left else content
    return content


def _integers(content: bytes | bytearray) -> bytes:
    model = flatbuffer.read_model(content)
    keep_integers(model)
    return flatbuffer.write_model(model)


def _refuse_float_operators(content: bytes | bytearray, request: Request) -> None:
    left = flatbuffer.float_operators(content)
    if left and not request.allow_float_operators:
        raise ConversionError(
            f"artifact {request.artifact!r}: the int8 file would compute in float: {', '.join(left[:5])}"
            f"{f' and {len(left) - 5} more' if len(left) > 5 else ''}; change the model, "
            "choose another precision, or say allow_float_operators = true"
        )


def _check_interface(runner: TFLiteRunner, request: Request, graph: Graph) -> None:
    edges = zip((*runner.inputs, *runner.outputs), (*graph.inputs, *graph.outputs), strict=True)
    other = [e for e, spec in edges if spec.dtype == "float32" and e.dtype != request.interface]
    if other:
        raise ConversionError(
            f"artifact {request.artifact!r}: {other[0].name!r} stays {other[0].dtype}, since no operator of the int8 "
            "model reads or writes it; leave it out of the model's inputs and outputs, or ask for another interface"
        )


def _finished(content: bytes | bytearray, interface: str, graph: Graph) -> bytes:
    """`content` with the wanted element type at its edges, its public names, and all weights inside."""
    model = flatbuffer.read_model(content)
    model.metadata = []  # the oldest runtime for the float operators; says nothing of the quantized ones
    tflite_edges.set_interface(model, interface)
    _publish(model, graph)
    return flatbuffer.write_model(model)


def _publish(model: Any, graph: Graph) -> None:
    tflite_edges.publish(model, [spec.name for spec in graph.inputs], [spec.name for spec in graph.outputs])


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
