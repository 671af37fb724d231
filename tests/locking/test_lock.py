"""The lock file: one text for one content, and nothing hostile gets through."""

from pathlib import Path

import pytest

from mobile_export.errors import TargetError
from mobile_export.locking.lock import (
    Lock,
    LockedFile,
    LockedTarget,
    location,
    parse_lock,
    read_lock,
    source_problem,
    write_lock,
)

A, B = "a" * 64, "b" * 64
HEAD = "mobile-export-lock 1\ntarget android\n"
MODEL = LockedFile(A, 37012, "assets/models/android/digits_int8.tflite")
CODE = LockedFile(B, 0, "kotlin/com/example/Digits.kt")
LOCK = Lock(
    (
        LockedTarget("android", ("models/android", "https://models.example.com/{sha256}"), (MODEL, CODE)),
        LockedTarget("ios", (), (LockedFile(A, 37012, "assets/models/ios/digits_int8.onnx"),)),
    )
)
TEXT = f"""\
mobile-export-lock 1
# Written by "mobile-export lock": the model files that this app ships. Lock again rather than edit.

target android
from models/android
from https://models.example.com/{{sha256}}
file {A} 37012 assets/models/android/digits_int8.tflite
file {B} 0 kotlin/com/example/Digits.kt

target ios
file {A} 37012 assets/models/ios/digits_int8.onnx
"""


def parse(text: str) -> Lock:
    return parse_lock(text, Path("app.lock"))


def refusal(text: str) -> str:
    with pytest.raises(TargetError) as error:
        parse(text)
    return str(error.value)


def test_text_and_lock_are_one() -> None:
    assert LOCK.text == TEXT
    assert parse(TEXT) == LOCK


def test_order_does_not_change_the_text() -> None:
    files = tuple(reversed(LOCK.targets[0].files))
    android = LockedTarget("android", LOCK.targets[0].sources, files)
    assert Lock().with_targets([LOCK.targets[1], android]).text == TEXT


def test_other_targets_stay() -> None:
    new = LockedTarget("ios", ("there",), LOCK.targets[1].files)
    assert LOCK.with_targets([new]).targets == (LOCK.targets[0], new)


def test_files_and_ends_of_lines_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "mobile-export.lock"
    write_lock(LOCK, path)
    assert path.read_bytes() == TEXT.encode()
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert read_lock(path) == LOCK
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_only_some() -> None:
    assert LOCK.only((), ("assets", "kotlin")) == LOCK
    assert LOCK.only(("android",), ("kotlin",)).targets == (LockedTarget("android", LOCK.targets[0].sources, (CODE,)),)
    with pytest.raises(TargetError, match="no target 'andriod'; it has android, ios"):
        LOCK.only(("andriod",), ())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("models/android", "models/android/kotlin/com/example/Digits.kt"),
        ("https://x.example/v1/", "https://x.example/v1/kotlin/com/example/Digits.kt"),
        ("https://x.example/{sha256}?t=1", f"https://x.example/{B}?t=1"),
        ("by/{sha256}.bin", f"by/{B}.bin"),
    ],
)
def test_locations(source: str, expected: str) -> None:
    assert location(source, CODE) == expected


