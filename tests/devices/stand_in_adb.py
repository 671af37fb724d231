"""Not adb: a program that answers as adb does where the tests' machine has no phone.

It keeps a "phone" in the folder STAND_IN_PHONE: what lies below `tmp` there is /data/local/tmp. Shell commands run in
this computer's own shell, and arm64 programs in the emulator that `phone.json` names. What it cannot show is whether a
real phone would do the same.

`phone.json`: `devices`, what `adb devices -l` prints below its heading; `properties` by name; `emulator`, a command
before another one; `seconds` before anything is done; `prints`, by a word of a shell command, instead of what this
would print; `fails`, by a word of a command, the code that it ends with at once.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

PHONE = Path(os.environ["STAND_IN_PHONE"])
SETTINGS = json.loads((PHONE / "phone.json").read_text())


def main(words: list[str]) -> int:
    with (PHONE / "calls.txt").open("a") as calls:
        print(shlex.join(words), file=calls)
    time.sleep(SETTINGS.get("seconds", 0))
    if words == ["devices", "-l"]:
        print("List of devices attached", *SETTINGS.get("devices", []), "", sep="\n")
        return 0
    option, serial, *words = words
    assert option == "-s" and any(line.split()[0] == serial for line in SETTINGS["devices"])
    for word, code in SETTINGS.get("fails", {}).items():
        if word in " ".join(words):
            print(f"stand-in: {word} \x1b[31mfails", file=sys.stderr)
            return code
    match words:
        case ["get-state"]:
            print(SETTINGS.get("state", "device"))
        case ["shell", command]:
            return shell(command)
        case ["push", *sources, there]:
            assert len(sources) == 1 or Path(here(there)).is_dir()
            for source in sources:
                shutil.copyfile(source, here(there) if len(sources) == 1 else Path(here(there), Path(source).name))
        case ["pull", there, target]:
            shutil.copyfile(here(there), target)
        case _:
            raise AssertionError(words)
    return 0


def here(there: str) -> str:
    assert there.startswith("/data/local/tmp/")
    return there.replace("/data/local/tmp", str(PHONE / "tmp"))


def shell(command: str) -> int:
    for word, printed in SETTINGS.get("prints", {}).items():
        if word in command:
            print(printed)
            return 0
    if command.startswith("getprop "):
        print(SETTINGS["properties"].get(command.removeprefix("getprop "), ""))
        return 0
    command = command.replace("/data/local/tmp", str(PHONE / "tmp"))
    command = command.replace(
        "./ld-linux-aarch64.so.1 ", shlex.join(SETTINGS["emulator"]) + " ./ld-linux-aarch64.so.1 "
    )
    return subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, timeout=120).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
