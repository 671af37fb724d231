"""Code that the target names: the only code, besides our own and the converters', that a build runs."""

import importlib
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from mobile_export.errors import ModelError
from mobile_export.target import UserCode


def load_code(code: UserCode, key: str) -> Any:
    """The object that `code` names; runs its module. For workers: it changes `sys.path` for good.

    Args:
        key: the target's key, for errors.

    Raises:
        ModelError: the module cannot be imported, or has no such name.
    """
    sys.path.insert(0, str(code.folder))
    try:
        module = importlib.import_module(code.module)
    except Exception as error:  # the user's code may raise anything
        raise ModelError(f"{key}: {code.module!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, code.name):
        raise ModelError(f"{key}: {module.__file__ or code.module} has no {code.name!r}; define it there")
    return getattr(module, code.name)


def code_files(code: UserCode) -> list[Path]:
    """The module's file, and what it imports from the target's folder: a change in them is a change of the model.

    Installed packages are known by their versions and are not followed.
    """
    finder = ModuleFinder(path=[str(code.folder)])
    try:
        finder.import_hook(code.module)
    except ImportError:
        return []  # installed, or missing, which `load_code` says
    except SyntaxError as error:
        raise ModelError(f"{error.filename}: line {error.lineno}: {error.msg}") from error
    files = [getattr(module, "__file__", None) for module in finder.modules.values()]
    return sorted({Path(file) for file in files if file})
