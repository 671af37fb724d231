"""A build-tool plugin for a Swift package."""

import re
from pathlib import Path

from mobile_export.apps.xcode.file_change import FileChange, file_changes
from mobile_export.apps.xcode.script import script_path, script_text, template
from mobile_export.errors import TargetError

NAME = "MobileExportPlugin"
_MANIFEST = "Package.swift"
_TOOLS_VERSION = re.compile(r"//\s*swift-tools-version\s*:\s*(\d+)", re.IGNORECASE)
_OLDEST = 6
"""The tools version that has what the plugin calls."""


def package_changes(package: Path) -> list[FileChange]:
    """Every file that a Swift package needs for the plugin.

    Raises:
        TargetError: the folder is no package.
    """
    _manifest(package)
    plugin = package / "Plugins" / NAME / f"{NAME}.swift"
    return file_changes({script_path(package): script_text(), plugin: template(plugin.name)})


def left_to_do(package: Path) -> list[str]:
    """What people have to change in Package.swift, a program, which is theirs alone.

    Raises:
        TargetError: the folder is no package.
    """
    manifest = _manifest(package)
    said = _TOOLS_VERSION.search(manifest)
    todo = []
    if said is not None and int(said[1]) < _OLDEST:
        todo.append(f"swift-tools-version has to be {_OLDEST}.0 or newer, for the plugin")
    if NAME not in manifest:
        todo.append(f'targets need .plugin(name: "{NAME}", capability: .buildTool())')
        todo.append(f'each target that takes files needs plugins: ["{NAME}"], and mobile-export.conf in its folder')
    return [f"{package / _MANIFEST}: {each}" for each in todo]


def _manifest(package: Path) -> str:
    try:
        return (package / _MANIFEST).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"{package / _MANIFEST}: cannot be read; name the folder of a Swift package") from error
