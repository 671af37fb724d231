"""Builds that do nothing when nothing changed, and no more than they have to when something did."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mobile_export.incremental.unchanged import answer
from mobile_export.published.manifest import load_manifest
from mobile_export.session import import_tensorflow
from tests.e2e.conftest import ROOT, Ran, run_in_process, tree

pytestmark = pytest.mark.e2e

APP = """
[app]
kotlin_package = "com.example.tiny"
swift_module = "TinyModel"
"""
TARGET = f"""
name = "tiny"
[model]
source = "model/tiny.pb"
inputs = [{{ name = "x", tensor = "x:0", shape = [1, 8] }}]
outputs = [{{ name = "y", tensor = "y:0", labels = "labels.txt" }}]
[data]
calibration = {{ source = "samples" }}
{APP}
[[artifacts]]
name = "graph"
format = "graphdef"
[[artifacts]]
name = "lite"
format = "tflite"
[[artifacts]]
name = "served"
format = "saved_model"
"""


@dataclass(frozen=True)
class Project:
    """A folder with a target, what it is built from, and what was built."""

    folder: Path
    run: Callable[..., Ran]
    command: tuple[str, ...] = ("build", "tiny.toml")

    def build(self, *options: str) -> Ran:
        """The command line, without its shortcut."""
        return self.run(*self.command, *options)

    def answered(self, *options: str) -> bool:
        """Whether the shortcut answers."""
        return answer([*self.command, *options])

    @property
    def out(self) -> Path:
        return self.folder / "out/tiny"


def write_project(folder: Path) -> None:
    tf = import_tensorflow()
    (folder / "model").mkdir()
    (folder / "samples").mkdir()
    rng = np.random.default_rng(1)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8], name="x")
        weights = rng.standard_normal((8, 4)).astype(np.float32)
        tf.nn.softmax(tf.matmul(x, weights), name="y")
    (folder / "model/tiny.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.save(folder / "samples/x.npy", rng.standard_normal((64, 8)).astype(np.float32))
    (folder / "labels.txt").write_text("a\nb\nc\nd\n")
    (folder / "tiny.toml").write_text(TARGET)


def command(folder: Path, *arguments: str, cache: Path, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    start = ["-m", "mobile_export"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=folder,
        env=os.environ | {"MOBILE_EXPORT_CACHE": str(cache), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="session")
def first(tmp_path_factory) -> tuple[Path, Path]:
    """A project that was built once, and the cache that this filled."""
    folder, cache = tmp_path_factory.mktemp("tiny"), tmp_path_factory.mktemp("tiny_cache")
    write_project(folder)
    done = command(folder, "build", "tiny.toml", cache=cache)
    assert done.returncode == 0, done.stderr
    return folder, cache


@pytest.fixture
def project(first, tmp_path: Path, cache: Path, monkeypatch, capfd) -> Project:
    """The same elsewhere, restored from the cache, and with a record."""
    shutil.copytree(first[0], tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    shutil.copytree(first[1], cache, dirs_exist_ok=True, ignore=shutil.ignore_patterns("builds"))
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, lambda *arguments: run_in_process(list(arguments), capfd, monkeypatch))
    ran = project.build()
    assert ran.code == 0, ran.err
    assert "prepare the graph" not in ran.err
    assert project.answered()
    capfd.readouterr()
    return project


def test_the_whole_command_starts_little_more_than_python(first) -> None:
    folder, cache = first
    watched = "import sys; from mobile_export.__main__ import main; main(); print(len(sys.modules), file=sys.stderr)"
    command(folder, "build", "tiny.toml", cache=cache, code=watched)  # another start of Python has another record
    done = command(folder, "build", "tiny.toml", cache=cache, code=watched)
    assert (done.returncode, done.stdout) == (0, "tiny: current in out/tiny (3 artifacts)\n")
    bare = command(folder, cache=cache, code="import sys; print(len(sys.modules), file=sys.stderr)")
    assert int(done.stderr) < int(bare.stderr) + 20  # typer alone brings 300
    taken = []
    for _ in range(5):
        begun = time.monotonic()
        assert command(folder, "build", "tiny.toml", cache=cache).returncode == 0
        taken.append(time.monotonic() - begun)
    assert min(taken) < 0.25


def test_a_touched_file_changes_nothing(project: Project) -> None:
    for path in (project.folder / "model/tiny.pb", project.folder / "tiny.toml", project.out / "golden.npz"):
        os.utime(path)
    assert project.answered()


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def link_elsewhere(folder: Path) -> None:
    """The target is a link now, to the same bytes in another folder, where its paths lead elsewhere."""
    (folder / "elsewhere").mkdir()
    (folder / "tiny.toml").rename(folder / "elsewhere/tiny.toml")
    (folder / "tiny.toml").symlink_to("elsewhere/tiny.toml")
    for name in ("model", "samples", "labels.txt"):
        (folder / "elsewhere" / name).symlink_to(folder / name)


HARMLESS: dict[str, Callable[[Path], object]] = {
    "a comment in the target": lambda folder: replace(folder / "tiny.toml", "[model]", "[model]  # of 2019"),
    "a file beside the model": lambda folder: (folder / "model/notes.txt").write_text(""),
    "the target elsewhere": link_elsewhere,
}
HARMFUL: dict[str, Callable[[Path], object]] = {
    "a deleted file": lambda folder: (folder / "out/tiny/assets/models/tiny/lite.tflite").unlink(),
    "a deleted file of a folder": lambda folder: next(folder.glob("out/**/*.savedmodel/*.pb")).unlink(),
    "a deleted folder": lambda folder: shutil.rmtree(folder / "out/tiny"),
    "all of it deleted": lambda folder: shutil.rmtree(folder / "out"),
    "a changed file": lambda folder: (folder / "out/tiny/assets/models/tiny/lite.tflite").write_bytes(b"other"),
    "a file too many": lambda folder: (folder / "out/tiny/assets/models/tiny/old.tflite").write_bytes(b"stale"),
    "a file too many in another place": lambda folder: write(folder / "out/tiny/kotlin/com/Old.kt"),
    "a changed manifest": lambda folder: replace(folder / "out/tiny/manifest.json", '"any"', '"ios"'),
    "a damaged manifest": lambda folder: (folder / "out/tiny/manifest.json").write_text("{"),
    "no manifest of ours but files": lambda folder: (folder / "out/tiny/golden.npz").write_bytes(b""),
    "a deleted header": lambda folder: (folder / "out/tiny/ops_to_register.h").unlink(),
}


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("stale")


@pytest.mark.parametrize("change", HARMLESS)
def test_what_changes_no_file_is_found_out_once(project: Project, change: str) -> None:
    before = tree(project.out)
    HARMLESS[change](project.folder)
    assert not project.answered()
    ran = project.build()
    assert (ran.code, ran.out) == (0, "tiny: current in out/tiny (3 artifacts)\n"), ran.err
    assert tree(project.out) == before
    assert project.answered()


@pytest.mark.parametrize("change", HARMFUL)
def test_what_is_not_as_it_was_published_is_put_back(project: Project, change: str) -> None:
    before = tree(project.out)
    HARMFUL[change](project.folder)
    assert not project.answered()
    ran = project.build()
    assert (ran.code, "tiny: published" in ran.out) == (0, True), ran.err
    assert "prepare the graph" not in ran.err
    assert tree(project.out) == before
    assert project.answered()


CHANGES: dict[str, Callable[[Path], object]] = {
    "model": lambda folder: (folder / "model/tiny.pb").write_bytes((folder / "model/tiny.pb").read_bytes() + b"\0\0"),
    "labels": lambda folder: (folder / "labels.txt").write_text("a\nb\nc\ne\n"),
    "data": lambda folder: np.save(folder / "samples/x.npy", np.ones((64, 8), np.float32)),
    "more data": lambda folder: np.save(folder / "samples/z.npy", np.ones((64, 8), np.float32)),
    "the target": lambda folder: replace(folder / "tiny.toml", "[1, 8]", "[2, 8]"),
    "a model that is gone": lambda folder: (folder / "model/tiny.pb").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_could_change_a_file_is_never_current(project: Project, change: str) -> None:
    CHANGES[change](project.folder)
    assert not project.answered()


def test_another_target_of_that_name_took_its_place(project: Project) -> None:
    replace_with = TARGET.replace('name = "served"\nformat = "saved_model"', 'name = "twice"\nformat = "graphdef"')
    (project.folder / "other.toml").write_text(replace_with)
    assert project.run("build", "other.toml", "--no-cache").code == 0
    assert not project.answered()
    assert "tiny: published" in project.build().out
    assert not answer(["build", "other.toml"])


def test_a_folder_that_was_renamed_with_its_target_is_not_taken_for_it(project: Project) -> None:
    """No key knows a target's name, and the places of files do."""
    replace(project.folder / "tiny.toml", 'name = "tiny"', 'name = "small"')
    project.out.rename(project.folder / "out/small")
    ran = project.build()
    assert (ran.code, "graph, lite, served from the cache" in ran.err) == (0, True), ran.err
    assert {entry.file.split("/")[2] for entry in load_manifest(project.folder / "out/small").artifacts} == {"small"}
    assert not (project.folder / "out/small/assets/models/tiny").exists()


