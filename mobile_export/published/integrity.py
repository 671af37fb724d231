"""Published folders as they lie on disk: where they are, whether they are as published, and may be shipped."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mobile_export.errors import CheckFailed, ModelError
from mobile_export.published.artifact_files import artifact_hash, artifact_size, files_of, sha256_of
from mobile_export.published.manifest import FILE_NAME, KINDS, ArtifactEntry, Manifest, load_manifest


def published_folders(folder: Path) -> list[Path]:
    """`folder` itself when it was published, else the published folders in it; a manifest stands for its folder.

    Raises:
        ModelError: there is none.
    """
    if folder.name == FILE_NAME and folder.is_file():
        return [folder.parent]
    if (folder / FILE_NAME).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{FILE_NAME}")) if folder.is_dir() else []
    if not found:
        raise ModelError(
            f"{folder}: nothing was published there (no {FILE_NAME}); name the folder that build --out wrote"
        )
    return found


def artifact_problem(folder: Path, entry: ArtifactEntry) -> str | None:
    """How an artifact is not what was published; None when it is."""
    path = folder / entry.file
    if not path.exists():
        return "is missing"
    if artifact_size(path) != entry.bytes or artifact_hash(path) != entry.sha256:
        return "is not the file that was published"
    return None


def beside_problem(folder: Path, manifest: Manifest) -> str | None:
    """The same for the files that are no artifacts: generated code and recorded answers."""
    return _changed(folder, manifest.beside)


def shippable(folder: Path) -> Manifest:
    """What was published in `folder`, once it is sure that it may enter an app, and that nobody has changed it since.

    Files that enter no app, the recorded answers among them, need not be there.

    Raises:
        CheckFailed: it was published although it missed a limit, or files are missing or changed.
        ModelError: the manifest is missing or damaged.
    """
    manifest = load_manifest(folder)
    if manifest.gate == "warn" or not all(entry.passed for entry in manifest.artifacts):
        raise CheckFailed(
            f"{folder}: was published although limits were missed (--gate warn), so it may not be shipped; "
            "build without it"
        )
    found = ((entry.file, artifact_problem(folder, entry)) for entry in manifest.artifacts)
    changed = next((f"{file} {problem}" for file, problem in found if problem), None)
    changed = changed or _changed(folder, manifest.generated)
    if changed is not None:
        raise CheckFailed(f"{folder}: {changed}; build the target again")
    return manifest


def unknown_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Paths of files that would enter the app with the others, and that the manifest does not know."""
    known = {file for entry in manifest.artifacts for file in files_of(folder / entry.file)}
    known |= {folder / path for path in manifest.generated}
    found = (path for kind in KINDS for path in sorted((folder / kind).rglob("*")))
    return (path.relative_to(folder).as_posix() for path in found if path.is_file() and path not in known)


def _changed(folder: Path, digests: Mapping[str, str]) -> str | None:
    """Which of these files is not what was published."""
    for name, digest in digests.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256_of(folder / name) != digest:
            return f"{name} is not the file that was published"
    return None
