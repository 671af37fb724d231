"""What an app's Gradle build does with models: on Gradle 4.4 with Debian's Android plugin, and on Gradle 8.8.

The Android plugins 8 and 9 are in Google's Maven repository alone: there a stand-in with their signatures is applied.
"""

import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from mobile_export.errors import TargetError
from mobile_export.locking.lock import read_lock
from tests.e2e.gradle.projects import GRADLES, Project, compile_stand_in, path_without_python
from tests.file_server import breaks_after, file_server, says
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e
HERE = Path(__file__).parent / "gradle"
LOCKS = Path(__file__).parent.parent / "locking" / "locks"

ANDROID = {
    "assets/models/android/digits.tflite": bytes(range(256)) * 40,
    "kotlin/com/example/Digits.kt": b"class Digits\n",
    "test_assets/models/android/digits.golden": b"MXGOLD",
    "swift/Digits.swift": b"struct Digits {}\n",
}
MODEL = "models/android/digits.tflite"
EXPORTER = Path(sys.executable).parent / "mobile-export"
NOT_DEBUGGABLE = "so it is for builds alone that the Android plugin calls debuggable"


@pytest.fixture(scope="session")
def no_python(tmp_path_factory):
    """A PATH without Python."""
    path = path_without_python(tmp_path_factory.mktemp("bin"))
    assert shutil.which("sh", path=path) and not shutil.which("python3", path=path)
    return path


@pytest.fixture
def make(tmp_path, no_python):
    def project(version: str, folder: str = "app") -> Project:
        toolchain(GRADLES[version].toolchain)
        return Project(tmp_path / folder, GRADLES[version], {"PATH": no_python})

    return project


@pytest.fixture(params=GRADLES)
def project(request, make) -> Project:
    """A build in which locked models are exported, in the configuration `main`, with no Python on PATH."""
    made = make(request.param)
    made.apply()
    return made


def test_locked_files_are_taken_once(project):
    project.lock(android=ANDROID)

    cold = project.run("--build-cache", "exportMainModels")
    assert cold.code == 0, cold.log
    assert cold.task("exportMainModels") == ""
    assert project.files("assets") == {MODEL: ANDROID[f"assets/{MODEL}"]}
    assert project.files("kotlin") == {"com/example/Digits.kt": b"class Digits\n"}
    assert project.files("test_assets") == {"models/android/digits.golden": b"MXGOLD"}

    unchanged = project.run("--build-cache", "exportMainModels")
    assert unchanged.task("exportMainModels") == "UP-TO-DATE"
    assert "--configuration-cache" not in project.gradle.options or "Configuration cache entry reused" in unchanged.log

    cleaned = project.run("--build-cache", "clean", "exportMainModels")
    assert cleaned.task("exportMainModels") == "FROM-CACHE"
    assert project.files("assets") == {MODEL: ANDROID[f"assets/{MODEL}"]}

    project.lock(android={"assets/models/android/other.onnx": b"another"})
    changed = project.run("exportMainModels")
    assert changed.task("exportMainModels") == ""
    assert project.files("assets") == {"models/android/other.onnx": b"another"}
    assert project.files("kotlin") == {}


def test_a_wrong_hash_fails_and_says_where(project):
    project.lock(android=ANDROID)
    good = project.run("exportMainModels")
    assert good.code == 0, good.log
    project.write(f"models/assets/{MODEL}", bytes(256 * 40))
    wrong = project.run("exportMainModels")
    assert wrong.code == 1
    assert f"assets/{MODEL} of target android is nowhere as it is locked" in wrong.log
    assert "has the hash" in wrong.log and "Exception" not in wrong.log.replace("with an exception", "")


READ_ALL = """
file('locks').eachFile {
    try {
        println "LOCK ${it.name}: read, of ${ModelLock.of(it).targets*.name.sort().join(' ')}"
    } catch (GradleException refused) {
        println "LOCK ${it.name}: refused, ${refused.message - it.path}"
    }
}
"""


