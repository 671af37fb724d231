"""Devices, one kind a file: where built files are run besides this computer."""

from mobile_export.devices.device import Device, Kind
from mobile_export.errors import TargetError

__all__ = ["DEVICES", "Device", "Kind", "device_named"]

DEVICES: dict[str, Kind] = {}
"""By what stands before the colon in `runs_on` and `--device`."""


def device_named(name: str) -> Device:
    """The device that `runs_on` or `--device` calls by this name.

    Raises:
        TargetError: there is no such device.
    """
    kind, _, which = name.partition(":")
    if kind not in DEVICES:
        raise TargetError(f"{name!r} is no device; known kinds: {', '.join(DEVICES)}")
    return DEVICES[kind].device(which)