def test_only_what_the_app_wants_otherwise_is_written_again(project: Project) -> None:
    """No key knows of `[app]`: classes are generated anew, and no file is."""
    before = tree(project.out)
    replace(project.folder / "tiny.toml", "[app]", '[app]\nclass_name = "Small"')
    ran = project.build()
    assert (ran.code, ran.err) == (0, ""), "nothing ran"
    after = tree(project.out)
    assert {name for name in after if name.startswith("assets/")} == {n for n in before if n.startswith("assets/")}
    assert all(after[name] == before[name] for name in after if name.startswith("assets/"))
    assert json.loads(after["manifest.json"])["app"]["class_name"] == "Small"


def test_another_option_of_one_artifact_builds_that_one_alone(project: Project) -> None:
    before = tree(project.out)
    replace(project.folder / "tiny.toml", 'format = "graphdef"', 'format = "graphdef"\nlimits = { size = 100000 }')
    ran = project.build()
    assert ran.code == 0, ran.err
    assert "write graph" in ran.err
    assert "write lite" not in ran.err
    after = tree(project.out)
    assert all(after[name] == before[name] for name in after if name.startswith("assets/"))


def test_what_is_gone_from_the_cache_is_built_and_the_rest_restored(project: Project, cache: Path) -> None:
    before = tree(project.out)
    key = next(entry.key for entry in load_manifest(project.out).artifacts if entry.name == "lite")
    (cache / f"artifacts/entries/{key[:2]}/{key}.json").unlink()
    shutil.rmtree(project.folder / "out")
    ran = project.build()
    assert "graph, served from the cache" in ran.err
    assert "write lite" in ran.err
    assert "write graph" not in ran.err
    assert tree(project.out) == before


