"""Devices, one kind a file: where built files are run besides this computer.

`arm64` has the emulated `cores`, and `adb` connected phones, which `phone` speaks to; both are what `device` says. On
both, one C program runs the files: `runner/`, which `compiling` compiles. What it is asked and answers goes over the
`wire`, to a `remote` process or by files, and is held against the file as the `host` has it. `installation` sets up all
that is needed, a module of `parts/` for each; `emulator` starts qemu and lets it pass the `selftest/`; `survey` tells
what there is. `processes` ends what was started.
"""

from mobile_export.devices.adb import Adb
from mobile_export.devices.arm64 import Arm64
from mobile_export.devices.device import Device, Kind
from mobile_export.errors import TargetError, nearest

__all__ = ["DEVICES", "Device", "Kind", "device_named"]

DEVICES: dict[str, Kind] = {
    "arm64": Arm64(),
    "adb": Adb(),
}
"""By what stands before the colon in `runs_on` and `--device`."""


def device_named(name: str) -> Device:
    """The device that `runs_on` or `--device` calls by this name.

    Raises:
        TargetError: there is no such device.
    """
    kind, _, which = name.partition(":")
    if kind not in DEVICES:
        raise TargetError(f"{name!r} is no device{nearest(name, _suggested())}; known kinds: {', '.join(DEVICES)}")
    return DEVICES[kind].device(which)


def _suggested() -> list[str]:
    """What a name may have been meant to be; nobody who mistypes a phone's core means the one that no phone has."""
    names = [*DEVICES, *(name for unit in DEVICES.values() for name in unit.names)]
    return [name for name in names if "max" not in name.split(":")]
