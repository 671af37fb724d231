"""Records of builds: what they answer, and above all what they do not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobile_export.caching.places import cache_root
from mobile_export.incremental import unchanged
from mobile_export.incremental.unchanged import (
    COARSE,
    FILE,
    FOLDER,
    PACKAGES,
    PLACE,
    answer,
    look,
    record_path,
    remember,
)

COMMAND = ["build", "t.toml"]
PRINTED = [("out", "t: current in out/t (1 artifact)"), ("err", "warning: t: few samples")]
LONG_AGO = time.time_ns() - 100 * COARSE


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(here: Path) -> Path:
    """A file that was written long ago."""
    path = here / "model.pb"
    path.write_text("weights")
    return aged(path)


def aged(path: Path) -> Path:
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def recorded(*seen: unchanged.Seen, at: int | None = None) -> None:
    """A record that was written after what it lists had come to rest; no test can set back when a file was changed."""
    assert remember(COMMAND, time.time_ns() + 2 * COARSE if at is None else at, PRINTED, seen)


def reads(monkeypatch) -> list[str]:
    """What is hashed from now on."""
    hashed: list[str] = []
    digest_of = unchanged.digest_of

    def watched(kind: str, path: str, said: str) -> str:
        hashed.append(path)
        return digest_of(kind, path, said)

    monkeypatch.setattr(unchanged, "digest_of", watched)
    return hashed


def test_what_was_printed_is_printed_again(model: Path, capsys, monkeypatch) -> None:
    recorded(look(FILE, str(model)))
    hashed = reads(monkeypatch)
    assert answer(COMMAND)
    assert capsys.readouterr() == ("t: current in out/t (1 artifact)\n", "warning: t: few samples\n")
    assert hashed == []


def test_nothing_is_known_of_a_first_run(capsys) -> None:
    assert not answer(COMMAND)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("other", [["build", "u.toml"], ["build", "t.toml", "--gate", "warn"], ["build"]])
def test_another_command_is_another(model: Path, other: list[str]) -> None:
    recorded(look(FILE, str(model)))
    assert not answer(other)


def test_commands_that_share_a_place_are_told_apart(model: Path, monkeypatch) -> None:
    monkeypatch.setattr(unchanged.zlib, "crc32", lambda data: 1)
    recorded(look(FILE, str(model)))
    assert record_path(["build", "u.toml"]) == record_path(COMMAND)
    assert answer(COMMAND)
    assert not answer(["build", "u.toml"])


def test_another_folder_is_another(model: Path, here: Path, monkeypatch) -> None:
    recorded(look(FILE, str(model)))
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    assert not answer(COMMAND)


@pytest.mark.parametrize("name", ["executable", "prefix", "version"])
def test_another_python_is_another(model: Path, monkeypatch, name: str) -> None:
    recorded(look(FILE, str(model)))
    monkeypatch.setattr(sys, name, "other")
    assert not answer(COMMAND)


def test_other_packages_on_the_path_are_others(model: Path, monkeypatch) -> None:
    recorded(look(FILE, str(model)))
    monkeypatch.setattr(sys, "path", ["/elsewhere", *sys.path])
    assert not answer(COMMAND)


def test_another_copy_of_us_is_another(model: Path, monkeypatch) -> None:
    recorded(look(FILE, str(model)))
    monkeypatch.setattr(unchanged, "__file__", "/elsewhere/mobile_export/unchanged.py")
    assert not answer(COMMAND)


def test_other_bytes(model: Path) -> None:
    recorded(look(FILE, str(model)))
    model.write_text("trained")
    assert not answer(COMMAND)


def test_other_bytes_of_the_same_size_and_time(model: Path) -> None:
    recorded(look(FILE, str(model)))
    time.sleep(0.02)  # a clock's tick
    model.write_text("trained")
    aged(model)
    assert not answer(COMMAND)


def test_a_file_that_takes_its_place(model: Path) -> None:
    recorded(look(FILE, str(model)))
    model.with_name("new").write_text("trained")
    aged(model.with_name("new")).replace(model)
    assert not answer(COMMAND)


@pytest.mark.parametrize("change", ["unlink", "folder"])
def test_a_file_that_is_gone(model: Path, change: str) -> None:
    recorded(look(FILE, str(model)))
    model.unlink()
    if change == "folder":
        model.mkdir()
    assert not answer(COMMAND)


def test_a_touched_file_costs_one_hash(model: Path, monkeypatch) -> None:
    recorded(look(FILE, str(model)))
    time.sleep(0.02)
    model.touch()
    hashed = reads(monkeypatch)
    monkeypatch.setattr(unchanged.time, "time_ns", lambda: LONG_AGO + 1000 * COARSE)  # when it has come to rest
    assert answer(COMMAND)
    assert hashed == [str(model)]
    assert answer(COMMAND)
    assert hashed == [str(model)]


def test_a_file_that_was_just_written_is_hashed_until_its_clock_has_moved_on(model: Path, monkeypatch) -> None:
    """A change within the clock's tick shows in nothing that stat says."""
    recorded(look(FILE, str(model)), at=time.time_ns())
    same = unchanged.stat_of(str(model))
    model.write_text("trained")
    monkeypatch.setattr(unchanged, "stat_of", lambda path: same)
    assert not answer(COMMAND)


def test_what_is_settled(model: Path) -> None:
    changed = model.stat().st_ctime_ns
    said = unchanged.stat_of(str(model))
    assert unchanged.settled(said, changed + COARSE + 1)
    assert not unchanged.settled(said, changed + COARSE)
    assert not unchanged.settled(said, changed - COARSE), "the clock was set back"
    assert unchanged.settled(unchanged.ABSENT, 0)