def test_locks_are_read_and_refused_as_the_exporter_does_it(project):
    locks = sorted(LOCKS.glob("*.lock"))
    odd = {  # what cannot be a line of a lock that stands in a repository
        "empty.lock": b"",
        "latin1.lock": b"mobile-export-lock 1\n# \xe9\n",
        "of_another_version.lock": b"mobile-export-lock 2\n",
        "with_a_mark.lock": b"\xef\xbb\xbfmobile-export-lock 1\n",
        "of_targets_that_come_to_nothing.lock": b"mobile-export-lock 1\ntarget a\nfrom models\n",
    }
    for name, content in [*((lock.name, lock.read_bytes()) for lock in locks), *odd.items()]:
        project.write(f"locks/{name}", content)
    script = project.folder / project.gradle.script.name
    script.write_text(script.read_text() + READ_ALL)
    ran = project.run("help")
    assert ran.code == 0, ran.log
    said = dict(re.findall(r"^LOCK (.*?): (.*)$", ran.log, re.MULTILINE))
    assert said.keys() == {lock.name for lock in locks} | odd.keys()
    assert {name: text.split(":")[:2] for name, text in said.items()} == {
        name: expected(project.folder / "locks" / name).split(":")[:2] for name in said
    }


def expected(lock: Path) -> str:
    """What the exporter's own reader says of a lock, without its words."""
    try:
        return f"read, of {' '.join(target.name for target in read_lock(lock).targets)}"
    except TargetError as error:
        return "refused, " + str(error).removeprefix(str(lock))


def test_what_is_wrong_with_a_lock_is_one_message(project):
    missing = project.run("exportMainModels")
    assert missing.code == 1
    assert "mobile-export.lock: is not there; mobile-export lock writes it" in missing.log
    project.lock(a=ANDROID, b=ANDROID)
    assert "has the targets a, b; name those of this app" in project.run("exportMainModels").log
    lines = (project.folder / "mobile-export.lock").read_text().replace("target b", "target a")
    project.write("mobile-export.lock", lines)
    twice = project.run("exportMainModels")
    assert twice.code == 1
    assert re.search(r"> .*/mobile-export.lock:\d+: target a stands here twice; lock it again\n\n", twice.log)
    assert twice.log.count("stands here twice") == 1 and "Caused by" not in twice.log


def test_urls_are_fetched_once_and_go_on_where_they_broke_off(project):
    path = f"assets/{MODEL}"
    with file_server() as server, file_server() as moved:
        server.files[f"/{path}"] = moved.files["/elsewhere"] = ANDROID[path]
        project.lock(server.url, android={path: ANDROID[path]})
        assert "Gradle is offline" in project.run("exportMainModels").log
        server.answers = [
            breaks_after(1000),
            says(503, Retry_After="0"),
            says(206, b"wrong", Content_Range="bytes 7-11/10240"),
            says(302, Location=f"{moved.url}/elsewhere"),
        ]
        ran = project.run("exportMainModels", offline=False)
        assert ran.code == 0, ran.log
        assert [begin for _, begin in server.asked] == [None, "bytes=1000-", "bytes=1000-", None]
        assert project.files("assets") == {MODEL: ANDROID[path]}
        # Another variant, or the same one again, takes what was fetched.
        shutil.rmtree(project.folder / "build" / "generated")
        assert project.run("exportMainModels").code == 0
        assert len(server.asked) == 4 and len(moved.asked) == 1


def test_what_servers_send_instead_is_refused(project):
    path = f"assets/{MODEL}"
    refused = {
        "has the hash": [says(200, bytes(256 * 40))],
        "the server has 5 bytes, where the lock says 10240": [says(200, b"short")],
        "the server answers 404": [says(404)],
        "the server redirects more than 5 times": [says(302, Location="/round")] * 6,
        "the server redirects to file:/etc/passwd, which is not as safe": [says(302, Location="file:///etc/passwd")],
        "ended after 1000 of 10240 bytes; tried 5 times": [
            breaks_after(1000, of=lambda handler, _: says(200, ANDROID[path])(handler, b"")),
            *[says(206, Content_Range="bytes 1000-10239/10240", Content_Length="0")] * 4,
        ],
    }
    with file_server() as server:
        server.answers = [answer for answers in refused.values() for answer in answers]
        project.lock(*(f"{server.url}/{number}" for number, _ in enumerate(refused)), android={path: ANDROID[path]})
        ran = project.run("exportMainModels", offline=False)
    assert ran.code == 1
    for number, problem in enumerate(refused):
        assert re.search(rf"^ +(http://\S+/{number}/\S+:? )?{problem}", ran.log, re.MULTILINE), problem
    assert not project.files("assets") and not server.answers
    assert "Exception" not in ran.log.replace("with an exception", "")


