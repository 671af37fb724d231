"""Files that were built before and passed every check, by the key of all that could change them.

An entry says what a manifest says of the artifact, and which blobs hold its files and its recorded answers; blobs are
called after their sha256. Everything is verified on its way out, and what is damaged counts as not there. Whoever may
write to a cache can put a file of theirs behind a key: it is to be trusted as the output folder is.
"""

import contextlib
import errno
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from mobile_export.caching.stores import Store
from mobile_export.published.artifact_files import artifact_hash, artifact_size, files_of, sha256_of
from mobile_export.published.manifest import ArtifactEntry, Preparation
from mobile_export.published.publish import clear
from mobile_export.samples import Samples, load_samples, save_samples

_DAMAGE = (
    *(ValidationError, ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError),  # of archives that nobody wrote by accident
)


@dataclass(frozen=True)
class Finished:
    """An artifact that is done, whether it was built now, restored, or lay there.

    Attributes:
        entry: of the manifest.
        golden: what is recorded of it: `inputs/NAME`, `raw/NAME`, `answers/ARTIFACT/NAME`.
        preparation: what it was built on.
    """

    entry: ArtifactEntry
    golden: Samples
    preparation: Preparation

    @property
    def missed(self) -> bool:
        """Whether it missed a limit."""
        return not self.entry.passed


def recorded_of(artifact: str, recorded: Samples) -> Samples:
    """What is recorded of an artifact, of all that is."""
    prefixes = ("inputs/", "raw/", f"answers/{artifact}/")
    return {name: array for name, array in recorded.items() if name.startswith(prefixes)}


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or any(mark in path for mark in "\\:\0"):
        raise ValueError("leads out of its folder")
    return path


_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Inside = Annotated[str, AfterValidator(_inside)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    artifact: ArtifactEntry
    preparation: Preparation
    files: dict[_Inside, _Digest] | _Digest  # of a folder by path, or the one file
    golden: _Digest


class ArtifactCache:
    """Built artifacts in a store.

    Attributes:
        trouble: why the store could not be used, from then on; a build goes on without it.
        added: whether anything was put there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writable = True
        self.trouble: str | None = None
        self.added = False

    def restore(self, key: str, file: str, folder: Path) -> Finished | None:
        """Put the artifact with that key into a published folder, as `file`; None where it is not there, whole."""
        if self.trouble is not None:
            return None
        found = None
        try:
            with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
                found = self._restore(key, file, folder, Path(work))
        except OSError as error:
            self.trouble = _text(error)
        if found is None:
            clear(folder / file)
        return found

    def add(self, finished: Finished, path: Path) -> None:
        """Keep the artifact whose file or folder is at `path`, if it missed no limit."""
        if self.trouble is not None or not self._writable or finished.missed:
            return
        try:
            with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
                self._add(finished, path, Path(work))
        except OSError as error:
            if isinstance(error, PermissionError) or error.errno == errno.EROFS:
                self._writable = False  # many may only read what CI has built
                return
            self.trouble = _text(error)

    def _restore(self, key: str, file: str, folder: Path, work: Path) -> Finished | None:
        if not self._store.fetch(_entry_name(key), work / "entry"):
            return None
        try:
            found = _Entry.model_validate_json((work / "entry").read_bytes())
        except _DAMAGE:
            self._damaged(_entry_name(key))
            return None
        path = folder / file
        blobs = found.files if isinstance(found.files, dict) else {"": found.files}
        wanted = {path / name: digest for name, digest in blobs.items()} | {work / "golden": found.golden}
        there = [self._blob(digest, to) for to, digest in wanted.items()]  # all of them, so that all damage is found
        if not blobs or not all(there):
            return None
        entry = found.artifact.model_copy(update={"file": file})
        named = PurePosixPath(found.artifact.file).name == path.name == f"{entry.name}{path.suffix}"
        sound = (artifact_size(path), artifact_hash(path), entry.key) == (entry.bytes, entry.sha256, key)
        golden = _loaded(work / "golden", entry.name)
        if golden is None or not named or not sound or not entry.passed:
            self._damaged(_entry_name(key))
            return None
        return Finished(entry, golden, found.preparation)

    def _add(self, finished: Finished, path: Path, work: Path) -> None:
        save_samples(work / "golden", finished.golden)
        files = {file: sha256_of(file) for file in (*files_of(path), work / "golden")}
        for file, digest in files.items():
            self._store.put(_blob_name(digest), file)
        golden = files.pop(work / "golden")
        entry = _Entry(
            artifact=finished.entry,
            preparation=finished.preparation,
            files={f.relative_to(path).as_posix(): d for f, d in files.items()} if path.is_dir() else files[path],
            golden=golden,
        )
        (work / "entry").write_text(entry.model_dump_json(), encoding="utf-8")
        self._store.put(_entry_name(finished.entry.key), work / "entry")  # last: what it names is there
        self.added = True

    def _blob(self, digest: str, to: Path) -> bool:
        """Write a blob to `to`; whether it is there, and what it says."""
        to.parent.mkdir(parents=True, exist_ok=True)
        if not self._store.fetch(_blob_name(digest), to):
            return False
        if sha256_of(to) != digest:
            self._damaged(_blob_name(digest))
            return False
        return True

    def _damaged(self, name: str) -> None:
        """Remove what is damaged; nothing is restored from it."""
        with contextlib.suppress(OSError):  # such as where it may only be read
            self._store.discard(name)


def _loaded(path: Path, artifact: str) -> Samples | None:
    """What is recorded of the artifact, if it is that, and nothing else."""
    try:
        golden = load_samples(path)
    except _DAMAGE:
        return None
    return golden if recorded_of(artifact, golden).keys() == golden.keys() else None


def _entry_name(key: str) -> str:
    return f"artifacts/entries/{key[:2]}/{key}.json"


def _blob_name(digest: str) -> str:
    return f"artifacts/blobs/{digest[:2]}/{digest}"


def _text(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"
