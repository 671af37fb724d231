"""Locking published folders: what passed and is unchanged, and nothing else."""

import concurrent.futures
import hashlib
import os
from pathlib import Path

import pytest

from mobile_export.errors import CheckFailed, ModelError, TargetError
from mobile_export.locking.fetch import fetch
from mobile_export.locking.lock import FILE_NAME, read_lock
from mobile_export.locking.locked_files import compare
from mobile_export.locking.pin import pin
from mobile_export.published.manifest import FILE_NAME as MANIFEST
from mobile_export.published.manifest import KINDS, CheckEntry, load_manifest
from tests.published_folder import artifact, device, not_run, published

MODEL = "assets/models/android/digits.tflite"
GENERATED = {"kotlin/com/example/Digits.kt": b"class Digits", "test_assets/models/android/digits.golden": b"MXGOLD"}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`out`, in the folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    return Path("out")


def lock_lines() -> list[str]:
    return [line for line in Path(FILE_NAME).read_text().splitlines() if not line.startswith("#")]


def test_a_lock_names_what_enters_the_app_and_its_tests(out: Path) -> None:
    pin([published(out, generated=GENERATED)], Path(FILE_NAME), ["https://models.example.com/{sha256}"])
    contents = {MODEL: b"a model", **GENERATED}
    files = [f"file {hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in contents.items()]
    source = "from https://models.example.com/{sha256}"
    assert lock_lines() == ["mobile-export-lock 1", "", "target android", source, *files]


def test_the_same_folder_gives_the_same_bytes(out: Path) -> None:
    folder = published(out, generated=GENERATED)
    pin([folder], Path("a.lock"), ["x"])
    pin([folder], Path("b.lock"), ["x"])
    assert Path("a.lock").read_bytes() == Path("b.lock").read_bytes()


def test_an_artifact_that_is_a_folder_has_a_line_a_file(out: Path) -> None:
    files = {"saved/saved_model.pb": b"pb", "saved/variables/variables.data-00000-of-00001": b"data"}
    pin([published(out, files=files, formats={"saved": "saved_model"})], Path(FILE_NAME))
    (android,) = read_lock(Path(FILE_NAME)).targets
    prefix = "assets/models/android/"
    assert [file.path for file in android.files] == [prefix + name for name in files]


def test_folders_of_several_and_other_targets(out: Path) -> None:
    for target in ("android", "ios"):
        published(out, target)
    pin([out], Path(FILE_NAME), ["https://x.example/{target}"])
    published(out, "ios", {"digits": b"another"})
    pin([out / "ios"], Path(FILE_NAME))
    android, ios = read_lock(Path(FILE_NAME)).targets
    assert (android.sources, ios.sources) == (("https://x.example/android",), ("https://x.example/ios",))
    assert (android.files[0].bytes, ios.files[0].bytes) == (7, 7)


def test_sources_count_from_the_lock(out: Path) -> None:
    folder = published(out)
    here = Path("app").absolute()
    pin([folder], Path("app/mobile-export.lock"), ["models/android", "/mnt/models", f"{here}/m", "https://x.example/a"])
    (android,) = read_lock(Path("app/mobile-export.lock")).targets
    assert android.sources == ("../models/android", "/mnt/models", "m", "https://x.example/a")


@pytest.mark.parametrize("source", ["models", "https://x.example/models"])
def test_one_place_for_two_targets(source: str, out: Path) -> None:
    for target in ("android", "ios"):
        published(out, target)
    with pytest.raises(TargetError, match=r"is one place for 2 targets; write \{target\} or \{sha256\} in it"):
        pin([out], Path(FILE_NAME), [source])
    assert not Path(FILE_NAME).exists()


def test_copies_are_what_fetch_and_git_leave_alone(out: Path) -> None:
    for target in ("android", "ios"):
        published(out, target, generated=GENERATED)
    pin([out], Path(FILE_NAME), copy_to="models")
    lock = read_lock(Path(FILE_NAME))
    assert [target.sources for target in lock.targets] == [("models/android",), ("models/ios",)]
    assert "* -text" in Path("models/android/.gitattributes").read_text().splitlines()
    assert not [finding for finding in compare(lock, KINDS, Path("models")) if finding.problem]
    assert Path("models/ios/manifest.json").read_bytes() == (out / "ios/manifest.json").read_bytes()
    assert {each.how for each in fetch(lock, Path(), Path("elsewhere"))} == {"copied"}


def test_copies_change_where_the_build_did(out: Path) -> None:
    pin([published(out, files={"digits": b"1", "old": b"2"})], Path(FILE_NAME), copy_to="models")
    kept, old = Path("models/android", MODEL), Path("models/android/assets/models/android/old.tflite")
    os.utime(kept, (1, 1))
    published(out, files={"digits": b"1", "new": b"3"})
    pinned = pin([out], Path(FILE_NAME), copy_to="models")
    assert (kept.stat().st_mtime, old.exists(), old.with_name("new.tflite").read_bytes()) == (1, False, b"3")
    assert f"{old}: removed" in pinned.notes


def test_copies_by_hash_are_for_one_bucket(out: Path) -> None:
    folder = published(out)
    pin([folder], Path(FILE_NAME), ["https://models.example.com/{sha256}"], copy_to="upload/{sha256}")
    digest = hashlib.sha256(b"a model").hexdigest()
    assert [path.as_posix() for path in Path("upload").rglob("*")] == [f"upload/{digest}"]
    assert read_lock(Path(FILE_NAME)).targets[0].sources == ("https://models.example.com/{sha256}",)


def test_what_missed_a_limit_is_not_locked(out: Path) -> None:
    published(out, "ios")
    published(out, gate="warn")
    with pytest.raises(CheckFailed, match=r"out/android: was published although limits were missed \(--gate warn\)"):
        pin([out], Path(FILE_NAME), copy_to="models")
    assert [path.name for path in Path().iterdir()] == ["out"]


def test_a_gate_that_somebody_closed_by_hand(out: Path) -> None:
    missed = CheckEntry(check="size", name="size", value=2, limit=1, at_least=False, passed=False)
    published(out, artifacts=(artifact(checks=(missed,)),))
    with pytest.raises(CheckFailed, match="was published although limits were missed"):
        pin([out], Path(FILE_NAME), ["x"])


def test_what_readers_would_refuse_is_not_written(out: Path) -> None:
    folder = published(out, generated={"kotlin/digits.kt": b"a", "kotlin/Digits.kt": b"a"})
    with pytest.raises(TargetError, match=r"mobile-export\.lock:\d+: 'kotlin/digits\.kt' stands here twice"):
        pin([folder], Path(FILE_NAME), copy_to="models")
    assert [path.name for path in Path().iterdir()] == ["out"]


@pytest.mark.parametrize("path", [MODEL, *GENERATED])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_what_is_not_as_it_was_published_is_not_locked(how: str, path: str, out: Path) -> None:
    folder = published(out, generated=GENERATED)
    if how == "changed":
        (folder / path).write_bytes(bytes(len((folder / path).read_bytes())))
    else:
        (folder / path).unlink()
    words = "is not the file that was published" if how == "changed" else "is missing"
    with pytest.raises(CheckFailed, match=f"out/android: {path} {words}; build the target again"):
        pin([folder], Path(FILE_NAME), ["x"])
    assert not Path(FILE_NAME).exists()


def test_an_unchecked_file_is_locked_and_named(out: Path) -> None:
    """`allow_unchecked` is the team's own word."""
    folder = published(out)
    entry = artifact().model_copy(update={"unchecked": "no runtime here has it"})
    data = {"sha256": hashlib.sha256(b"a model").hexdigest(), "bytes": 7}
    published(out, artifacts=(entry.model_copy(update=data),))
    pinned = pin([folder], Path(FILE_NAME), ["https://models.example.com"])
    assert pinned.notes == ("android: digits is unchecked: no runtime here has it",)


def test_a_lock_that_says_nowhere_is_noted(out: Path) -> None:
    assert "android: nothing says where" in pin([published(out)], Path(FILE_NAME)).notes[0]


def test_copies_that_were_forgotten_are_noted(out: Path) -> None:
    assert pin([published(out)], Path(FILE_NAME), copy_to="models").notes == ()
    pinned = pin([published(out, files={"digits": b"another"})], Path(FILE_NAME))
    assert pinned.notes == ("android: models/android does not have what is locked now; put it there with --copy-to",)


def test_a_manifest_that_leads_out_of_its_folder(out: Path) -> None:
    folder = published(out, generated={"kotlin/a.kt": b"a"})
    Path("secret").write_bytes(b"a")
    text = (folder / MANIFEST).read_text().replace("kotlin/a.kt", "../../secret")
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ModelError, match=r"out/android/manifest\.json: not a manifest"):
        pin([folder], Path(FILE_NAME), ["x"])


