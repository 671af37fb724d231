"""Code that the target names: the only code, besides our own and the converters', that a build runs."""

import ast
import importlib
import importlib.metadata
import json
import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, all_suffixes
from pathlib import Path
from typing import Any

from mobile_export.errors import ModelError
from mobile_export.target import UserCode

_OWN = Path(__file__).parent
_STANDARD = {
    os.path.realpath(folder)
    for folder in (
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix}),
        Path(sysconfig.get_path("stdlib"), "lib-dynload"),
        Path(sys.base_exec_prefix, "DLLs"),
    )
}
"""Where Python's own modules are."""

_COMPUTING = {
    "__import__",
    "__path__",
    "eval",
    "exec",
    "exec_module",
    "extend_path",
    "import_module",
    "load_module",
    "meta_path",
    "path_hooks",
    "run_module",
    "run_path",
    "spec_from_file_location",
}
"""What imports by a computed name, or changes where names lead."""


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


@dataclass(frozen=True)
class Imports:
    """What runs when a module of the user's is imported; a change in it is a change of the model, or of a metric.

    Attributes:
        files: code that is neither Python's nor of an installed package, by its path below where it is imported from.
        gaps: where nothing is, and a file would be imported instead of what is.
        packages: names of installed distributions, which their versions tell apart; they are not followed.
        unknown: names, and files with what is in them, behind which may be code that is not listed here.
    """

    files: dict[str, Path]
    gaps: tuple[Path, ...]
    packages: tuple[str, ...]
    unknown: tuple[str, ...]


def imports_of(code: UserCode) -> Imports:
    """What the module of `code` imports, from the target's folder and from Python's path; nothing of it is run.

    Raises:
        ModelError: a file is no Python.
    """
    importlib.invalidate_caches()
    walk = _Walk(tuple(dict.fromkeys(map(os.path.abspath, [str(code.folder), *sys.path]))))
    walk.follow(code.module)
    walk.unknown |= {f"from {name} import *" for name in walk.stars if walk.modules.get(name)}
    return Imports(
        dict(sorted(walk.files.items())),
        tuple(sorted(walk.gaps)),
        tuple(sorted(walk.packages)),
        tuple(sorted(walk.unknown)),
    )


@dataclass(frozen=True)
class _Place:
    """A folder with modules, and the entry of Python's path that it lies in."""

    root: str
    folder: str


@dataclass
class _Walk:
    """From name to name, as Python finds them when the first of `roots` is the target's folder.

    Attributes:
        modules: by name, those that were looked for: None where there is none, otherwise where modules in it are
            looked for: nowhere, if it is no package or not the user's own.
        stars: modules of which everything is taken, which are other modules where it is a package.
    """

    roots: tuple[str, ...]
    modules: dict[str, Sequence[_Place] | None] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    gaps: set[Path] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    stars: set[str] = field(default_factory=set)
    _installed: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def follow(self, name: str) -> None:
        """Look at a module and at whatever it imports."""
        todo = [_Imported(name, needed=True)]
        while todo:
            imported = todo.pop()
            parts = imported.name.split(".")
            for depth in range(1, len(parts) + 1):
                todo += self._look(".".join(parts[:depth]))
            if imported.needed and self._is_missing(imported.name):
                self.unknown.add(imported.name)

    def _is_missing(self, name: str) -> bool:
        """Whether no file is known for it, although one is imported."""
        parent = name.rpartition(".")[0]
        return self.modules.get(name) is None and (not parent or bool(self.modules.get(parent)))

    def _look(self, name: str) -> Sequence["_Imported"]:
        """Find a module, once; what it imports, if it is the user's own."""
        parent, _, tail = name.rpartition(".")
        if name in self.modules or (parent and not self.modules.get(parent)):
            return ()
        self.modules[name] = None
        if parent:
            return self._in(name, tail, self.modules[parent] or ())
        for finder in sys.meta_path:
            if finder is PathFinder:
                imported = self._in(name, tail, [_Place(root, root) for root in self.roots])
            else:  # of packages that are installed for editing, among others
                spec = finder.find_spec(name, None) if hasattr(finder, "find_spec") else None
                imported = () if spec is None else self._take(name, spec, None)
            if self.modules[name] is not None:
                return imported
        return ()

    def _in(self, name: str, tail: str, places: Sequence[_Place]) -> Sequence["_Imported"]:
        spaces = False
        for place in places:
            spec = PathFinder.find_spec(tail, [place.folder])
            if spec is not None and spec.loader is not None:
                return self._take(name, spec, place)
            spaces = spaces or spec is not None
            self._note_gaps(place, tail)
        if spaces:  # a package without a file of its own; it may lie in several places
            self.modules[name] = [_Place(place.root, os.path.join(place.folder, tail)) for place in places]  # noqa: PTH118
        return ()

    def _take(self, name: str, spec: ModuleSpec, place: _Place | None) -> Sequence["_Imported"]:
        """A module that was found; what it imports, if it is the user's own."""
        self.modules[name] = ()
        if spec.origin in ("built-in", "frozen") or (place and os.path.realpath(place.root) in _STANDARD):
            return ()
        file = Path(spec.origin or "")
        if file.is_relative_to(_OWN):
            return ()  # in all keys and records
        top = name.partition(".")[0]
        installed = self._installed_in(place.root).get(top) if place else None
        if installed:
            self.packages |= installed
            return ()
        inside = list(spec.submodule_search_locations or ())
        if type(spec.loader) is not SourceFileLoader or not all(map(os.path.isdir, inside)):
            self.unknown.add(name)
            return ()
        self.modules[name] = [_Place(place.root if place else folder, folder) for folder in inside]
        if place:
            self._note_gaps(place, name.rpartition(".")[2])
        self.files[name.replace(".", "/") + ("/__init__.py" if inside else ".py")] = file
        found = _imports_in(file, name if inside else name.rpartition(".")[0])
        self.unknown |= {f"{file}: {each}" for each in found.computed}
        self.stars |= {*found.stars}
        return found.names

    def _note_gaps(self, place: _Place, tail: str) -> None:
        stems = (Path(place.folder, tail, "__init__"), Path(place.folder, tail))
        files = (stem.with_name(stem.name + suffix) for stem in stems for suffix in all_suffixes())
        self.gaps |= {file for file in files if not file.exists()}

    def _installed_in(self, root: str) -> dict[str, set[str]]:
        if root not in self._installed:
            self._installed[root] = _installed_in(root)
        return self._installed[root]