TINY = """
name = "tiny"
platform = "android"
[model]
source = "{source}"
[[model.inputs]]
name = "image"
tensor = "input:0"
shape = [1, 28, 28, 1]
[[model.outputs]]
name = "probabilities"
tensor = "probabilities:0"
[[artifacts]]
name = "tiny"
format = "tflite"
limits = {{ {limits} }}
"""


@pytest.fixture
def converting(example, make):
    """Makes a build that converts the example's model with the mobile-export of this environment."""

    def project(version: str, settings: str = "", limits: str = "size_ratio = 2.0") -> Project:
        made = make(version)
        for file in (example / "examples" / "digits" / "model").iterdir():
            made.write(f"model/{file.name}", file.read_bytes())
        made.write("tiny.toml", TINY.format(source="model/model.ckpt", limits=limits))
        executable = EXPORTER
        made.apply(f"mode = 'build'; executable = file('{executable}'); targets = ['tiny.toml']; {settings}")
        return made

    return project


def test_a_build_converts_once(converting):
    project = converting("4.4")
    cold = project.run("--build-cache", "exportMainModels")
    assert cold.code == 0, cold.log
    assert list(project.files("assets")) == ["models/tiny/tiny.tflite"]
    assert project.run("exportMainModels").task("exportMainModels") == "UP-TO-DATE"
    assert project.run("--build-cache", "clean", "exportMainModels").task("exportMainModels") == "FROM-CACHE"
    project.write("tiny.toml", (project.folder / "tiny.toml").read_text() + "# changed\n")
    assert project.run("exportMainModels").task("exportMainModels") == ""


def test_a_build_converts_with_the_configuration_cache(converting):
    project = converting("8.8")
    cold = project.run("exportMainModels")
    assert cold.code == 0, cold.log
    assert list(project.files("assets")) == ["models/tiny/tiny.tflite"]
    unchanged = project.run("exportMainModels")
    assert unchanged.task("exportMainModels") == "UP-TO-DATE"
    assert "Configuration cache entry reused" in unchanged.log
    # The source is known to Gradle although nobody named it: damage shows.
    (project.folder / "model" / "model.ckpt.index").write_bytes(b"damaged")
    damaged = project.run("exportMainModels")
    assert damaged.code == 1
    assert "(exit code 3)" in damaged.log


# Says that the target reads two files of one name, and publishes nothing.
WHATEVER_IS_IN_DATA = """#!/bin/sh
case "$*" in
    *print-inputs*) find tiny.toml data -type f | sort ;;
    doctor*) echo '{}' ;;
    *) echo '[{"target": "tiny", "folder": "/nowhere", "manifest": {}}]' ;;
esac
"""
TWO_OF_ONE_NAME = """#!/bin/sh
case "$*" in
    *print-inputs*) printf '%s\\n' "$PWD/tiny.toml" "$PWD/a/labels.txt" "$PWD/b/labels.txt" ;;
    doctor*) echo '{}' ;;
    *) echo '[{"target": "tiny", "folder": "/nowhere", "manifest": {}}]' ;;
esac
"""


@pytest.mark.parametrize("version", GRADLES)
def test_sources_of_one_name_may_not_change_places(make, version):
    project = make(version)
    project.write("exporter", TWO_OF_ONE_NAME).chmod(0o755)
    project.apply("mode = 'build'; targets = ['tiny.toml']; executable = file('exporter')")
    for path, content in [("tiny.toml", ""), ("a/labels.txt", "cat\ndog\n"), ("b/labels.txt", "dog\ncat\n")]:
        project.write(path, content)
    assert project.run("exportMainModels").task("exportMainModels") == ""
    assert project.run("exportMainModels").task("exportMainModels") == "UP-TO-DATE"
    project.write("a/labels.txt", "dog\ncat\n")
    project.write("b/labels.txt", "cat\ndog\n")
    assert project.run("exportMainModels").task("exportMainModels") == ""


@pytest.mark.parametrize("version", GRADLES)
def test_a_source_that_moves_is_another_one(make, version):
    project = make(version)
    project.write("exporter", WHATEVER_IS_IN_DATA).chmod(0o755)
    project.apply("mode = 'build'; targets = ['tiny.toml']; executable = file('exporter')")
    project.write("tiny.toml", "")
    cat = project.write("data/cat/1.png", "an image")
    assert project.run("exportMainModels").task("exportMainModels") == ""
    assert project.run("exportMainModels").task("exportMainModels") == "UP-TO-DATE"
    cat.rename(project.write("data/dog/other.png", "").with_name("1.png"))
    (project.folder / "data/dog/other.png").unlink()
    assert project.run("exportMainModels").task("exportMainModels") == ""


