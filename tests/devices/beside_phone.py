"""Runs a file on what adb finds at 127.0.0.1:5555, and here: beside_phone RUNNER LIBRARIES LITERT ONNXRUNTIME FILE.

What runs there is code of this computer, under the names that it has for a phone. Prints JSON: what ran it, the largest
differences by output, and what stays in /data/local/tmp.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from mobile_export.devices import adb
from mobile_export.devices.installation import Installation
from mobile_export.devices.phone import find_phone
from mobile_export.errors import MissingToolError
from mobile_export.formats import FORMATS
from mobile_export.runner import run_samples

SERIAL = "127.0.0.1:5555"


def connect() -> None:
    for _ in range(50):
        subprocess.run(["adb", "connect", SERIAL], capture_output=True, timeout=30, check=False)
        try:
            find_phone(SERIAL)
        except MissingToolError:
            time.sleep(0.1)
        else:
            return
    find_phone(SERIAL)


def main(runner: Path, root: Path, litert: Path, onnxruntime: Path, path: Path) -> None:
    versions = {"litert": "of this computer", "onnxruntime": "of this computer"}
    set_up = Installation(root, root, root, litert, onnxruntime, runner, versions, 0)
    adb.installed = lambda: set_up
    connect()
    device = adb.Adb().device(SERIAL)
    device.require()
    kind = path.suffix.removeprefix(".")
    here = FORMATS[kind].open(path)
    random = np.random.default_rng(0)
    samples = {edge.name: random.normal(size=(7, *edge.shape[1:])).astype(np.float32) for edge in here.inputs}
    with device.open(kind, path) as there:
        found, expected = run_samples(there, samples), run_samples(here, samples)
    differences = {name: float(np.abs(found[name] - expected[name]).max()) for name in expected}
    left = find_phone(SERIAL).ask("ls /data/local/tmp").split()
    print(json.dumps({"runtime": device.runtime(kind), "differences": differences, "left": left}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