def test_windows_settles_nothing(model: Path, monkeypatch) -> None:
    """It has no time of change, so another file of that size, its time set back, shows in nothing that stat says."""
    monkeypatch.setattr(unchanged, "_TELLS_CHANGES", False)
    recorded(look(FILE, str(model)), look(FILE, str(model.with_name("absent"))))
    same = unchanged.stat_of(str(model))
    hashed, before = reads(monkeypatch), Path(record_path(COMMAND)).stat()
    assert answer(COMMAND)
    assert hashed == [str(model)]
    assert Path(record_path(COMMAND)).stat() == before, "there was nothing to learn"
    model.write_text("trained")
    stat_of = unchanged.stat_of
    monkeypatch.setattr(unchanged, "stat_of", lambda path: same if path == str(model) else stat_of(path))
    assert not answer(COMMAND)


def test_the_same_file_number_on_another_disk(model: Path) -> None:
    assert unchanged.stat_of(str(model)).split()[3:] == [str(model.stat().st_ino), str(model.stat().st_dev)]


def test_what_killed_builds_left_is_in_nobodys_way(model: Path, cache: Path) -> None:
    recorded(look(FILE, str(model)))
    path = Path(record_path(COMMAND))
    path.with_name(f".{path.name}-{'0' * 32}.part").write_bytes(b"half")
    assert answer(COMMAND)
    assert {other.name for other in cache.iterdir()} == {"builds", "CACHEDIR.TAG"}


def test_another_file_in_a_folder(here: Path) -> None:
    folder = here / "photos"
    folder.mkdir()
    recorded(look(FOLDER, str(folder)))
    assert answer(COMMAND)
    (folder / "0.png").write_text("")
    assert not answer(COMMAND)


@pytest.mark.parametrize("name", ["__pycache__", "gone"])
def test_names_that_do_not_count_in_a_folder(here: Path, name: str) -> None:
    recorded(look(FOLDER, str(here)))
    (here / name).mkdir()
    if name == "gone":
        (here / name).rmdir()
    assert answer(COMMAND)


@pytest.mark.parametrize(("name", "same"), [("own_code.py", True), ("numpy-3.0.dist-info", False)])
def test_packages_that_come(here: Path, name: str, same: bool) -> None:
    recorded(look(PACKAGES, str(here)))
    (here / name).mkdir()
    assert answer(COMMAND) is same


def test_a_package_that_goes(here: Path) -> None:
    (here / "numpy-2.0.dist-info").mkdir()
    recorded(look(PACKAGES, str(here)))
    assert answer(COMMAND)
    (here / "numpy-2.0.dist-info").rename(here / "numpy-2.1.dist-info")
    assert not answer(COMMAND)


def test_a_library_in_an_archive(here: Path) -> None:
    (here / "python.zip").write_bytes(b"zip")
    recorded(look(PACKAGES, str(here / "python.zip")))
    assert answer(COMMAND)
    (here / "python.zip").write_bytes(b"new")
    assert not answer(COMMAND)


def test_a_file_that_appears_where_none_was(here: Path) -> None:
    recorded(look(FILE, str(here / "helpers.py")))
    assert answer(COMMAND)
    (here / "helpers.py").write_text("")
    assert not answer(COMMAND)


def test_a_link_that_leads_elsewhere(here: Path) -> None:
    """To a file of the same bytes: what it names lies elsewhere now."""
    for name in ("a", "b"):
        (here / name).mkdir()
        (here / name / "t.toml").write_text("name = 't'")
    (here / "t.toml").symlink_to("a/t.toml")
    recorded(look(PLACE, str(here / "t.toml")), look(FILE, str(here / "t.toml")))
    assert answer(COMMAND)
    (here / "t.toml").unlink()
    (here / "t.toml").symlink_to("b/t.toml")
    assert not answer(COMMAND)


@pytest.mark.parametrize("damage", [b"", b"mobile-export-record 1 00000000\n", b"\xff\xfe"])
def test_a_damaged_record_answers_nothing(model: Path, capsys, damage: bytes) -> None:
    recorded(look(FILE, str(model)))
    path = Path(record_path(COMMAND))
    whole = path.read_bytes()
    for broken in (damage, whole[:-20], whole.replace(b"few", b"no")):
        path.write_bytes(broken)
        assert not answer(COMMAND)
    assert capsys.readouterr() == ("", "")
    path.write_bytes(whole)
    assert answer(COMMAND)


@pytest.mark.parametrize("name", ["line\nend", "tab\tstop"])
def test_names_that_a_record_cannot_hold(here: Path, name: str) -> None:
    (here / name).write_text("")
    assert not remember(COMMAND, 0, PRINTED, [look(FILE, str(here / name))])
    assert not remember([*COMMAND, name], 0, PRINTED, [])
    assert not Path(cache_root(), "builds").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_names_that_are_no_text(here: Path) -> None:
    path = os.fsdecode(os.fsencode(here) + b"/caf\xe9")
    Path(path).write_text("")
    recorded(look(FILE, path))
    assert answer(COMMAND)
    Path(path).write_text("other")
    assert not answer(COMMAND)


def test_a_cache_that_cannot_be_written_costs_the_record_alone(model: Path, monkeypatch) -> None:
    monkeypatch.setenv("MOBILE_EXPORT_CACHE", str(model))
    assert not remember(COMMAND, 0, PRINTED, [look(FILE, str(model))])
    assert not answer(COMMAND)


def test_it_imports_next_to_nothing() -> None:
    """No framework of the command line, and nothing of the standard library that costs as much as Python itself."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "import mobile_export.__main__\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {
        "mobile_export",
        "mobile_export.__main__",
        "mobile_export.caching",
        "mobile_export.caching.places",
        "mobile_export.incremental",
        "mobile_export.incremental.unchanged",
    }
    assert set(done.stdout.split()) - {"zlib"} == ours
