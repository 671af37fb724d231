"""ARM cores of phones, and the files in which Linux tells a program which one it runs on.

LiteRT and ONNX Runtime choose their kernels by these files, and crash where they find those of another processor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ARM = 0x41
"""The implementer's code in a processor's identification register (MIDR_EL1)."""

_V8 = "fp asimd aes pmull sha1 sha2 crc32 cpuid"
_V8_2 = f"{_V8} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
_V9 = (
    f"{_V8_2} jscvt fcma sha3 sm3 sm4 sha512 sve asimdfhm dit uscat ilrcpc flagm sb paca pacg dcpodp sve2 sveaes "
    "svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svebf16 i8mm bf16 bti mte"
)

ABILITIES: Mapping[str, str] = {
    "asimddp": "dot product",
    "asimdhp": "fp16 arithmetic",
    "i8mm": "int8 matrix product",
    "bf16": "bfloat16 arithmetic",
    "sve2": "scalable vectors",
}
"""What kernels of neural networks differ by: what Linux calls it, and what people do."""


@dataclass(frozen=True)
class Core:
    """A processor core.

    Attributes:
        name: as the emulator has it.
        part, variant, revision: of the identification register; version r4p1 is variant 4, revision 1.
        features: of the instruction set, as Linux calls them, as far as programs may use them.
        phones: where it is found.
        implementer: of the identification register, too.
    """

    name: str
    part: int
    variant: int
    revision: int
    features: frozenset[str]
    phones: str
    implementer: int = _ARM

    @property
    def abilities(self) -> tuple[str, ...]:
        """What kernels for it may use, in words."""
        return tuple(words for feature, words in ABILITIES.items() if feature in self.features)

    @property
    def about(self) -> str:
        """Where it is found, and what it can do, for people."""
        return f"{self.phones}; with {', '.join(self.abilities) or 'nothing beyond Advanced SIMD'}"

    def write_files(self, root: Path) -> None:
        """Write what a computer with one such core has in /proc/cpuinfo and /sys/devices/system/cpu, under `root`."""
        for path, text in self._files().items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(f"{text}\n", encoding="ascii", newline="\n")

    def _files(self) -> dict[str, str]:
        described = {
            "processor": "0",
            "BogoMIPS": "38.40",
            "Features": " ".join(sorted(self.features)),
            "CPU implementer": f"{self.implementer:#04x}",
            "CPU architecture": "8",
            "CPU variant": f"{self.variant:#x}",
            "CPU part": f"{self.part:#05x}",
            "CPU revision": f"{self.revision}",
        }
        system = {
            "possible": "0",
            "present": "0",
            "online": "0",
            "kernel_max": "0",
            "cpu0/topology/physical_package_id": "0",
            "cpu0/topology/core_id": "0",
            "cpu0/topology/core_siblings_list": "0",
            "cpu0/topology/package_cpus_list": "0",
            "cpu0/topology/cluster_cpus_list": "0",
            "cpu0/cpufreq/cpuinfo_min_freq": "300000",
            "cpu0/cpufreq/cpuinfo_max_freq": "1800000",
        }
        cpuinfo = "".join(f"{key}\t: {value}\n" for key, value in described.items())
        return {"proc/cpuinfo": cpuinfo, **{f"sys/devices/system/cpu/{name}": text for name, text in system.items()}}


def _core(name: str, part: int, version: tuple[int, int], features: str, phones: str, **identity: int) -> Core:
    return Core(name, part, *version, frozenset(features.split()), phones, **identity)


CORES: Mapping[str, Core] = {
    core.name: core
    for core in (
        _core("cortex-a53", 0xD03, (0, 4), _V8, "most phones of 2014 to 2019, and the cheap ones until today"),
        _core("cortex-a55", 0xD05, (2, 0), _V8_2, "the small cores of most phones of 2018 to 2022"),
        _core("cortex-a57", 0xD07, (1, 0), _V8, "the large cores of phones of 2015"),
        _core("cortex-a72", 0xD08, (0, 3), _V8, "the large cores of phones of 2016"),
        _core("cortex-a76", 0xD0B, (4, 1), _V8_2, "the large cores of phones of 2019, and middling ones until today"),
        _core("cortex-a710", 0xD47, (2, 1), _V9, "the large cores of phones of 2022 and 2023"),
        _core("max", 0x051, (0, 0), _V9, "no phone: all that the emulator has", implementer=0),
    )
}
"""By name. An emulator may know fewer; which ones, it says itself."""
PHONES = tuple(name for name in CORES if name != "max")
"""Those that phones have."""
