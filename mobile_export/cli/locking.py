"""What an app ships, pinned by hash: locked, fetched, and compared with what was before."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mobile_export.cli.app import Format, Progress, print_json, say, warn
from mobile_export.errors import CheckFailed, TargetError
from mobile_export.locking.lock import FETCHED, FILE_NAME, Lock, read_lock
from mobile_export.published.manifest import KINDS

LockFile = Annotated[Path, typer.Option("--lock", help="The lock file.")]
OnlyTargets = Annotated[
    list[str] | None, typer.Option("--target", help="Only this target of the lock; may be given again.")
]
OnlyKinds = Annotated[
    str | None, typer.Option("--kind", help=f"Only these kinds of files, commas between them: {', '.join(KINDS)}.")
]


def lock(
    folders: Annotated[
        list[Path], typer.Argument(help="Published folders, or folders of several.", metavar="FOLDER...")
    ],
    lock_file: LockFile = Path(FILE_NAME),
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="URL_OR_FOLDER",
            help="Where files will be fetched from; may be given again. {target} and {sha256} in it are replaced.",
        ),
    ] = None,
    copy_to: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Copy the files there, to commit or upload them.")
    ] = None,
    output: Format = "text",
) -> None:
    """Pin published files in a lock file that app builds verify and copy without Python."""
    from mobile_export.locking.pin import pin
    from mobile_export.report.terminal import format_bytes

    pinned = pin(folders, lock_file, sources or (), copy_to)
    for note in pinned.notes:
        warn(note)
    if output == "json":
        print_json([asdict(target) for target in pinned.targets])
        return
    for target in pinned.targets:
        size = format_bytes(sum(file.bytes for file in target.files))
        say(f"{target.name}: {len(target.files)} files, {size}, locked in {lock_file}")


def fetch(
    lock_file: LockFile = Path(FILE_NAME),
    out: Annotated[Path, typer.Option(help="Folder for the files: DIR/<target>/<path>.")] = Path(FETCHED),
    targets: OnlyTargets = None,
    kinds: OnlyKinds = None,
    output: Format = "text",
) -> None:
    """Bring the locked files into a folder, each checked by its hash; what is there stays untouched."""
    from mobile_export.locking.fetch import fetch
    from mobile_export.locking.locked_files import compare

    wanted, chosen = _choose(lock_file, targets, kinds)
    with Progress() as progress:
        found = fetch(wanted, lock_file.parent, out, chosen, progress.busy)
    if output == "json":
        print_json([asdict(each) for each in found])
    else:
        for each in found:
            say(f"{each.target}/{each.file}: {each.how}{f' from {each.source}' if each.source else ''}")
    for state in compare(wanted, chosen, out):
        if state.problem is not None:  # files of others, which would enter the app with ours
            warn(f"{out / state.target / state.file}: {state.problem}")


def diff(
    old: Annotated[Path, typer.Argument(help="The manifest.json of before, or its folder.", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="That of now.", metavar="NEW")],
    output: Format = "text",
) -> None:
    """Show what changed between two manifests; exit 1 where the app's code has to change with it."""
    from mobile_export.diff import diff
    from mobile_export.published.manifest import load_manifest, read_manifest

    before, after = (load_manifest(path) if path.is_dir() else read_manifest(path) for path in (old, new))
    changes = diff(before, after)
    if output == "json":
        print_json([asdict(change) for change in changes])
    else:
        for change in changes:
            say(f"{'breaking' if change.breaking else 'compatible'}: {', '.join(change.of)}: {change.text}")
    breaking = [change for change in changes if change.breaking]
    if breaking:
        raise CheckFailed(
            f"{new}: {len(breaking)} of {len(changes)} changes since {old} are breaking; change the app, too"
        )


def verify_locked(folder: Path, lock_file: Path, targets: list[str] | None, kinds: str | None, output: str) -> None:
    """What `verify --lock` does: hashes alone, nothing is run.

    Raises:
        CheckFailed: files are missing, changed, or not in the lock.
    """
    from mobile_export.locking.locked_files import compare

    found = compare(*_choose(lock_file, targets, kinds), folder)
    if output == "json":
        print_json([asdict(state) for state in found])
    else:
        for state in found:
            say(f"{state.target}/{state.file}: {state.problem or 'ok'}")
    wrong = [state for state in found if state.problem]
    if wrong:
        raise CheckFailed(
            f"{folder}: {len(wrong)} of {len(found)} files are not as {lock_file} has them; "
            f"run: mobile-export fetch --lock {shlex.quote(str(lock_file))} --out {shlex.quote(str(folder))}"
        )


def _choose(lock_file: Path, targets: list[str] | None, kinds: str | None) -> tuple[Lock, tuple[str, ...]]:
    """What of the lock is wanted, and of which kinds that is all."""
    chosen = tuple(KINDS if kinds is None else kinds.split(","))
    unknown = next((kind for kind in chosen if kind not in KINDS), None)
    if unknown is not None:
        raise TargetError(f"--kind: {unknown!r} is no kind of file; there are {', '.join(KINDS)}")
    return read_lock(lock_file).only(targets or (), chosen), chosen
