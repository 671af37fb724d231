"""Locked files, brought from folders and from a web server that also fails in every way: right, or not at all."""

import hashlib
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_export.errors import ModelError, OutputError, TargetError
from mobile_export.locking import download
from mobile_export.locking.fetch import Fetched, fetch
from mobile_export.locking.lock import Lock, LockedFile, LockedTarget
from mobile_export.published.manifest import KINDS
from tests.file_server import (
    FileServer,
    breaks_after,
    endless,
    file_server,
    plain,
    says,
    without_length,
    without_ranges,
)

MODEL = "assets/models/android/digits.tflite"
DATA = bytes(range(256)) * 1000
PIECE = 65536
"""What is written at once; the end of a broken piece is lost."""
CODE = "kotlin/com/example/Digits.kt"


def locked(path: str = MODEL, data: bytes = DATA) -> LockedFile:
    return LockedFile(hashlib.sha256(data).hexdigest(), len(data), path)


def lock_of(*sources: str, files: tuple[LockedFile, ...] = (locked(),)) -> Lock:
    return Lock((LockedTarget("android", sources, files),))


def hows(found: list[Fetched]) -> list[str]:
    return [each.how for each in found]


def write(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with file_server() as started:
        started.files[f"/v1/{MODEL}"] = DATA
        yield started


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def fetched(out: Path, path: str = MODEL) -> bytes:
    return (out / "android" / path).read_bytes()


def files_in(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


# From folders


def test_a_folder_counts_from_the_lock(tmp_path: Path, out: Path) -> None:
    write(tmp_path / "models/android" / MODEL)
    assert hows(fetch(lock_of("models/android"), tmp_path, out)) == ["copied"]
    assert fetched(out) == DATA


def test_what_is_there_stays_untouched(tmp_path: Path, out: Path) -> None:
    path = write(out / "android" / MODEL)
    os.utime(path, (1, 1))
    for _ in range(2):
        assert hows(fetch(lock_of("nowhere"), tmp_path, out)) == ["there"]
        assert path.stat().st_mtime == 1


def test_what_was_changed_is_replaced(tmp_path: Path, out: Path) -> None:
    write(tmp_path / "models" / MODEL)
    write(out / "android" / MODEL, DATA[:-1] + b"x")
    assert hows(fetch(lock_of("models"), tmp_path, out)) == ["copied"]
    assert fetched(out) == DATA


def test_sources_are_tried_in_order(tmp_path: Path, out: Path) -> None:
    write(tmp_path / "b" / MODEL)
    write(tmp_path / "c" / MODEL)
    assert fetch(lock_of("a", "b", "c"), tmp_path, out)[0].source == f"b/{MODEL}"


def test_a_folder_by_hash_and_as_a_url(tmp_path: Path, out: Path) -> None:
    write(tmp_path / f"by hash/{locked().sha256}.bin")
    lock = lock_of("by hash/{sha256}.bin")
    assert hows(fetch(lock, tmp_path, out)) == ["copied"]
    write(tmp_path / "models" / MODEL)
    assert hows(fetch(lock_of((tmp_path / "models").as_uri()), tmp_path, tmp_path / "other")) == ["copied"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "is not there"),
        (DATA[:-1], "has 255999 bytes, where the lock says 256000"),
        (DATA[:-1] + b"x", "has other bytes than the lock says"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS; run: git lfs pull"),
    ],
)
def test_a_folder_with_another_file(data: bytes | None, why: str, tmp_path: Path, out: Path) -> None:
    if data is not None:
        write(tmp_path / "models" / MODEL, data)
    with pytest.raises(ModelError, match=why):
        fetch(lock_of("models"), tmp_path, out)
    assert not (out / "android" / MODEL).exists()
    assert not [name for name in files_in(out) if name.startswith("android")]


def test_a_lock_that_says_nowhere(tmp_path: Path, out: Path) -> None:
    with pytest.raises(TargetError, match="does not say where its files are to be had; lock it with --from"):
        fetch(lock_of(), tmp_path, out)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path, out: Path) -> None:
    write(tmp_path / "models" / MODEL)
    (out / "android" / MODEL / "here").mkdir(parents=True)
    with pytest.raises(OutputError, match="cannot be replaced"):
        fetch(lock_of("models"), tmp_path, out)


