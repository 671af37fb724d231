"""Finding a phone. No phone is here: what adb would print of one is told by a stand-in."""

import time

import pytest

from mobile_export.devices.phone import LateError, find_phone, shown
from mobile_export.errors import MissingToolError, TargetError
from tests.devices.phones import LINE, PROPERTIES, SERIAL, StandIn


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> StandIn:
    return StandIn(tmp_path / "phone", monkeypatch)


OTHER = "192.168.1.7:5555       device product:raven model:Pixel_6_Pro device:raven transport_id:3"
UNAUTHORIZED = "ZY22             unauthorized usb:1-3 transport_id:2"


@pytest.mark.parametrize("serial", ["", SERIAL])
def test_the_only_phone_is_found(stand_in, serial) -> None:
    found = find_phone(serial)
    assert (found.serial, found.about()) == (SERIAL, "SM-G973F, Android 12")


def test_one_of_several_is_named(stand_in) -> None:
    stand_in.set(devices=[LINE, OTHER])
    assert find_phone("192.168.1.7:5555").serial == "192.168.1.7:5555"


def test_one_that_can_be_used_goes_before_one_that_cannot(stand_in) -> None:
    stand_in.set(devices=[UNAUTHORIZED, LINE])
    assert find_phone().serial == SERIAL


@pytest.mark.parametrize(
    ("devices", "serial", "sentence"),
    [
        ([], "", "adb sees no phone; connect one, and switch USB debugging on in its developer options"),
        (
            [UNAUTHORIZED],
            "",
            "adb:ZY22 is unauthorized: unlock it and allow this computer's USB debugging on its screen",
        ),
        (["ZY22 offline usb:1-3"], "", "adb:ZY22 is offline: run adb reconnect offline, or unplug it"),
        (["ZY22 no permissions (user in plugdev group; are your udev rules wrong?); see [x]"], "", "by the udev rules"),
        (["ZY22 recovery usb:1-3"], "", "adb:ZY22 is recovery: start Android on it"),
        ([LINE, OTHER], "", f"name one of them: adb:{SERIAL} (SM_G973F), adb:192.168.1.7:5555 (Pixel_6_Pro)"),
        ([LINE, UNAUTHORIZED], "ZY22", "adb:ZY22 is unauthorized: unlock it"),
        (
            [LINE, UNAUTHORIZED],
            "ZY",
            f"adb sees no phone ZY; connected: adb:{SERIAL} (SM_G973F), adb:ZY22 (unauthorized)",
        ),
        (["\x1b[31m\u202eevil device model:\x07x"], "ZY22", "connected: adb:?[31m?evil (?x)"),
    ],
)
def test_what_is_to_be_done(stand_in, devices, serial, sentence) -> None:
    stand_in.set(devices=devices)
    with pytest.raises(MissingToolError) as error:
        find_phone(serial)
    assert sentence in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("abis", ["x86_64,arm64-v8a", "armeabi-v7a,armeabi", ""])
def test_a_phone_of_another_kind_is_refused(stand_in, abis) -> None:
    stand_in.set(properties=PROPERTIES | {"ro.product.cpu.abilist": abis})
    with pytest.raises(MissingToolError, match="connect a phone with arm64-v8a"):
        find_phone()


@pytest.mark.parametrize("serial", ["-a", "a b", "$(reboot)", "a;b", "a\nb", "x" * 129, "../x"])
def test_what_is_no_serial_number_goes_nowhere(stand_in, serial) -> None:
    with pytest.raises(TargetError, match="not a serial number; run adb devices -l"):
        find_phone(serial)
    assert not (stand_in.folder / "calls.txt").exists()


def test_without_adb(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="adb is not on PATH; install Android's platform tools"):
        find_phone()


def test_adb_that_does_not_end(stand_in) -> None:
    found = find_phone()
    stand_in.set(seconds=60)
    begun = time.monotonic()
    with pytest.raises(LateError, match=f"adb -s {SERIAL} shell true: no end after 1 seconds; connect the phone again"):
        found.shell("true", seconds=1.0)
    assert time.monotonic() - begun < 30


def test_a_command_that_fails_says_what_the_phone_says(stand_in) -> None:
    found = find_phone()
    stand_in.set(fails={"mkdir": 1})
    with pytest.raises(MissingToolError, match=r"adb shell mkdir x ended with code 1: stand-in: mkdir \?\[31mfails"):
        found.ask("mkdir x")


def test_shown() -> None:
    assert shown("a\n\tb\x1b[0m") == "a b?[0m"
    assert len(shown("x" * 1000)) == 200
