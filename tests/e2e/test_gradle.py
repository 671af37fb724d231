"""What an app's Gradle build does with models: on Gradle 4.4 with Debian's Android plugin, and on Gradle 8.8.

The Android plugins 8 and 9 are in Google's Maven repository alone: there a stand-in with their signatures is applied.
"""

import shutil
import threading
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.gradle.projects import GRADLES, Project, compile_stand_in, path_without_python
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e
HERE = Path(__file__).parent / "gradle"

ANDROID = {
    "assets/models/android/digits.tflite": bytes(range(256)) * 40,
    "kotlin/com/example/Digits.kt": b"class Digits\n",
    "test_assets/models/android/digits.golden": b"MXGOLD",
    "swift/Digits.swift": b"struct Digits {}\n",
}
MODEL = "models/android/digits.tflite"


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


def test_what_a_lock_may_not_say(make):
    project = make("4.4")
    project.apply()
    lines = {
        "mobile-export-lock 2\n": "mobile-export.lock:1: is no lock, or a newer one",
        "mobile-export-lock 1\ntarget a\nfile 00 1 assets/a\n": "mobile-export.lock:3: is no line of a lock",
        f"mobile-export-lock 1\ntarget a\nfile {'0' * 64} 1 assets/../a\n": ":3: assets/../a is no path of a lock",
        "mobile-export-lock 1\n": "has no target",
        "mobile-export-lock 1\ntarget a\ntarget b\n": "has the targets a, b; name those of this app",
    }
    for text, message in lines.items():
        project.write("mobile-export.lock", text)
        ran = project.run("exportMainModels")
        assert ran.code == 1
        assert message in ran.log


class _Server(BaseHTTPRequestHandler):
    """Serves a folder, from where a Range begins; `cut` bytes of the first answer are all that is sent."""

    asked: list[str | None]

    def __init__(self, *args, folder: Path, asked: list, cut: int) -> None:
        self.folder, self.asked, self.cut = folder, asked, cut
        super().__init__(*args)

    def do_GET(self) -> None:
        content = (self.folder / self.path.lstrip("/")).read_bytes()
        begins = self.headers.get("Range")
        start = int(begins.removeprefix("bytes=").rstrip("-")) if begins else 0
        first = not self.asked
        self.asked.append(begins)
        self.send_response(206 if begins else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.cut if first else None])

    def log_message(self, *_) -> None: ...


def test_urls_are_fetched_hashed_and_resumed(project):
    model = {f"assets/{MODEL}": ANDROID[f"assets/{MODEL}"]}
    asked: list[str | None] = []
    handler = partial(_Server, folder=project.folder / "models", asked=asked, cut=1000)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        project.lock(f"http://127.0.0.1:{server.server_port}", android=model)
        assert "Gradle is offline" in project.run("exportMainModels").log
        cut = project.run("exportMainModels", offline=False)
        assert cut.code == 1, cut.log
        resumed = project.run("exportMainModels", offline=False)
        assert resumed.code == 0, resumed.log
        assert asked == [None, "bytes=1000-"]
        assert "from byte 1000 on" in resumed.log
        assert project.files("assets") == {MODEL: model[f"assets/{MODEL}"]}

        project.write(f"models/assets/{MODEL}", bytes(256 * 40))
        wrong = project.run("clean", "exportMainModels", offline=False)
        assert wrong.code == 1
        assert "has the hash" in wrong.log
        server.shutdown()


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
        executable = shutil.which("mobile-export")
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
    project = android(settings % shutil.which("mobile-export"))
    assert project.folder == limited.folder
    debug = project.run("exportDebugModels")
    assert debug.code == 0, debug.log
    assert list(project.files("assets", "debug")) == ["models/tiny/tiny.tflite"]
    assert "warning: tiny: published although limits were missed" in debug.log
    release = project.run("exportReleaseModels")
    assert release.code == 1
    assert "gate = 'warn' publishes models that missed a limit, so it is for debug builds alone" in release.log


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


def test_a_release_of_todays_plugin_takes_nothing_that_missed_a_limit(modern, converting):
    converting("8.8", limits="size_ratio = 0.01")
    project = modern(
        f"mode = 'build'; executable = file('{shutil.which('mobile-export')}'); targets = ['tiny.toml']; gate = 'warn'"
    )
    debug = project.run("assembleDebug")
    assert debug.code == 0, debug.log
    assert "warning: tiny: published although limits were missed" in debug.log
    release = project.run("assembleRelease")
    assert release.code == 1
    assert "gate = 'warn' publishes models that missed a limit, so it is for debug builds alone" in release.log
