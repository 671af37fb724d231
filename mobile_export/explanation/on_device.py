"""Explaining what one built file answers on a device: the operators that compute something else there than here."""

import tempfile
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export import workers
from mobile_export.data import Wanted, read_samples
from mobile_export.devices import DEVICES, device_named
from mobile_export.errors import TargetError
from mobile_export.explanation.sources import Source, format_of, prepared_samples, published_folder, source_of
from mobile_export.formats import FORMATS
from mobile_export.graphs.graph import TensorSpec
from mobile_export.samples import Samples
from mobile_export.target import DataSource
from mobile_export.watching.differing import SAMPLES, Differing, differing


@dataclass(frozen=True)
class DeviceExplanation:
    """A file on a device against the same file here.

    Attributes:
        device: its name.
        runtime: what ran the file there.
        samples: how many were run.
        data: where they come from.
        operators: those that compute something else there, worst first.
        note: what else has to be said; may be empty.
    """

    file: Path
    device: str
    runtime: str
    samples: int
    data: str
    operators: tuple[Differing, ...]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """For JSON, which has no infinity: it is a string there."""
        operators = [
            asdict(found) | ({} if isfinite(found.difference) else {"difference": str(found.difference)})
            for found in self.operators
        ]
        return vars(self) | {"file": self.file.as_posix(), "operators": operators}


def explain_on_device(
    path: Path,
    device: str,
    target: Path | None = None,
    data: Path | None = None,
    samples: int | None = None,
    watcher: workers.Watcher | None = None,
) -> DeviceExplanation:
    """Find the operators of the built file `path` that compute something else on a device than here.

    Args:
        device: as a target's `runs_on` calls it.
        target: the target file that `path` was built from; brings data.
        data: inputs as the file takes them. Default: those of `target`, else those recorded beside the file.
        samples: how many are run; default: `SAMPLES`.

    Raises:
        TargetError: there is no such device, or its operators cannot be watched, or those of the file; or no data.
        MissingToolError: the device is not set up.
        ExportError: the file does not load or run, or the data does not fit.
    """
    there = device_named(device)
    if there.name not in DEVICES[device.partition(":")[0]].names:
        raise TargetError(f"{device} only runs whole files: mobile-export run {path} --device {device}")
    name = format_of(path)
    there.require()
    published = None if data or target else published_folder(path)
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        wanted = target is not None and data is None
        prepared = prepared_samples(target, Path(work), name, None, watcher) if target and wanted else None
        source = source_of(path, data, prepared, published)
        task = workers.Task(f"explain {path.name} on {device}", _explain, (name, path, device, source, samples))
        found: DeviceExplanation = workers.run([task], 1, watcher)[0]
    return found


def _explain(name: str, path: Path, device: str, source: Source, samples: int | None) -> DeviceExplanation:
    """In a worker: a damaged file may end the process that loads it."""
    there = device_named(device)
    count = samples or SAMPLES
    found = differing(name, path, there, _samples(name, path, source, count), most=count)
    runtime = there.runtime(name)
    return DeviceExplanation(path, there.name, runtime, found.samples, source.said, found.operators, found.note)


def _samples(name: str, path: Path, source: Source, count: int) -> Samples:
    """Real values by public input name."""
    edges = FORMATS[name].open(path).inputs
    dtypes = [edge.dtype if edge.scale is None else "float32" for edge in edges]
    specs = [TensorSpec(source.prefix + e.name, e.name, dtype, e.shape) for e, dtype in zip(edges, dtypes, strict=True)]
    _, drawn = read_samples(DataSource(source=source.path, samples=count), Wanted(tuple(specs)))
    batches = list(drawn)
    return {spec.tensor: np.concatenate([batch[spec.name] for batch in batches]) for spec in specs}
