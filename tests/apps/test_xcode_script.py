"""The script that app builds run, in each shell that there is, with nothing else of ours and no Python."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_export.locking.download import TRIES
from mobile_export.locking.lock import read_lock
from tests.apps.xcode_phase import Phase, line_of, only_these_tools, write_files, write_lock
from tests.file_server import FileServer, breaks_after, endless, file_server, says, without_ranges
from tests.locking.corpus import CONTENT, LOCKS, TARGET, refused_line
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Xcode is not there on Windows")

MODEL = "assets/models/ios/digits.onnx"
CONTENTS = {MODEL: b"model", "swift/Digits.swift": b"code", "test_assets/models/ios/digits.golden": b"golden"}


one_shell = pytest.mark.parametrize("phase", ["dash"], indirect=True)
"""For what depends on the tools that are called, and not on the shell."""


@pytest.fixture(params=["dash", "bash", "busybox"])
def phase(request, tmp_path) -> Phase:
    busybox = None
    if request.param == "busybox":
        busybox = toolchain("xcode") / "busybox"
        shell = [str(busybox), "sh"]
    else:
        found = shutil.which(request.param)
        if found is None:
            not_run(f"there is no {request.param}")
        shell = [found]
    made = Phase(tmp_path / 'it\'s a "project" $HOME', shell, {"PATH": only_these_tools(tmp_path / "bin", busybox)})
    write_files(made.root / "src" / "models", CONTENTS)
    write_lock(made.lock, CONTENTS, ["models"])
    return made


def assert_error(ran, place: str, *words: str) -> None:
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"{place}: error: ")
    assert all(word in line for word in words), line


def test_declared_files_are_put_in_place(phase):
    outputs = [phase.app / "digits.onnx", phase.root / "src" / "Generated" / "Digits.swift"]
    ran = phase.run(outputs)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert [path.read_bytes() for path in outputs] == [b"model", b"code"]
    assert sorted(path.name for path in phase.app.iterdir()) == ["digits.onnx"]


def test_what_is_there_already_stays_untouched(phase):
    output = phase.app / "digits.onnx"
    phase.run([output])
    before = output.stat()
    assert phase.run([output]).returncode == 0
    after = output.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    output.write_bytes(b"something else")
    assert phase.run([output]).returncode == 0
    assert output.read_bytes() == b"model"


def test_a_wrong_hash_replaces_nothing(phase):
    outputs = [phase.app / "a.onnx", phase.app / "b.onnx"]
    contents = {"assets/models/ios/a.onnx": b"new a", "assets/models/ios/b.onnx": b"new b"}
    write_files(phase.app, {"a.onnx": b"old a", "b.onnx": b"old b"})
    write_files(phase.root / "src" / "models", {**contents, "assets/models/ios/b.onnx": b"bad b"})
    write_lock(phase.lock, contents, ["models"])
    ran = phase.run(outputs)
    assert_error(
        ran, f"{phase.lock}:{line_of(phase.lock, 'b.onnx')}", "another sha256", "models/assets/models/ios/b.onnx"
    )
    assert [path.read_bytes() for path in outputs] == [b"old a", b"old b"]


@one_shell
def test_a_wrong_size_is_said(phase):
    (phase.root / "src" / "models" / MODEL).write_bytes(b"model and more")
    assert_error(
        phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{line_of(phase.lock, MODEL)}", "14 bytes", "5 are locked"
    )


def test_places_are_tried_in_their_order(phase):
    write_files(phase.root / "wrong", {MODEL: b"modem"})
    write_lock(phase.lock, {MODEL: b"model"}, ["nowhere", "../wrong", "models"])
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    write_lock(phase.lock, {MODEL: b"model"}, ["nowhere", "../wrong"])
    (phase.app / "digits.onnx").unlink()
    assert_error(
        phase.run([phase.app / "digits.onnx"]),
        f"{phase.lock}:{line_of(phase.lock, MODEL)}",
        "nowhere",
        "cannot be read",
        "another sha256",
    )


def test_a_place_may_go_by_hash(phase):
    name = hashlib.sha256(b"model").hexdigest()
    write_files(phase.root / "src" / "pool", {f"{name}/{name}.bin": b"model"})
    write_lock(phase.lock, {MODEL: b"model"}, ["pool/{sha256}/{sha256}.bin"])
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0


@one_shell
def test_lines_of_windows_and_a_last_line_without_an_end(phase):
    phase.lock.write_bytes(phase.lock.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    assert phase.run([phase.app / "digits.golden"]).returncode == 0


@one_shell
def test_all_files_of_a_kind_have_to_be_outputs(phase):
    write_lock(phase.lock, {**CONTENTS, "assets/models/ios/second.onnx": b"2"}, ["models"])
    ran = phase.run([phase.app / "digits.onnx"])
    assert_error(ran, f"{phase.lock}:{line_of(phase.lock, 'second')}", "second.onnx is no output", "xcode --write")


@one_shell
def test_an_output_that_is_not_locked(phase):
    ran = phase.run([phase.app / "digits.onnx", phase.app / "s.onnx"])
    assert_error(ran, f"{phase.lock}:1", f"no file for the output {phase.app}/s.onnx")
    assert not phase.app.exists()


@one_shell
def test_an_output_that_is_declared_twice(phase):
    ran = phase.run([phase.app / "digits.onnx", phase.temp / "digits.onnx"])
    assert_error(ran, f"{phase.lock}:{line_of(phase.lock, MODEL)}", "two outputs")


@one_shell
def test_no_outputs(phase):
    assert_error(phase.run([]), f"{phase.lock}:1", "declares no outputs")


@one_shell
def test_files_in_folders_keep_them(phase):
    contents = {"assets/models/ios/saved/variables/v.index": b"1", "assets/models/ios/saved/saved_model.pb": b"2"}
    write_files(phase.root / "src" / "models", contents)
    write_lock(phase.lock, contents, ["models"])
    outputs = [phase.app / "saved" / "variables" / "v.index", phase.app / "saved" / "saved_model.pb"]
    assert phase.run(outputs).returncode == 0
    assert outputs[0].read_bytes() == b"1"


@one_shell
def test_a_folder_in_the_way(phase):
    (phase.app / "digits.onnx").mkdir(parents=True)
    assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{line_of(phase.lock, MODEL)}", "is a folder")


@one_shell
def test_a_link_in_the_way_is_replaced_and_not_followed(phase):
    write_files(phase.root, {"precious": b"precious"})
    phase.app.mkdir(parents=True)
    (phase.app / "digits.onnx").symlink_to(phase.root / "precious")
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    assert (phase.root / "precious").read_bytes() == b"precious"
    assert not (phase.app / "digits.onnx").is_symlink()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
@pytest.mark.parametrize("phase", ["dash", "busybox"], indirect=True)
def test_the_corpus_of_locks(phase, lock):
    phase.target = TARGET
    phase.lock.write_bytes(lock.read_bytes())
    refused = refused_line(lock)
    if refused is not None:
        assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{refused}")
        assert not phase.app.exists()
        return
    (locked,) = read_lock(lock).only([TARGET], ["assets"]).targets
    write_files(phase.root / "src" / "models", {file.path: CONTENT for file in locked.files})
    outputs = [phase.app / file.path.removeprefix(f"assets/models/{TARGET}/") for file in locked.files]
    ran = phase.run(outputs)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [output.read_bytes() for output in outputs] == [CONTENT] * len(outputs)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "not a lock: it is empty"),
        ("something\n", 1, "not a lock that this script reads"),
        ("mobile-export-lock 2\n", 1, "run mobile-export xcode --write with the version that locked"),
        ("mobile-export-lock 1\n", 1, "target ios is not locked"),
        (f"mobile-export-lock 1\ntarget android\nfile {'a' * 64} 1 assets/m\n", 1, "target ios is not locked"),
        ("mobile-export-lock 1\n\nexec x\n", 3, "a line is target, from or file"),
        (f"mobile-export-lock 1\ntarget ios\nfile {'A' * 64} 1 assets/m\n", 3, "64 lower-case hexadecimal"),
        (f"mobile-export-lock 1\ntarget ios\nfile {'a' * 64} $(id) assets/m\n", 3, "not a number of bytes"),
        (f"mobile-export-lock 1\ntarget ios\nfile {'a' * 64} 1 ../../etc/m\n", 3, "not plain and relative"),
        (f"mobile-export-lock 1\ntarget ios\nfile {'a' * 64} 1\n", 3, "file, sha256, bytes, path"),
    ],
)
def test_how_a_broken_lock_is_put_into_words(phase, text, line, problem):
    phase.lock.write_text(text)
    assert_error(phase.run([phase.app / "m"]), f"{phase.lock}:{line}", problem)


def test_nothing_in_a_lock_is_run(phase):
    sources = [
        "$(touch ran)",
        "`touch ran`",
        "'; touch ran; '",
        '"; touch ran; "',
        "-rf",
        "* ?",
        "http://$(touch)/",
        "file:///nowhere/;touch$IFSran",
    ]
    write_lock(phase.lock, {MODEL: b"model"}, [*sources, "models"])
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    assert not list(phase.root.rglob("ran")) and not Path("ran").exists()


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"SWIFT_OPTIMIZATION_LEVEL": "-O"}, "SWIFT_OPTIMIZATION_LEVEL is -O, and -Onone in those"),
        ({"SWIFT_OPTIMIZATION_LEVEL": ""}, "SWIFT_OPTIMIZATION_LEVEL is not set"),
        ({"GCC_OPTIMIZATION_LEVEL": "s"}, "GCC_OPTIMIZATION_LEVEL is s"),
        ({"ACTION": "install"}, "ACTION is install"),
        ({"DEPLOYMENT_POSTPROCESSING": "YES"}, "DEPLOYMENT_POSTPROCESSING is YES"),
        ({"MOBILE_EXPORT_GATE": "open"}, "may be closed or warn"),
    ],
)
def test_no_open_gate_but_in_builds_for_debugging(phase, told, problem):
    phase.environment |= {"MOBILE_EXPORT_GATE": "warn", **told}
    assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:1", problem)


@one_shell
def test_debug_may_have_an_open_gate_whatever_its_name(phase):
    phase.environment |= {"CONFIGURATION": "Development", "MOBILE_EXPORT_GATE": "warn"}
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0


LARGE = bytes(range(256)) * 1000
PART = f"{hashlib.sha256(LARGE).hexdigest()}.part"


@pytest.fixture
def server(phase, tmp_path) -> Iterator[FileServer]:
    """Has the model; the script does not pause between tries."""
    if shutil.which("curl") is None:
        not_run("there is no curl")
    sleep = tmp_path / "bin/sleep"
    sleep.unlink()
    sleep.symlink_to(str(shutil.which("true")))
    with file_server() as started:
        started.files[f"/{MODEL}"] = LARGE
        write_lock(phase.lock, {MODEL: LARGE}, [started.url])
        yield started


def test_a_file_is_fetched_once(phase, server):
    output = phase.app / "digits.onnx"
    assert phase.run([output]).returncode == 0
    assert output.read_bytes() == LARGE
    assert phase.run([output]).returncode == 0
    assert server.asked == [(f"/{MODEL}", None)]


def test_a_connection_that_breaks_is_taken_up_where_it_ended(phase, server):
    server.answers = [breaks_after(100_000)]
    ran = phase.run([phase.app / "digits.onnx"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (phase.app / "digits.onnx").read_bytes() == LARGE
    assert server.asked[1] == (f"/{MODEL}", "bytes=100000-")


@one_shell
def test_a_build_goes_on_where_one_before_was_stopped(phase, server):
    write_files(phase.staging, {PART: LARGE[:1234]})
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    assert server.asked == [(f"/{MODEL}", "bytes=1234-")]


@one_shell
@pytest.mark.parametrize("answer", [without_ranges, says(416)])
def test_a_server_that_cannot_go_on_sends_all_again(answer, phase, server):
    server.answers = [answer]
    write_files(phase.staging, {PART: LARGE[:1234]})
    ran = phase.run([phase.app / "digits.onnx"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (phase.app / "digits.onnx").read_bytes() == LARGE


@one_shell
def test_a_part_that_is_wrong_is_thrown_away(phase, server):
    write_files(phase.staging, {PART: b"x" * 1234})
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    assert server.asked == [(f"/{MODEL}", "bytes=1234-"), (f"/{MODEL}", None)]


@one_shell
def test_a_whole_part_that_is_wrong_is_thrown_away(phase, server):
    write_files(phase.staging, {PART: LARGE[::-1]})
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    assert server.asked == [(f"/{MODEL}", None)]


@one_shell
def test_a_wrong_file_is_not_taken(phase, server):
    server.files[f"/{MODEL}"] = LARGE[::-1]
    write_files(phase.app, {"digits.onnx": b"old"})
    ran = phase.run([phase.app / "digits.onnx"])
    assert_error(ran, f"{phase.lock}:{line_of(phase.lock, MODEL)}", server.url, "another sha256")
    assert (phase.app / "digits.onnx").read_bytes() == b"old"
    assert len(server.asked) == 1


@one_shell
def test_more_than_is_locked_is_not_loaded(phase, server):
    server.files[f"/{MODEL}"] = LARGE + b"more"
    assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{line_of(phase.lock, MODEL)}", server.url)


def test_a_server_that_does_not_end_is_not_listened_to(phase, server):
    sent: list[int] = []
    server.always = endless(1000, sent)
    assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{line_of(phase.lock, MODEL)}", server.url)
    assert sent[0] < 100
    assert all(path.stat().st_size < 1_000_000 for path in phase.staging.iterdir())


@one_shell
def test_a_redirect_leads_to_no_file(phase, server):
    write_files(phase.root, {"secret": LARGE})
    server.always = says(302, Location=(phase.root / "secret").as_uri())
    assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{line_of(phase.lock, MODEL)}", server.url)


@one_shell
@pytest.mark.parametrize("status", [401, 404, 410])
def test_a_file_that_is_not_there_is_asked_for_once(status, phase, server):
    server.always = says(status)
    place = f"{phase.lock}:{line_of(phase.lock, MODEL)}"
    assert_error(phase.run([phase.app / "digits.onnx"]), place, str(status))
    assert len(server.asked) == 1


@one_shell
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_as_often_as_fetch_does(status, phase, server):
    server.answers = [says(status)] * (TRIES - 1)
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0
    (phase.app / "digits.onnx").unlink()
    server.answers = [says(status)] * TRIES
    place = f"{phase.lock}:{line_of(phase.lock, MODEL)}"
    assert_error(phase.run([phase.app / "digits.onnx"]), place, str(status))


@one_shell
def test_a_server_that_brings_much_each_time_gets_more_tries(phase, server):
    data = bytes(8 << 20)
    server.files[f"/{MODEL}"] = data
    write_lock(phase.lock, {MODEL: data}, [server.url])
    server.answers = [breaks_after(1 << 20)] * (TRIES + 1)
    assert phase.run([phase.app / "digits.onnx"]).returncode == 0


@one_shell
def test_a_server_that_never_goes_on_is_given_up(phase, server):
    data = bytes(3 << 20)
    server.files[f"/{MODEL}"] = data
    write_lock(phase.lock, {MODEL: data}, [server.url])
    server.answers = [breaks_after(2 << 20), says(416)] * 10
    assert_error(phase.run([phase.app / "digits.onnx"]), f"{phase.lock}:{line_of(phase.lock, MODEL)}", server.url)


@one_shell
def test_a_folder_stands_in_for_a_server_that_is_down(phase, server):
    """Which is not asked again for the next file."""
    contents = {MODEL: LARGE, "assets/models/ios/second.onnx": b"second"}
    server.always = says(503)
    write_files(phase.root / "src" / "models", contents)
    write_lock(phase.lock, contents, [server.url, "models"])
    assert phase.run([phase.app / "digits.onnx", phase.app / "second.onnx"]).returncode == 0
    assert len(server.asked) == TRIES
