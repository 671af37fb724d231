"""The folder of a converted model, and the files that are made of it.

base.tflite          the float file
quantizable.tflite   the same without what no quantizer knows, where that makes a difference
ranges.json          what tensors' scales have to hold, by how that was measured
int8.ENGINE          the int8 file, made by the engine whose one is better
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_export.errors import ConversionError, OutputError
from mobile_export.formats import flatbuffer, tflite_edges
from mobile_export.formats.format import Layer
from mobile_export.formats.tflite_layers import CHANNELS, Operation, Operations
from mobile_export.formats.tflite_quality import Quality, as_rows, first, quality
from mobile_export.formats.tflite_rewrites import ease_quantization, keep_integers, use_integer_kernels
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.clipping import least_error
from mobile_export.quantize.engines import quantize, quantize_with_tensorflow
from mobile_export.quantize.litert_ranges import Batches, Ranges, extremes, percentiles
from mobile_export.quantize.recipes import EVERYTHING, recipe, scopes
from mobile_export.quantize.scheme import INTEGERS, Scheme

BASE, _QUANTIZABLE, _RANGES = "base.tflite", "quantizable.tflite", "ranges.json"

LITERT, TENSORFLOW = "litert-quantizer", "tensorflow"
"""The engines."""
_ENGINES = (LITERT, TENSORFLOW)
COMPARED = 32
"""Calibration samples on which the two engines are compared."""


@dataclass(frozen=True)
class Base:
    """A converted model.

    Attributes:
        folder: where its files are; `BASE` is there from the beginning.
    """

    folder: Path
    _read: dict[bool, Operations] = field(default_factory=dict, init=False)

    def create(self, content: bytes) -> None:
        """Put the float file there; whatever there was of another is gone.

        Raises:
            OutputError: the folder cannot be written.
        """
        for path in (self.folder / _QUANTIZABLE, self.folder / _RANGES, *map(self._int8, _ENGINES)):
            path.unlink(missing_ok=True)
        write_file(self.folder / BASE, content)

    def calibrate(self, batches: Batches, schemes: Sequence[Scheme]) -> None:
        """Measure what `schemes` need, and for int8 which engine does better.

        Raises:
            ConversionError: the model cannot run, or a tensor reaches infinity or NaN.
        """
        model = flatbuffer.read_model(flatbuffer.map_file(self.folder / BASE))
        resized = tflite_edges.has_dynamic_sizes(model)
        if resized:
            batch = next(iter(batches()))
            tflite_edges.set_default_shapes(model, [batch[name].shape for name in tflite_edges.names(model)[0]])
        if ease_quantization(model) or resized:
            write_file(self.folder / _QUANTIZABLE, flatbuffer.packed(model))
        content = self._float_file(integers=True)
        compared = list(first(batches(), COMPARED))
        answered: dict[int, Mapping[str, Array]] = {}

        def keep(number: int, outputs: Mapping[str, Array]) -> None:
            if number < len(compared):
                answered[number] = outputs

        ranges = {"minmax": extremes(content, tflite_edges.SIGNATURE, batches, keep)}
        if any(scheme.ranges == "percentile" for scheme in schemes):
            ranges["percentile"] = percentiles(content, tflite_edges.SIGNATURE, batches, ranges["minmax"])
        (self.folder / _RANGES).write_text(json.dumps(ranges), encoding="utf-8")
        if any("int8" in scheme.precisions for scheme in schemes) and ranges["minmax"]:
            outputs = tflite_edges.names(model)[1]
            self._choose_engine(compared, as_rows(outputs, list(answered.values()), compared))

    def quantized(self, scheme: Scheme, interface: str) -> Any:
        """The model of `scheme`; its edges are of the element type that `finished` makes those of `interface` from.

        Raises:
            ConversionError: a layer is not known, ranges were not measured, or the quantizer refuses the model.
        """
        if scheme == Scheme("int8") and self._int8(self.engine(scheme)).exists():
            return flatbuffer.read_model(flatbuffer.map_file(self._int8(self.engine(scheme))))
        edges = _edges(scheme, interface)
        integers = bool(scheme.precisions & INTEGERS.keys()) or edges != "float32"
        ranges = self._ranges(scheme) if integers else None
        content = self._float_file(integers)
        if ranges == {}:  # nothing in it is float
            return flatbuffer.read_model(content)
        planned = self._operations(integers).precisions(scheme)
        rules = recipe(_parts(planned), scheme, edges)
        weights = _clipped(planned, scheme) if scheme.weights == "mse" else {}
        try:
            return _in_integers(quantize(content, rules, ranges, weights))
        except ConversionError as error:
            if not integers or len(self._operations(integers).model.subgraphs) == 1:
                raise
            raise ConversionError(
                f"litert-quantizer makes no such file of a model with loops or branches ({error}); choose another "
                "precision, or int8 throughout"
            ) from error

    def left_in_float(self, model: Any, scheme: Scheme) -> list[str]:
        """The operators of `quantized` that compute in float and were to compute in integers."""
        if not scheme.precisions & INTEGERS.keys():
            return []
        planned = self._operations(integers=True).precisions(scheme)
        floats = {operation.name for operation, precision in planned.items() if precision not in INTEGERS}
        return flatbuffer.float_operators(model, floats)

    def finished(self, model: Any, interface: str) -> Any:
        """The model of `quantized` with the wanted element type at its edges, and public names."""
        model.metadata = []  # the oldest runtime for the float operators; says nothing of the quantized ones
        tflite_edges.set_interface(model, interface)
        tflite_edges.publish(model, *tflite_edges.names(self._operations(integers=False).model))
        return model

    def engine(self, scheme: Scheme) -> str:
        """What makes the file of `scheme`: the engine that was measured to be better, or the only one."""
        return TENSORFLOW if scheme == Scheme("int8") and self._int8(TENSORFLOW).exists() else LITERT

    @property
    def content(self) -> memoryview:
        """The float file."""
        return self._float_file(integers=False)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Of the float file."""
        return self._operations(integers=False).layers

    @property
    def float_edges(self) -> list[bool]:
        """Whether each input, and then each output, is float32."""
        main = self._operations(integers=False).model.subgraphs[0]
        return [main.tensors[i].type == flatbuffer.schema().TensorType.FLOAT32 for i in (*main.inputs, *main.outputs)]

    def _float_file(self, integers: bool) -> memoryview:
        """What others are made of."""
        eased = integers and (self.folder / _QUANTIZABLE).exists()
        return flatbuffer.map_file(self.folder / (_QUANTIZABLE if eased else BASE))

    def _operations(self, integers: bool) -> Operations:
        """Those of the float file; never written to."""
        if integers not in self._read:
            self._read[integers] = Operations(flatbuffer.read_model(self._float_file(integers)))
        return self._read[integers]

    def _ranges(self, scheme: Scheme) -> Ranges:
        path = self.folder / _RANGES
        measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if scheme.ranges not in measured:
            raise ConversionError(
                f"{scheme.precision} needs representative samples; name them in [data] calibration"
                if not measured
                else f"ranges of {scheme.ranges} were not measured"
            )
        return {name: (low, high) for name, (low, high) in measured[scheme.ranges].items()}

    def _choose_engine(self, batches: Sequence[Mapping[str, Array]], expected: Sequence[Array]) -> None:
        """Make the int8 file. TensorFlow's engine, which takes long, is tried where the other's file is not enough."""
        for engine in _ENGINES:
            self._int8(engine).unlink(missing_ok=True)
        found: dict[str, Quality] = {}
        for engine, make in ((LITERT, self._made_by_litert), (TENSORFLOW, self._made_by_tensorflow)):
            with suppress(ConversionError):  # each fails on something: litert-quantizer on loops, for one
                made = make()
                left = len(flatbuffer.float_operators(made))
                write_file(self._unfinished(engine), flatbuffer.packed(made))
                write_file(self._candidate, flatbuffer.packed(self.finished(made, "float32")))
                found[engine] = quality(self._candidate, left, expected, batches)
            if engine in found and found[engine].is_enough:
                break
        if found:
            best = min(found, key=lambda engine: found[engine].rank)
            self._unfinished(best).replace(self._int8(best))
        for path in (self._candidate, *map(self._unfinished, _ENGINES)):
            path.unlink(missing_ok=True)

    def _made_by_litert(self) -> Any:
        return self.quantized(Scheme("int8"), "int8")

    def _made_by_tensorflow(self) -> Any:
        model = flatbuffer.read_model(self._float_file(integers=True))
        flatbuffer.set_ranges(model, self._ranges(Scheme("int8")))
        return _in_integers(quantize_with_tensorflow(flatbuffer.write_model(model)))

    @property
    def _candidate(self) -> Path:
        return self.folder / "candidate.tflite"

    def _unfinished(self, engine: str) -> Path:
        return self.folder / f"{engine}.unfinished"

    def _int8(self, engine: str) -> Path:
        return self.folder / f"int8.{engine}"


