"""The folder in which work is kept between builds; whatever lies there may be deleted at any time."""

from pathlib import Path

from mobile_export.caching.places import VARIABLE, cache_root, make_folder
from mobile_export.errors import OutputError


def cache_folder(*parts: str) -> Path:
    """A folder of the user's cache; made where it is missing.

    Raises:
        OutputError: it cannot be made.
    """
    root = cache_root()
    try:
        return Path(make_folder(root, *parts))
    except OSError as error:
        folder = Path(root, *parts)
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); set {VARIABLE} to another folder") from error
