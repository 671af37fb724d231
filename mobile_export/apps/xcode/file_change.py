"""Files as they should be, beside what they are: to be shown, or to be written."""

import difflib
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.errors import TargetError

_MOST_SHOWN = 40
"""Lines of a new file."""


@dataclass(frozen=True)
class FileChange:
    """A file as it should be, and as it is; `before` is None where there is none."""

    path: Path
    text: str
    before: str | None

    @property
    def needed(self) -> bool:
        return self.text != self.before

    @property
    def shown(self) -> str:
        """What would be written: of a file that is there, the lines that change."""
        if not self.needed:
            return f"{self.path}: as it should be\n"
        if self.before is None:
            count = self.text.count("\n")
            shown = self.text if count <= _MOST_SHOWN else f"{count} lines\n"
        else:
            changed = difflib.unified_diff(self.before.splitlines(), self.text.splitlines(), lineterm="", n=2)
            shown = "".join(f"{line}\n" for line in list(changed)[2:])
        return f"{self.path}:\n\n{textwrap.indent(shown, '    ')}"

    def write(self) -> None:
        """Write it, if it is not so yet.

        Raises:
            OutputError: it cannot be written.
        """
        if self.needed:
            with replacing(self.path) as file:
                file.write(self.text.encode())


def file_changes(texts: Mapping[Path, str]) -> list[FileChange]:
    """What has to be done so that each path has its text.

    Raises:
        TargetError: what is there is no text that could be replaced.
    """
    return [FileChange(path, text, _read(path)) for path, text in texts.items()]


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: is in the way of what mobile-export writes: {error}") from error
