"""qemu's user-mode emulation: programs for arm64 Linux run as processes of this computer, as if on a named core.

Some versions compute wrong for some cores. So none is believed by its name or number, but by its answers to the
self-test, which are asked for whenever the emulator, a library, the runner or the test is another than before.
"""

import contextlib
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.devices import cores
from mobile_export.devices.cores import Core
from mobile_export.devices.installation import COMMAND, TESTED, Installation
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
REMEDY = f"name another core in runs_on, or put another version of {NAME} on PATH and run: {COMMAND}"
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
    """Whether the self-test was passed as `core`, with just these files."""
    return _note(installation, core).is_file()


def require_core(installation: Installation, core: Core) -> None:
    """See that the emulator computes as `core` does.

    Raises:
        MissingToolError: it does not know the core, or computes wrong answers.
    """
    if has_passed(installation, core):
        return
    emulator = emulator_version(installation)
    if core.name not in known_cores(installation.emulator):
        raise MissingToolError(f"{emulator} does not know the core {core.name}; {REMEDY}")
    wrong = wrong_answers(partial(open_emulated, installation, core, seconds=_TEST_SECONDS))
    if wrong:
        raise MissingToolError(f"{emulator} fails its self-test as {core.name} ({'; '.join(wrong)}); {REMEDY}")
    with contextlib.suppress(OutputError), replacing(_note(installation, core)) as file:  # else it is tested again
        file.write(json.dumps({"core": core.name, "emulator": emulator}).encode())


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
        seconds: what loading it, and each answer, may take.
        kernels: as `runner_arguments` has them.

    Raises:
        ConversionError: the runtime does not load it; calls raise it where it does not run, or takes too long.
    """
    library = installation.litert if kind == "tflite" else installation.onnxruntime
    arguments = runner_arguments(kind, library, path.absolute(), kernels=kernels)
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


def _note(installation: Installation, core: Core) -> Path:
    """The file that says that the self-test was passed."""
    return installation.folder / TESTED / f"{core.name}-{_fingerprint(installation)}.json"


def _fingerprint(installation: Installation) -> str:
    """A hash of all that the outcome of the self-test depends on, but which core it is."""
    tools = (installation.emulator, installation.runner, installation.litert, installation.onnxruntime)
    libraries = sorted(path for path in (installation.root / "lib").iterdir() if path.is_file())
    test = sorted(path for path in FOLDER.iterdir() if path.is_file())
    own = (Path(cores.__file__), Path(__file__))
    digests = [known_sha256(path) for path in (*tools, *libraries, *test, *own)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]


def _ask(emulator: Path, *question: str) -> str:
    """What it prints. Its exit code says nothing: some versions end the list of their cores with an error."""
    try:
        said = subprocess.run(  # noqa: S603
            [str(emulator), *question],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_QUESTION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"{emulator}: does not run ({error}); run: {COMMAND}") from error
    if not said.stdout:
        raise MissingToolError(f"{emulator}: says nothing to {' '.join(question)}; run: {COMMAND}")
    return said.stdout
