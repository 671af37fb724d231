"""Explaining one built file: finds the float file and the samples, and compares layer by layer in a worker."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import TargetError
from mobile_export.explanation.comparison import NETWORKS, Compared, LayerError, Source, compare
from mobile_export.formats import FORMATS, Request
from mobile_export.pipeline import prepare, write
from mobile_export.planning.plan import load_targets
from mobile_export.published.manifest import FILE_NAME, GOLDEN, Manifest, load_manifest
from mobile_export.samples import load_samples, save_samples
from mobile_export.sampling import PARITY, outside, ready
from mobile_export.target import Target

SAMPLES = 32
"""How many are run where nobody says."""

ASSETS = "assets"
"""Where files lie in a published folder."""
_READY = "ready.npz"


@dataclass(frozen=True)
class Explanation:
    """A file against the float file.

    Attributes:
        against: the float file, or how it was made.
        samples: how many were run.
        data: where they come from.
        layers: those that both files have, worst first.
        note: what could not be measured, and why; empty where all was.
    """

    file: Path
    against: str
    samples: int
    data: str
    layers: tuple[LayerError, ...]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """For JSON, which has no infinity: it is a string there."""
        return {
            "file": self.file.as_posix(),
            "against": self.against,
            "samples": self.samples,
            "data": self.data,
            "note": self.note,
            "layers": [_finite(vars(layer)) | {"reasons": [vars(r) for r in layer.reasons]} for layer in self.layers],
        }


def explain_file(
    path: Path,
    against: Path | None = None,
    target: Path | None = None,
    data: Path | None = None,
    samples: int | None = None,
    watcher: workers.Watcher | None = None,
) -> Explanation:
    """Compare the built file `path` with the float file, layer by layer.

    Args:
        against: the float32 file. Default: that of the published folder in which `path` lies, else one of `target`.
        target: the target file that `path` was built from; brings the float file, and data.
        data: inputs as the file takes them. Default: those of `target`, else those recorded beside the file.
        samples: how many are run; default: `SAMPLES`.

    Raises:
        TargetError: the file's kind is not explained, or there is no float file, or no data.
        ExportError: a file does not load or is of another model, or the data does not fit.
    """
    name = _format_of(path)
    published = None if against and (data or target) else _published(path)
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        baseline = against or _published_float(published, name)
        made = None if baseline is not None else Path(work, f"float32{FORMATS[name].suffix}")
        said = f"the float32 file of {target}" if baseline is None else str(baseline)
        prepared = None
        if target is not None:
            prepared = _prepared(target, Path(work), name, made, watcher)
            baseline = baseline or made
        if baseline is None:
            raise TargetError(
                f"{path}: there is nothing to compare it with; name the float32 file with --against, or the target "
                "that it was built from with --target"
            )
        _format_of(baseline, name)
        source = _source(path, data, prepared, published)
        task = workers.Task(f"explain {path.name}", compare, (name, path, baseline, source, samples or SAMPLES))
        found: Compared = workers.run([task], 1, watcher)[0]
    return Explanation(path, said, found.samples, source.said, found.layers, found.note)


def _format_of(path: Path, wanted: str | None = None) -> str:
    suffixes = {FORMATS[name].suffix: name for name in NETWORKS}
    name = suffixes.get(path.suffix)
    if name is None or wanted not in (None, name):
        known = ", ".join(suffixes) if wanted is None else FORMATS[wanted].suffix
        raise TargetError(f"{path}: is not a kind of file that is compared here layer by layer; known: {known}")
    if not path.is_file():
        raise TargetError(f"{path}: no such file")
    return name


def _published(path: Path) -> tuple[Path, Manifest] | None:
    """The published folder in which `path` lies, if it is one of its files.

    Raises:
        ModelError: its manifest is damaged.
    """
    for folder in path.absolute().parents:
        inside = path.absolute().relative_to(folder)
        if inside.parts[0] == ASSETS and (folder / FILE_NAME).is_file():
            return folder, load_manifest(folder)
    return None


def _published_float(published: tuple[Path, Manifest] | None, name: str) -> Path | None:
    if published is None:
        return None
    folder, manifest = published
    plain = [e for e in manifest.artifacts if e.format == name and e.scheme.precision == "float32"]
    return next((folder / entry.file for entry in plain if (folder / entry.file).is_file()), None)


def _source(path: Path, data: Path | None, prepared: Source | None, published: tuple[Path, Manifest] | None) -> Source:
    if data is not None:
        return Source(data, str(data))
    if prepared is not None:
        return prepared
    golden = None if published is None else published[0] / GOLDEN
    if golden is None or not golden.is_file():
        raise TargetError(f"{path}: there are no samples to run; name some with --data, or its target with --target")
    return Source(golden, f"the inputs in {golden}", prefix="inputs/")


def _prepared(path: Path, work: Path, name: str, made: Path | None, watcher: workers.Watcher | None) -> Source:
    """The target's samples, which go to `work`; leaves its float file at `made`."""
    target = load_targets([path], None)[0][1]
    task = workers.Task(f"prepare {target.name}", _prepare, (target, work, name, made), target.model.source)
    workers.run([task], 1, watcher)
    has_data = target.data.evaluation is not None or target.data.calibration is not None
    said = f"the data of {path}" if has_data else f"random inputs, since {path} names no data"
    return Source(work / _READY, said)


def _prepare(target: Target, work: Path, name: str, made: Path | None) -> None:
    """In a worker: the samples as the target's files take them, and the float file where one is wanted."""
    prepared = prepare(target, work)
    save_samples(work / _READY, ready(load_samples(work / PARITY), outside(target), prepared.inputs))
    if made is not None:
        write(name, work, [Request("float32", made)])


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(v) if isinstance(v, float) and not isfinite(v) else v for key, v in values.items()}
