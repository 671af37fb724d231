"""One script phase of an Xcode project, run as Xcode would: same environment, same lists, same sandbox."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.apps.xcode_phase import DEBUG
from tests.e2e.conftest import tree
from tests.e2e.xcode_sandbox import Rules, mounted


@dataclass
class Build:
    """A project in `backing/src`, which the script sees in `mount/src`, through the sandbox.

    Attributes:
        told: settings besides Xcode's own.
    """

    backing: Path
    mount: Path
    path: str
    told: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        """SRCROOT, outside of the sandbox."""
        return self.backing / "src"

    @property
    def app(self) -> Path:
        """Where resources go, outside of the sandbox."""
        return self.backing / "Build/Products/Debug-iphonesimulator/App.app"

    @property
    def temp(self) -> Path:
        """Where the script works, outside of the sandbox."""
        return self._behind(self.settings["TARGET_TEMP_DIR"])

    @property
    def settings(self) -> dict[str, str]:
        """What the script is told, and lists may name."""
        build = self.mount / "Build"
        temp = build / "Intermediates.noindex/App.build/Debug-iphonesimulator/App.build"
        return {
            **DEBUG,
            "SRCROOT": str(self.mount / "src"),
            "PROJECT_DIR": str(self.mount / "src"),
            "OBJROOT": str(build / "Intermediates.noindex"),
            "SYMROOT": str(build / "Products"),
            "TARGET_BUILD_DIR": str(build / "Products/Debug-iphonesimulator"),
            "UNLOCALIZED_RESOURCES_FOLDER_PATH": "App.app",
            "TEMP_DIR": str(temp),
            "TARGET_TEMP_DIR": str(temp),
            "DERIVED_FILE_DIR": str(temp / "DerivedSources"),
            "HOME": os.environ["HOME"],
            "PATH": self.path,
            **self.told,
        }

    def phase(self, project: str) -> tuple[str, list[str], list[str]]:
        """Script, inputs and outputs of the only script phase of a project, as another reader of projects has them."""
        from pbxproj import XcodeProject

        read = XcodeProject.load(str(self.source / project / "project.pbxproj"))
        (phase,) = read.objects.get_objects_in_section("PBXShellScriptBuildPhase")
        inputs, outputs = (
            [path for each in lists for path in self._resolved(each)]
            for lists in (phase.inputFileListPaths, phase.outputFileListPaths)
        )
        return phase.shellScript, inputs, outputs

    def run(self, project: str) -> subprocess.CompletedProcess[str]:
        """Run the script phase of a project in `backing/src`."""
        return self.run_script(*self.phase(project))

    def run_script(
        self, script: str, inputs: Sequence[str] = (), outputs: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a script that declares these inputs and outputs, absolute paths in the sandbox."""
        settings = self.settings
        for folder in (settings["DERIVED_FILE_DIR"], *(str(Path(path).parent) for path in outputs)):
            self._behind(folder).mkdir(parents=True, exist_ok=True)  # Xcode makes the folders of outputs
        temp = settings["TEMP_DIR"]
        lists = {}
        for name, paths in (("INPUT", inputs), ("OUTPUT", outputs)):
            lists[f"SCRIPT_{name}_FILE_COUNT"] = "0"
            lists[f"SCRIPT_{name}_FILE_LIST_COUNT"] = "1"
            lists[f"SCRIPT_{name}_FILE_LIST_0"] = f"{temp}/{name}-resolved.xcfilelist"
            self._behind(lists[f"SCRIPT_{name}_FILE_LIST_0"]).write_text("\n".join(paths))
        file = Path(temp) / "Script-A8F4.sh"
        self._behind(str(file)).write_text(f"#!/bin/sh\n{script}")
        self._behind(str(file)).chmod(0o755)
        rules = Rules(
            denied=tuple(settings[name] for name in ("SRCROOT", "PROJECT_DIR", "OBJROOT", "SYMROOT")),
            temp=temp,
            derived=settings["DERIVED_FILE_DIR"],
            listed=(settings["SRCROOT"],),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
        )
        with mounted(self.backing, self.mount, rules):
            return subprocess.run(
                ["/bin/sh", "-c", shlex.quote(str(file))],
                env=settings | lists,
                cwd=settings["SRCROOT"],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )

    def files(self) -> dict[str, bytes]:
        """Everything but what lies in TEMP_DIR."""
        return {path: data for path, data in tree(self.backing).items() if "Intermediates.noindex" not in path}

    def _behind(self, path: str) -> Path:
        return self.backing / Path(path).relative_to(self.mount)

    def _resolved(self, file: str) -> list[str]:
        lines = self._behind(_expanded(file, self.settings)).read_text().splitlines()
        return [os.path.normpath(_expanded(line, self.settings)) for line in lines]


def _expanded(text: str, settings: Mapping[str, str]) -> str:
    for name, value in settings.items():
        text = text.replace(f"$({name})", value)
    assert "$(" not in text, text
    return text