@pytest.mark.parametrize("version", GRADLES)
def test_a_missed_limit_stops_the_build_with_the_reason(converting, version):
    project = converting(version, limits="size_ratio = 0.01")
    failed = project.run("exportMainModels")
    assert failed.code == 1
    assert failed.task("exportMainModels") == "FAILED"
    assert failed.log.count("a file missed a limit, or the data is wrong; nothing was published (exit code 1)") == 1
    assert failed.log.count("tiny: size_ratio is") == 1
    assert "and has to be at most 0.01" in failed.log
    assert not project.files("assets")


@pytest.mark.parametrize("version", GRADLES)
def test_an_executable_is_named_and_never_found_on_path(make, version):
    project = make(version)
    project.write("tiny.toml", "")
    project.apply("mode = 'build'; targets = ['tiny.toml']")
    assert "mode = 'build' needs mobileExport { executable =" in project.run("exportMainModels").log
    project.apply("mode = 'build'; targets = ['tiny.toml']; executable = file('nowhere/mobile-export')")
    assert "nowhere/mobile-export: is not there" in project.run("exportMainModels").log


@pytest.mark.parametrize("version", GRADLES)
def test_a_release_takes_nothing_that_says_it_missed_a_limit(make, version):
    project = make(version)
    target = project.write("tiny.toml", "")
    # An exporter that publishes with a warning although the gate is closed: ours does not.
    answer = '[{"target": "tiny", "folder": "/nowhere", "manifest": {"gate": "warn"}}]'
    careless = project.write(
        "careless", f"#!/bin/sh\ncase \"$*\" in *print-inputs*) echo {target};; *) echo '{answer}';; esac\n"
    )
    careless.chmod(0o755)
    project.apply("mode = 'build'; targets = ['tiny.toml']; executable = file('careless')")
    assert "published although it missed limits; a release cannot take it" in project.run("exportMainModels").log


# ---- With the Android plugin ----------------------------------------------------------------------------------------


@pytest.fixture
def android(make):
    """Makes an app that Debian's Android plugin builds."""

    def app(more: str = "") -> Project:
        project = make("4.4")
        share = toolchain("gradle") / "root" / "usr" / "share"
        build = (HERE / "android4.gradle").read_text().replace("@SHARE@", str(share))
        project.write("build.gradle", build + more)
        project.write(
            "src/main/AndroidManifest.xml",
            '<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="com.example.app">'
            '<application android:label="app" /></manifest>\n',
        )
        return project

    return app


def test_an_apk_holds_each_flavors_models_uncompressed(android):
    project = android(
        "android.productFlavors { small {}; full {} }\n"
        "mobileExport { flavors = [small: ['small']]; targets = ['small', 'full'] }\n"
    )
    targets = {
        name: {f"assets/models/{name}/m.tflite": name.encode() * 5000, f"test_assets/models/{name}/m.golden": b"MXGOLD"}
        for name in ("small", "full")
    }
    project.lock(**targets)
    built = project.run("assembleSmallDebug", "assembleSmallDebugAndroidTest", "exportFullDebugModels")
    assert built.code == 0, built.log
    assert built.task("checkSmallDebugModels") == ""
    listings = {apk.stem: stored_models(apk) for apk in project.folder.rglob("*.apk") if "unaligned" not in apk.name}
    assert listings["app-small-debug"] == {"assets/models/small/m.tflite": True}
    assert list(listings["app-small-debug-androidTest"]) == ["assets/models/small/m.golden"]
    assert list(project.files("assets", "fullDebug")) == ["models/full/m.tflite", "models/small/m.tflite"]
    again = project.run("assembleSmallDebug")
    assert {again.task(f"{task}SmallDebug{what}") for task, what in [("export", "Models"), ("package", "")]} == {
        "UP-TO-DATE"
    }


def test_compressed_models_fail_the_build_with_the_line_to_paste(android):
    project = android()
    project.lock(android=ANDROID)
    # As in an application that takes models from a library, and says nothing itself.
    script = project.folder / project.gradle.script.name
    said = script.read_text()
    assert "noCompress(*modelSuffixes)" in said
    script.write_text(said.replace("noCompress(*modelSuffixes)", "noCompress('txt')"))
    failed = project.run("assembleDebug")
    assert failed.code == 1
    assert failed.task("checkDebugModels") == "FAILED"
    assert f"assets/{MODEL} is compressed" in failed.log
    assert "android { androidResources { noCompress += ['tflite', 'onnx'] } }" in failed.log


