"""From a graph to quantized ONNX models: what the formats that hold one have in common.

A graph is converted once and calibrated once. The folder of a conversion holds the float model, and what calibration
saw of its tensors.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mobile_export.formats.format import Layer, Request, calibrated_requests, quantize_all
from mobile_export.formats.onnx_float import convert
from mobile_export.formats.onnx_metadata import add_metadata
from mobile_export.formats.onnx_runner import MOST_BYTES, OnnxRunner, load, optimized, run, serialize, session_options
from mobile_export.formats.refusals import naming, refuse_float_operators
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.clipping import CLIPPINGS
from mobile_export.quantize.onnx_operators import layers_before, weighted_operators
from mobile_export.quantize.onnx_ranges import METHODS, load_histograms, measure, save_histograms
from mobile_export.quantize.onnx_schemes import LAYER_PRECISIONS, apply_scheme
from mobile_export.runner import batches
from mobile_export.samples import Samples

if TYPE_CHECKING:
    from onnx import ModelProto

CALIBRATION_BATCH = 8
"""Samples calibrated at once where the batch is dynamic: all tensors of the model are held at once."""

ENGINE = "mobile-export"
"""What quantizes: our own passes."""

_FLOAT, _RANGES = "float.onnx", "ranges.npz"
_FLOATS = frozenset({"tensor(double)", "tensor(float)", "tensor(float16)"})
_CONVERSIONS = frozenset({"Cast", "DequantizeLinear", "QuantizeLinear"})
_SHAPES = frozenset({"Shape", "Size"})


class OnnxModels(ABC):
    """The members of `Quantizable` that do not depend on how a model is written; what is left is a file's kind."""

    suffix: str
    folder = False
    runtime = "ONNX Runtime"
    tools: Sequence[str] = ("onnx", "onnxruntime", "tensorflow", "tf2onnx")
    room: int | None = MOST_BYTES
    precisions: Mapping[str, Sequence[str]] = {
        "float32": ("float32",),
        "float16": ("float32",),
        "weight_int8": ("float32",),
        "dynamic": ("float32",),
        "int8": ("float32",),
    }
    calibrated: Collection[str] = ("int8",)
    layer_precisions: Sequence[str] = LAYER_PRECISIONS
    choices: Mapping[str, Sequence[str]] = {"ranges": tuple(METHODS), "weights": CLIPPINGS}

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> Mapping[str, str]:
        """Convert once, calibrate once, quantize once a file."""
        calibrated = calibrated_requests(self, requests)
        with tempfile.TemporaryDirectory() as folder:
            with naming(requests[0]):
                self.convert(graph, Path(folder), requests)
                if calibration and calibrated:
                    self.calibrate(graph, Path(folder), calibrated, calibration)
            return quantize_all(self, Path(folder), requests)

    def convert(self, graph: Graph, folder: Path, requests: Sequence[Request]) -> None:
        """Leave the float model in `folder`."""
        (folder / _FLOAT).write_bytes(serialize(convert(graph)))

    def calibrate(self, graph: Graph, folder: Path, requests: Sequence[Request], calibration: Samples) -> None:
        """Leave histograms of the float model's tensors in `folder`."""
        taken = (
            {spec.name: np.asarray(batch[spec.name], spec.dtype) for spec in graph.inputs}
            for _, _, batch in batches(graph.inputs, calibration, CALIBRATION_BATCH)
        )
        save_histograms(folder / _RANGES, measure(_all_tensors(_float_model(folder), taken)))

    def layers(self, folder: Path) -> tuple[Layer, ...]:
        """Operators with weights, named after the tensors that they write."""
        graph = _float_model(folder).graph
        found = weighted_operators(graph)
        before = layers_before(graph, found.__contains__)
        places = {name: place for place, name in enumerate(found)}
        return tuple(
            Layer(
                name,
                layer.node.op_type,
                sum(int(np.prod(tensor.dims)) for tensor in layer.weights.values()),
                tuple(sorted(before[name], key=places.__getitem__)),
            )
            for name, layer in found.items()
        )

    def quantize(self, folder: Path, request: Request) -> str:
        """Write one file once ONNX Runtime loads it; until then it lies beside its place."""
        with naming(request), tempfile.TemporaryDirectory(dir=request.path.parent, prefix=".") as beside:
            unchecked = Path(beside, request.path.name)
            model = quantized(folder, request)
            add_metadata(model, request.about)
            self.save(model, unchecked)
            OnnxRunner(unchecked)
            unchecked.replace(request.path)
        return "" if request.numbers.precisions == {"float32"} else ENGINE

    @abstractmethod
    def stored(self, path: Path) -> dict[str, int]:
        """See `Quantizable`."""

    @abstractmethod
    def save(self, model: "ModelProto", path: Path) -> None:
        """Write a file of this kind."""

    def open(self, path: Path, threads: int | None = None) -> OnnxRunner:
        """Load `path` in ONNX Runtime, with the optimizations of an app's session."""
        return OnnxRunner(path, threads)


def _all_tensors(model: "ModelProto", feeds: Iterator[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
    """Every tensor of the graph, bodies apart, for one batch after the other."""
    from onnx import ValueInfoProto

    outputs = {info.name for info in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in outputs]
    model.graph.output.extend(ValueInfoProto(name=name) for name in inner)
    session = load(serialize(model), session_options(), "the model")
    for feed in feeds:
        yield {**feed, **run(session, feed)}


def quantized(folder: Path, request: Request) -> "ModelProto":
    """The model converted in `folder`, under the scheme of `request`.

    Raises:
        ConversionError: the scheme does not fit the model, or an int8 file would compute in float.
    """
    model = _float_model(folder)
    scheme = request.numbers
    if scheme.precisions == {"float32"}:
        return model
    ranges = folder / _RANGES
    floats = apply_scheme(model.graph, scheme, load_histograms(ranges) if ranges.exists() else {})
    if scheme.precision == "int8" and not request.allow_float_operators:
        left = [f"{operator} ({name!r})" for operator, name in float_operators(model) if name not in floats]
        refuse_float_operators(left, request)
    return model


def _float_model(folder: Path) -> "ModelProto":
    import onnx

    return onnx.load(folder / _FLOAT)


def float_operators(model: "ModelProto") -> list[tuple[str, str]]:
    """The operators that compute on float tensors in ONNX Runtime, and their names, in the order in which they do.

    Conversions are not named: at the edges they are the interface, and inside they surround an operator that is. Nor
    is what reads only a shape.
    """
    fused = optimized(model, "ENABLE_EXTENDED")
    floats = {info.name for info in fused.graph.input if info.type.tensor_type.elem_type in _reals()}
    floats |= _float_results(fused)
    return [
        (node.op_type, node.name)
        for node in fused.graph.node
        if node.op_type not in _CONVERSIONS | _SHAPES and floats & {*node.input, *node.output}
    ]


def _reals() -> set[int]:
    from onnx import TensorProto

    return {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}


def _float_results(fused: "ModelProto") -> set[str]:
    """The tensors that operators of the graph write, bodies apart, as floats; ONNX Runtime knows the types."""
    from onnx import ValueInfoProto

    names = {name for node in fused.graph.node for name in node.output if name}
    del fused.graph.output[:]
    fused.graph.output.extend(ValueInfoProto(name=name) for name in sorted(names))
    options = session_options(1, "DISABLE_ALL")
    options.add_session_config_entry("session.disable_prepacking", "1")
    session = load(serialize(fused), options, "the model")
    return {output.name for output in session.get_outputs() if output.type in _FLOATS}