def _edges(scheme: Scheme, interface: str) -> str:
    """The element type that the quantizer gives a file's inputs and outputs.

    Those of a mixture with a float32 interface stay float, so that each layer takes an input as finely as it can.
    """
    if not scheme.layers and scheme.precision in INTEGERS:
        return INTEGERS[scheme.precision]
    return {"uint8": "int8"}.get(interface, interface)


def _parts(planned: Mapping[Operation, str]) -> dict[str, str]:
    """Precision → regular expression of its operators."""
    if len(set(planned.values())) == 1:
        return dict.fromkeys(planned.values(), EVERYTHING)
    operators: dict[str, list[str]] = {}
    for operation, precision in planned.items():
        operators.setdefault(precision, []).append(operation.scope)
    return {precision: scopes(found) for precision, found in operators.items()}


def _clipped(planned: Mapping[Operation, str], scheme: Scheme) -> dict[str, dict[str, Any]]:
    """Ranges of the weights that become integers, by tensor name."""
    found = {}
    for operation, precision in planned.items():
        if operation.weights and operation.kind in CHANNELS and precision not in ("float16", "float32"):
            name, values = operation.weights
            kept = (CHANNELS[operation.kind],) if scheme.per_channel else ()
            clip = least_error(values, kept, 7 if precision == "weight_int4" else 127)
            found[name] = {"min": -clip, "max": clip}
    return found


def _in_integers(content: bytes | bytearray) -> Any:
    """The model of what a quantizer wrote, without float operators that need not be."""
    model = flatbuffer.read_model(content)
    use_integer_kernels(model)
    keep_integers(model)
    return model


def write_file(path: Path, content: flatbuffer.Content) -> None:
    """Write `content`.

    Raises:
        OutputError: that is not possible.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
