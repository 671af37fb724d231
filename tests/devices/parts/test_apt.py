"""Files out of packages that the real apt brings, from a repository in a folder."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from mobile_export.devices.parts import apt
from mobile_export.devices.parts.apt import Apt
from mobile_export.errors import MissingToolError
from tests.toolchains import not_run

CONTROL = "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\nDescription: x\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch) -> Path:
    """One with the package `thing`; apt knows no other, and its hooks fail."""
    if not apt.is_here():
        not_run("there is no apt-get")
    folder = tmp_path / "repository"
    tree = tmp_path / "tree"
    for path, text in {
        "DEBIAN/control": CONTROL.format(name="thing"),
        "usr/lib/a.so.1": "a",
        "usr/share/doc": "d",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "usr/lib/a.so").symlink_to("a.so.1")
    folder.mkdir()
    subprocess.run(["dpkg-deb", "-b", tree, folder / "thing.deb"], check=True, capture_output=True)
    packed = (folder / "thing.deb").read_bytes()
    listed = f"Filename: ./thing.deb\nSize: {len(packed)}\nSHA256: {hashlib.sha256(packed).hexdigest()}\n"
    (folder / "Packages").write_text(CONTROL.format(name="thing") + listed)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "-";\n'
        'APT::Update::Post-Invoke {"false";};\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return folder


def test_files_of_a_package(repository: Path, tmp_path: Path) -> None:
    packages = Apt(tmp_path / "apt")
    packages.take("thing", "./usr/lib/*", tmp_path / "repository")
    assert (repository / "usr/lib/a.so").read_text() == "a"
    assert not (repository / "usr/share").exists()
    with pytest.raises(MissingToolError, match=r"^thing: has no ./usr/bin/\*$"):
        packages.take("thing", "./usr/bin/*", tmp_path)


def test_a_folder_with_quotes(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / """a "b" 'c'; d"""
    folder.mkdir()
    Apt(folder / "apt").take("thing", "./usr/lib/*", folder)
    assert (folder / "usr/lib/a.so").read_text() == "a"


def test_a_package_that_there_is_not(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MissingToolError, match=r"^nothing cannot be had: apt-get says: E: Unable to locate package nothing$"
    ):
        Apt(tmp_path / "apt").take("nothing", "*", tmp_path)


def test_bytes_that_the_list_does_not_have(repository: Path, tmp_path: Path) -> None:
    packages = Apt(tmp_path / "apt")
    packed = repository / "thing.deb"
    packed.write_bytes(packed.read_bytes()[:-1] + b"x")
    with pytest.raises(MissingToolError, match=r"^thing cannot be had: apt-get says: E: "):
        packages.take("thing", "./usr/lib/*", tmp_path)


def test_no_list(repository: Path, tmp_path: Path) -> None:
    (repository / "Packages").unlink()
    with pytest.raises(MissingToolError, match=r"^the list of the system's packages cannot be had: apt-get says: "):
        Apt(tmp_path / "apt")