def test_a_file_in_the_place_of_the_output(tmp_path: Path) -> None:
    write(tmp_path / "models" / MODEL)
    write(tmp_path / "out")
    with pytest.raises(OutputError, match="choose another folder"):
        fetch(lock_of("models"), tmp_path, tmp_path / "out")


# What is locked no more


def test_what_an_earlier_fetch_brought_goes_with_the_lock(tmp_path: Path, out: Path) -> None:
    for path in (MODEL, CODE):
        write(tmp_path / "models" / path)
    fetch(lock_of("models", files=(locked(), locked(CODE))), tmp_path, out)
    mine = write(out / "android/assets/mine.txt")
    assert hows(fetch(lock_of("models"), tmp_path, out)) == ["there", "removed"]
    assert not (out / "android/kotlin").exists()
    assert mine.exists()


def test_what_was_changed_since_stays(tmp_path: Path, out: Path) -> None:
    for path in (MODEL, CODE):
        write(tmp_path / "models" / path)
    fetch(lock_of("models", files=(locked(), locked(CODE))), tmp_path, out)
    write(out / "android" / CODE, b"edited")
    assert hows(fetch(lock_of("models"), tmp_path, out)) == ["there"]
    assert fetched(out, CODE) == b"edited"


def test_kinds_do_not_remove_each_other(tmp_path: Path, out: Path) -> None:
    for path in (MODEL, CODE):
        write(tmp_path / "models" / path)
    whole = lock_of("models", files=(locked(), locked(CODE)))
    for kind in ("assets", "kotlin", "assets"):
        fetch(whole.only((), (kind,)), tmp_path, out, (kind,))
    assert fetched(out) == fetched(out, CODE) == DATA
    assert hows(fetch(lock_of("models"), tmp_path, out, KINDS)) == ["there", "removed"]


def test_a_target_without_files_of_a_kind(tmp_path: Path, out: Path) -> None:
    write(tmp_path / "models" / MODEL)
    lock = Lock((*lock_of("models").targets, LockedTarget("ios", ("models",), (locked(CODE),))))
    fetch(lock.only((), ("assets",)), tmp_path, out, ("assets",))
    assert hows(fetch(lock_of("models", files=()), tmp_path, out, ("assets",))) == ["removed"]
    assert files_in(out) == [".fetch/brought.lock"]


# From a web server


def test_a_download(server: FileServer, tmp_path: Path, out: Path) -> None:
    found = fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert (hows(found), fetched(out)) == (["downloaded"], DATA)
    assert server.asked == [(f"/v1/{MODEL}", None)]
    assert not list((out / ".fetch").glob("*.part"))


