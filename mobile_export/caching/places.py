"""Where work is kept between builds. Imports nothing that costs a millisecond: unchanged builds ask here, too."""

import os
import sys

VARIABLE = "MOBILE_EXPORT_CACHE"
"""The environment variable that names another place."""
KINDS = ("artifacts", "searches", "digests", "builds")
"""Folders of a cache: built files; what searches have measured; hashes of large files; records of builds."""
DEVICES = "devices"
"""The folder of set-ups of devices, which pruning leaves alone: a program may be running out of it."""
TAG = "CACHEDIR.TAG"
"""The file that says of a folder that it is a cache, and whose: backups leave it out, and it may be pruned."""

_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55"  # of https://bford.info/cachedir
_OURS = "# This is a cache of mobile-export; all of it may be deleted at any time."


def cache_root() -> str:
    """The folder in which everything lies that is kept between builds; it need not exist."""
    return os.environ.get(VARIABLE) or os.path.join(_usual(), "mobile-export")


def make_folder(root: str, *parts: str) -> str:
    """A folder of the cache at `root`, made where it is missing; what lies where the platform has caches is private.

    The root is tagged, unless it holds files of somebody else, which no tool should take for a cache.

    Raises:
        OSError: it cannot be made.
    """
    mode = 0o777 if root != cache_root() or os.environ.get(VARIABLE) else 0o700
    folder = os.path.join(root, *parts)
    for each in (root, folder):
        os.makedirs(each, mode, exist_ok=True)
    if set(os.listdir(root)) <= {*KINDS, DEVICES}:
        try:
            with open(os.path.join(root, TAG), "x", encoding="ascii") as file:
                file.write(f"{_SIGNATURE}\n{_OURS}\n")
        except OSError:  # another build was quicker; or this one may only read
            pass
    return folder


def is_cache(folder: str) -> bool:
    """Whether `folder` is tagged as a cache of ours."""
    try:
        with open(os.path.join(folder, TAG), encoding="ascii") as file:
            return file.read(1000).splitlines()[:2] == [_SIGNATURE, _OURS]
    except (OSError, ValueError):
        return False


def _usual() -> str:
    """Where the platform keeps caches."""
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return f"{home}/Library/Caches"
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or f"{home}\\AppData\\Local"
    return os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
