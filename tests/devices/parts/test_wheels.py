"""Packages are brought by the real pip, here from a folder."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mobile_export.devices.parts import wheels
from mobile_export.devices.parts.wheels import bring
from mobile_export.errors import MissingToolError
from tests.devices.materials import index, wheel

FILES = {"thing/a.so": "a", "thing/run": "#!/bin/sh\n", "thing/sub/b.txt": "b"}


@pytest.mark.parametrize("platform", ["manylinux_2_17_aarch64", "manylinux_2_28_aarch64", "manylinux_2_39_aarch64"])
def test_the_build_for_arm64(platform: str, tmp_path: Path, monkeypatch) -> None:
    wheel(index(tmp_path / "index", monkeypatch), "thing", "1.0", platform, FILES)
    wheel(tmp_path / "index", "thing", "1.0", "manylinux_2_28_x86_64", {"thing/a.so": "wrong"})
    bring("thing==1.0", tmp_path / "out", arm=True, wanted=lambda path: path.startswith("thing/") and "sub" not in path)
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"thing/a.so", "thing/run"}
    assert (tmp_path / "out/thing/a.so").read_text() == "a"
    assert subprocess.run([tmp_path / "out/thing/run"], check=True).returncode == 0


def test_the_build_for_this_computer(tmp_path: Path, monkeypatch) -> None:
    wheel(index(tmp_path / "index", monkeypatch), "thing", "1.0", "any", FILES)
    bring("thing==1.0", tmp_path / "out", arm=False)
    assert (tmp_path / "out/thing/sub/b.txt").read_text() == "b"


def test_what_there_is_not(tmp_path: Path, monkeypatch) -> None:
    wheel(index(tmp_path / "index", monkeypatch), "thing", "1.0", "manylinux_2_28_x86_64", FILES)
    with pytest.raises(MissingToolError, match=r"^thing==1.0 for arm64 cannot be had: pip says: ERROR: No matching"):
        bring("thing==1.0", tmp_path / "out", arm=True)


def test_without_a_network(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(MissingToolError, match=r"^thing==1.0 cannot be had: pip says: no connection; try again where"):
        bring("thing==1.0", tmp_path / "out", arm=False)


def test_neither_pip_nor_uv(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"neither pip nor uv here; run: python -m ensurepip$"):
        bring("thing==1.0", tmp_path / "out", arm=True)


@pytest.mark.skipif(shutil.which("uv") is None, reason="not run here: uv is not installed")
def test_by_uv(tmp_path: Path, monkeypatch) -> None:
    wheel(index(tmp_path / "index", monkeypatch), "thing", "1.0", "manylinux_2_28_aarch64", FILES)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    bring("thing==1.0", tmp_path / "out", arm=True)
    assert (tmp_path / "out/thing/a.so").read_text() == "a"
