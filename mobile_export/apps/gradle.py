"""What an Android app's Gradle build applies to take its models in: one file, and the line that applies it.

All that converts and judges is in the command line. The files know the lock and how to start the exporter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mobile_export.apps.templating import render
from mobile_export.atomic import replacing
from mobile_export.errors import OutputError, TargetError

_OURS = '// Written by "mobile-export gradle'


@dataclass(frozen=True)
class GradleFile:
    """A script that a build file applies."""

    name: str
    template: str


GRADLE_8 = GradleFile("mobile-export.gradle", "gradle8.groovy")
"""For Gradle 8 and later, with the Android Gradle Plugin 8 and 9."""
GRADLE_4 = GradleFile("mobile-export-gradle4.gradle", "gradle4.groovy")
"""For Gradle 4.4 with Android plugin 2.2: what our tests execute."""


def gradle_script(file: GradleFile, suffixes: Iterable[str]) -> str:
    """The text of a script.

    Args:
        suffixes: of model files, without the dot; an APK holds them uncompressed, so that they can be mapped.
    """
    return render(f"gradle/{file.template}", {"suffixes": ", ".join(f"'{each}'" for each in suffixes)}, {})


def write_script(file: GradleFile, folder: Path, text: str) -> bool:
    """Write a script beside the build file of an app, where one that we wrote before is replaced; whether it changed.

    Raises:
        TargetError: the folder has no build file.
        OutputError: it has somebody else's file of this name, or cannot be written.
    """
    path = folder / file.name
    build_file(folder)
    before = path.read_bytes() if path.exists() else None
    if before is not None and _OURS.encode() not in before:
        raise OutputError(f"{path}: is there, and not of mobile-export; move it away")
    if before == text.encode():
        return False
    with replacing(path) as out:
        out.write(text.encode())
    return True


def build_file(folder: Path) -> Path:
    """The build file of an app's folder.

    Raises:
        TargetError: it has none.
    """
    for name in ("build.gradle.kts", "build.gradle"):
        if (folder / name).is_file():
            return folder / name
    raise TargetError(f"{folder}: has no build.gradle.kts and no build.gradle; name the folder of the app's module")


def advice(file: GradleFile, build_file: Path, suffixes: Iterable[str]) -> list[str]:
    """What to put into build files so that a script does its work, as lines to show."""
    kotlin = build_file.suffix == ".kts"
    quoted = [f'"{each}"' if kotlin else f"'{each}'" for each in suffixes]
    listed = f"listOf({', '.join(quoted)})" if kotlin else f"[{', '.join(quoted)}]"
    return [
        f"in {build_file}, below its plugins:",
        f'    apply(from = "{file.name}")' if kotlin else f"    apply from: '{file.name}'",
        "where this is a library, in the application's build file too, so that models are not compressed in the APK:",
        f"    android {{ androidResources {{ noCompress += {listed} }} }}",
    ]
