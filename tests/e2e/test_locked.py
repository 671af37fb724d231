"""Locked builds by the command line: locked where it was built, fetched elsewhere, refused where it is another."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_export.locking.lock import read_lock
from tests.file_server import breaks_after, file_server
from tests.published_folder import published

pytestmark = pytest.mark.e2e

LOCK = "mobile-export.lock"


@pytest.fixture(scope="module")
def locked(example: Path, tmp_path_factory) -> Path:
    """A folder with the example's lock, and the files in `models`."""
    folder = tmp_path_factory.mktemp("locked")
    command = [sys.executable, "-m", "mobile_export", "lock", example / "out", "--copy-to", "models"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def app(locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which commands run."""
    shutil.copytree(locked, tmp_path / "app")
    monkeypatch.chdir(tmp_path / "app")
    return tmp_path / "app"


def test_the_lock_holds_what_enters_the_app(locked: Path, example: Path) -> None:
    for target in read_lock(locked / LOCK).targets:
        folder = example / "out" / target.name
        kinds = ("assets", "kotlin", "swift", "test_assets")
        lying = {p.relative_to(folder).as_posix() for kind in kinds for p in (folder / kind).rglob("*") if p.is_file()}
        assert {file.path for file in target.files} == lying


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's tools")
def test_a_shell_can_check_it(locked: Path) -> None:
    """With nothing but what every Mac and Linux has."""
    lines = """awk '$1 == "target" { t = $2 } $1 == "file" && t == "android" { print $2 "  " $4 }'"""
    script = f"cd models/android && {lines} ../../{LOCK} | shasum -a 256 -c -"
    done = subprocess.run(["sh", "-c", script], cwd=locked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(read_lock(locked / LOCK).targets[0].files)


def test_locking_again_changes_nothing(app: Path, example: Path, mobile_export) -> None:
    before = (app / LOCK).read_bytes()
    assert mobile_export("lock", example / "out/ios").code == 0
    assert (app / LOCK).read_bytes() == before


def test_fetched_from_the_repository_and_verified(app: Path, mobile_export) -> None:
    ran = mobile_export("fetch", "--target", "android", "--kind", "assets,kotlin", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert {each["how"] for each in json.loads(ran.out)} == {"copied"}
    assert not (app / "locked/android/test_assets").exists()
    again = mobile_export("fetch", "--target", "android", "--kind", "assets,kotlin", "--format", "json")
    assert {each["how"] for each in json.loads(again.out)} == {"there"}
    assert mobile_export("verify", "--lock", LOCK, "--target", "android", "--kind", "assets,kotlin").code == 0
    assert mobile_export("verify", "--lock", LOCK, "models").code == 0


def test_verify_names_what_is_missing_changed_and_more(app: Path, mobile_export) -> None:
    models = app / "models/android/assets/models/android"
    (models / "digits_int8.tflite").unlink()
    data = (models / "digits_uint8.tflite").read_bytes()
    (models / "digits_uint8.tflite").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (models / "mine.tflite").write_bytes(b"")
    ran = mobile_export("verify", "--lock", LOCK, "models")
    assert ran.code == 1
    said = dict(line.rsplit(": ", 1) for line in ran.out.splitlines() if not line.endswith(": ok"))
    assert said == {
        "android/assets/models/android/digits_int8.tflite": "is missing",
        "android/assets/models/android/digits_uint8.tflite": "has other bytes than are locked",
        "android/assets/models/android/mine.tflite": "is not in the lock; remove it",
    }
    assert "models: 3 of " in ran.err


def test_a_wrong_file_is_not_fetched(app: Path, mobile_export) -> None:
    path = app / "models/android/assets/models/android/digits_int8.tflite"
    path.write_bytes(bytes(path.stat().st_size))
    ran = mobile_export("fetch")
    assert ran.code == 3
    assert "has other bytes than the lock says" in ran.err
    assert not (app / "locked/android/assets/models/android/digits_int8.tflite").exists()


def test_two_processes_fetch_from_one_bucket(app: Path, example: Path) -> None:
    """All of it from a server that breaks off at first: each file is downloaded once, by one or the other."""
    with file_server() as server:
        run = [sys.executable, "-m", "mobile_export"]
        source = server.url + "/{sha256}"
        lock = [*run, "lock", example / "out", "--from", source, "--copy-to", "upload/{sha256}"]
        subprocess.run(lock, cwd=app, check=True, timeout=60)
        server.files.update({f"/{path.name}": path.read_bytes() for path in (app / "upload").iterdir()})
        server.answers = [breaks_after(100)]
        both = [
            subprocess.Popen([*run, "fetch", "--format", "json"], cwd=app, stdout=subprocess.PIPE) for _ in range(2)
        ]
        outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    found = [each for output in outputs for each in json.loads(output)]
    files = [file for target in read_lock(app / LOCK).targets for file in target.files]
    assert sum(each["how"] == "downloaded" for each in found) == len(files) == len(server.asked) - 1
    assert subprocess.run([*run, "verify", "--lock", LOCK], cwd=app, check=False, timeout=60).returncode == 0


def test_what_was_published_with_warnings_is_not_locked(app: Path, example: Path, mobile_export) -> None:
    model = (example / "examples/digits/model/model.ckpt").as_posix()
    (app / "small.toml").write_text(f"""
name = "small"
[model]
source = "{model}"
inputs = [{{ name = "image", tensor = "input:0", shape = [1, 28, 28, 1] }}]
outputs = [{{ name = "probabilities", tensor = "probabilities:0" }}]
[[artifacts]]
name = "digits_graph"
format = "graphdef"
limits = {{ size_ratio = 0.01 }}
""")
    assert mobile_export("build", "small.toml", "--out", "out", "--gate", "warn").code == 0
    ran = mobile_export("lock", "out")
    assert ran.code == 1
    assert "out/small: was published although limits were missed (--gate warn), so it may not be shipped" in ran.err


def test_diff(app: Path, example: Path, mobile_export) -> None:
    same = mobile_export("diff", "models/android/manifest.json", example / "out/android")
    assert (same.code, same.out) == (0, "")
    ran = mobile_export("diff", "models/android", example / "out/ios", "--format", "json")
    assert ran.code == 1
    assert {change["breaking"] for change in json.loads(ran.out)} == {True, False}
    assert "are breaking" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fetch", "--lock", "none.lock"], 2, "none.lock: cannot be read"),
        (["fetch", "--target", "andriod"], 2, "no target 'andriod'; it has android, ios"),
        (["fetch", "--kind", "asset"], 2, "--kind: 'asset' is no kind of file; there are assets, kotlin"),
        (["verify", "--lock", LOCK, "nowhere"], 1, "are not as mobile-export.lock has them; run: mobile-export fetch"),
        (["verify"], 2, "name a published folder; or --lock FILE"),
        (["verify", "models", "--target", "android"], 2, "to which --target and --kind belong"),
        (["lock", "nowhere"], 3, "nothing was published there"),
        (["diff", "nowhere", "models/android"], 3, "nowhere: cannot be read"),
        (["diff", LOCK, LOCK], 3, "not a manifest"),
    ],
)
def test_refusals(arguments: list[str], code: int, said: str, app: Path, mobile_export) -> None:
    ran = mobile_export(*arguments)
    assert (ran.code, "Traceback" in ran.err) == (code, False)
    assert said in ran.err


def test_a_lock_with_a_merge_in_it(app: Path, mobile_export) -> None:
    text = (app / LOCK).read_text()
    (app / LOCK).write_text(text.replace("target ios", "<<<<<<< ours\ntarget ios"))
    ran = mobile_export("fetch")
    assert ran.code == 2
    assert f"{LOCK}:" in ran.err
    assert "'<<<<<<<' is not known" in ran.err


def test_a_lock_of_two_targets_needs_a_place_for_each(app: Path, mobile_export) -> None:
    for target in ("one", "two"):
        published(app / "out", target)
    ran = mobile_export("lock", "out", "--from", "https://models.example.com")
    assert ran.code == 2
    assert "is one place for 2 targets; write {target} or {sha256} in it" in ran.err
