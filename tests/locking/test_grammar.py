"""What locks may say: the corpus that all readers share, and how what they may not is put into words."""

from pathlib import Path

import pytest

from mobile_export.errors import TargetError
from mobile_export.locking.grammar import path_problem, source_problem, target_problem
from mobile_export.locking.lock import parse_lock, read_lock
from tests.locking.corpus import LOCKS, TARGET, refused_line


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_the_corpus(lock: Path) -> None:
    refused = refused_line(lock)
    if refused is None:
        assert TARGET in [target.name for target in read_lock(lock).targets]
        return
    with pytest.raises(TargetError) as error:
        read_lock(lock)
    assert str(error.value).startswith(f"{lock}:{refused}: ")


def test_the_corpus_has_both() -> None:
    refused = [lock for lock in LOCKS if refused_line(lock)]
    assert 0 < len(refused) < len(LOCKS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("header_of_a_later_version", "is a lock of version 2; update mobile-export"),
        ("header_missing", "is no lock: it begins with the line mobile-export-lock 1"),
        ("conflict", "'<<<<<<<' is not known: a line begins with target, from or file"),
        ("keyword_after_a_tab", "'\\tfile' is not known"),
        ("file_before_a_target", "a target comes before the first file"),
        ("from_before_a_target", "a target comes before the first from"),
        ("from_after_a_file", "from stands before the files of its target"),
        ("target_twice", "target app stands here twice; lock it again"),
        ("target_without_files_at_the_end", "target ios has no file; lock again"),
        ("file_with_two_spaces", "a file is: file, sha256 (64 lower-case hex digits), bytes, path, with one space"),
        ("size_larger_than_any_model", "1099511627777 bytes are more than any model has"),
        (
            "path_twice_but_for_case",
            "'assets/models/app/Digits.onnx' stands here twice, as a file or as its folder, for disks that ignore case",
        ),
    ],
)
def test_words(name: str, words: str) -> None:
    (lock,) = [lock for lock in LOCKS if lock.stem == name]
    with pytest.raises(TargetError) as error:
        read_lock(lock)
    assert words in str(error.value)


def test_an_empty_file_is_no_lock() -> None:
    with pytest.raises(TargetError, match=r"app\.lock:1: is no lock"):
        parse_lock("", Path("app.lock"))


@pytest.mark.parametrize(
    ("name", "problem"), [("../x", "'../x' is no name of a target"), ("con", "'con' is a device on Windows")]
)
def test_targets_that_no_lock_has(name: str, problem: str) -> None:
    assert problem in (target_problem(name) or "")


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
        ("HTTPS://x.example/", "is a URL of HTTPS"),
        ("//computer/models", "is a folder of another computer"),
        ("file://host/share", "no URL of files"),
        ("https://ada:lovelace@x.example/", "holds a user name or password"),
        ("https://x.example/?token=1", "goes on after the path"),
    ],
)
def test_sources_that_are_none(source: str, problem: str) -> None:
    assert problem in (source_problem(source) or "")


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
    assert problem in (path_problem(path) or "")
