"""Folders of data files."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from mobile_export.errors import ModelError


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
                if not path.is_file():
                    raise ModelError(f"{path}: is no file; remove it")
                if path.is_symlink() and not path.resolve().is_relative_to(root):
                    raise ModelError(f"{path}: is a link out of {folder}, which is not followed; copy the file there")
                yield path.relative_to(root).as_posix()


def _unreadable(error: OSError) -> None:
    raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from error
