"""Emulated arm64 cores are set up once in the user's cache, of parts that are each made aside, then put in place.

A second try goes on where the first one ended, and makes anew what is missing, damaged or of another version than is
wanted now. On an ARM computer there is nothing to set up: its own runtimes are what runs in phones.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from mobile_export.caching.folder import cache_folder
from mobile_export.caching.places import DEVICES, cache_root
from mobile_export.devices.parts import Part, Record, Workshop, emulator, parts, runner
from mobile_export.devices.processes import threads
from mobile_export.errors import ExportError, MissingToolError, OutputError
from mobile_export.mutex import alone
from mobile_export.published.publish import clear, publish, staging
from mobile_export.report.terminal import format_bytes

VARIABLE = "MOBILE_EXPORT_DEVICES"
"""The environment variable that names another folder for set-ups of devices than the one in the cache."""
KIND = "arm64"
COMMAND = f"mobile-export device install {KIND}"

Busy = Callable[[Sequence[str]], object]
"""Is told what is being made."""
Done = Callable[[str, float], object]
"""Is told what was made, and its seconds."""


@dataclass(frozen=True)
class Installation:
    """A set-up that is whole.

    Attributes:
        folder: all of it.
        root: has lib with the C library, as the root of an arm64 system would.
        litert, onnxruntime: the runtimes' libraries.
        runner: our own program over them.
        versions: by part.
        bytes: of all parts.
    """

    folder: Path
    emulator: Path
    root: Path
    litert: Path
    onnxruntime: Path
    runner: Path
    versions: Mapping[str, str]
    bytes: int

    def library(self, kind: str) -> Path:
        """Of the runtime that runs files of a format."""
        return self.litert if kind == "tflite" else self.onnxruntime

    def version(self, kind: str) -> str:
        """Of the runtime that runs files of a format."""
        return self.versions["litert" if kind == "tflite" else "onnxruntime"]


@dataclass(frozen=True)
class State:
    """What there is of a part; `version` is None where nothing is, `problem` where nothing is the matter with it."""

    name: str
    title: str
    version: str | None
    bytes: int
    problem: str | None


def is_native() -> bool:
    """Whether this computer's own runtimes are what runs in phones: it is of the architecture, and no Windows.

    Windows' runtimes for it are made by another compiler, for no phone; in WSL, it is Linux.
    """
    return platform.machine().lower() in ("arm64", "aarch64") and sys.platform != "win32"


def folder() -> Path:
    """Where the set-up lies, or would."""
    return Path(os.environ.get(VARIABLE) or Path(cache_root(), DEVICES), KIND).absolute()


def notes_folder() -> Path:
    """Where it is kept what self-tests have shown on this computer, whose processor matters, wherever a set-up lies."""
    return Path(cache_root(), DEVICES, "tested")


def states(*, thorough: bool = False) -> list[State]:
    """What there is of every part; with `thorough`, every byte is looked at."""
    return [_state(name, part, thorough=thorough) for name, part in parts().items()]


def installed(*, thorough: bool = False) -> Installation:
    """The set-up; files that nobody has touched since are only read where this is to be `thorough`.

    Raises:
        MissingToolError: there is none, or it is damaged or out of date.
    """
    found = states(thorough=thorough)
    if not any(state.version for state in found):
        raise MissingToolError(f"{KIND} devices are not set up; run: {COMMAND}")
    wrong = [f"{state.title}: {state.problem}" for state in found if state.problem]
    if wrong:
        raise MissingToolError(f"the set-up of {KIND} devices cannot be used ({'; '.join(wrong)}); run: {COMMAND}")
    return _installation(found)


def install(busy: Busy = bool, done: Done = lambda *_: None, sysroot: Path | None = None) -> Installation:
    """Make what is missing, damaged or out of date.

    Args:
        sysroot: where to take the C library from, instead of the system's packages.

    Raises:
        MissingToolError: something cannot be had; what was made before stays. Or this is no Linux.
        OutputError: the folder cannot be written.
    """
    if sys.platform != "linux":
        raise MissingToolError(
            f"{KIND} devices need Linux's user-mode emulation; use Linux, on Windows WSL, or a Mac with Apple silicon"
        )
    place = _made_folder()
    with (
        alone(place.parent, KIND, lambda: busy([f"waiting for another set-up in {place}"])),
        staging(place, "workshop") as workshop,
    ):
        wanted = {
            name: part
            for name, part in parts(sysroot).items()
            if _state(name, part, thorough=True).problem or part.has_better(place / name)
        }
        _make_all(wanted, Workshop(workshop), busy, done)
    return installed()


def remove() -> int:
    """Remove the set-up, and what self-tests have shown on this computer; returns the bytes that it had.

    Raises:
        OutputError: it cannot be removed.
    """
    place = folder()
    clear(notes_folder())
    if not place.is_dir():
        return 0
    with alone(place.parent, KIND):
        size = sum(record.bytes for record in (Record.read(place / name) for name in parts()) if record)
        for name in parts():
            clear(place / name)
        left = [path.name for path in place.iterdir()]
        if set(left) & {*parts()}:
            raise OutputError(f"{place}: {', '.join(left)} cannot be removed; end what uses it, and try again")
        if not left:
            place.rmdir()
    return size


def _state(name: str, part: Part, *, thorough: bool) -> State:
    record = Record.read(folder() / name)
    if record is None:
        return State(name, part.title, None, 0, "not there")
    return State(name, part.title, record.version, record.bytes, _problem(folder() / name, part, record, thorough))


def _problem(place: Path, part: Part, record: Record, thorough: bool) -> str | None:
    damaged = record.damaged(place, thorough=thorough)
    if damaged:
        return f"{', '.join(damaged)} changed since it was set up"
    try:
        wanted = part.wanted()
    except MissingToolError as error:
        return str(error)
    return None if wanted in (None, record.version) else f"{record.version} is there, {wanted} is wanted now"


def _make_all(wanted: Mapping[str, Part], workshop: Workshop, busy: Busy, done: Done) -> None:
    """Make parts side by side: some wait for the network, others for the processor. Each that succeeds stays.

    Raises:
        ExportError: some cannot be made; says why of each.
    """
    left = [part.title for part in wanted.values()]

    def make(name: str, part: Part) -> None:
        begun = time.monotonic()
        with staging(folder(), name) as draft:
            record = Record.of(draft, part.make(draft, workshop))
            record.write(draft)
            publish(draft, folder(), name)
        done(f"{part.title} {record.version}, {format_bytes(record.bytes)}", time.monotonic() - begun)
        left.remove(part.title)
        busy(left)

    busy(left)
    with threads() as pool:
        making = [pool.submit(make, name, part) for name, part in wanted.items()]
        failures = [failure for each in making if (failure := each.exception())]
    for failure in failures:
        if not isinstance(failure, ExportError):
            raise failure
    if failures:
        raise type(failures[0])("; ".join(map(str, failures)))


def _installation(found: Sequence[State]) -> Installation:
    place = folder()
    return Installation(
        folder=place,
        emulator=place / "emulator" / emulator.NAME,
        root=place / "library",
        litert=place / "litert" / "libLiteRt.so",
        onnxruntime=place / "onnxruntime" / "libonnxruntime.so",
        runner=place / "runner" / runner.NAME,
        versions={state.name: state.version or "" for state in found},
        bytes=sum(state.bytes for state in found),
    )


def _made_folder() -> Path:
    """The folder, where files can be written."""
    place = folder()
    try:
        if os.environ.get(VARIABLE):
            place.mkdir(parents=True, exist_ok=True)
        else:
            cache_folder(DEVICES, KIND)
        with TemporaryFile(dir=place), TemporaryFile(dir=place.parent):
            return place
    except OSError as error:
        raise OutputError(f"{place}: cannot be written ({error.strerror}); set {VARIABLE} to another folder") from error
