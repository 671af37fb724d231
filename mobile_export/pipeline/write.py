"""Files of one format, and what a search of its precisions shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mobile_export.advice import naming_cuts
from mobile_export.formats import FORMATS, QUANTIZABLE, Layer, Request
from mobile_export.graphs.graph import Graph
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
    graph = _convertible(folder)
    if kernels is not None:
        graph = without_newer_defaults(graph, load_runtime(kernels))
    with naming_cuts(graph):
        return FORMATS[format_name].write(graph, requests, _calibration(folder))


def convert(format_name: str, folder: Path, shared: Path, requests: Sequence[Request]) -> tuple[Layer, ...]:
    """Leave in `shared` what all candidates of a search share; the layers of the model.

    Raises:
        ConversionError: the converter failed.
    """
    graph = _convertible(folder)
    with naming_cuts(graph):
        searched = QUANTIZABLE[format_name]
        shared.mkdir(exist_ok=True)
        searched.convert(graph, shared, requests, _calibration(folder))
    return searched.layers(shared)


def _convertible(folder: Path) -> Graph:
    graph = Graph.load(folder / OPTIMIZED)
    refuse_unlisted(graph, RUNNABLE)  # converters run parts of it
    return graph


def _calibration(folder: Path) -> Samples | None:
    return map_samples(folder / CALIBRATION) if (folder / CALIBRATION).exists() else None