def test_restoring_imports_no_framework(first, tmp_path: Path) -> None:
    folder, cache = first
    code = (
        "import sys\nfrom mobile_export.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "heavy = {'tensorflow', 'tf2onnx', 'onnx', 'onnxruntime', 'ai_edge_litert', 'litert_quantizer', 'fsspec'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = command(folder, "build", "tiny.toml", "--out", str(tmp_path), cache=cache, code=code)
    assert done.returncode == 0, done.stderr
    assert "from the cache" in done.stderr
    assert done.stdout.endswith("set()\n")
    assert tree(tmp_path / "tiny") == tree(folder / "out/tiny")


@pytest.mark.parametrize("place", ["folder", "file://"])
def test_a_shared_cache(project: Project, tmp_path_factory, place: str) -> None:
    shared = tmp_path_factory.mktemp("shared")
    address = str(shared) if place == "folder" else f"file://{shared}"
    shutil.copytree(os.environ["MOBILE_EXPORT_CACHE"] + "/artifacts", shared / "artifacts")
    shutil.rmtree(os.environ["MOBILE_EXPORT_CACHE"])
    shutil.rmtree(project.folder / "out")
    ran = project.build("--cache", address)
    assert (ran.code, "graph, lite, served from the cache" in ran.err) == (0, True), ran.err
    assert project.answered("--cache", address)


def test_a_cache_that_cannot_be_reached_is_warned_of(project: Project) -> None:
    (project.folder / "file").write_text("")
    shutil.rmtree(project.folder / "out")
    ran = project.build("--cache", "file/below")
    assert (ran.code, "warning: the cache cannot be used: " in ran.err) == (0, True)
    assert not project.answered("--cache", "file/below")


def test_a_cache_that_is_misspelt_stops_the_build(project: Project) -> None:
    ran = project.build("--cache", "s33://bucket")
    assert (ran.code, "error: --cache s33://bucket" in ran.err) == (2, True)


@pytest.mark.parametrize("options", ["--no-cache --artifact graph", "--format json"])
def test_what_is_asked_for_each_time(project: Project, options: str) -> None:
    assert project.build(*options.split()).code == 0
    assert not project.answered(*options.split())


def test_what_missed_a_limit_is_never_current(project: Project) -> None:
    replace(project.folder / "tiny.toml", 'format = "graphdef"', 'format = "graphdef"\nlimits = { size = 10 }')
    for gate in ("warn", "closed"):
        ran = project.build("--gate", gate)
        assert ran.code == (0 if gate == "warn" else 1)
        assert not project.answered("--gate", gate)
    assert load_manifest(project.out).gate == "warn"
    replace(project.folder / "tiny.toml", "{ size = 10 }", "{ size = 100000 }")
    assert project.build().code == 0
    assert load_manifest(project.out).gate == "closed"
    assert project.answered()


def test_samples_that_code_makes_are_never_current(project: Project) -> None:
    (project.folder / "own.py").write_text(
        "import numpy\ndef samples():\n    rng = numpy.random.default_rng(2)\n"
        "    for _ in range(64):\n        yield {'x': rng.standard_normal(8).astype('float32')}\n"
    )
    replace(project.folder / "tiny.toml", 'source = "samples"', 'source = "own:samples"')
    for name in ("lite", "served"):
        form = {"lite": "tflite", "served": "saved_model"}[name]
        replace(project.folder / "tiny.toml", f'[[artifacts]]\nname = "{name}"\nformat = "{form}"\n', "")
    replace(project.folder / "tiny.toml", APP, "")
    ran = project.build()
    assert ran.code == 0, ran.err
    assert not project.answered()
    assert "prepare the graph" in project.build().err


def test_one_artifact_is_a_command_of_its_own(project: Project) -> None:
    assert project.build("--artifact", "lite").out == "tiny: current in out/tiny (3 artifacts)\n"
    assert project.answered("--artifact", "lite")
    (project.out / "assets/models/tiny/graph.pb").unlink()
    assert not project.answered("--artifact", "lite")


def test_warnings_are_said_again(project: Project, capfd) -> None:
    np.save(project.folder / "samples/x.npy", np.load(project.folder / "samples/x.npy")[:20])
    ran = project.build()
    assert ran.code == 0, ran.err
    warned = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
    assert warned
    assert project.answered()
    assert capfd.readouterr().err.splitlines() == warned
    assert [line for line in project.build().err.splitlines() if line.startswith("warning: ")] == warned


def test_what_cannot_be_looked_at_costs_the_record_alone(project: Project, monkeypatch) -> None:
    """Python passes over a place on its path that it cannot read, and so does a build."""
    (project.folder / "loop").symlink_to("loop")
    monkeypatch.setattr(sys, "path", [*sys.path, str(project.folder / "loop")])
    ran = project.build()
    assert (ran.code, ran.out) == (0, "tiny: current in out/tiny (3 artifacts)\n"), ran.err
    assert not project.answered()
    assert project.build("--print-inputs").code == 0
    assert not project.answered("--print-inputs")


def test_what_is_listed_is_what_is_read_and_published(project: Project) -> None:
    lines = project.build("--print-outputs").out.splitlines()
    assert lines == sorted(f"out/tiny/{name}" for name in tree(project.out))
    assert project.build("--print-inputs").out.splitlines() == [
        "labels.txt",
        "model/tiny.pb",
        "samples/x.npy",
        "tiny.toml",
    ]
    shutil.rmtree(project.folder / "out")
    assert project.build("--print-outputs").out.splitlines() == lines
    assert not (project.folder / "out").exists()


@pytest.mark.parametrize("option", ["--print-inputs", "--print-outputs"])
def test_lists_are_answered_from_a_record(project: Project, capfd, option: str) -> None:
    listed = project.build(option).out
    assert project.answered(option)
    assert capfd.readouterr() == (listed, "")
    assert json.loads(project.build(option, "--format", "json").out) == listed.splitlines()
    assert not project.answered(option, "--out", "elsewhere")
    replace(project.folder / "tiny.toml", "labels.txt", "names.txt")
    (project.folder / "labels.txt").rename("names.txt")
    assert not project.answered(option)
    assert ("names.txt" in project.build(option).out) == (option == "--print-inputs")


def test_a_list_of_what_is_read_knows_of_files_that_come(project: Project) -> None:
    assert project.build("--print-inputs").code == 0
    np.save(project.folder / "samples/z.npy", np.ones((64, 8), np.float32))
    assert not project.answered("--print-inputs")


def test_a_list_of_what_is_published_needs_neither_model_nor_data(project: Project) -> None:
    listed = project.build("--print-outputs").out
    shutil.rmtree(project.folder / "model")
    assert project.answered("--print-outputs")
    assert project.build("--print-outputs").out == listed
    assert project.build("--print-inputs").code == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--print-inputs --print-outputs", "--print-inputs and --print-outputs are two lists; ask for one"),
        ("--print-inputs --artifact nope", "--print-inputs builds nothing, so --artifact would do nothing"),
        ("--print-outputs --depfile d", "--print-outputs builds nothing, so --depfile would do nothing"),
        (
            "--print-inputs --gate warn --no-cache",
            "--print-inputs builds nothing, so --no-cache, --gate would do nothing",
        ),
        ("--print-inputs --skip-device", "--print-inputs builds nothing, so --skip-device would do nothing"),
        (
            "--skip-device --runs-on arm64:cortex-a53",
            "--skip-device runs nothing on devices, so --runs-on would do nothing",
        ),
        ("--no-cache --cache nowhere://x", "--no-cache builds without what is kept, so --cache would do nothing"),
    ],
)
def test_options_that_would_do_nothing_are_refused(project: Project, options: str, words: str) -> None:
    ran = project.build(*options.split())
    assert (ran.code, ran.out) == (2, "")
    assert f"error: {words}" in ran.err


