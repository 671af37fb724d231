"""Dependency files, as Make itself reads them."""

import os
import subprocess
from pathlib import Path

import pytest

from mobile_export.building.depfile import depfile, shown
from mobile_export.errors import OutputError

NAMES = [
    "plain",
    "two words",
    "a#b",
    "a$b",
    "$(shell touch evil).pb",
    "50%",
    "back\\slash",
    "back\\ space",
    "tab\there",
    "~x",
    "q'q\"q",
    "ü",
]


def is_current(folder: Path, target: str) -> bool:
    done = subprocess.run(["make", "-q", "-f", "d.mk", target], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("target", ["out", "o ut#$x%"])
def test_make_rebuilds_what_depends_on_a_changed_file(tmp_path: Path, target: str) -> None:
    for name in [*NAMES, target]:
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1000, 1000))
    os.utime(tmp_path / target, (2000, 2000))
    text = depfile([Path(target)], [Path(name) for name in NAMES])
    (tmp_path / "d.mk").write_text(f"{text}\t@touch '{target.replace('$', '$$')}'\n", encoding="utf-8")
    assert is_current(tmp_path, target)
    for name in NAMES:
        os.utime(tmp_path / name, (3000, 3000))
        assert not is_current(tmp_path, target), name
        os.utime(tmp_path / name, (1000, 1000))
    assert not (tmp_path / "evil").exists()


def test_every_output_depends_on_every_input() -> None:
    assert depfile([Path("a"), Path("b")], [Path("c"), Path("d e")]) == "a b: \\\n  c \\\n  d\\ e\n"


def test_a_line_end_in_a_name() -> None:
    with pytest.raises(OutputError, match=r"'a\\nb' has a line end"):
        depfile([Path("out")], [Path("a\nb")])


def test_paths_are_shown_as_one_would_write_them(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    below, elsewhere = tmp_path / "a/b", tmp_path.parent / "c"
    (tmp_path / "link").symlink_to("/usr")
    assert shown([tmp_path / "t/../a/b", tmp_path / "link/../a/b"]) == [Path("a/b"), Path("link/../a/b")]
    assert shown([below, elsewhere, below]) == [Path("a/b"), elsewhere]
