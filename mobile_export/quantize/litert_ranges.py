"""The ranges that a float .tflite file's tensors take on calibration samples, measured as the samples stream by."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_export import machine
from mobile_export.errors import ConversionError
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.litert import litert
from mobile_export.quantize.scheme import TAIL

Ranges = dict[str, tuple[float, float]]
"""Tensor name → smallest and largest value that its scale has to hold."""
Content = bytes | bytearray | memoryview
"""A .tflite file."""
Batches = Callable[[], Iterable[Mapping[str, Array]]]
"""Gives samples by the names of a signature's inputs, again each time."""
Answered = Callable[[int, Mapping[str, Array]], object]
"""Is told what a model answers to the batch of that number."""

_BINS = 4096
SILENT = (0.0, 1.0)
"""The range of a tensor that was 0 throughout: any holds it, and kernels refuse scales that are tiny beside others."""


def extremes(model: Content, signature: str, batches: Batches, answered: Answered = lambda *_: None) -> Ranges:
    """Run `batches` through a float model and take the extremes of each float tensor.

    Extremes, not a moving average: they do not depend on the order or size of the batches, and nothing seen in
    calibration saturates. Statistics are taken inside the runtime: six times faster than reading every tensor back,
    which is done where the runtime fails at it.

    Args:
        answered: is told the number of each batch, and the model's outputs by their names in the signature.

    Raises:
        ConversionError: the model cannot run, or a tensor reaches infinity or NaN.
    """
    try:
        ranges = _measured_inside(model, signature, batches, answered)
    except (ValueError, RuntimeError):
        ranges = {}
        for values in _observed(model, signature, batches, answered):
            _widen(ranges, values)
    for batch in batches():
        _widen(ranges, batch)  # the runtime reports none of an input that nothing reads
    endless = sorted(name for name, ends in ranges.items() if not np.isfinite(ends).all())
    if endless:
        raise ConversionError(
            f"the tensor {endless[0]!r} reaches infinity or NaN on the calibration samples, so it has no integer scale"
        )
    return {name: ends if ends != (0.0, 0.0) else SILENT for name, ends in ranges.items()}


def percentiles(model: Content, signature: str, batches: Batches, ranges: Ranges) -> Ranges:
    """Where `TAIL` of each tensor's values lie below and above: outliers saturate, the others get finer steps.

    Args:
        ranges: the extremes of the same batches, between which values are counted.

    Raises:
        ConversionError: the model cannot run.
    """
    counts: dict[str, NDArray[np.int64]] = {}
    for values in _observed(model, signature, batches):
        for name, array in values.items():
            if name in ranges:
                counts[name] = counts.get(name, 0) + _counted(array, *ranges[name])
    return ranges | {name: _cut(counted, *ranges[name]) for name, counted in counts.items()}


def _measured_inside(model: Content, signature: str, batches: Batches, answered: Answered) -> Ranges:
    with litert() as tools:
        calibrator = tools.calibrator.Calibrator(
            model,
            num_threads=machine.threads(),
            mode=tools.calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
            qsv_update_func=tools.qsv_utils.min_max_update,
        )
        for number, batch in enumerate(batches()):  # one by one: the calibrator makes a list of what it is given
            calibrator.calibrate({signature: [batch]}, tools.recipe_manager.RecipeManager(), cache_output=True)
            answered(number, *calibrator.get_cached_output())
            calibrator.clear_cached_output()
        found = calibrator.get_model_qsvs()
    return {name: (float(np.min(s["min"])), float(np.max(s["max"]))) for name, s in found.items() if s}


def _observed(
    model: Content, signature: str, batches: Batches, answered: Answered = lambda *_: None
) -> Iterator[dict[str, Array]]:
    """The values of all float tensors, batch by batch."""
    with litert() as tools:  # which silences a warning about memory: that of one batch is affordable
        interpreter = tools.interpreter.Interpreter(
            model_content=bytes(model), num_threads=machine.threads(), experimental_preserve_all_tensors=True
        )
        runner = interpreter.get_signature_runner(signature)
    for number, batch in enumerate(batches()):
        try:
            answered(number, runner(**batch))
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"the float model does not run on the calibration samples: {error}") from error
        yield {d["name"]: interpreter.get_tensor(d["index"]) for d in _float_activations(interpreter)}


def _float_activations(interpreter: Any) -> list[dict[str, Any]]:
    """What an operator writes or an app sets; of the others, a delegate may have taken their memory."""
    written = {index for operator in interpreter._get_ops_details() for index in operator["outputs"]}
    written |= {detail["index"] for detail in interpreter.get_input_details()}
    return [d for d in interpreter.get_tensor_details() if d["index"] in written and d["dtype"] is np.float32]


def _widen(ranges: Ranges, batch: Mapping[str, Array]) -> None:
    for name, array in batch.items():
        if array.dtype.kind == "f":
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(array.min())), max(high, float(array.max()))


def _counted(values: Array, low: float, high: float) -> NDArray[np.int64]:
    """How many values lie in each of `_BINS` equal steps from `low` to `high`."""
    if high <= low:
        return np.bincount([0], [values.size], _BINS).astype(np.int64)
    steps: Any = (np.ravel(values) - np.float32(low)) * np.float32(_BINS / (high - low))
    return np.bincount(np.clip(steps, 0, _BINS - 1).astype(np.int32), minlength=_BINS)


def _cut(counts: NDArray[np.int64], low: float, high: float) -> tuple[float, float]:
    """The ends of the bins behind which `TAIL` of what was counted lies."""
    total = counts.sum()
    if counts.max() == total:
        return low, high
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])
    first, last = np.searchsorted(below, TAIL * total, "right"), np.searchsorted(above, TAIL * total, "right")
    step = (high - low) / _BINS
    return low + step * int(first), high - step * int(last)
