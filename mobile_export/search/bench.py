"""One file of a search, as a worker tries it: quantized, run and judged. Nothing here knows why it is tried."""

import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from mobile_export.checks import Measurement
from mobile_export.errors import ConversionError
from mobile_export.executors import Place, opened
from mobile_export.formats import QUANTIZABLE, About
from mobile_export.pipeline import Measured, measure, measure_latency
from mobile_export.planning.plan import request_for
from mobile_export.published.artifact_files import artifact_size
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.trail import Kind, Outcome, Reading
from mobile_export.target import Artifact, Data, Limits, Target


@dataclass(frozen=True)
class Job:
    """What all files of a search have in common.

    Attributes:
        artifact: its precision is `auto`, its format one whose layers may differ.
        frozen_size: bytes of the optimized, frozen float32 graph.
        about: what each file says of the model; its bytes count, too.
    """

    target: Target
    artifact: Artifact
    frozen_size: int
    about: About = field(default_factory=About)

    @property
    def shared(self) -> str:
        """Name of the folder that the format's `convert` leaves in the build's work folder."""
        return f"{self.artifact.name}.shared"


def write_file(place: Place, job: Job, scheme: Scheme, path: Path) -> str:
    """Write the file of `scheme`; what quantized it.

    Args:
        place: the build's work folder.

    Raises:
        ConversionError: the quantizer refuses it.
    """
    request = request_for(job.artifact, path, job.about, scheme)
    return QUANTIZABLE[job.artifact.format].quantize(opened(place) / job.shared, request)


def try_file(place: Place, job: Job, scheme: Scheme, kind: Kind, bound: int | None = None) -> Outcome:
    """Write the file of `scheme`, run it and judge it by all limits but that of its latency.

    Args:
        kind: of a `probe` the answers alone are looked at, without the evaluation data; of a `size`, the bytes.
        bound: bytes from which on a candidate is not run.
    """
    probe = kind == "probe"
    limits = Limits() if probe else job.artifact.limits.model_copy(update={"latency_ratio": None})
    artifact = job.artifact.model_copy(update={"precision": scheme.precision, "limits": limits})
    target = job.target.model_copy(update={"data": Data()}) if probe else job.target
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        path = Path(folder, f"candidate{QUANTIZABLE[artifact.format].suffix}")
        try:
            write_file(place, job, scheme, path)
            size = artifact_size(path)
            if kind == "size":
                return Outcome("counted", size)
            if kind == "candidate" and bound is not None and size >= bound:
                return Outcome("larger", size)
            return _outcome(measure(target, artifact, path, job.frozen_size, opened(place)))
        except ConversionError as error:
            return Outcome("refused", note=str(error))


def _outcome(found: Measured) -> Outcome:
    if found.unchecked is not None:
        return Outcome("refused", found.size, note=found.unchecked)
    readings = tuple(
        _reading(check, measurement)
        for check, measurements in found.results.items()
        for measurement in measurements
        if measurement.limit is not None or measurement.name == "sqnr"
    )
    return Outcome("passed" if found.passed else "missed", found.size, readings)


def time_file(place: Place, job: Job, scheme: Scheme) -> Outcome:
    """The latency of the file of `scheme` against its limit; to be called while nothing else runs."""
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        path = Path(folder, f"timed{QUANTIZABLE[job.artifact.format].suffix}")
        try:
            write_file(place, job, scheme, path)
            ratio = measure_latency(job.target, job.artifact, path, opened(place))
        except ConversionError as error:
            return Outcome("refused", note=str(error))
    limit = job.artifact.limits.latency_ratio
    reading = _reading("latency", Measurement("latency_ratio", ratio, limit, at_least=False))
    return Outcome("passed" if reading.passed else "missed", readings=(reading,))


def _reading(check: str, found: Measurement) -> Reading:
    limit = None if found.limit is None else float(found.limit)
    value = float(found.value) if found.value is not None else math.nan
    return Reading(check, found.name, value, limit, found.at_least, found.passed, found.note, found.unit)
