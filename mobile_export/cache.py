"""The folder in which work is kept between builds; whatever lies there may be deleted at any time."""

import os
import sys
from pathlib import Path

from mobile_export.errors import OutputError

VARIABLE = "MOBILE_EXPORT_CACHE"
"""The environment variable that names another place."""


def cache_folder(*parts: str) -> Path:
    """A folder of the user's cache; made where it is missing.

    Raises:
        OutputError: it cannot be made.
    """
    folder = Path(os.environ.get(VARIABLE) or _usual() / "mobile-export").joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); set {VARIABLE} to another folder") from error
    return folder


def _usual() -> Path:
    """Where the platform keeps caches."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
