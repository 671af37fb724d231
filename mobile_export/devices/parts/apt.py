"""Files out of packages of Debian and its kin, brought by the machine's own apt, without rights and installed nowhere.

apt takes packages from where the machine has them, and checks signatures as always. Its lists and what it downloads lie
in a folder of ours: those of the system may be empty, old, or another's to write.
"""

import shutil
import subprocess
from pathlib import Path

from mobile_export.devices.parts.calling import call, reason
from mobile_export.errors import MissingToolError

_CONFIGURATION = """\
Debug::NoLocking "1";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
APT::Sandbox::User "";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
"""The system's hooks are not for lists of a user's own. Paths are no part of it: one may have a quote."""


def is_here() -> bool:
    """Whether this machine has apt."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb", "tar"))


class Apt:
    """The packages that this machine's apt can reach."""

    def __init__(self, folder: Path) -> None:
        """Bring the lists of packages into `folder`, which is made.

        Raises:
            MissingToolError: they cannot be had.
        """
        for part in ("state/lists/partial", "cache/archives/partial", "packages"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        self._packages, configuration = folder / "packages", folder / "apt.conf"
        configuration.write_text(_CONFIGURATION, encoding="utf-8")
        places = {"Dir::State": "state", "Dir::State::status": "status", "Dir::Cache": "cache"}
        self._options = [f"-c={configuration}", *(f"-o={key}={folder / name}" for key, name in places.items())]
        printed = self._apt("the list of the system's packages", "update")
        if not any((folder / "state" / "lists").glob("*_Packages*")):  # some of several may be missing
            raise MissingToolError(f"the list of the system's packages cannot be had: apt-get says: {reason(printed)}")

    def take(self, package: str, pattern: str, folder: Path) -> None:
        """Bring a package, and unpack those of its files whose paths match `pattern`, with folders, into `folder`.

        Raises:
            MissingToolError: it cannot be had, or has no such file.
        """
        self._apt(package, "download", package)
        (archive,) = self._packages.glob(f"{package}_*.deb")
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as packed:  # noqa: S603, S607
            tar = ["tar", "-x", "--no-same-owner", "--wildcards", "-C", str(folder), pattern]
            unpacked = subprocess.run(tar, stdin=packed.stdout, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
        archive.unlink()
        if unpacked.returncode != 0:
            raise MissingToolError(f"{package}: has no {pattern}")

    def _apt(self, what: str, *words: str) -> str:
        return call(["apt-get", "-qq", *self._options, *words], what, self._packages)
