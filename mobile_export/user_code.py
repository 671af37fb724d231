"""Code that the target names: the only code, besides our own and the converters', that a build runs."""

import ast
import importlib
import sys
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
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ModelError(f"{key}: {code.module!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, code.name):
        raise ModelError(f"{key}: {module.__file__ or code.module} has no {code.name!r}; define it there")
    return getattr(module, code.name)


def code_files(code: UserCode) -> list[Path]:
    """The module's file, and what it imports from the target's folder: a change in them is a change of the model.

    Installed packages are known by their versions and are not followed; nor are imports by a computed name.

    Raises:
        ModelError: one of the files is no Python.
    """
    return [path for path, there in _candidates(code).items() if there]


def code_gaps(code: UserCode) -> list[Path]:
    """Where a file would be imported if there were one, instead of an installed package.

    Raises:
        ModelError: one of the files is no Python.
    """
    return [path for path, there in _candidates(code).items() if not there]


def _candidates(code: UserCode) -> dict[Path, bool]:
    """Every file below the folder that would be imported, sorted, and whether it is there."""
    found: dict[Path, bool] = {}
    todo = [code.module]
    while todo:
        for path in _files(code.folder, todo.pop()):
            if path not in found:
                found[path] = path.is_file()
                todo += _imported(path, code.folder) if found[path] else []
    return dict(sorted(found.items()))


def _files(folder: Path, module: str) -> list[Path]:
    """Below `folder`: what may be the file of `module`, and those of the packages that it is in."""
    parts = module.split(".")
    packages = [folder.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    return [*packages, folder.joinpath(*parts).with_suffix(".py")]


def _imported(path: Path, folder: Path) -> list[str]:
    """Modules that the file at `path` may import, by their names from `folder`; names of other things among them."""
    try:
        tree = ast.parse(path.read_bytes(), path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) and error.lineno else str(error)
        raise ModelError(f"{path}: no Python: {line}") from error
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            within = path.relative_to(folder).parts[: -node.level] if node.level else ()
            base = [*within, *((node.module or "").split(".") if node.module else ())]
            names += [".".join([*base, *tail]) for tail in ((), *((name.name,) for name in node.names)) if base or tail]
    return names