def test_a_release_takes_nothing_that_missed_a_limit(android, converting):
    limited = converting("4.4", limits="size_ratio = 0.01")
    settings = "mobileExport { mode = 'build'; executable = file('%s'); targets = ['tiny.toml']; gate = 'warn' }\n"
    project = android(settings % EXPORTER)
    assert project.folder == limited.folder
    debug = project.run("exportDebugModels")
    assert debug.code == 0, debug.log
    assert list(project.files("assets", "debug")) == ["models/tiny/tiny.tflite"]
    assert "warning: tiny: published although limits were missed" in debug.log
    release = project.run("exportReleaseModels")
    assert release.code == 1
    assert NOT_DEBUGGABLE in release.log
    build = project.folder / "build.gradle"
    build.write_text(build.read_text() + "android.buildTypes { debug { debuggable false } }\n")
    assert NOT_DEBUGGABLE in project.run("exportDebugModels").log
    build.write_text(build.read_text() + "mobileExport { debugBuildTypes = ['release'] }\n")
    assert project.run("exportReleaseModels").code == 1


def stored_models(apk: Path) -> dict[str, bool]:
    """The models in an APK, and whether each is uncompressed."""
    with zipfile.ZipFile(apk) as archive:
        return {
            entry.filename: entry.compress_type == zipfile.ZIP_STORED
            for entry in archive.infolist()
            if entry.filename.startswith("assets/")
        }


# ---- With what stands in for today's Android plugin -----------------------------------------------------------------


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory) -> Path:
    toolchain("gradle8")
    return compile_stand_in(tmp_path_factory.mktemp("stand-in"))


@pytest.fixture
def modern(make, stand_in):
    """Makes an app to which the stand-in is applied."""

    def app(settings: str) -> Project:
        project = make("8.8")
        project.apply(settings, plugin="com.android.application")
        build = project.folder / "build.gradle"
        build.write_text(f"buildscript {{ dependencies {{ classpath files('{stand_in}') }} }}\n{build.read_text()}")
        return project

    return app


def test_variants_of_todays_plugin_get_their_models(modern):
    project = modern("flavors = [small: ['small']]; targets = ['full'] }; android { flavors = ['small', 'full']")
    for_small = {f"{kind}/models/small/m.{kind}": b"m" for kind in ("assets", "test_assets")}
    project.lock(
        small={**for_small, "assets/models/small/m.tflite": b"t" * 9999, "kotlin/Small.kt": b"class Small\n"},
        full={"assets/models/full/m.onnx": b"o" * 9999},
    )
    tasks = ("assembleSmallDebug", "compileSmallDebugKotlin", "packageSmallDebugAndroidTest", "assembleFullRelease")
    built = project.run(*tasks)
    assert built.code == 0, built.log
    listings = {apk.parent.name: stored_models(apk) for apk in project.folder.rglob("*.apk")}
    assert listings == {
        "packageSmallDebug": {"assets/models/small/m.assets": False, "assets/models/small/m.tflite": True},
        "packageSmallDebugAndroidTest": {"assets/models/small/m.test_assets": False},
        "packageFullRelease": {"assets/models/full/m.onnx": True},
    }
    assert (project.folder / "build/generated/kotlin/exportSmallDebugModels/Small.kt").is_file()
    again = project.run(*tasks)
    assert "Configuration cache entry reused" in again.log
    assert {again.task(task) for task in ("exportSmallDebugModels", "checkSmallDebugModels")} == {"UP-TO-DATE"}


@pytest.mark.parametrize(
    ("said", "variant", "taken"),
    [
        ("", "Debug", True),
        ("", "Release", False),
        ("debuggable = []", "Debug", False),  # a name says nothing
        ("tells = false", "Debug", False),  # a plugin before 8.3
    ],
)
def test_only_what_the_plugin_calls_debuggable_takes_what_missed_a_limit(modern, converting, said, variant, taken):
    converting("8.8", limits="size_ratio = 0.01")
    settings = f"executable = file('{EXPORTER}'); targets = ['tiny.toml']"
    project = modern(f"mode = 'build'; gate = 'warn'; {settings} }}; android {{ {said}")
    ran = project.run(f"assemble{variant}")
    assert (ran.code == 0) is taken, ran.log
    assert ("warning: tiny: published although limits were missed" in ran.log) is taken
    assert (NOT_DEBUGGABLE in ran.log) is not taken
