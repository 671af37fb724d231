"""The output folder: all or nothing, and nothing else in it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobile_export.errors import OutputError
from mobile_export.mutex import alone
from mobile_export.published.publish import publish, staging


def build(out: Path, content: str, name: str = "android") -> Path:
    with staging(out, name) as stage:
        (stage / "assets").mkdir()
        (stage / "assets" / "model").write_text(content)
        return publish(stage, out, name)


def tree(out: Path) -> dict[str, str]:
    """Every file below `out`, hidden ones too, and its content; empty folders as well."""
    return {
        path.relative_to(out).as_posix(): path.read_text() if path.is_file() else ""
        for path in out.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


@pytest.mark.parametrize("out", ["out", "not/there/yet"])
def test_a_first_build(tmp_path: Path, out: str) -> None:
    assert build(tmp_path / out, "new") == tmp_path / out / "android"
    assert tree(tmp_path / out) == {"android/assets/model": "new"}


def test_a_rebuild_replaces_the_whole_folder(tmp_path: Path) -> None:
    (build(tmp_path, "old") / "stale").write_text("")
    build(tmp_path, "new")
    assert tree(tmp_path) == {"android/assets/model": "new"}


def test_targets_do_not_touch_each_other(tmp_path: Path) -> None:
    for name, content in [("android", "1"), ("android_beta", "2"), ("android", "3")]:
        build(tmp_path, content, name)
    assert tree(tmp_path) == {"android/assets/model": "3", "android_beta/assets/model": "2"}


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o775), (0o022, 0o755)])
def test_a_published_folder_can_be_read_by_others(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        assert build(tmp_path, "new").stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


@pytest.mark.parametrize("before", [{}, {"android/assets/model": "old"}])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_what_was_there(tmp_path: Path, before: dict[str, str], error: type[BaseException]) -> None:
    if before:
        build(tmp_path, "old")
    with pytest.raises(error), staging(tmp_path, "android") as stage:
        (stage / "half").write_text("done")
        raise error
    assert tree(tmp_path) == before


def test_leaving_without_publishing_leaves_what_was_there(tmp_path: Path) -> None:
    build(tmp_path, "old")
    with staging(tmp_path, "android") as stage:
        (stage / "refused").write_text("by a check")
    assert tree(tmp_path) == {"android/assets/model": "old"}


@pytest.mark.parametrize("before", [{}, {"android/assets/model": "old"}])
def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path: Path, before: dict[str, str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if before:
        build(out, "old")
    with pytest.raises(OutputError, match=r"android: cannot be replaced: .*; close what uses it and build again"):
        publish(tmp_path, out, "android")  # a folder cannot be moved into itself
    assert tree(out) == before


@pytest.mark.parametrize(
    "leftover", [{".retired-android/m": "older"}, {".retired-android/m": "old", "android/m": "new"}]
)
@pytest.mark.parametrize("published", [True, False])
def test_a_build_killed_between_the_renames_is_finished(
    tmp_path: Path, leftover: dict[str, str], published: bool
) -> None:
    for name, content in leftover.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    if published:
        build(tmp_path, "newest")
    else:
        with staging(tmp_path, "android"):
            pass
    kept = {"android/m": leftover.get("android/m", "older")}
    assert tree(tmp_path) == ({"android/assets/model": "newest"} if published else kept)


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_output_folder_that_is_a_file(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"file.*: cannot be written: .+; choose another folder with --out"):
        build(tmp_path / out, "new")
    assert tree(tmp_path) == {"file": "mine"}


def test_an_output_folder_that_does_not_allow_it() -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        build(Path("/proc/mobile-export"), "new")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_stands_in_the_way_of_a_target_is_replaced_whatever_it_is(tmp_path: Path, kind: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    if kind == "file":
        (out / "android").write_text("mine")
    else:
        (out / "android").symlink_to(elsewhere)
    build(out, "new")
    build(out, "newer")
    assert tree(out) == {"android/assets/model": "newer"}


def test_what_killed_builds_staged_is_removed(tmp_path: Path) -> None:
    others = [tmp_path / ".staging-android_beta-x", tmp_path / ".staging-androidx"]
    for folder in (tmp_path / ".staging-android-x", *others):
        folder.mkdir()
        (folder / "half").write_text("done")
    build(tmp_path, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["android", *(path.name for path in others)])


def test_who_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = "import time; from pathlib import Path; from mobile_export.mutex import alone\n"
    code += "from mobile_export.published.publish import staging\n"
    code += f"out = Path({str(tmp_path)!r})\n"
    code += "with alone(out, 'android'), staging(out, 'android'): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        process.kill()
    assert len(list(tmp_path.iterdir())) == 2
    begun = time.monotonic()
    with alone(tmp_path, "android"):
        build(tmp_path, "new")
    assert time.monotonic() - begun < 5
    assert tree(tmp_path) == {"android/assets/model": "new"}
