"""A build phase as Xcode runs it: its script, what it is told in the environment, and a lock to work from."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobile_export.apps.xcode.script import script_text

TOOLS = (
    "awk cat cmp comm curl dirname find grep mkdir mv rm sed sha256sum shasum sleep sort stat tail tar tr wc xargs"
).split()

DEBUG = {
    "ACTION": "build",
    "CONFIGURATION": "Debug",
    "DEPLOYMENT_POSTPROCESSING": "NO",
    "GCC_OPTIMIZATION_LEVEL": "0",
    "SWIFT_OPTIMIZATION_LEVEL": "-Onone",
}
"""What Xcode says of a build for debugging."""


@dataclass
class Phase:
    """A project in `root`, which may be looked at elsewhere, as in a sandbox: paths below are those of the script."""

    root: Path
    shell: Sequence[str] = ("/bin/sh",)
    environment: dict[str, str] = field(default_factory=dict)
    target: str = "ios"

    @property
    def lock(self) -> Path:
        return self.root / "src" / "mobile-export.lock"

    @property
    def temp(self) -> Path:
        return self.root / "obj" / "App.build"

    @property
    def app(self) -> Path:
        return self.root / "products" / "My App.app"

    @property
    def staging(self) -> Path:
        return self.temp / f"mobile-export-{self.target}"

    def run(
        self, outputs: Sequence[Path], mode: str = "locked", source: Path | None = None
    ) -> subprocess.CompletedProcess:
        self.temp.mkdir(parents=True, exist_ok=True)
        script = self.root / "src" / "mobile-export.sh"
        if not script.exists():
            script.write_text(script_text())
        resolved = self.temp / "OutputFileList-resolved.xcfilelist"
        resolved.write_text("".join(f"{path}\n" for path in outputs))
        told = {
            "TARGET_TEMP_DIR": str(self.temp),
            "SRCROOT": str(self.root / "src"),
            "SCRIPT_OUTPUT_FILE_COUNT": "0",
            "SCRIPT_OUTPUT_FILE_LIST_COUNT": "1",
            "SCRIPT_OUTPUT_FILE_LIST_0": str(resolved),
            **DEBUG,
            **self.environment,
        }
        command = [*self.shell, str(script), mode, self.target, str(source or self.lock)]
        return subprocess.run(command, env=told, capture_output=True, text=True, timeout=100, check=False)


def write_lock(lock: Path, contents: Mapping[str, bytes], sources: Sequence[str], target: str = "ios") -> None:
    lines = [
        "mobile-export-lock 1",
        "# remark",
        "",
        "target android",
        "from elsewhere",
        f"file {'0' * 64} 1 assets/x",
        "",
    ]
    lines += [f"target {target}", *(f"from {source}" for source in sources)]
    lines += [f"file {hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in contents.items()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("\n".join(lines) + "\n")


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    for path, data in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def line_of(lock: Path, text: str) -> int:
    return next(number for number, line in enumerate(lock.read_text().splitlines(), 1) if text in line)


def only_these_tools(folder: Path, busybox: Path | None = None) -> str:
    """A PATH with what the script may call and, so, no Python; of `busybox` what it has, as where nothing is GNU."""
    folder.mkdir()
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout if busybox else ""
    for name in TOOLS:
        found = busybox if name in applets.split() else shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(os.path.realpath(found))
    return str(folder)
