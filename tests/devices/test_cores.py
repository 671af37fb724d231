import subprocess
from pathlib import Path

import pytest

from mobile_export.devices.cores import CORES
from mobile_export.devices.emulator import known_cores
from mobile_export.devices.installation import Installation
from tests.toolchains import not_run

HWCAP = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg"
).split()
HWCAP2 = (
    "dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm svebf16 i8mm bf16 "
    "dgh rng bti mte"
).split()
"""What Linux calls the features of a processor, by the number of the bit that tells a program of it."""


def test_files_say_what_the_core_is(tmp_path: Path) -> None:
    CORES["cortex-a76"].write_files(tmp_path)
    lines = (tmp_path / "proc" / "cpuinfo").read_bytes().decode().split("\n")
    said = dict(line.split("\t: ") for line in lines if line)
    assert said["CPU implementer"] == "0x41"
    assert (said["CPU part"], said["CPU variant"], said["CPU revision"]) == ("0xd0b", "0x4", "1")
    assert {"fp", "asimd", "asimddp", "asimdhp"} < set(said["Features"].split())
    assert said["processor"] == "0"
    assert lines[-2:] == ["", ""], "Linux ends each processor with an empty line"


def test_files_tell_of_one_processor(tmp_path: Path) -> None:
    CORES["cortex-a53"].write_files(tmp_path)
    system = tmp_path / "sys" / "devices" / "system" / "cpu"
    assert [(system / name).read_text() for name in ("possible", "present", "online")] == ["0\n"] * 3
    assert [path.name for path in system.glob("cpu[0-9]*")] == ["cpu0"]
    assert (system / "cpu0" / "topology" / "core_siblings_list").read_text() == "0\n"


def test_cores_differ_in_what_kernels_use() -> None:
    assert CORES["cortex-a53"].abilities == ()
    assert CORES["cortex-a76"].abilities == ("dot product", "fp16 arithmetic")
    assert "int8 matrix product" in CORES["cortex-a710"].abilities
    assert CORES["cortex-a53"].about.endswith("; with nothing beyond Advanced SIMD")
    assert CORES["cortex-a55"].about.endswith("; with dot product, fp16 arithmetic")


@pytest.mark.parametrize("name", [name for name in CORES if name != "max"])
def test_features_are_those_that_the_emulator_has(installation: Installation, name: str) -> None:
    if name not in known_cores(installation.emulator):
        not_run(f"the emulator does not know {name}")
    root = installation.root
    show = ["-L", str(root), "-E", "LD_SHOW_AUXV=1", str(root / "lib" / "ld-linux-aarch64.so.1"), "--version"]
    ended = subprocess.run([installation.emulator, "-cpu", name, *show], capture_output=True, text=True, timeout=60)
    bits = {
        key: int(value, 16)
        for key, _, value in (line.partition(":") for line in ended.stdout.splitlines())
        if "HWCAP" in key
    }
    told = [
        feature
        for key, names in (("AT_HWCAP", HWCAP), ("AT_HWCAP2", HWCAP2))
        for bit, feature in enumerate(names)
        if bits[key] >> bit & 1
    ]
    assert CORES[name].features == set(told)