def test_a_build_without_devices_is_answered_as_any_other(project: Project) -> None:
    assert project.build("--skip-device").code == 0
    assert project.answered("--skip-device")


@pytest.mark.parametrize("target", ["android", "ios"])
def test_the_example_publishes_what_is_listed(example: Path, mobile_export, monkeypatch, target: str) -> None:
    monkeypatch.chdir(example)
    lines = mobile_export("build", f"targets/{target}.toml", "--print-outputs").out.splitlines()
    assert lines == sorted(f"out/{target}/{name}" for name in tree(example / "out" / target))


def test_make_knows_when_to_build(project: Project) -> None:
    assert project.build("--depfile", "tiny.d").code == 0
    assert project.answered("--depfile", "tiny.d")
    rule = (project.folder / "tiny.d").read_text() + "\t@echo build\n"
    (project.folder / "Makefile").write_text(rule)

    def made() -> str:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        ran = subprocess.run(["make", "out/tiny/manifest.json"], capture_output=True, text=True, check=True, env=own)
        return ran.stdout

    assert "build" not in made().replace("tiny.d", "")
    for name in ("labels.txt", "model/tiny.pb", "samples/x.npy", "tiny.toml"):
        later = time.time() + 100
        os.utime(name, (later, later))
        assert made() == "build\n", name
        os.utime(name, (1000, 1000))
    (project.folder / "tiny.d").unlink()
    assert not project.answered("--depfile", "tiny.d")


