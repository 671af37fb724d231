"""The Android demo, as far as it goes without a phone and without today's Android plugin.

Gradle 8.8 takes its locked files in with the demo's own script; its Kotlin is compiled with what came out, and run on a
JVM.
"""

import math
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.gradle.projects import GRADLES, Project, compile_stand_in, path_without_python
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e
DEMO = ROOT / "android_demo"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The demo's build folder, after Gradle ran in it with no Python on PATH."""
    environment = {"PATH": path_without_python(tmp_path_factory.mktemp("bin"))}
    toolchain("gradle8")
    folder = tmp_path_factory.mktemp("demo")
    project = Project(folder, GRADLES["8.8"], environment)
    shutil.copytree(DEMO / "models", folder / "models")
    shutil.copy(DEMO / "mobile-export.lock", folder)
    shutil.copy(DEMO / "app" / "mobile-export.gradle", folder)
    project.apply("", plugin="com.android.application")
    build = folder / "build.gradle"
    classes = compile_stand_in(tmp_path_factory.mktemp("stand-in"))
    build.write_text(f"buildscript {{ dependencies {{ classpath files('{classes}') }} }}\n{build.read_text()}")
    ran = project.run("assembleDebug", "packageDebugAndroidTest", "compileDebugKotlin")
    assert ran.code == 0, ran.log
    return folder / "build"


@pytest.fixture(scope="module")
def classes(exported, tmp_path_factory) -> Path:
    """The demo's Kotlin, with its resources and the generated class, compiled for Android 6 without a warning."""
    gradle, kotlin = toolchain("gradle"), toolchain("kotlin")
    made, main = tmp_path_factory.mktemp("classes"), DEMO / "app" / "src" / "main"
    manifest = made / "AndroidManifest.xml"
    named = '<manifest package="com.example.digits.demo" '
    manifest.write_text((main / "AndroidManifest.xml").read_text().replace("<manifest ", named))
    android = gradle / "sdk" / "platforms" / "android-23" / "android.jar"
    aapt = [
        gradle / "sdk/build-tools/29.0.3/aapt",
        "package",
        "-f",
        "-m",
        "-J",
        made,
        "-M",
        manifest,
        "-S",
        main / "res",
    ]
    _run([*aapt, "-I", android])
    _run([_java("javac"), "-d", made, *made.rglob("R.java")])
    sources = [
        *(main / "kotlin").rglob("*.kt"),
        *(DEMO / "app" / "src" / "test").rglob("*.kt"),
        *(exported / "generated" / "kotlin").rglob("*.kt"),
        HERE / "jvm" / "LiteRt.kt",
        HERE / "gradle" / "Recognize.kt",
    ]
    path = [made, android, *(kotlin / name for name in ("stdlib.jar", "onnxruntime.jar", "interpreter")), *_junit()]
    _run([kotlin / "kotlinc", "-Werror", "-jvm-target", "17", "-d", made, "-cp", _joined(path), *sources])
    return made


def test_packages_are_what_the_lock_says(exported):
    with zipfile.ZipFile(exported / "outputs/apk/packageDebug/app.apk") as app:
        assert {entry.compress_type for entry in app.infolist()} == {zipfile.ZIP_STORED}
        models = {Path(name).stem for name in app.namelist()}
    with zipfile.ZipFile(exported / "outputs/apk/packageDebugAndroidTest/app.apk") as tests:
        vectors = {Path(name).stem for name in tests.namelist()}
    assert vectors == models == {"digits_app_int8", "digits_app_onnx", "digits_app_onnx_int8"}


def test_what_is_drawn_is_recognized(exported, classes):
    kotlin = toolchain("kotlin")
    model = next((exported / "generated" / "assets").rglob("digits_app_onnx.onnx"))
    path = _joined([classes, kotlin / "stdlib.jar", kotlin / "onnxruntime.jar"])
    drawings = "\n".join("\t".join(" ".join(f"{each:.3f}" for each in stroke) for stroke in digit) for digit in DIGITS)
    answer = _run([_java("java"), "-cp", path, "RecognizeKt", model], drawings)
    assert answer.split() == list("0123456789")


def test_the_demos_own_unit_tests_pass(classes):
    path = _joined([classes, toolchain("kotlin") / "stdlib.jar", *_junit()])
    tests = [f"com.example.digits.demo.{file.stem}" for file in (DEMO / "app" / "src" / "test").rglob("*Test.kt")]
    assert "OK (" in _run([_java("java"), "-cp", path, "org.junit.runner.JUnitCore", *tests])


def _arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[float]:
    angles = [math.radians(start + (end - start) * i / 30) for i in range(31)]
    return [each for angle in angles for each in (x + width * math.cos(angle), y + height * math.sin(angle))]


DIGITS = [
    [_arc(0.5, 0.5, 0.2, 0.3, -90, 270)],
    [[0.5, 0.15, 0.5, 0.85]],
    [[*_arc(0.5, 0.35, 0.2, 0.18, 180, 380), 0.3, 0.8, 0.72, 0.8]],
    [_arc(0.48, 0.33, 0.18, 0.17, 200, 450) + _arc(0.48, 0.67, 0.2, 0.17, -90, 160)],
    [[0.35, 0.15, 0.3, 0.5, 0.68, 0.5], [0.62, 0.2, 0.6, 0.85]],
    [[0.68, 0.18, 0.38, 0.18, 0.36, 0.45, *_arc(0.48, 0.62, 0.2, 0.19, -100, 150)]],
    [[0.6, 0.15, *_arc(0.62, 0.55, 0.28, 0.38, 230, 180), *_arc(0.5, 0.65, 0.16, 0.18, 180, 540)]],
    [[0.3, 0.2, 0.7, 0.2, 0.45, 0.85]],
    [_arc(0.5, 0.33, 0.14, 0.15, 90, 450) + _arc(0.5, 0.66, 0.18, 0.18, -90, 270)],
    [[*_arc(0.48, 0.35, 0.17, 0.17, 0, 360), 0.65, 0.35, 0.6, 0.85]],
]
"""Each digit as strokes of a finger."""


def _junit() -> list[Path]:
    share = toolchain("gradle") / "root" / "usr" / "share" / "java"
    return [share / "junit4.jar", share / "hamcrest-core.jar"]


def _java(program: str) -> Path:
    return next((toolchain("gradle") / "root/usr/lib/jvm").glob(f"java-17-openjdk-*/bin/{program}"))


def _joined(paths: list[Path]) -> str:
    return ":".join(map(str, paths))


def _run(command: list[str | Path], given: str = "") -> str:
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
