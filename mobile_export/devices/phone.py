"""An Android phone as `adb` sees it: which are connected, and commands and files on one of them.

Nothing that a file, a target or a phone calls itself reaches a shell: commands are made of names that are ours. What a
phone says of itself is shortened and made printable, and is shown and never obeyed.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_export.errors import MissingToolError, TargetError

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_LISTED = re.compile(r"(?P<serial>\S+)\s+(?P<state>no permissions|\w+)(?P<rest>.*)")
_MODEL = re.compile(r"\bmodel:(\S+)")
_ABI = "arm64-v8a"

_ANSWER_SECONDS = 60.0
"""What a question may take, starting adb's server included."""
_COPY_RATE = 500_000
"""Bytes a second below which a cable, or the air, counts as dead."""

_REMEDIES = {
    "unauthorized": "unlock it and allow this computer's USB debugging on its screen",
    "authorizing": "unlock it and allow this computer's USB debugging on its screen",
    "offline": "run adb reconnect offline, or unplug it and plug it in again",
    "no permissions": "let your user open it, by the udev rules in android-sdk-platform-tools-common, and log in again",
}


class LateError(MissingToolError):
    """adb, or what it runs on the phone, takes too long."""


@dataclass(frozen=True)
class Said:
    """What a command on the phone printed, and the code that it ended with; 128 and more: by that signal."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Phone:
    """One connected phone that runs arm64 code. A call of adb that fails raises MissingToolError."""

    adb: str
    serial: str

    def shell(self, command: str, seconds: float = _ANSWER_SECONDS) -> Said:
        """Run a command there, of which the caller has made every word.

        Raises:
            LateError: it takes longer than that many seconds.
        """
        return _call(self.adb, "-s", self.serial, "shell", command, seconds=seconds)

    def ask(self, command: str) -> str:
        """What a command there that does not fail prints."""
        said = self.shell(command)
        if said.code != 0:
            raise self._lost(f"shell {command}", said)
        return said.out

    def push(self, sources: Iterable[Path], there: str) -> None:
        """Copy a file to the phone under another name, or several into a folder."""
        paths = [path.absolute() for path in sources]
        self._copy("push", *map(str, paths), there, size=sum(path.stat().st_size for path in paths))

    def pull(self, there: str, target: Path, size: int) -> None:
        """Copy a file of at most so many bytes from the phone."""
        self._copy("pull", there, str(target.absolute()), size=size)

    def is_there(self) -> bool:
        """Whether it is still connected."""
        return _call(self.adb, "-s", self.serial, "get-state").out.strip() == "device"

    def about(self) -> str:
        """Its model and Android version, for people."""
        known = self._property("ro.product.model"), self._property("ro.build.version.release")
        return f"{known[0] or 'a phone'}, Android {known[1] or 'of unknown version'}"

    def _property(self, name: str) -> str:
        return shown(self.ask(f"getprop {name}"))

    def _copy(self, verb: str, *paths: str, size: int) -> None:
        said = _call(self.adb, "-s", self.serial, verb, *paths, seconds=_ANSWER_SECONDS + size / _COPY_RATE)
        if said.code != 0:
            raise self._lost(verb, said)

    def _lost(self, what: str, said: Said) -> MissingToolError:
        return MissingToolError(
            f"adb:{self.serial}: adb {what} ended with code {said.code}: {shown(said.err or said.out)}; "
            "see that the phone stays connected and has room"
        )


def find_phone(serial: str = "") -> Phone:
    """The connected phone of that serial number, or the only one.

    Raises:
        TargetError: that can be no serial number.
        MissingToolError: there is no adb, no such phone, more than one to choose from, or one that cannot be used; says
            what to do.
    """
    if serial and not _SERIAL.fullmatch(serial):
        raise TargetError(f"adb:{shown(serial)}: not a serial number; run adb devices -l to see those of your phones")
    adb = shutil.which("adb")
    if adb is None:
        raise MissingToolError(
            "adb is not on PATH; install Android's platform tools (on Debian and Ubuntu: apt install adb), and connect "
            "a phone with USB debugging on"
        )
    phone = Phone(adb, _usable(_connected(adb), serial))
    abi = phone.ask("getprop ro.product.cpu.abilist").strip().partition(",")[0]
    if abi != _ABI:  # one that only translates ARM code, as emulators on PCs do, has another one first
        raise MissingToolError(f"adb:{phone.serial} runs {shown(abi) or 'unknown'} code; connect a phone with {_ABI}")
    return phone


@dataclass(frozen=True)
class _Listed:
    serial: str
    state: str
    model: str

    def __str__(self) -> str:
        about = ", ".join(filter(None, (self.model, "" if self.state == "device" else self.state)))
        return f"adb:{self.serial}" + (f" ({about})" if about else "")


def _connected(adb: str) -> list[_Listed]:
    said = _call(adb, "devices", "-l")
    if said.code != 0:
        raise MissingToolError(f"adb devices ended with code {said.code}: {shown(said.err or said.out)}")
    return list(_listed(said.out))


def _listed(text: str) -> Iterator[_Listed]:
    """What `adb devices -l` prints: a heading, and a line for each."""
    for line in text.splitlines():
        if line.startswith(("List of devices", "*")) or not (found := _LISTED.fullmatch(line.strip())):
            continue
        model = _MODEL.search(found["rest"])
        yield _Listed(shown(found["serial"]), found["state"], shown(model[1]) if model else "")


def _usable(listed: list[_Listed], serial: str) -> str:
    """The serial number of the phone that is meant."""
    if not listed:
        raise MissingToolError("adb sees no phone; connect one, and switch USB debugging on in its developer options")
    if serial:
        meant = [one for one in listed if one.serial == serial]
    else:
        meant = [one for one in listed if one.state == "device"] or listed
    if not meant:
        raise MissingToolError(f"adb sees no phone {serial}; connected: {', '.join(map(str, listed))}")
    if len(meant) > 1:
        raise MissingToolError(f"several phones are connected; name one of them: {', '.join(map(str, meant))}")
    (one,) = meant
    if one.state != "device":
        remedy = _REMEDIES.get(one.state, "start Android on it")
        raise MissingToolError(f"adb:{one.serial} is {one.state}: {remedy}")
    return one.serial


def _call(adb: str, *words: str, seconds: float = _ANSWER_SECONDS) -> Said:
    """Run adb; it talks to a server of its own, which it starts where none runs, and which stays, as adb has it.

    Raises:
        LateError: it takes longer.
        MissingToolError: it cannot be started.
    """
    try:
        ended = subprocess.run(  # noqa: S603
            [adb, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LateError(
            f"adb {' '.join(words)[:80]}: no end after {seconds:.0f} seconds; connect the phone again"
        ) from error
    except OSError as error:
        raise MissingToolError(f"{adb}: cannot be started: {error.strerror}; install adb again") from error
    return Said(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))


def shown(text: str, most: int = 200) -> str:
    """What a phone, or a program there, says: its last characters in one line, without what a terminal would obey."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in line[-most:])
