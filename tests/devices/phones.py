"""Phones that are not there: `stand_in_adb` in the place of adb."""

import json
import sys
from pathlib import Path

import pytest

STAND_IN = Path(__file__).parent / "stand_in_adb.py"
SERIAL = "R58M123ABC"
LINE = f"{SERIAL}             device usb:1-2 product:beyond model:SM_G973F device:beyond transport_id:1"
PROPERTIES = {
    "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a,armeabi",
    "ro.product.model": "SM-G973F",
    "ro.build.version.release": "12",
}


class StandIn:
    """A "phone" in a folder, and a program `adb` on PATH that reaches it and nothing else."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._settings: dict = {"devices": [LINE], "properties": PROPERTIES, "emulator": []}
        (folder / "tmp").mkdir(parents=True)
        (folder / "bin").mkdir()
        program = folder / "bin" / "adb"
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{STAND_IN}' \"$@\"\n")
        program.chmod(0o755)
        monkeypatch.setenv("STAND_IN_PHONE", str(folder))
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
        self.set()

    def set(self, **settings: object) -> None:
        """How it is to behave from now on; see `stand_in_adb`."""
        self._settings |= settings
        (self.folder / "phone.json").write_text(json.dumps(self._settings))

    @property
    def calls(self) -> list[str]:
        """What adb was asked for, one line a call."""
        return (self.folder / "calls.txt").read_text().splitlines()

    @property
    def files(self) -> list[str]:
        """What lies in /data/local/tmp."""
        return sorted(path.relative_to(self.folder / "tmp").as_posix() for path in (self.folder / "tmp").rglob("*"))
