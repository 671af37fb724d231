"""Folders of data files."""

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NoReturn

from mobile_export.errors import ModelError


def files_in(folder: Path, matches: Callable[[str], bool]) -> list[Path]:
    """Files that lie right in `folder` and whose names match, by name; no hidden ones.

    What is called otherwise is not looked at, whatever it is, and folders are not entered.

    Raises:
        ModelError: the folder cannot be read, or what matches is no file, or a link out of it.
    """
    try:
        with os.scandir(folder) as entries:
            called = (entry for entry in entries if matches(entry.name) and not entry.name.startswith("."))
            names = sorted(entry.name for entry in called if not entry.is_dir())
    except OSError as error:
        _unreadable(error)
    root = folder.resolve()
    for name in names:
        _check_file(root / name, root)
    return [folder / name for name in names]


def files_below(folder: Path, suffixes: Collection[str]) -> Iterator[str]:
    """Files at any depth whose lower-case names end so, as paths from `folder`; no hidden ones, in no certain order.

    Raises:
        ModelError: a folder cannot be read, a file is none, or a link leads to a folder, or out of this one.
    """
    root = folder.resolve()
    for parent, folders, names in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if Path(parent, name).is_symlink():
                raise ModelError(f"{Path(parent, name)}: is a link to a folder, which is not followed; move it here")
        for name in names:
            if not name.startswith(".") and name.lower().endswith(tuple(suffixes)):
                path = Path(parent, name)
                _check_file(path, root)
                yield path.relative_to(root).as_posix()


def _check_file(path: Path, root: Path) -> None:
    if not path.is_file():
        raise ModelError(f"{path}: is no file; remove it")
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise ModelError(f"{path}: is a link out of {root}, which is not followed; copy the file there")


def _unreadable(error: OSError) -> NoReturn:
    raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from error
