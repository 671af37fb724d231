"""What is said of names of devices that there are not."""

import re

import pytest

from mobile_export.target.choices import Choices, one_device

CORES = ("arm64:cortex-a53", "arm64:cortex-a76", "arm64:max")
CHOICES = Choices(devices=(*CORES, *(f"{core}:builtin" for core in CORES)), by_hand=("adb",))
ALLOWED = "arm64:cortex-a53, arm64:cortex-a76, arm64:max, each also with :builtin"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("arm64", f"'arm64' is a kind of devices; name one of them: {ALLOWED}"),
        ("arm64:cortex-a5", f"'arm64:cortex-a5' is not known (did you mean 'arm64:cortex-a53'?); allowed: {ALLOWED}"),
        ("arm64:a53", f"'arm64:a53' is not known (did you mean 'arm64:cortex-a53'?); allowed: {ALLOWED}"),
        ("adb", f"adb is only for run --device; allowed: {ALLOWED}"),
        ("adb:R58", f"adb is only for run --device; allowed: {ALLOWED}"),
    ],
)
def test_unknown_devices(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        one_device(name, CHOICES)


def test_devices_that_there_are() -> None:
    assert all(one_device(name, CHOICES) == name for name in CHOICES.devices)
    assert one_device("anything", Choices()) == "anything"  # where nothing is known
