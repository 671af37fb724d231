"""A connected Android phone: the arm64 runtimes of the set-up and the same runner as under emulation, on real cores.

What runs there is a Linux program with its own C library and loader, started by `adb shell` below /data/local/tmp. No
root and no app is needed: Android's policy lets the shell execute what it has put there, and system calls are filtered
for apps, not for the shell. All libraries are laid out for pages of 64 kB, so they load on phones with pages of 4 or
16. Android 7 is the oldest whose `adb shell` passes exit codes on. Kernels are those of an app's runtime; what differs
from an app is the C library, glibc instead of Android's own, and that nothing runs on a GPU or an NPU.

The set-up stays on the phone, in a folder named by its contents, and is checked by hash before each use. A file, its
inputs and its answers are removed again. Inputs and answers go as files, since `adb shell` on Windows does not pass
bytes on as they are; so a file is loaded once for all batches.
"""

import hashlib
import re
import secrets
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from mobile_export.devices.host import edges_here
from mobile_export.devices.installation import COMMAND, VARIABLE, Installation, folder, installed, is_native
from mobile_export.devices.phone import LateError, Phone, Said, find_phone, shown
from mobile_export.devices.remote import runner_arguments
from mobile_export.devices.wire import MOST_BYTES, Edged, read_answers, read_edges, write_requests
from mobile_export.errors import ConversionError, MissingToolError
from mobile_export.formats import FORMATS
from mobile_export.graphs.tensors import Array
from mobile_export.incremental.digests import known_sha256
from mobile_export.runner import Runner
from mobile_export.samples import Samples

_PLACE = "/data/local/tmp"
_LOADER = "ld-linux-aarch64.so.1"
_C_LIBRARY = (
    *(_LOADER, "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"),
    *("libstdc++.so.6", "libgcc_s.so.1"),
)
_SUM = re.compile(r"^([0-9a-f]{64})  (\S+)$", re.MULTILINE)
_SECONDS = 1500.0
"""What all answers together may take. A worker has 1800."""


@dataclass(frozen=True)
class AdbPhone:
    """A connected phone; a `Device`.

    Attributes:
        serial: which; empty: the only one that is connected.
    """

    serial: str = ""

    @property
    def name(self) -> str:
        return f"adb:{self.serial}" if self.serial else "adb"

    @property
    def formats(self) -> Sequence[str]:
        return "tflite", "onnx", "ort"

    def require(self) -> None:
        """See that the phone and the set-up are there."""
        find_phone(self.serial)
        _parts(_set_up())

    def runtime(self, kind: str) -> str:
        phone = find_phone(self.serial)
        return f"{FORMATS[kind].runtime} {_set_up().version(kind)} on adb:{phone.serial} ({phone.about()})"

    @contextmanager
    def open(self, kind: str, path: Path) -> Iterator[Runner]:
        """Load a file there, to see that it loads; each asking loads it again."""
        here = edges_here(kind, path)
        phone = find_phone(self.serial)
        set_up = _set_up()
        home = _settle(phone, _parts(set_up))
        work = f"{_PLACE}/mobile-export-run-{secrets.token_hex(8)}"
        with tempfile.TemporaryDirectory(prefix="mobile-export-adb-") as local, _removed(phone, work):
            phone.ask(f"mkdir {work}")
            model = f"{work}/model{FORMATS[kind].suffix}"
            phone.push([path], model)
            library = set_up.library(kind)
            command = [f"./{_LOADER}", "--library-path", ".", f"./{set_up.runner.name}"]
            command += runner_arguments(kind, f"./{library.name}", model)
            session = _Session(phone, home, work, shlex.join(command), Path(local), f"{path.name} on {self.name}")
            yield _PhoneRunner(here, session)


class Adb:
    """Phones that adb sees; a `Kind`. A target names none of them: who else builds it has no such phone."""

    names: Sequence[str] = ()

    def device(self, which: str) -> AdbPhone:
        return AdbPhone(which)


@dataclass(frozen=True)
class _Session:
    """The runner on a phone, started anew for each file of requests.

    Attributes:
        home, work: folders there: of the set-up, and of this run.
        command: what runs a file, in `home`.
        folder: here, for requests and answers.
        what: the file and where it runs, for errors.
    """

    phone: Phone
    home: str
    work: str
    command: str
    folder: Path
    what: str

    @property
    def requests(self) -> Path:
        return self.folder / "requests"

    @property
    def answers(self) -> Path:
        return self.folder / "answers"

    def run(self) -> None:
        """Let it answer `requests`, to `answers`.

        Raises:
            ConversionError: it ends in another way than a runner does, or takes too long.
            MissingToolError: the phone is gone.
        """
        requests, answers = f"{self.work}/requests", f"{self.work}/answers"
        self.phone.push([self.requests], requests)
        try:
            ended = self.phone.shell(f"cd {self.home} && exec {self.command} <{requests} >{answers}", _SECONDS)
        except LateError as error:
            raise ConversionError(f"{self.what}: no answer within {_SECONDS:.0f} seconds") from error
        if ended.code not in (0, 1):  # 1 is explained in the answers
            raise self._crashed(ended)
        size = self.phone.ask(f"wc -c <{answers}").strip()
        if not size.isdecimal() or int(size) > MOST_BYTES:
            raise ConversionError(f"{self.what}: answers of {shown(size)} bytes are too large; run fewer samples")
        self.phone.pull(answers, self.answers, int(size))

    def _crashed(self, ended: Said) -> Exception:
        reason = shown(ended.err)
        if not self.phone.is_there():
            return MissingToolError(f"{self.what}: the phone is gone: {reason}; connect it again")
        with suppress(ValueError):
            reason = f"{Signals(ended.code - 128).name} {reason}".strip()
        return ConversionError(f"{self.what}: the runner ended with code {ended.code}: {reason or 'it says nothing'}")