def test_the_cache_is_shown_and_pruned(project: Project) -> None:
    shown = json.loads(project.run("cache", "--format", "json").out)
    assert shown["folder"] == os.environ["MOBILE_EXPORT_CACHE"]
    assert shown["kinds"]["artifacts"]["bytes"] > 1000
    assert shown["kinds"]["builds"]["files"] == 1
    assert project.run("cache", "--size", "1kB").code == 2
    ran = project.run("cache", "prune", "--size", "1kB")
    assert (ran.code, "files removed" in ran.out) == (0, True)
    kinds = json.loads(project.run("cache", "--format", "json").out)["kinds"]
    assert sum(kind["bytes"] for kind in kinds.values()) <= 1000
    assert project.build().out == "tiny: current in out/tiny (3 artifacts)\n", "what was published needs no cache"


@pytest.mark.parametrize("action", ["show", "prune"])
def test_a_cache_that_is_none_is_refused(project: Project, action: str) -> None:
    (project.folder / "ours/builds").mkdir(parents=True)
    (project.folder / "ours/builds/app.apk").write_text("")
    for where, words in {
        "ours": "ours: no cache of mobile-export lies there; ",
        "gone": "gone: no cache of mobile-export lies there; ",
        "s3://b/x": "--cache s3://b/x: only a folder can be shown and pruned; ",
    }.items():
        ran = project.run("cache", action, "--cache", where)
        assert (ran.code, f"error: {words}" in ran.err) == (2, True), ran
    assert (project.folder / "ours/builds/app.apk").exists()


