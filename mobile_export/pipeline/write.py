"""Files of one format, and what a search of its precisions shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mobile_export.advice import naming_cuts
from mobile_export.formats import FORMATS, QUANTIZABLE, Layer, Request
from mobile_export.formats.refusals import refuse_too_large
from mobile_export.graphs.graph import Graph, total_bytes
from mobile_export.graphs.ops import RUNNABLE
from mobile_export.graphs.safety import refuse_unlisted
from mobile_export.kernels.attributes import without_newer_defaults
from mobile_export.kernels.runtimes import load_runtime
from mobile_export.pipeline.work import OPTIMIZED
from mobile_export.samples import Samples, map_samples
from mobile_export.sampling import CALIBRATION


def write(
    format_name: str, folder: Path, requests: Sequence[Request], kernels: Path | None = None
) -> Mapping[str, str]:
    """Write files of one format.

    Args:
        kernels: lists the kernels of the phone's TensorFlow, where the target names it.

    Returns:
        What quantized each artifact that is quantized.

    Raises:
        ConversionError: the converter failed.
    """
    graph = _convertible(folder, format_name, requests)
    if kernels is not None:
        graph = without_newer_defaults(graph, load_runtime(kernels))
    with naming_cuts(graph):
        return FORMATS[format_name].write(graph, requests, _calibration(folder))


def convert(format_name: str, folder: Path, shared: Path, requests: Sequence[Request]) -> None:
    """Leave in `shared` the float model that files of one format are made of.

    Raises:
        ConversionError: the converter failed.
    """
    graph = _convertible(folder, format_name, requests)
    shared.mkdir(exist_ok=True)
    with naming_cuts(graph):
        QUANTIZABLE[format_name].convert(graph, shared, requests)


def calibrate(format_name: str, folder: Path, shared: Path, requests: Sequence[Request]) -> None:
    """Add to `shared` the value ranges that `requests` need, where there are samples.

    Raises:
        ConversionError: the model cannot run, or its values have no range.
    """
    graph = _convertible(folder, format_name, requests)
    calibration = _calibration(folder)
    if calibration:
        with naming_cuts(graph):
            QUANTIZABLE[format_name].calibrate(graph, shared, requests, calibration)


def quantize(format_name: str, folder: Path, shared: Path, request: Request) -> str:
    """Write one file of what lies in `shared`; what has quantized it.

    Raises:
        ConversionError: the quantizer refuses the model, or the runtime the file.
    """
    with naming_cuts(_convertible(folder, format_name, [request])):
        return QUANTIZABLE[format_name].quantize(shared, request)


def layers(format_name: str, shared: Path) -> tuple[Layer, ...]:
    """The layers of the model in `shared`."""
    return QUANTIZABLE[format_name].layers(shared)


def _convertible(folder: Path, format_name: str, requests: Sequence[Request]) -> Graph:
    graph = Graph.load(folder / OPTIMIZED)
    wanted = [(request.artifact, format_name) for request in requests]
    refuse_too_large(total_bytes(graph.constants), wanted, FORMATS)
    refuse_unlisted(graph, RUNNABLE)  # converters run parts of it
    return graph


def _calibration(folder: Path) -> Samples | None:
    return map_samples(folder / CALIBRATION) if (folder / CALIBRATION).exists() else None
