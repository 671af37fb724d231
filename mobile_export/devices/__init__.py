"""Devices, one kind a file: where built files are run besides this computer."""

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
        known = [*DEVICES, *(each for unit in DEVICES.values() for each in unit.names)]
        raise TargetError(f"{name!r} is no device{nearest(name, known)}; known kinds: {', '.join(DEVICES)}")
    return DEVICES[kind].device(which)
