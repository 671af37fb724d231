"""The record from which `unchanged` answers the next run of the same command."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mobile_export.artifact_files import files_of
from mobile_export.build import Outcome
from mobile_export.errors import ExportError
from mobile_export.incremental.digests import known_sha256
from mobile_export.incremental.reads import reads_of
from mobile_export.incremental.unchanged import FILE, FOLDER, PACKAGES, PLACE, Seen, look, remember
from mobile_export.integrity import artifact_problem, unknown_files
from mobile_export.kernels.header import FILE_NAME as HEADER
from mobile_export.kernels.published import has_header
from mobile_export.keys import code_version, own_files
from mobile_export.manifest import FILE_NAME, KINDS, Manifest, load_manifest
from mobile_export.plan import Plan, load_targets, plan


def record(
    arguments: Sequence[str],
    outcomes: Sequence[Outcome],
    printed: Sequence[tuple[str, str]],
    written: Sequence[Path] = (),
) -> bool:
    """Remember that the command need not run again; whether that can be told.

    What lies there is looked at first. Then everything is planned once more, and must be what was built: so whatever
    changes meanwhile either shows here, or differs from the record.

    Args:
        arguments: the command.
        outcomes: how it ended, a target each.
        printed: what it prints when nothing has changed: `out` or `err`, and a line.
        written: files that it has written besides.
    """
    begun = time.time_ns()
    seen: list[Seen] = [look(FILE, str(path.absolute())) for path in written]
    for outcome in outcomes:
        planned, folder, manifest = outcome.planned, outcome.folder, outcome.manifest
        if planned is None or folder is None or manifest is None or manifest.gate == "warn":
            return False
        if planned.generates:
            return False  # code of the user makes the samples, nobody knows from what
        try:
            seen += [*_inputs(planned), *_outputs(folder.absolute(), manifest)]
            code_version.cache_clear()
            ((path, target),) = load_targets([planned.path])
            if plan(path, target) != planned or not _is_whole(folder, manifest, seen):
                return False
        except (ExportError, OSError):
            return False  # something is being changed; the next build finds out
    return remember(arguments, begun, printed, list(dict.fromkeys([*seen, *_tools()])))


def _inputs(planned: Plan) -> Iterator[Seen]:
    reads = reads_of(planned.path, planned.target)
    yield look(PLACE, str(planned.path.absolute()))  # the target's paths count from where it really lies
    for path in reads.files:
        yield look(FILE, str(path), lambda path: known_sha256(Path(path)))
    for path in reads.gaps:
        yield look(FILE, str(path))
    for path in reads.folders:
        yield look(FOLDER, str(path))


def _outputs(folder: Path, manifest: Manifest) -> Iterator[Seen]:
    artifacts = (file for entry in manifest.artifacts for file in files_of(folder / entry.file))
    for path in (folder / FILE_NAME, folder / HEADER, *(folder / name for name in manifest.beside), *artifacts):
        yield look(FILE, str(path))
    for kind in KINDS:  # one that is not there is seen, too
        for below in (folder / kind, *(path for path in (folder / kind).rglob("*") if path.is_dir())):
            yield look(FOLDER, str(below))


def _tools() -> Iterator[Seen]:
    """Our own code, and whatever packages there are."""
    own = own_files()
    for path in own:
        yield look(FILE, str(path))
    for path in dict.fromkeys(path.parent for path in own):
        yield look(FOLDER, str(path))
    for place in dict.fromkeys(sys.path):
        yield look(PACKAGES, os.path.abspath(place))  # noqa: PTH100  "" is the current folder


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
