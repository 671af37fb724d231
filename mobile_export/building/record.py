"""The record from which `unchanged` answers the next run of the same command."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mobile_export.building.build import Outcome
from mobile_export.environment import code_version, own_files
from mobile_export.errors import ExportError
from mobile_export.incremental.digests import known_sha256
from mobile_export.incremental.unchanged import FILE, FOLDER, PACKAGES, PLACE, Seen, look, remember
from mobile_export.kernels.header import FILE_NAME as HEADER
from mobile_export.kernels.published import has_header
from mobile_export.planning.devices import NO_OVERRIDES, Overrides
from mobile_export.planning.plan import load_targets, plan
from mobile_export.planning.reads import reads_of
from mobile_export.published.artifact_files import files_of
from mobile_export.published.integrity import artifact_problem, unknown_files
from mobile_export.published.manifest import FILE_NAME, KINDS, Manifest, load_manifest
from mobile_export.target import Target


def record(
    arguments: Sequence[str],
    outcomes: Sequence[Outcome],
    printed: Sequence[tuple[str, str]],
    written: Sequence[Path] = (),
    overrides: Overrides = NO_OVERRIDES,
) -> bool:
    """Remember that the command need not run again; whether that can be told.

    What lies there is looked at first. Then everything is planned once more, and must be what was built: so whatever
    changes meanwhile either shows here, or differs from the record.

    Args:
        arguments: the command.
        outcomes: how it ended, a target each.
        printed: what it prints when nothing has changed: `out` or `err`, and a line.
        written: files that it has written besides.
        overrides: what it says instead of the target files.
    """
    begun = time.time_ns()
    try:
        seen: list[Seen] = [look(FILE, str(path.absolute())) for path in written]
        for outcome in outcomes:
            planned, folder, manifest = outcome.planned, outcome.folder, outcome.manifest
            if planned is None or folder is None or manifest is None or manifest.gate == "warn":
                return False
            if planned.is_guesswork:
                return False  # code of the user makes the samples, or imports what nobody knows
            seen += [*look_at_inputs(planned.path, planned.target), *_outputs(folder.absolute(), manifest)]
            code_version.cache_clear()
            ((path, target),) = load_targets([planned.path], overrides=overrides)
            if plan(path, target) != planned or not _is_whole(folder, manifest, seen):
                return False
        seen += look_at_tools()
    except (ExportError, OSError):
        return False  # something is being changed, or cannot be looked at: the next build finds out by itself
    return remember(arguments, begun, printed, list(dict.fromkeys(seen)))


def look_at_inputs(path: Path, target: Target) -> Iterator[Seen]:
    """What a build of the target at `path` reads, and where another file would be read.

    Raises:
        ModelError: something is missing.
        OSError: it cannot be read.
    """
    reads = reads_of(path, target)
    yield look(PLACE, str(path.absolute()))  # the target's paths count from where it really lies
    for file in reads.files:
        yield look(FILE, str(file), lambda path: known_sha256(Path(path)))
    for gap in reads.gaps:
        yield look(FILE, str(gap))
    for folder in reads.folders:
        yield look(FOLDER, str(folder))


def look_at_tools() -> Iterator[Seen]:
    """Our own code, and whatever packages there are.

    Raises:
        OSError: Python's path has what cannot be read.
    """
    own = own_files()
    for path in own:
        yield look(FILE, str(path))
    for path in dict.fromkeys(path.parent for path in own):
        yield look(FOLDER, str(path))
    for place in dict.fromkeys(sys.path):
        yield look(PACKAGES, os.path.abspath(place))  # noqa: PTH100  "" is the current folder


def _outputs(folder: Path, manifest: Manifest) -> Iterator[Seen]:
    artifacts = (file for entry in manifest.artifacts for file in files_of(folder / entry.file))
    for path in (folder / FILE_NAME, folder / HEADER, *(folder / name for name in manifest.beside), *artifacts):
        yield look(FILE, str(path))
    for kind in KINDS:  # one that is not there is seen, too
        for below in (folder / kind, *(path for path in (folder / kind).rglob("*") if path.is_dir())):
            yield look(FOLDER, str(below))


def _is_whole(folder: Path, manifest: Manifest, seen: Sequence[Seen]) -> bool:
    """Whether the published files, as they were seen, are those of the manifest, with nothing among them."""
    digests = {Path(path): digest for kind, _, digest, path in seen if kind == FILE}
    files = manifest.beside | {entry.file: entry.sha256 for entry in manifest.artifacts}
    folders = [entry for entry in manifest.artifacts if (folder / entry.file).is_dir()]
    return (
        all(digests.get(folder.absolute() / name, digest) == digest for name, digest in files.items())
        and not any(artifact_problem(folder, entry) for entry in folders)
        and not any(unknown_files(folder, manifest))
        and has_header(manifest, folder)
        and load_manifest(folder) == manifest
    )
