"""The emulator: the system's own where it is installed, else the one of the system's package, without installing it."""

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mobile_export.devices.parts import apt
from mobile_export.devices.parts.part import Workshop
from mobile_export.devices.processes import run
from mobile_export.errors import MissingToolError

NAME = "qemu-aarch64"
"""The file: a link where it is the system's."""
_PROGRAMS = ("qemu-aarch64", "qemu-aarch64-static")
_PACKAGES = ("qemu-user-static", "qemu-user")
"""Which of them has programs that need no library depends on the system's age."""
_SECONDS = 30.0
_COMMANDS = {
    "debian": "apt install qemu-user-static",
    "fedora": "dnf install qemu-user",
    "arch": "pacman -S qemu-user",
    "suse": "zypper install qemu-linux-user",
    "alpine": "apk add qemu-aarch64",
}
"""What installs it, by what systems call themselves and their kin."""


@dataclass(frozen=True)
class Emulator:
    """qemu's user-mode emulation of arm64."""

    title = "emulator"

    def wanted(self) -> None:
        return None

    def has_better(self, folder: Path) -> bool:
        """One was put on PATH: because ours computes wrong answers, or for any other reason."""
        theirs = _on_path()
        return theirs is not None and (folder / NAME).resolve() != theirs

    def make(self, folder: Path, workshop: Workshop) -> str:
        program = folder / NAME
        theirs = _on_path()
        if theirs is not None:
            program.symlink_to(theirs)
        elif apt.is_here():
            _unpack(program, workshop)
        else:
            raise MissingToolError(f"{_PROGRAMS[0]} is not on PATH, and there is no apt-get to bring it; {_remedy()}")
        version = _version(program)
        if version is None:
            raise MissingToolError(f"{program.resolve().name} of the system's packages does not run; {_remedy()}")
        return version


def _on_path() -> Path | None:
    """The first that runs."""
    found = (shutil.which(name) for name in _PROGRAMS)
    return next((Path(path).resolve() for path in found if path and _version(Path(path))), None)


def _unpack(program: Path, workshop: Workshop) -> None:
    """Take it out of the first package that has one that runs."""
    failures = []
    for package in _PACKAGES:
        folder = workshop.folder / package
        folder.mkdir()
        try:
            workshop.take(package, f"./usr/bin/{_PROGRAMS[0]}*", folder)
        except MissingToolError as error:
            failures.append(str(error))
            continue
        for name in _PROGRAMS:
            unpacked = folder / "usr" / "bin" / name
            if unpacked.is_file() and _version(unpacked):
                unpacked.replace(program)
                return
        failures.append(f"{package}: what it has does not run")
    raise MissingToolError(f"the emulator cannot be had: {'; '.join(failures)}; {_remedy()}")


def _version(program: Path) -> str | None:
    """What it says; None where it does not run."""
    try:
        said = run([str(program), "--version"], _SECONDS, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"version (\d[\w.]*)", said.stdout.decode(errors="replace")) if said.returncode == 0 else None
    return found[1] if found else None


def _remedy() -> str:
    """How people get it onto PATH here."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    names = [system.get("ID", ""), *system.get("ID_LIKE", "").split()]
    commands = [command for name, command in _COMMANDS.items() if name in names]
    return f"run: {commands[0]}" if commands else "install your system's package of qemu's user-mode emulation"
