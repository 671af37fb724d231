"""What a device is: something else than this computer's own runtimes that runs built files."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from mobile_export.runner import Runner


class Device(Protocol):
    """One device, such as a core of a phone."""

    @property
    def name(self) -> str:
        """As `runs_on` has it: the kind, a colon, and which one."""
        ...

    @property
    def formats(self) -> Sequence[str]:
        """The formats that it runs."""
        ...

    def require(self) -> None:
        """See that files can be run there, and are run right.

        Raises:
            MissingToolError: something is missing, or computes wrong answers; says the command that mends it.
        """
        ...

    def runtime(self, kind: str) -> str:
        """What runs files of a format there, and where: runtime, emulator and their versions, for people."""
        ...

    def open(self, kind: str, path: Path) -> AbstractContextManager[Runner]:
        """Load a file there, to run it for as long as the context lasts.

        Edges are those of `FORMATS[kind].open`, in the same order; answers are those of its kernels there.

        Raises:
            ConversionError: the runtime there does not load it; calls raise it where it does not run, or takes too
                long.
            NotRunnableError: nothing there runs it.
        """
        ...


class Kind(Protocol):
    """A kind of device."""

    @property
    def names(self) -> Sequence[str]:
        """Every device of this kind that a target may name, as `runs_on` has it; none where only `run` knows it."""
        ...

    def device(self, which: str) -> Device:
        """The one of that name, without the kind and its colon; `which` may be empty where there is a default.

        Raises:
            TargetError: there is none of that name; says which there are.
        """
        ...
