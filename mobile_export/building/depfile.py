"""Lists of files for other build systems: Make's dependency files, which Ninja and Xcode read, too."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mobile_export.errors import OutputError

_SPECIAL = re.compile(r"(\\*)([ \t#])")
"""What ends a name in a makefile, with backslashes before it, which then count for themselves."""


def depfile(outputs: Sequence[Path], inputs: Sequence[Path]) -> str:
    """One rule: every output depends on every input.

    Raises:
        OutputError: a name has a line end, which no makefile can say.
    """
    targets = " ".join(_escaped(path).replace("%", r"\%") for path in outputs)  # a pattern, otherwise
    return f"{targets}: \\\n" + " \\\n".join(f"  {_escaped(path)}" for path in inputs) + "\n"


def shown(paths: Sequence[Path]) -> list[Path]:
    """Each path once: from the current folder where it is below it, otherwise whole."""
    here = Path.cwd()
    tidy = map(_tidy, paths)
    return list(dict.fromkeys(path.relative_to(here) if path.is_relative_to(here) else path for path in tidy))


def _tidy(path: Path) -> Path:
    """Without `..`, where that is the same place: it is not, after a link."""
    short = Path(os.path.normpath(path))
    return short if ".." in path.parts and short.resolve() == path.resolve() else path


def _escaped(path: Path) -> str:
    name = path.as_posix()
    if "\n" in name or "\r" in name:
        raise OutputError(f"--depfile: {name!r} has a line end, which no makefile can say; rename it")
    return _SPECIAL.sub(lambda found: f"{found[1] * 2}\\{found[2]}", name.replace("$", "$$"))
