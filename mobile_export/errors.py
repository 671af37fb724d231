"""Every way in which a build can end badly, and the exit code of each.

An error's text is one sentence (a list, where several things are wrong at once) that names the file, key or
node and says what to do. Only `cli` catches these; Gradle and Xcode branch on the codes.
"""

import difflib
from collections.abc import Iterable


class ExportError(Exception):
    """Base of all errors that a user can cause or meet. Anything else that escapes is a bug of ours (exit 70).

    Attributes:
        nodes: names of the graph's nodes at fault, where it is nodes.
    """

    exit_code = 70

    def __init__(self, message: str = "", nodes: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.nodes = tuple(nodes)


class CheckFailed(ExportError):
    """An artifact missed a limit; nothing was published."""

    exit_code = 1


class TargetError(ExportError):
    """The command line or the target file is wrong."""

    exit_code = 2


class ModelError(ExportError):
    """The model or the data cannot be read, or is not what the target says."""

    exit_code = 3


class ConversionError(ExportError):
    """A converter failed, ran out of its limits, or wrote a file that does not load."""

    exit_code = 4


class NotRunnableError(ConversionError):
    """A file may be right, and no runtime here can run it; the text says why, without the file's name."""


class MissingToolError(ExportError):
    """A package or a tool is not installed."""

    exit_code = 5


class OutputError(ExportError):
    """The output folder or the cache cannot be written."""

    exit_code = 6


def nearest(name: str, known: Iterable[str]) -> str:
    """What a sentence about the unknown `name` ends with: those of `known` that look like it, if any do."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; the nearest names are {', '.join(map(repr, near))}" if near else ""


INTERRUPTED = 130
