"""What is looked for before a built file is explained: its format, the folder that it was published in, and samples."""

from dataclasses import dataclass
from pathlib import Path

from mobile_export import workers
from mobile_export.errors import TargetError
from mobile_export.formats import FORMATS, Request
from mobile_export.pipeline import prepare, write
from mobile_export.planning.plan import load_targets
from mobile_export.published.manifest import FILE_NAME, GOLDEN, Manifest, load_manifest
from mobile_export.samples import load_samples, save_samples
from mobile_export.sampling import PARITY, outside, ready
from mobile_export.target import Target
from mobile_export.watching import NETWORKS

ASSETS = "assets"
"""Where files lie in a published folder."""
_READY = "ready.npz"


@dataclass(frozen=True)
class Source:
    """Samples as the files take them: where they are, what to call them, and what their names begin with."""

    path: Path
    said: str
    prefix: str = ""


def format_of(path: Path, wanted: str | None = None) -> str:
    """The format of a file that can be looked into.

    Raises:
        TargetError: it is none, or another one than is wanted, or is not there.
    """
    suffixes = {FORMATS[name].suffix: name for name in NETWORKS}
    name = suffixes.get(path.suffix)
    if name is None or wanted not in (None, name):
        known = ", ".join(suffixes) if wanted is None else FORMATS[wanted].suffix
        raise TargetError(f"{path}: is not a kind of file that is compared here layer by layer; known: {known}")
    if not path.is_file():
        raise TargetError(f"{path}: no such file")
    return name


def published_folder(path: Path) -> tuple[Path, Manifest] | None:
    """The published folder in which `path` lies, if it is one of its files.

    Raises:
        ModelError: its manifest is damaged.
    """
    for folder in path.absolute().parents:
        inside = path.absolute().relative_to(folder)
        if inside.parts[0] == ASSETS and (folder / FILE_NAME).is_file():
            return folder, load_manifest(folder)
    return None


def published_float(published: tuple[Path, Manifest] | None, name: str) -> Path | None:
    """The float32 file of a format in a published folder, if there is one."""
    if published is None:
        return None
    folder, manifest = published
    plain = [e for e in manifest.artifacts if e.format == name and e.scheme.precision == "float32"]
    return next((folder / entry.file for entry in plain if (folder / entry.file).is_file()), None)


def source_of(
    path: Path, data: Path | None, prepared: Source | None, published: tuple[Path, Manifest] | None
) -> Source:
    """Where the samples for the file at `path` come from: the first of these that there is.

    Raises:
        TargetError: there is none.
    """
    if data is not None:
        return Source(data, str(data))
    if prepared is not None:
        return prepared
    golden = None if published is None else published[0] / GOLDEN
    if golden is None or not golden.is_file():
        raise TargetError(f"{path}: there are no samples to run; name some with --data, or its target with --target")
    return Source(golden, f"the inputs in {golden}", prefix="inputs/")


def prepared_samples(path: Path, work: Path, name: str, made: Path | None, watcher: workers.Watcher | None) -> Source:
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