class _PhoneRunner:
    """A file on a phone; a `Runner` that is best asked for all batches at once."""

    def __init__(self, here: Edged, session: _Session) -> None:
        """See that it loads.

        Raises:
            ConversionError: it does not, or has other edges there.
        """
        self.inputs, self.outputs = here.inputs, here.outputs
        self._session = session
        session.requests.write_bytes(b"")
        session.run()
        with session.answers.open("rb") as answers:
            self._there = read_edges(answers, here, session.what)

    def __call__(self, feeds: Mapping[str, Array]) -> Samples:
        (answer,) = self.run_all([feeds])
        return answer

    def run_all(self, batches: Iterable[Mapping[str, Array]]) -> Iterator[Samples]:
        """Run all batches, in one way to the phone and back.

        Raises:
            ModelError: an input has another element type than the file.
            ConversionError: it does not run, takes too long, or the answers make no sense.
        """
        session, asked, answered = self._session, 0, 0
        with session.requests.open("wb") as requests:
            for batch in batches:
                write_requests(requests, self._there, [batch], session.what)
                asked += 1
        session.run()
        with session.answers.open("rb") as answers:
            for answer in read_answers(answers, self._there, session.what):
                yield {edge.name: answer[edge.name] for edge in self.outputs}
                answered += 1
        if answered != asked:
            raise ConversionError(f"{session.what}: {answered} of {asked} requests were answered")


def _set_up() -> Installation:
    """The set-up, whose parts for phones are the same on every computer.

    Raises:
        MissingToolError: there is none; says how to have one.
    """
    try:
        return installed()
    except MissingToolError as error:
        if sys.platform == "linux" and not is_native():
            raise
        raise MissingToolError(
            f"adb takes to the phone what a set-up has, which is made on x86-64 Linux; run there: {COMMAND}, copy its "
            f"folder {folder().name} to this computer, and name the folder that it is in by {VARIABLE}"
        ) from error


def _parts(installation: Installation) -> list[Path]:
    """What a phone needs of the set-up; files keep their names there.

    Raises:
        MissingToolError: it is not all there.
    """
    library = [installation.root / "lib" / name for name in _C_LIBRARY]
    parts = [*library, installation.litert, installation.onnxruntime, installation.runner]
    missing = [path.name for path in parts if not path.is_file()]
    if missing:
        raise MissingToolError(f"the set-up lacks {', '.join(missing)}; run: {COMMAND}")
    return parts


def _settle(phone: Phone, parts: Sequence[Path]) -> str:
    """The folder on the phone that holds the set-up; it is copied there unless it is there already.

    Raises:
        MissingToolError: it cannot be copied.
    """
    digests = {path.name: known_sha256(path) for path in parts}
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    home = f"{_PLACE}/mobile-export-{hashlib.sha256(lines.encode()).hexdigest()[:16]}"
    if _holds(phone, home, digests):
        return home
    draft = f"{home}.{secrets.token_hex(8)}"
    with _removed(phone, draft):
        phone.ask(f"mkdir {draft}")
        phone.push(parts, draft)
        phone.ask(f"cd {draft} && chmod 755 {' '.join(digests)}")
        if not _holds(phone, draft, digests):
            raise MissingToolError(f"adb:{phone.serial}: files are not there as they were copied; make room on it")
        phone.ask(f"rm -rf {home} && mv {draft} {home}")
    return home


def _holds(phone: Phone, folder: str, digests: Mapping[str, str]) -> bool:
    """Whether files of these hashes are in a folder of the phone."""
    said = phone.shell(f"cd {folder} && sha256sum {' '.join(digests)}")
    return {name: digest for digest, name in _SUM.findall(said.out)} == dict(digests)


@contextmanager
def _removed(phone: Phone, folder: str) -> Iterator[None]:
    """A folder of the phone that is gone afterwards."""
    try:
        yield
    finally:
        with suppress(MissingToolError):  # where the phone is gone, nothing can be removed
            phone.shell(f"rm -rf {folder}")
