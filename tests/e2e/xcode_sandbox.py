"""The sandbox in which Xcode runs script phases (ENABLE_USER_SCRIPT_SANDBOXING), as a file system on Linux.

Xcode writes a profile for each phase, in which later rules win (`SandboxTaskProducer` of swift-build):

    everything            allowed, the network too
    SRCROOT, OBJROOT, …   neither read nor written, not even looked at
    TEMP_DIR              read and written
    DERIVED_FILE_DIR      neither, although it lies in TEMP_DIR
    SRCROOT itself, folders above inputs and outputs          read: listed
    inputs                read
    outputs               read and written: replaced by rename, too

Here a FUSE file system shows a folder through these rules, so that the script meets them in the kernel: what is denied
ends with EPERM, as on a Mac. Paths are compared literally, as there. What differs: folders on the way to something
allowed can be looked at, since Linux looks at each of them; and what lies outside of the folder is not guarded at all.

`python xcode_sandbox.py BACKING MOUNT` serves until it is unmounted; the rules stand in stdin as JSON.
"""

import contextlib
import ctypes
import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rules:
    """Absolute paths below the mount, as Xcode's profile has them."""

    denied: tuple[str, ...]
    temp: str
    derived: str
    listed: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def may_write(self, path: str) -> bool:
        return path in self.outputs or self._free(path)

    def may_read(self, path: str) -> bool:
        return path in self._readable or self._free(path)

    def may_look(self, path: str) -> bool:
        return self.may_read(path) or path in _above([self.temp])

    @property
    def _readable(self) -> set[str]:
        files = [*self.inputs, *self.outputs]
        return {*files, *self.listed, *_above(files)}

    def _free(self, path: str) -> bool:
        if _within(path, self.derived):
            return False
        return _within(path, self.temp) or not any(_within(path, folder) for folder in self.denied)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _above(paths: Sequence[str]) -> set[str]:
    return {str(parent) for path in paths for parent in Path(path).parents}


@contextlib.contextmanager
def mounted(backing: Path, mount: Path, rules: Rules) -> Iterator[None]:
    """`mount` shows `backing` through the rules."""
    mount.mkdir(exist_ok=True)
    command = [sys.executable, __file__, str(backing), str(mount)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdin is not None
        server.stdin.write(json.dumps(asdict(rules)))
        server.stdin.close()
        _wait_until(lambda: mount.is_mount() or server.poll() is not None)
        if server.poll() is not None:
            assert server.stderr is not None
            raise OSError(f"the sandbox cannot be mounted: {server.stderr.read()}")
        yield
    finally:
        if mount.is_mount():
            _unmount(mount)
        server.terminate()  # by itself it ends with the last copy of the mount, which any container may have taken
        server.wait(timeout=60)
        assert server.stderr is not None
        server.stderr.close()


def _wait_until(true) -> None:
    end = time.monotonic() + 20
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the sandbox did not start")
        time.sleep(0.02)


def _unmount(mount: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    detach = 2
    if libc.umount2(os.fsencode(mount), detach) != 0:
        subprocess.run(["fusermount3", "-u", "-z", mount], check=True)


def _serve(backing: str, mount: str, rules: Rules) -> None:
    import mfusepy

    class Guarded(mfusepy.Operations):
        """Each call is checked by the path that it names, then made on the folder behind."""

        use_ns = True

        def _let(self, allowed: bool, path: str) -> Path:
            if not allowed:
                raise mfusepy.FuseOSError(errno.EPERM)
            return Path(backing + path)

        def _look(self, path: str) -> Path:
            return self._let(rules.may_look(_seen(path)), path)

        def _read(self, path: str) -> Path:
            return self._let(rules.may_read(_seen(path)), path)

        def _write(self, path: str) -> Path:
            return self._let(rules.may_write(_seen(path)), path)

        def getattr(self, path, fh=None):
            status = self._look(path).lstat()
            times = {f"st_{name}": getattr(status, f"st_{name}_ns") for name in ("atime", "mtime", "ctime")}
            return times | {key: getattr(status, key) for key in ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid")}

        def readdir(self, path, fh):
            return [".", "..", *(each.name for each in self._read(path).iterdir())]

        def readlink(self, path):
            return str(self._look(path).readlink())

        def open(self, path, flags):
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC)
            return os.open(self._write(path) if writes else self._read(path), flags & ~os.O_CREAT)

        def create(self, path, mode, fi=None):
            return os.open(self._write(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

        def read(self, path, size, offset, fh):
            return os.pread(fh, size, offset)

        def write(self, path, data, offset, fh):
            return os.pwrite(fh, data, offset)

        def release(self, path, fh):
            os.close(fh)
            return 0

        def truncate(self, path, length, fh=None):
            os.truncate(self._write(path), length)
            return 0

        def rename(self, old, new):
            self._write(old).rename(self._write(new))
            return 0

        def unlink(self, path):
            self._write(path).unlink()
            return 0

        def mkdir(self, path, mode):
            self._write(path).mkdir(mode)
            return 0

        def rmdir(self, path):
            self._write(path).rmdir()
            return 0

        def symlink(self, target, source):
            self._write(target).symlink_to(source)
            return 0

        def chmod(self, path, mode):
            self._write(path).chmod(mode)
            return 0

        def utimens(self, path, times=None):
            os.utime(self._write(path), ns=times)
            return 0

    def _seen(path: str) -> str:
        return mount if path == "/" else mount + path

    fresh = {"entry_timeout": 0, "negative_timeout": 0}
    mfusepy.FUSE(Guarded(), mount, foreground=True, nothreads=True, fsname="xcode-sandbox", **fresh)


if __name__ == "__main__":
    read = {key: value if isinstance(value, str) else tuple(value) for key, value in json.load(sys.stdin).items()}
    _serve(sys.argv[1], sys.argv[2], Rules(**read))
