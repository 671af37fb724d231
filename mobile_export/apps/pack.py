"""A Swift package of a published target: its class, the files that it runs, and tests with the golden vectors.

What is of the app and what is of tests lies apart: golden vectors are resources of the test target alone.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobile_export.apps import swift
from mobile_export.apps.interface import Interface, interface_of
from mobile_export.errors import OutputError, TargetError
from mobile_export.mutex import alone
from mobile_export.published.integrity import shippable
from mobile_export.published.manifest import Manifest
from mobile_export.published.publish import publish, staging

LIST = ".mobile-export-package"
"""What a package of ours is known by: the paths of its files, a line each."""
_KEPT = (".build", ".swiftpm", "Package.resolved")
"""What Swift's tools leave in a package; the first can be made again, and is large."""


def pack(folder: Path, to: Path, name: str | None = None, shim: bool = False) -> bool:
    """Write the package of a published folder to `to`, whole or not at all; False where it is there already.

    Who else packs to the same place is waited for.

    Args:
        name: of the package; that of the Swift module where none is given.
        shim: the C target alone that stands between the class and ONNX Runtime, for a package of the app's own.

    Raises:
        CheckFailed: the folder was published with --gate warn, or files in it are missing or changed.
        TargetError: the target has no Swift class, or a name is given to a shim.
        ModelError: the manifest is missing or damaged.
        OutputError: `to` holds something else, or cannot be written.
    """
    if shim and name is not None:
        raise TargetError(f"--name {name}: the shim alone is no package, and has no name; leave out --name or --shim")
    files = _listed(shim_files(folder) if shim else package_files(folder, name))
    to = to.absolute()
    with alone(to.parent, to.name):
        if _ours(to) == files:
            return False
        _write(files, to)
    return True


def package_files(folder: Path, name: str | None = None) -> dict[str, bytes]:
    """Everything in the package, by its path.

    Raises:
        CheckFailed, TargetError, ModelError: as `pack`.
    """
    manifest, interface = _published(folder)
    about = swift.describe(interface)
    module, shim = about["module"], about["shim"]
    tests = f"Tests/{module}Tests"
    recorded = [variant for variant in interface.variants if variant.vectors in manifest.generated]
    about |= {
        "package": name or module,
        "recorded": [each for each in about["variants"] if each["name"] in {variant.name for variant in recorded}],
    }
    copied = {
        **{f"Sources/{module}/{Path(path).name}": path for path in manifest.generated if is_source(path)},
        **{f"Sources/{module}/Models/{variant.file_name}": variant.file for variant in interface.variants},
        **{f"{tests}/Golden/{Path(variant.vectors).name}": variant.vectors for variant in recorded},
    }
    return {
        "Package.swift": _written("Package.swift", about),
        f"{tests}/GoldenTests.swift": _written("GoldenTests.swift", about),
        **{f"Sources/{shim}/{path}": content for path, content in _shim(interface, about).items()},
        **{path: (folder / source).read_bytes() for path, source in copied.items()},
    }


def shim_files(folder: Path) -> dict[str, bytes]:
    """The C target of the package alone, by the path in its folder.

    Raises:
        CheckFailed, TargetError, ModelError: as `pack`; no file of the target is for ONNX Runtime.
    """
    _, interface = _published(folder)
    files = _shim(interface, swift.describe(interface))
    if not files:
        raise TargetError(
            f"{interface.target}: no file of it is for ONNX Runtime, so it needs no shim; leave out --shim"
        )
    return files


def is_source(path: str) -> bool:
    """Whether a generated file is Swift."""
    return path.startswith(f"{swift.FOLDER}/")


def _shim(interface: Interface, about: Mapping[str, Any]) -> dict[str, bytes]:
    if "onnxruntime" not in interface.runtimes:
        return {}
    return {"shim.c": _written("shim.c", about), f"include/{about['shim']}.h": _written("shim.h", about)}


def _written(template: str, about: Mapping[str, Any]) -> bytes:
    return swift.render(f"package/{template}.j2", about).encode()


def _write(files: Mapping[str, bytes], to: Path) -> None:
    with staging(to.parent, to.name) as staged:
        try:
            for path, content in files.items():
                (staged / path).parent.mkdir(parents=True, exist_ok=True)
                (staged / path).write_bytes(content)
            _keep(to, staged)
        except OSError as error:
            raise OutputError(
                f"{to}: cannot be written: {error.strerror}; make room, or name another folder"
            ) from error
        publish(staged, to.parent, to.name)


def _listed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {**files, LIST: "".join(f"{path}\n" for path in sorted(files)).encode()}


def _published(folder: Path) -> tuple[Manifest, Interface]:
    """What was published and has a Swift class, once it is sure that it may be shipped."""
    manifest = shippable(folder)
    if manifest.app is None or manifest.app.swift_module is None:
        raise TargetError(f"{manifest.target}: the target asks for no Swift; add [app] with a swift_module")
    return manifest, interface_of(manifest)


def _ours(to: Path) -> dict[str, bytes]:
    """The package that is at `to`; nothing where an empty folder is, or none.

    Raises:
        OutputError: anybody else's file lies there, and would be lost.
    """
    there = {path.relative_to(to).as_posix(): path for path in _files(to)}
    listed = there[LIST].read_text(encoding="utf-8", errors="replace").splitlines() if LIST in there else []
    strange = sorted({*there} - {*listed, LIST})
    if strange:
        raise OutputError(
            f"{to / strange[0]}: was not written by pack, and would be lost; move it away, or name another folder"
        )
    return {path: file.read_bytes() for path, file in there.items()}


def _keep(to: Path, staged: Path) -> None:
    """Take over what Swift's tools left."""
    for name in _KEPT:
        left = to / name
        if name == _KEPT[0] and left.is_dir():
            left.rename(staged / name)
        elif left.is_dir():
            shutil.copytree(left, staged / name, symlinks=True)
        elif left.exists():
            shutil.copy2(left, staged / name)


def _files(to: Path) -> Iterator[Path]:
    """Every file at `to`, but for what Swift's tools leave there."""
    if to.is_dir():
        found = (path for top in to.iterdir() if top.name not in _KEPT for path in [top, *top.rglob("*")])
        yield from (path for path in found if not path.is_dir())
    elif to.exists():
        yield to