def test_names_that_no_lock_can_hold(out: Path) -> None:
    folder = published(out, files={"saved/vocab file.txt": b"a"}, formats={"saved": "saved_model"})
    with pytest.raises(TargetError, match="has other characters than"):
        pin([folder], Path(FILE_NAME), ["x"])


def test_a_target_that_is_published_twice(out: Path) -> None:
    published(out)
    published(Path("other"))
    with pytest.raises(TargetError, match="android is published in out/android and other/android; name one"):
        pin([out, Path("other")], Path(FILE_NAME), ["x"])


def test_nothing_published(out: Path) -> None:
    with pytest.raises(ModelError, match="nothing was published there"):
        pin([out], Path(FILE_NAME), ["x"])


def test_two_at_once_lose_nothing(out: Path) -> None:
    folders = [published(out, f"target{number}") for number in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(folders)) as threads:
        for done in [threads.submit(pin, [folder], Path(FILE_NAME), ["x"]) for folder in folders]:
            done.result()
    assert [target.name for target in read_lock(Path(FILE_NAME)).targets] == [folder.name for folder in folders]
    assert sorted(path.name for path in Path().iterdir()) == [FILE_NAME, "out"]


def test_copies_can_be_locked_again(out: Path) -> None:
    """By somebody who has the app's repository, and no published folder."""
    pin([published(out, generated=GENERATED)], Path(FILE_NAME), copy_to="models")
    before = read_lock(Path(FILE_NAME))
    pin([Path("models")], Path("other.lock"), ["models/android"])
    assert read_lock(Path("other.lock")) == before


def test_a_lock_that_is_damaged_is_not_written_over(out: Path) -> None:
    Path(FILE_NAME).write_text("<<<<<<< ours\n")
    with pytest.raises(TargetError, match="is no lock"):
        pin([published(out)], Path(FILE_NAME), ["x"])
    assert Path(FILE_NAME).read_text() == "<<<<<<< ours\n"


def test_what_was_not_run_on_devices_is_locked_and_said(out: Path) -> None:
    folder = published(out)
    described = load_manifest(folder)
    entries = tuple(entry.model_copy(update={"devices": (not_run(),)}) for entry in described.artifacts)
    described.model_copy(update={"artifacts": entries}).save(folder)
    assert "android: not run on arm64:cortex-a53: skipped" in pin([folder], Path(FILE_NAME)).notes


def test_what_fails_on_a_device_is_not_locked(out: Path) -> None:
    folder = published(out)
    described = load_manifest(folder)
    entries = tuple(entry.model_copy(update={"devices": (device(difference=1.0),)}) for entry in described.artifacts)
    described.model_copy(update={"artifacts": entries}).save(folder)
    with pytest.raises(CheckFailed, match="was published although limits were missed"):
        pin([folder], Path(FILE_NAME))
