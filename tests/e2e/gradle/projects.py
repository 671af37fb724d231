"""Gradle builds in folders of their own, run by the real Gradle."""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mobile_export.apps.gradle import GRADLE_4, GRADLE_8, GradleFile, gradle_script
from mobile_export.locking.lock import Lock, LockedFile, LockedTarget
from tests.toolchains import toolchain

SUFFIXES = ("tflite", "onnx")


@dataclass(frozen=True)
class Gradle:
    """A Gradle, the script that is made for it, and options that every build has."""

    toolchain: str
    script: GradleFile
    options: tuple[str, ...] = ()


GRADLES = {
    "4.4": Gradle("gradle", GRADLE_4),
    "8.8": Gradle("gradle8", GRADLE_8, ("--configuration-cache",)),
}


@dataclass(frozen=True)
class Ran:
    """A finished build and what it said."""

    code: int
    log: str

    def task(self, name: str) -> str:
        """How a task ended: '' where it was executed, as Gradle marks it otherwise."""
        found = re.search(rf"^(?:> Task )?:(?:\w+:)?{name}( [A-Z-]+)?$", self.log, re.MULTILINE)
        assert found, self.log
        return (found[1] or "").strip()


@dataclass
class Project:
    """A build's folder, which gets the script and what names the build."""

    folder: Path
    gradle: Gradle
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write("settings.gradle", "rootProject.name = 'app'\n")
        self.write(self.gradle.script.name, gradle_script(self.gradle.script, SUFFIXES))

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def apply(self, settings: str = "", plugin: str = "java") -> None:
        """A build file that applies the script with these settings."""
        lines = [
            f"apply plugin: '{plugin}'",
            f"apply from: '{self.gradle.script.name}'",
            f"mobileExport {{ {settings} }}",
        ]
        self.write("build.gradle", "\n".join(lines) + "\n")

    def lock(self, *sources: str, **targets: dict[str, bytes]) -> None:
        """Writes the files of targets below `models`, and a lock that takes them from there, or else from `sources`."""
        locked = []
        for name, files in targets.items():
            for path, content in files.items():
                self.write(f"models/{path}", content)
            entries = [LockedFile(sha256(content).hexdigest(), len(content), path) for path, content in files.items()]
            locked.append(LockedTarget(name, sources or ("models",), tuple(entries)))
        self.write("mobile-export.lock", Lock().with_targets(locked).text)

    def run(self, *tasks: str, offline: bool = True) -> Ran:
        """Runs tasks and options of Gradle."""
        options = ["--offline"] if offline else []
        done = subprocess.run(
            [*_program(self.gradle), *options, *self.gradle.options, *tasks],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Ran(done.returncode, done.stdout)

    def files(self, kind: str, variant: str = "main") -> dict[str, bytes]:
        """What an export wrote into its folder of this kind."""
        folder = self.folder / "build" / "generated" / "mobile_export" / variant / kind
        return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@functools.cache
def _program(gradle: Gradle) -> tuple[str | Path, ...]:
    """What starts Gradle, with a home of its own; its daemon ends with the tests."""
    home = Path(tempfile.mkdtemp(prefix="gradle-"))
    (home / "gradle.properties").write_text("org.gradle.jvmargs=-Xmx512m\norg.gradle.daemon.idletimeout=120000\n")
    program = (toolchain(gradle.toolchain) / "gradle", "-g", home)

    def end() -> None:
        subprocess.run([*program, "--stop"], cwd=home, check=False, capture_output=True, timeout=60)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(end)
    return program


def path_without_python(folder: Path) -> str:
    """A PATH that has all programs of this machine but Python."""
    for place in ("/usr/bin", "/bin"):
        for program in Path(place).iterdir():
            link = folder / program.name
            if not program.name.startswith("python") and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def compile_stand_in(classes: Path) -> Path:
    """What stands in for today's Android plugin, compiled into this folder against Gradle 8.8."""
    lib, sources = toolchain("gradle8") / "lib", Path(__file__).parent / "standin"
    javac = next((toolchain("gradle") / "root/usr/lib/jvm").glob("java-17-openjdk-*/bin/javac"))
    jars = [next(lib.glob(f"{name}-[0-9]*.jar")) for name in ("gradle-base-services", "groovy", "kotlin-stdlib")]
    command = [javac, "-nowarn", "-d", classes, "-cp", ":".join(map(str, jars)), *sources.rglob("*.java")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    plugin = classes / "META-INF" / "gradle-plugins" / "com.android.application.properties"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("implementation-class=AndroidStandIn\n")
    return classes
