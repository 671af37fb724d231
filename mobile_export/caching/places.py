"""Where work is kept between builds. Imports nothing that costs a millisecond: unchanged builds ask here, too."""

import os
import sys

VARIABLE = "MOBILE_EXPORT_CACHE"
"""The environment variable that names another place."""


def cache_root() -> str:
    """The folder in which everything lies that is kept between builds; it need not exist."""
    return os.environ.get(VARIABLE) or os.path.join(_usual(), "mobile-export")


def _usual() -> str:
    """Where the platform keeps caches."""
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return f"{home}/Library/Caches"
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or f"{home}\\AppData\\Local"
    return os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