@pytest.mark.parametrize(
    "source",
    [
        "..",
        "../models",
        "/mnt/models",
        "C:/models",
        "my models",
        "modèles",
        "https://x.example:8443/a",
        "HTTPS://x.example/",
        "file:///a/b",
    ],
)
def test_sources(source: str) -> None:
    assert source_problem(source) is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "neither a URL nor a folder"),
        (" models", "neither a URL nor a folder"),
        ("a\\b", "with forward slashes"),
        ("a\tb", "neither a URL nor a folder"),
        ("https://x.example/{target}", "a placeholder that locks do not know; they know {sha256}"),
        ("ftp://x.example/a", "is a URL of ftp; http, https and file can be read"),
        ("javascript://x", "is a URL of javascript"),
        ("https://", "no URL of files"),
        ("https://x.example/a b", "no URL of files"),
        ("https://[x/a", "is no URL: "),
        ("https://x.example:port/", "is no URL: "),
        ("file://host/share", "no URL of files"),
        ("https://ada:lovelace@x.example/", "holds a user name or password"),
        ("https://x.example/?token=1", "goes on after the path"),
    ],
)
def test_sources_that_are_none(source: str, problem: str) -> None:
    assert problem in (source_problem(source) or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "app.lock:1: is no lock: it begins with the line mobile-export-lock 1"),
        ("target android\n", "app.lock:1: is no lock"),
        ("mobile-export-lock\n", "app.lock:1: is no lock"),
        (" mobile-export-lock 1\n", "app.lock:1: is no lock"),
        ("# later\n\nmobile-export-lock 2\n", "app.lock:3: is a lock of version 2; update mobile-export"),
        (f"{HEAD}<<<<<<< ours\n", "app.lock:3: '<<<<<<<' is not known: a line begins with target, from or file"),
        (f"{HEAD}File {A} 1 assets/a\n", "app.lock:3: 'File' is not known"),
        (f"{HEAD}\tfile {A} 1 assets/a\n", "app.lock:3: '\\tfile' is not known"),
        (f"mobile-export-lock 1\nfile {A} 1 assets/a\n", "app.lock:2: a target comes before the first file"),
        ("mobile-export-lock 1\nfrom a\n", "app.lock:2: a target comes before the first from"),
        (HEAD, "app.lock:3: target android has no file"),
        (f"{HEAD}from a\ntarget ios\n", "app.lock:4: target android has no file"),
        (f"{HEAD}file {A} 1 assets/a\nfrom a\n", "app.lock:4: from stands before the files"),
        (f"{HEAD}file {A} 1 assets/a\ntarget android\n", "app.lock:4: target android stands here twice"),
        ("mobile-export-lock 1\ntarget ../x\n", "app.lock:2: '../x' is no name of a target"),
        ("mobile-export-lock 1\ntarget con\n", "app.lock:2: 'con' is a device on Windows"),
        (f"{HEAD}from https://a:b@c/\n", "app.lock:3: 'https://a:b@c/' holds a user name"),
    ],
)
def test_texts_that_are_no_lock(text: str, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize(
    "fields",
    [
        f"{A} 1",
        f"{A}  1 assets/a",
        f"{A} 1  assets/a",
        f"{A[:-1]} 1 assets/a",
        f"{A.upper()} 1 assets/a",
        f"{A[:-1]}g 1 assets/a",
        f"{A} -1 assets/a",
        f"{A} 01 assets/a",
        f"{A} 1.0 assets/a",
        f"{A} ² assets/a",
        f"{A} {'9' * 40} assets/a",
        f"{A}\t1 assets/a",
    ],
)
def test_files_that_are_none(fields: str) -> None:
    assert "app.lock:3: a file is: file, sha256 (64 lower-case hex digits), bytes, path" in refusal(
        f"{HEAD}file {fields}"
    )


def test_sizes_that_no_model_has() -> None:
    assert "app.lock:3: 9000000000000000 bytes are more than any" in refusal(
        f"{HEAD}file {A} 9000000000000000 assets/a"
    )


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/assets/a", "is no plain relative path"),
        ("../assets/a", "is no plain relative path"),
        ("assets/../../a", "is no plain relative path"),
        ("assets/...", "is no plain relative path"),
        ("assets//a", "is no plain relative path"),
        ("assets/./a", "is no plain relative path"),
        ("assets/a/", "is no plain relative path"),
        ("assets/a.", "is no plain relative path"),
        ("assets", "lies in none of assets/, kotlin/, swift/, test_assets/"),
        ("manifest.json", "lies in none of"),
        ("Assets/a", "lies in none of"),
        ("assets\\a", "has other characters"),
        ("C:/assets/a", "has other characters"),
        ("assets/a b", "has other characters"),
        ("assets/$(reboot)", "has other characters"),
        ("assets/é", "has other characters"),
        ("assets/a\x00", "has other characters"),
        ("assets/NUL", "NUL is a device on Windows"),
        ("assets/com1.tflite/a", "com1.tflite is a device on Windows"),
    ],
)
def test_paths_that_no_lock_has(path: str, problem: str) -> None:
    found = refusal(f"{HEAD}file {A} 1 {path}")
    assert found.startswith("app.lock:3: ")
    assert problem in found


@pytest.mark.parametrize("second", ["assets/a", "assets/A", "assets/a/b", "assets/A/b/c"])
def test_paths_that_stand_twice(second: str) -> None:
    lines = [f"file {A} 1 assets/a\n", f"file {A} 1 {second}\n"]
    for ordered in (lines, lines[::-1]):
        assert "stands here twice, as a file or as its folder" in refusal(HEAD + "".join(ordered))
    again = f"{HEAD}{lines[0]}target ios\n{lines[1]}"
    assert len(parse(again).targets) == 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with pytest.raises(
        TargetError, match=r"a\.lock: cannot be read: No such file or directory; mobile-export lock writes"
    ):
        read_lock(path)
    path.write_bytes(b"\xff")
    with pytest.raises(TargetError, match="no text in UTF-8"):
        read_lock(path)
    with path.open("wb") as file:
        file.truncate(1 << 25)
    with pytest.raises(TargetError, match="larger than any lock"):
        read_lock(path)
