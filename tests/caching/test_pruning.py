"""Making room in a cache."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobile_export.atomic import drafting
from mobile_export.caching.folder import cache_folder
from mobile_export.caching.places import TAG, make_folder
from mobile_export.caching.pruning import DEFAULT_SIZE, SIZE_VARIABLE, Usage, parse_size, prune, size_limit, survey
from mobile_export.caching.stores import FolderStore
from mobile_export.errors import TargetError
from mobile_export.incremental.digests import LARGE, known_sha256
from mobile_export.incremental.unchanged import remember
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.journal import open_journal
from mobile_export.search.trail import Outcome

DAY = 24 * 3600.0
DIGITS = str.maketrans("0123456789", "1234567890")
FORMS = {
    "artifacts": "artifacts/blobs/{:.2}/{}",
    "searches": "searches/{1}.jsonl",
    "digests": "digests/{1}",
    "builds": "builds/{1:.8}.record",
}


def name(kind: str, what: object) -> str:
    """The path of a file of a cache."""
    digest = hashlib.sha256(str(what).encode()).hexdigest()
    return FORMS[kind].format(digest, digest)


def write(path: Path, ago: float = 0) -> Path:
    """A file of 100 bytes, last used so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    os.utime(path, (time.time() - ago * DAY,) * 2)
    return path


def fill(folder: Path, **days: int) -> None:
    """Files of a cache, by kind and what they are of, joined by `__`."""
    make_folder(str(folder))
    for each, ago in days.items():
        write(folder / name(*each.split("__")), ago)


def left(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found - {TAG}


def test_what_there_is(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__a=0, artifacts__b=0, searches__c=0)
    write(tmp_path / "own/thing")
    assert survey(tmp_path) == [
        Usage("artifacts", 2, 200),
        Usage("searches", 1, 100),
        Usage("digests", 0, 0),
        Usage("builds", 0, 0),
    ]


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__new=1, artifacts__old=3, searches__middle=2)
    assert prune(tmp_path, size=200) == Usage("removed", 1, 100)
    assert left(tmp_path) == {name("artifacts", "new"), name("searches", "middle")}
    assert prune(tmp_path, size=200) == Usage("removed", 0, 0)


def test_what_was_not_used_for_long_goes_whatever_room_there_is(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__new=1, searches__old=31, digests__old=31, builds__old=31)
    assert prune(tmp_path, seconds=30 * DAY).files == 3
    assert left(tmp_path) == {name("artifacts", "new")}


def test_what_builds_write_is_what_is_pruned(tmp_path: Path, cache: Path) -> None:
    """All that they write, and what they leave when they are killed; nothing but the tag stays."""
    (tmp_path / "weights").write_bytes(b"w" * LARGE)
    known_sha256(tmp_path / "weights")
    remember(["build", "t.toml"], 0, [], [])
    store = FolderStore(cache)
    for path in (name("artifacts", 1), name("artifacts", 1).replace("blobs", "entries") + ".json"):
        store.put(path, tmp_path / "weights")
    open_journal(cache_folder("searches"), "ab" * 32).add("score", Scheme("int8"), Outcome("met"))
    whole = [cache / path for path in left(cache) if not path.startswith("searches/")]
    assert len(whole) == 4
    for path in whole:
        with drafting(path) as file:
            file.write(b"whole")
            draft = Path(file.name)
            draft.with_name(draft.name.translate(DIGITS)).write_bytes(b"half")
    assert len(left(cache)) == 9
    prune(cache, size=0)
    assert left(cache) == set()


FOREIGN = [
    "thesis",
    "photos/a",
    "builds/app.apk",
    "builds/0123abcd.record.old",
    "artifacts/x/y",
    f"artifacts/blobs/xy/{'ab' * 32}",
    f"artifacts/{'ab' * 32}",
    "searches/journal.jsonl",
    "digests/sha256",
    "digests/half.part",
]


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    fill(tmp_path, artifacts__old=1000)
    for path in FOREIGN:
        write(tmp_path / path, 1000)
    assert prune(tmp_path, size=0, seconds=0).files == 1
    assert left(tmp_path) == {*FOREIGN}


def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "files" / name("artifacts", 1), 1000)
    write(tmp_path / "files/thesis")
    make_folder(str(tmp_path / "files"), "builds")  # as a build does that is told to keep its work there
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / TAG).write_text("Signature: 8a477f597d28d172789f06886806bc55\n# of another tool\n")
    for folder in ("files", "other", "empty", "files/thesis", "missing"):
        for use in (survey, prune):
            with pytest.raises(TargetError, match=f"{folder}: no cache of mobile-export lies there; "):
                use(tmp_path / folder)
    assert len(left(tmp_path / "files")) == 2


def test_links_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path)
    write(tmp_path / "photos" / Path(name("digests", "a")).name, 1000)
    (tmp_path / "digests").symlink_to(tmp_path / "photos")
    (tmp_path / "builds").mkdir()
    (tmp_path / name("builds", "a")).symlink_to(tmp_path / "photos/a")
    assert prune(tmp_path, size=0).files == 0


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
    assert left(tmp_path) == {name("artifacts", f"{i:04}") for i in range(10)}


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
