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
from mobile_export.formats.public_names import with_public_names
from mobile_export.formats.tflite_rewrites import ease_quantization, keep_integers
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.graph import Graph, short, total_bytes
from mobile_export.quantize.engines import calibrate, quantize, quantize_with_tensorflow
from mobile_export.quantize.recipes import DYNAMIC, FLOAT16, INT8
from mobile_export.runner import batches
from mobile_export.samples import Samples
from mobile_export.session import import_tensorflow
from mobile_export.tensors import Array
from mobile_export.transforms.element_shapes import fix_element_shapes
from mobile_export.transforms.propagate_constants import propagate_constants
from mobile_export.transforms.tensor_arrays import replace_tensor_arrays

CALIBRATION_BATCH = 16
"""Samples calibrated at once where the batch is dynamic."""
_FLEX = (
    ", unless Select TF ops are allowed with allow_select_tf_ops = true in each tflite artifact (adds the Flex library "
    "to the app; cannot be checked here)"
)


class TFLite:
    """One self-contained .tflite file; its `serving_default` signature has the public names.

    Its operators are TensorFlow Lite's builtin ones, and TensorFlow's own where all files that are asked for allow it.
    """

    suffix = ".tflite"
    folder = False
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
        base = convert(graph, all(request.allow_select_tf_ops for request in requests))
        _refuse_int8_of_select_tf_ops(base, requests)
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


def convert(graph: Graph, allow_select_tf_ops: bool = False) -> bytes:
    """The float32 file of `graph`, with signature and public names.

    Args:
        allow_select_tf_ops: whether TensorFlow's own operators may be used when the builtin ones do not suffice.

    Raises:
        ConversionError: TensorFlow Lite lacks an operator, or the graph is too large for it.
    """
    if total_bytes(graph.constants) > flatbuffer.MAX_BYTES:
        raise ConversionError("the model is larger than 2 GB, which is all that a .tflite file can hold")
    unknown = [spec.name for spec in graph.inputs if spec.shape is None]
    if unknown:
        raise ConversionError(f"the input {unknown[0]!r} has no known rank; give its shape in [[model.inputs]]")
    graph = with_public_names(graph)  # nodes of loops, which the converter rewrites, are no outputs for it
    graph = _with_fixed_lists(graph)
    kinds = import_tensorflow().lite.OpsSet
    try:
        content = _run(graph, [kinds.TFLITE_BUILTINS])
    except ConversionError:
        if not allow_select_tf_ops:
            raise
        content = _run(graph, [kinds.TFLITE_BUILTINS, kinds.SELECT_TF_OPS])
    model = flatbuffer.read_model(content)
    _publish(model, graph)
    return flatbuffer.write_model(model)


def _with_fixed_lists(graph: Graph) -> Graph:
    """What loops collect in the terms of the converter: in lists of fixed size with elements of fixed shape."""
    fixed = fix_element_shapes(replace_tensor_arrays(graph))
    if 0 < _arrays(fixed) < _arrays(graph):  # how many a loop collects may be what another one has collected
        return _with_fixed_lists(propagate_constants(fixed))
    return fixed


def _arrays(graph: Graph) -> int:
    return sum(node.op == "TensorArrayV3" for node in graph.nodes.values())


def _run(graph: Graph, operators: Sequence[Any]) -> bytes:
    tensorflow = import_tensorflow()
    from tensorflow.lite.python.convert import ConverterError

    converter = tensorflow.compat.v1.lite.TFLiteConverter(
        graph.to_graph_def(),
        None,
        None,
        input_arrays_with_shape=[(short(spec.tensor), spec.shape) for spec in graph.inputs],
        output_arrays=[short(spec.tensor) for spec in graph.outputs],
    )
    converter.exclude_conversion_metadata = True  # TensorFlow's version and options, of no use to an app
    converter.target_spec.supported_ops = operators
    try:
        converted: bytes = converter.convert()
    except (ConverterError, ValueError) as error:
        raise _explained(str(error), graph) from error
    return converted


def _explained(message: str, graph: Graph) -> ConversionError:
    """One sentence for what MLIR says in dozens of lines, with the nodes that it names."""
    refused: dict[str, str] = {}
    for line in message.splitlines():
        operator = re.search(r"error: .*'tf\.(\w+)' op is neither|failed to legalize operation 'tf\.(\w+)'", line)
        if operator:
            nodes = [name for name in re.findall(r'"([^"]*)"', line.split("'tf.")[0]) if not name.endswith(":")]
            node = nodes[0].partition("@")[0] if nodes else ""
            refused[(operator[1] or operator[2]) + (f" (node {node!r})" if node else "")] = node
    if not refused and "Lowering tensor list ops is failed" in message:
        lists = [node for node in graph.nodes.values() if node.op in ("EmptyTensorList", "TensorListReserve")]
        refused = {f"{node.op} (node {node.name!r})": node.name for node in lists}
    if not refused:
        return ConversionError(f"the TensorFlow Lite converter failed: {message.strip().splitlines()[0]}")
    if any(operator.startswith(("TensorArray", "TensorList")) for operator in refused):
        return _loop_refused(list(refused), graph)
    types = " on float64" if "f64>" in message else ""
    flex = _FLEX if "TF Select ops:" in message and "Custom ops:" not in message else ""  # it does not have these
    return ConversionError(
        f"TensorFlow Lite has no operator for {', '.join(refused)}{types}{flex}", nodes=filter(None, refused.values())
    )


def _loop_refused(refused: Sequence[str], graph: Graph) -> ConversionError:
    """What to do about `refused`, operators on lists: it has none, and makes tensors of lists where it can."""
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    said = f"TensorFlow Lite has no operator for {', '.join(refused[:3])}{more}: it runs such a loop only where "
    dynamic = [spec.name for spec in graph.inputs if -1 in (spec.shape or ())]
    if dynamic:
        return ConversionError(
            f"{said}all sizes are fixed; give {', '.join(map(repr, dynamic))} a shape without -1 in [[model.inputs]], "
            "such as a batch of 1"
        )
    return ConversionError(
        f"{said}it is known beforehand how many elements of what shape the loop collects; name inputs and outputs that "
        "leave it out, or choose another format"
    )


def _refuse_int8_of_select_tf_ops(base: bytes, requests: Sequence[Request]) -> None:
    needed = flatbuffer.select_tf_ops(base)
    for request in requests:
        if needed and request.precision == "int8":
            raise ConversionError(
                f"artifact {request.artifact!r}: int8 needs value ranges, and nothing here can run the model's Select "
                f"TF ops ({', '.join(needed)}) to measure them; choose another precision"
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
    for _, _, batch in batches(graph.inputs, calibration, CALIBRATION_BATCH):
        yield {spec.name: np.asarray(batch[spec.name], spec.dtype) for spec in graph.inputs}


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
