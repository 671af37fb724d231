"""The C library, where it is taken from a folder."""

from pathlib import Path

import pytest

from mobile_export.devices.parts import apt, library
from mobile_export.devices.parts.library import CLibrary
from mobile_export.devices.parts.part import Workshop
from mobile_export.errors import MissingToolError, TargetError
from tests.devices.materials import LIBRARIES, sysroot


@pytest.mark.parametrize("where", ["lib", "lib64", "usr/lib/aarch64-linux-gnu"])
def test_a_folder(where: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert CLibrary(sysroot(tmp_path / "root", "2.41", where)).make(out, Workshop(tmp_path)) == "2.41"
    assert {path.name for path in (out / "lib").iterdir()} == {*LIBRARIES}


def test_a_folder_without_some(tmp_path: Path) -> None:
    root = sysroot(tmp_path / "root")
    (root / "lib/libstdc++.so.6").unlink()
    (tmp_path / "out").mkdir()
    with pytest.raises(TargetError, match=r"^--sysroot .*/root: has no libstdc\+\+.so.6 in lib"):
        CLibrary(root).make(tmp_path / "out", Workshop(tmp_path))


def test_without_apt(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not apt.is_here()
    monkeypatch.setattr(library, "_USUAL", tmp_path / "usual")
    (tmp_path / "out").mkdir()
    with pytest.raises(MissingToolError, match=r"no apt-get to bring it; .* install arm64 --sysroot FOLDER$"):
        CLibrary().make(tmp_path / "out", Workshop(tmp_path))
    sysroot(tmp_path / "usual")
    (tmp_path / "again").mkdir()
    assert CLibrary().make(tmp_path / "again", Workshop(tmp_path)) == "2.36"