def _installed_in(root: str) -> dict[str, set[str]]:
    """Distributions installed in a folder, by the modules that they have; without those that are being edited."""
    found: dict[str, set[str]] = {}
    system = root in {*site.getsitepackages(), site.getusersitepackages()}
    for distribution in importlib.metadata.distributions(path=[root]):
        record = distribution.read_text("RECORD")
        if (record is None and not system) or _is_editable(distribution):
            continue  # what has no list of files is a folder of sources, but where a system's packager left it out
        listed = {line.partition(",")[0].partition("/")[0] for line in (record or "").split("\n")}
        names = [*(each.partition(".")[0] for each in listed), *(distribution.read_text("top_level.txt") or "").split()]
        called = distribution.metadata["Name"]
        for name in names:
            found.setdefault(name, set()).add(called)
    return found


def _is_editable(distribution: importlib.metadata.Distribution) -> bool:
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return True  # nobody knows
    return bool(origin.get("dir_info", {}).get("editable"))


@dataclass(frozen=True)
class _Imported:
    """A name in an import; one that is not `needed` may be that of another thing than a module."""

    name: str
    needed: bool


@dataclass(frozen=True)
class _Found:
    """Imports in a file: names, packages of which everything is taken, and what computes others."""

    names: tuple[_Imported, ...]
    stars: tuple[str, ...]
    computed: tuple[str, ...]


def _imports_in(path: Path, package: str) -> _Found:
    """What the file at `path`, in `package`, may import.

    Raises:
        ModelError: it cannot be read, or is no Python.
    """
    try:
        return _parsed(path.read_bytes(), package)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) and error.lineno else str(error)
        raise ModelError(f"{path}: no Python: {line}") from error


@lru_cache(maxsize=1024)  # a build looks several times
def _parsed(text: bytes, package: str) -> _Found:
    names: list[_Imported] = []
    stars: list[str] = []
    computed: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [_Imported(name.name, needed=True) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base, taken = _base(node, package), [name.name for name in node.names]
            stars += [base] if "*" in taken else []
            names += [_Imported(base, needed=True)] if base else []
            names += [_Imported(f"{base}.{name}".lstrip("."), needed=False) for name in taken if name != "*"]
            computed += [name for name in taken if name in _COMPUTING or (base, name) == ("sys", "path")]
        else:
            computed += _computing(node)
    return _Found(tuple(names), tuple(stars), tuple(computed))


def _base(node: ast.ImportFrom, package: str) -> str:
    """The module from which something is imported; empty where there is none."""
    if not node.level:
        return node.module or ""
    parents = package.split(".") if package else []
    within = parents[: len(parents) - node.level + 1]
    return ".".join([*within, *([node.module] if node.module else [])])


def _computing(node: ast.AST) -> list[str]:
    """What changes or computes imports there."""
    if isinstance(node, ast.Name):
        return [node.id] if node.id in _COMPUTING else []
    if not isinstance(node, ast.Attribute):
        return []
    name = f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr
    method = node.attr in ("eval", "exec")  # of something else, such as a tensor
    return [name] if name == "sys.path" or (node.attr in _COMPUTING and not method) else []
