"""qemu's user-mode emulation: programs for arm64 Linux run as processes of this computer, as if on a named core.

Some versions compute wrong for some cores. So none is believed by its name or number, but by its answers to the
self-test, which are asked for whenever the emulator, a library, the runner or the test is another than before.
"""

import contextlib
import hashlib
import json
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.caching.folder import cache_folder
from mobile_export.caching.places import DEVICES
from mobile_export.devices import cores, processes, remote, wire
from mobile_export.devices.cores import Core
from mobile_export.devices.installation import COMMAND, Installation, notes_folder
from mobile_export.devices.parts.emulator import NAME
from mobile_export.devices.remote import RemoteRunner, open_remote, runner_arguments
from mobile_export.devices.selftest import FOLDER, wrong_answers
from mobile_export.devices.wire import Edged
from mobile_export.errors import MissingToolError, OutputError
from mobile_export.incremental.digests import known_sha256

_QUESTION_SECONDS = 30.0
"""What the emulator may take to say its version or its cores."""
_TEST_SECONDS = 60.0
"""What a model of the self-test may take; a second is usual."""
REMEDY = f"name another core, or put another {NAME} on PATH and run: {COMMAND}"
"""How a sentence about a core that cannot be used ends."""


def emulator_version(installation: Installation) -> str:
    """What the emulator is, for people."""
    return f"{NAME} {installation.versions['emulator']}"


def known_cores(emulator: Path) -> frozenset[str]:
    """Names of the cores that the emulator can be.

    Raises:
        MissingToolError: it does not run.
    """
    return frozenset(line.split()[0] for line in _ask(emulator, "-cpu", "help").splitlines() if line[:1] == " ")


def has_passed(installation: Installation, core: Core) -> bool:
    """Whether the self-test was passed on this computer as `core`, with just these files."""
    note = _note(installation, core)
    if note.name in _PASSED:
        return True
    try:
        passed: bool = json.loads(note.read_bytes()) == _content(installation, core)
    except (OSError, ValueError):
        return False
    if passed:
        _PASSED.add(note.name)
    return passed


def wrong_answers_as(installation: Installation, core: Core) -> tuple[str, ...]:
    """What the self-test finds wrong, by model; nothing where it is passed, now or before.

    Raises:
        MissingToolError: the emulator does not know the core, or does not run.
    """
    if has_passed(installation, core):
        return ()
    if core.name not in known_cores(installation.emulator):
        raise MissingToolError(f"{emulator_version(installation)} does not know the core {core.name}; {REMEDY}")
    wrong = wrong_answers(partial(open_emulated, installation, core, seconds=_TEST_SECONDS))
    if not wrong:
        _pass(installation, core)
    return wrong


def require_core(installation: Installation, core: Core) -> None:
    """See that the emulator computes as `core` does.

    Raises:
        MissingToolError: it does not know the core, or computes wrong answers.
    """
    wrong = wrong_answers_as(installation, core)
    if wrong:
        models = wrong[0].partition(":")[0] + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        raise MissingToolError(
            f"{emulator_version(installation)} computes wrong answers as {core.name} ({models}); "
            f"see: mobile-export device list; {REMEDY}"
        )


@contextmanager
def open_emulated(
    installation: Installation,
    core: Core,
    kind: str,
    path: Path,
    edges: Edged,
    *,
    seconds: float,
    kernels: str = "default",
) -> Iterator[RemoteRunner]:
    """Load a file in its arm64 runtime on an emulated core.

    Args:
        kind: the file's format.
        edges: its inputs and outputs.
        seconds: what loading it and all answers may take together.
        kernels: as `runner_arguments` has them.

    Raises:
        ConversionError: the runtime does not load it; calls raise it where it does not run, or takes too long.
    """
    arguments = runner_arguments(kind, installation.library(kind), path.absolute(), kernels=kernels)
    with (
        _emulation(installation, core) as command,
        open_remote([*command, str(installation.runner), *arguments], edges, path.name, seconds) as runner,
    ):
        yield runner


@contextmanager
def _emulation(installation: Installation, core: Core) -> Iterator[list[str]]:
    """A command that runs another one, as long as the context lasts: what the core is, lies in files of its own."""
    with tempfile.TemporaryDirectory(prefix="mobile-export-core-") as folder:
        core.write_files(Path(folder))
        Path(folder, "lib").symlink_to(installation.root.absolute() / "lib")
        yield emulate(installation.emulator, core, Path(folder))


def emulate(emulator: Path, core: Core, prefix: Path) -> list[str]:
    """A command that runs another one as if on `core`, which finds the files below `prefix` in its root.

    Of this computer's environment it sees nothing: variables may choose other kernels, or load other libraries.
    """
    clean = ["/usr/bin/env", "-i"]
    return [*clean, str(emulator), "-cpu", core.name, "-L", str(prefix), "-E", "LD_LIBRARY_PATH=/lib"]


_PASSED: set[str] = set()
"""Names of notes that this process has read or written, or would have written, where it cannot."""


def _note(installation: Installation, core: Core) -> Path:
    """The file that says that the self-test was passed."""
    return notes_folder() / f"{core.name}-{_fingerprint(installation)}.json"


def _content(installation: Installation, core: Core) -> dict[str, str]:
    return {"core": core.name, "emulator": emulator_version(installation)}


def _pass(installation: Installation, core: Core) -> None:
    """Keep it that the self-test was passed."""
    note = _note(installation, core)
    _PASSED.add(note.name)
    with contextlib.suppress(OutputError):  # another process tests again
        cache_folder(DEVICES)
        with replacing(note) as file:
            file.write(json.dumps(_content(installation, core)).encode())


def _fingerprint(installation: Installation) -> str:
    """A hash of all that the outcome of the self-test depends on, but which core it is."""
    tools = (installation.emulator, installation.runner, installation.litert, installation.onnxruntime)
    libraries = sorted(path for path in (installation.root / "lib").iterdir() if path.is_file())
    test = sorted(path for path in FOLDER.iterdir() if path.is_file())
    own = [Path(str(module.__file__)) for module in (cores, remote, wire)] + [Path(__file__)]
    digests = [known_sha256(path) for path in (*tools, *libraries, *test, *own)]
    return hashlib.sha256("\n".join([*digests, _processor()]).encode()).hexdigest()[:32]


def _processor() -> str:
    """What this computer's processor can do, on which it depends how an emulator computes; or else what it is."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith("flags")), platform.machine())


def _ask(emulator: Path, *question: str) -> str:
    """What it prints. Its exit code says nothing: some versions end the list of their cores with an error."""
    try:
        said = processes.run(
            [str(emulator), *question], _QUESTION_SECONDS, stderr=subprocess.DEVNULL, text=True, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"{emulator}: does not run ({error}); run: {COMMAND}") from error
    if not said.stdout:
        raise MissingToolError(f"{emulator}: says nothing to {' '.join(question)}; run: {COMMAND}")
    printed: str = said.stdout
    return printed
