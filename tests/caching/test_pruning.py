"""Making room in a cache."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobile_export.caching.pruning import DEFAULT_SIZE, SIZE_VARIABLE, Usage, parse_size, prune, size_limit, survey
from mobile_export.errors import TargetError

DAY = 24 * 3600.0


def fill(folder: Path, **days: int) -> None:
    """Files of 100 bytes, by kind and name joined by `__`, last used so many days ago."""
    for name, ago in days.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (time.time() - ago * DAY,) * 2)


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_there_is(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__blobs__a=0, artifacts__blobs__b=0, searches__c=0, own__thing=0)
    assert survey(tmp_path) == [
        Usage("artifacts", 2, 200),
        Usage("searches", 1, 100),
        Usage("digests", 0, 0),
        Usage("builds", 0, 0),
    ]


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__new=1, artifacts__old=3, searches__middle=2)
    assert prune(tmp_path, size=200) == Usage("removed", 1, 100)
    assert left(tmp_path) == {"artifacts/new", "searches/middle"}
    assert prune(tmp_path, size=200) == Usage("removed", 0, 0)


def test_what_was_not_used_for_long_goes_whatever_room_there_is(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__new=1, searches__old=31, digests__old=31, builds__old=31)
    assert prune(tmp_path, seconds=30 * DAY).files == 3
    assert left(tmp_path) == {"artifacts/new"}


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    fill(tmp_path, thesis=1000, photos__a=1000)
    prune(tmp_path, size=0, seconds=0)
    assert left(tmp_path) == {"thesis", "photos/a"}


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, photos__a=1000)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/link").symlink_to(tmp_path / "photos/a")
    prune(tmp_path, size=0)
    assert left(tmp_path) == {"photos/a"}


def test_prunings_at_once(tmp_path: Path) -> None:
    fill(tmp_path, **{f"artifacts__{i:04}": i for i in range(400)})
    code = (
        "import sys, pathlib; from mobile_export.caching.pruning import prune; prune(pathlib.Path(sys.argv[1]), 1000)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[1] for process in running] == [""] * 4
    assert left(tmp_path) == {f"artifacts/{i:04}" for i in range(10)}


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1000", 1000), ("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("3k", 3000), ("1T", 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--size") == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1 GiB", "GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(TargetError, match=r"--size: .* is no size; write it as 2GB or 500MB"):
        parse_size(text, "--size")


def test_the_environment_bounds_it(monkeypatch) -> None:
    monkeypatch.delenv(SIZE_VARIABLE, raising=False)
    assert size_limit() == DEFAULT_SIZE
    monkeypatch.setenv(SIZE_VARIABLE, "20MB")
    assert size_limit() == 20_000_000
    monkeypatch.setenv(SIZE_VARIABLE, "all")
    with pytest.raises(TargetError, match=SIZE_VARIABLE):
        size_limit()