def test_a_cache_among_files_of_others_is_used_and_not_pruned(project: Project, monkeypatch, tmp_path_factory) -> None:
    theirs = tmp_path_factory.mktemp("theirs")
    (theirs / "builds").mkdir()
    for name in ("thesis", "builds/app.apk"):
        (theirs / name).write_text("")
    monkeypatch.setenv("MOBILE_EXPORT_CACHE", str(theirs))
    monkeypatch.setenv("MOBILE_EXPORT_CACHE_SIZE", "0")
    replace(project.folder / "tiny.toml", 'format = "graphdef"', 'format = "graphdef"\nlimits = { size = 100000 }')
    ran = project.build()
    assert (ran.code, f"warning: the cache grows without bounds: {theirs}: no cache" in ran.err) == (0, True), ran.err
    assert (theirs / "builds/app.apk").exists()
    assert list(theirs.glob("artifacts/blobs/*/*"))


def test_builds_at_once_and_one_that_is_killed(first, tmp_path: Path, cache: Path) -> None:
    """Two at once: one works, the other waits for it, and finds its files current; then one dies in the middle."""
    shutil.copytree(first[0], tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    environment = os.environ | {"MOBILE_EXPORT_CACHE": str(cache), "PYTHONPATH": str(ROOT)}

    def start(*options: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "mobile_export", "build", "tiny.toml", *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True)

    ended = [(process.communicate(timeout=120), process.returncode) for process in [start(), start()]]
    assert [code for _, code in ended] == [0, 0], ended
    assert sorted("prepare the graph" in err for (_, err), _ in ended) == [False, True]
    assert sorted("tiny: current" in out for (out, _), _ in ended) == [False, True]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]
    before = tree(tmp_path / "out")

    killed = start("--no-cache")
    while not list((tmp_path / "out").glob(".staging-*/assets/models/tiny/*")):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    killed.communicate(timeout=60)
    assert len(list((tmp_path / "out").iterdir())) == 3, "the folder, what was staged, and the lock"
    assert tree(tmp_path / "out/tiny") == {name.removeprefix("tiny/"): data for name, data in before.items()}
    again = start()
    assert (again.communicate(timeout=120)[0], again.returncode) == ("tiny: current in out/tiny (3 artifacts)\n", 0)
    assert [again.communicate(timeout=120)[1] for again in [start("--artifact", "graph", "--no-cache")]]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]
