"""The lock file: one text for one content."""

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
    write_lock,
)

A, B = "a" * 64, "b" * 64
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
