"""The kernels of some files, for people and for the build of a TensorFlow that has just these."""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import OutputError, TargetError
from mobile_export.kernels.files import needed_by
from mobile_export.kernels.header import header
from mobile_export.kernels.needed import Need
from mobile_export.kernels.runtimes import INSTALLED, Lack, Runtime, runtime_named


@dataclass(frozen=True)
class Surveyed:
    """One file: the kernels that it needs, and what of them the runtime lacks."""

    path: Path
    needs: tuple[Need, ...]
    lacks: tuple[Lack, ...]


@dataclass(frozen=True)
class Survey:
    """Files, and the TensorFlow that is to run them.

    Attributes:
        runtime: what it is called.
    """

    runtime: str
    has: Runtime
    files: tuple[Surveyed, ...]

    @property
    def lacks(self) -> int:
        """How many things the runtime lacks."""
        return sum(len(file.lacks) for file in self.files)

    def lines(self) -> list[str]:
        """For people: a line a kernel, with its class and the first node that needs it; then what is lacking."""
        lines = []
        for file in self.files:
            lines.append(f"{file.path}: {len(file.needs)} kernels")
            rows = [(str(need), self.has.kernel_class(need) or "–", need.node) for need in file.needs]
            first, second = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
            lines += [f"  {need:{first}}  {kernel:{second}}  {node}" for need, kernel, node in rows]
            if file.lacks:
                lines += [f"lacking in {self.runtime}:", *(f"  {lack}" for lack in file.lacks)]
        return lines

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"runtime": self.runtime, "files": [self._file_as_json(file) for file in self.files]}

    def _file_as_json(self, file: Surveyed) -> dict[str, Any]:
        kernels = [
            {"op": need.op, "types": dict(need.types), "kernel": self.has.kernel_class(need), "node": need.node}
            for need in file.needs
        ]
        lacking = [{"kernel": str(lack.need), "node": lack.node, "reason": lack.reason} for lack in file.lacks]
        return {"file": file.path.as_posix(), "kernels": kernels, "lacking": lacking}

    def write_header(self, path: Path) -> None:
        """Write an `ops_to_register.h` with all kernels of all files, by the names that the runtime has for them.

        Raises:
            TargetError: the runtime's list does not say what classes its kernels have.
            OutputError: nothing can be written there.
        """
        kernels = [(need.op, self.has.kernel_class(need)) for file in self.files for need in file.needs]
        named = [(op, kernel) for op, kernel in kernels if kernel is not None]
        if len(named) < len(kernels):
            raise TargetError(
                f"{self.runtime}: does not name the classes of its kernels, and a header is made of these; leave "
                "--against out to take those of the TensorFlow that is installed"
            )
        files = ", ".join(file.path.name for file in self.files)
        try:
            path.write_text(header(named, f"{files}, on {self.runtime}"), encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be written: {error.strerror}; choose another file with --header"
            ) from error


def survey(paths: Sequence[Path], against: str | None, jobs: int) -> Survey:
    """Look at the kernels of files.

    Args:
        against: the name of a list of kernels, or a file, as `runtime_named` takes them; None for the TensorFlow that
            is installed.

    Raises:
        TargetError: there is no such list.
        ModelError: a file holds no graph.
    """
    runtime = INSTALLED if against is None else runtime_named(against)
    tasks = [workers.Task(f"read {path.name}", needed_by, (path,), path) for path in paths]
    files = []
    for path, needs in zip(paths, workers.run(tasks, jobs), strict=True):
        files.append(Surveyed(path, tuple(needs), tuple(lack for need in needs for lack in runtime.lacks(need))))
    return Survey(against or f"tensorflow {_version()}", runtime, tuple(files))


def _version() -> str:
    try:
        return importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:
        return "of another package"