def test_a_bucket_by_hash(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.files[f"/{locked().sha256}"] = DATA
    fetch(lock_of(server.url + "/{sha256}?token=1"), tmp_path, out)
    assert server.asked == [(f"/{locked().sha256}?token=1", None)]


def test_a_download_that_breaks_off_goes_on(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [breaks_after(100_000), breaks_after(100_000)]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA
    assert [asked for _, asked in server.asked] == [None, f"bytes={PIECE}-", f"bytes={2 * PIECE}-"]


def test_the_next_run_goes_on(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [breaks_after(100_000), says(404)]
    with pytest.raises(ModelError, match="answers 404"):
        fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert not (out / "android").exists()
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA
    assert server.asked[-1][1] == f"bytes={PIECE}-"


def test_a_server_without_ranges(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [breaks_after(100_000, without_ranges), without_ranges]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA


@pytest.mark.parametrize(
    "answer",
    [
        says(206, DATA[5:], Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}"),
        says(206, DATA),
        says(416),
    ],
)
def test_a_server_that_goes_on_elsewhere_is_asked_for_all(
    answer, server: FileServer, tmp_path: Path, out: Path
) -> None:
    server.answers = [breaks_after(100_000), answer]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA
    assert [asked for _, asked in server.asked] == [None, f"bytes={PIECE}-", None]


def test_pieces_of_two_files_are_had_again(server: FileServer, tmp_path: Path, out: Path) -> None:
    """The file was replaced on the server while it was read."""
    server.answers = [breaks_after(100_000, lambda handler, data: without_ranges(handler, b"x" * len(data)))]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA
    assert [asked for _, asked in server.asked] == [None, f"bytes={PIECE}-", None]


def test_wrong_bytes_are_had_once_and_left_nowhere(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.files[f"/v1/{MODEL}"] = DATA[:-1] + b"x"
    before = write(out / "android" / MODEL, b"what was there")
    with pytest.raises(ModelError, match="has other bytes than the lock says"):
        fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert len(server.asked) == 1
    assert before.read_bytes() == b"what was there"
    assert not list((out / ".fetch").glob("*.part"))


@pytest.mark.parametrize("body", [DATA + b"more", DATA[:-1], b""])
def test_another_size_is_seen_before_anything_is_read(
    body: bytes, server: FileServer, tmp_path: Path, out: Path
) -> None:
    server.files[f"/v1/{MODEL}"] = body
    with pytest.raises(ModelError, match=f"has {len(body)} bytes, where the lock says 256000"):
        fetch(lock_of(f"{server.url}/v1"), tmp_path, out)


def test_no_more_is_read_than_was_locked(server: FileServer, tmp_path: Path, out: Path) -> None:
    sent: list[int] = []
    server.answers = [endless(1000, sent)]
    with pytest.raises(ModelError, match="has other bytes"):
        fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    server.answers = [without_length(DATA + b"more")]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA
    assert sent[0] < 100


def test_an_answer_that_always_ends_early(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.always = without_length(DATA[:1000])
    with pytest.raises(ModelError, match="ended after 1000 of 256000 bytes; tried 5 times"):
        fetch(lock_of(f"{server.url}/v1"), tmp_path, out)


def test_an_answer_without_length_that_ends_early(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [without_length(DATA[:1000])]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert (fetched(out), server.asked[1][1]) == (DATA, "bytes=1000-")


def test_what_passes_is_waited_for(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [says(503), says(429, Retry_After="0"), says(500), breaks_after(0)]
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert fetched(out) == DATA


def test_a_server_says_how_long(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [says(503, Retry_After="1")]
    begun = time.monotonic()
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert time.monotonic() - begun >= 1


def test_what_a_killed_fetch_left_goes(tmp_path: Path, out: Path) -> None:
    write(tmp_path / "models" / MODEL)
    write(out / ".fetch/.digits-x.part")
    fetch(lock_of("models"), tmp_path, out)
    assert files_in(out) == [".fetch/brought.lock", f"android/{MODEL}"]


def test_what_does_not_pass_is_not_asked_for_the_next_file(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.always = says(503)
    for path in (MODEL, CODE):
        write(tmp_path / "models" / path)
    found = fetch(lock_of(f"{server.url}/v1", "models", files=(locked(), locked(CODE))), tmp_path, out)
    assert hows(found) == ["copied", "copied"]
    assert len(server.asked) == download.TRIES


def test_no_server(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with file_server() as ended:
        pass
    with pytest.raises(ModelError, match=r"cannot be reached: Connection refused; tried 5 times"):
        fetch(lock_of(ended.url), tmp_path, out)


def test_a_server_that_cannot_be_trusted_is_asked_once(server: FileServer, tmp_path: Path, out: Path) -> None:
    with pytest.raises(ModelError, match="no secure connection: ") as error:
        fetch(lock_of(server.url.replace("http:", "https:")), tmp_path, out)
    assert "tried" not in str(error.value)


def test_redirects_are_followed(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [says(302, Location=f"{server.url}/v1/{MODEL}")]
    fetch(lock_of(f"{server.url}/elsewhere"), tmp_path, out)
    assert fetched(out) == DATA


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_lead_to_the_web_alone(place: str, server: FileServer, tmp_path: Path, out: Path) -> None:
    server.answers = [says(302, Location=place)]
    with pytest.raises(ModelError, match="cannot be read"):
        fetch(lock_of(server.url), tmp_path, out)


@pytest.mark.parametrize(
    "answer",
    [
        says(302, Location="http://[x/"),
        says(302, Location=f"http://{'a' * 64}.example/"),
        says(302, Location="http://x.example:99999/"),
        says(200, Content_Length="9" * 5000),
    ],
)
def test_answers_that_make_no_sense(answer, server: FileServer, tmp_path: Path, out: Path) -> None:
    server.always = answer
    with pytest.raises(ModelError, match=r"cannot be (read|reached)"):
        fetch(lock_of(server.url), tmp_path, out)


def test_a_name_that_no_server_has(tmp_path: Path, out: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        fetch(lock_of(f"http://{'a' * 64}.example/"), tmp_path, out)


def test_what_comes_encoded_is_not_unpacked(server: FileServer, tmp_path: Path, out: Path) -> None:
    """What is small encoded may be larger than any memory."""
    server.always = says(200, zlib.compress(DATA), Content_Encoding="deflate")
    with pytest.raises(ModelError, match=r"comes encoded \(deflate\); have the server send files as they are"):
        fetch(lock_of(f"{server.url}/v1"), tmp_path, out)


def test_a_server_that_never_goes_on_is_given_up(server: FileServer, tmp_path: Path, out: Path) -> None:
    """Each time it sends as much as makes other servers get another try."""
    data = bytes(3 << 20)
    server.files[f"/v1/{MODEL}"] = data
    server.answers = [breaks_after(2 << 20), says(416)] * 10
    with pytest.raises(ModelError, match="tried 5 times"):
        fetch(lock_of(f"{server.url}/v1", files=(locked(data=data),)), tmp_path, out)


def test_a_circle_of_redirects(server: FileServer, tmp_path: Path, out: Path) -> None:
    server.always = says(302, Location=f"{server.url}/again")
    with pytest.raises(ModelError, match="cannot be read: Exceeded 30 redirects"):
        fetch(lock_of(server.url), tmp_path, out)


def test_passwords_are_those_of_netrc(
    server: FileServer, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = write(tmp_path / "netrc", b"machine 127.0.0.1 login ada password lovelace\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(lock_of(f"{server.url}/v1"), tmp_path, out)
    assert server.headers[0]["Authorization"].startswith("Basic ")


def test_the_proxy_is_that_of_the_environment(
    server: FileServer, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    server.files[f"http://models.invalid/v1/{MODEL}"] = DATA
    fetch(lock_of("http://models.invalid/v1"), tmp_path, out)
    assert fetched(out) == DATA


def test_two_at_once(server: FileServer, tmp_path: Path, out: Path) -> None:
    """Both end with the file in place, and one of them has downloaded it."""
    server.answers = [breaks_after(100_000), plain]
    lock, found = lock_of(f"{server.url}/v1"), []
    both = [threading.Thread(target=lambda: found.extend(hows(fetch(lock, tmp_path, out)))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(found) == ["downloaded", "there"]
    assert (fetched(out), len(server.asked)) == (DATA, 2)


def test_nothing_is_written_through_a_link(tmp_path: Path, out: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write(tmp_path / "from" / MODEL)
    (out / "android").mkdir(parents=True)
    (out / "android" / "assets").symlink_to(home, target_is_directory=True)
    with pytest.raises(OutputError, match="assets: is a link, and locked files are put into folders alone"):
        fetch(lock_of("from"), tmp_path, out)
    assert not any(home.iterdir())
