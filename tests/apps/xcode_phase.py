"""A build phase as Xcode runs it: its script, what it is told in the environment, and a lock to work from."""

import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobile_export.apps.xcode import script_text

TOOLS = "cat cmp dirname find grep mkdir mv rm sha256sum shasum curl sleep tail tar wc awk".split()


@dataclass
class Phase:
    """A project in `root`, which may be looked at elsewhere, as in a sandbox: paths below are those of the script."""

    root: Path
    shell: Sequence[str] = ("/bin/sh",)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def lock(self) -> Path:
        return self.root / "src" / "mobile-export.lock"

    @property
    def temp(self) -> Path:
        return self.root / "obj" / "App.build"

    @property
    def app(self) -> Path:
        return self.root / "products" / "My App.app"

    @property
    def staging(self) -> Path:
        return self.temp / "mobile-export-ios"

    def run(
        self, outputs: Sequence[Path], mode: str = "locked", source: Path | None = None
    ) -> subprocess.CompletedProcess:
        self.temp.mkdir(parents=True, exist_ok=True)
        script = self.root / "src" / "mobile-export.sh"
        if not script.exists():
            script.write_text(script_text())
        resolved = self.temp / "OutputFileList-resolved.xcfilelist"
        resolved.write_text("".join(f"{path}\n" for path in outputs))
        told = {
            "TARGET_TEMP_DIR": str(self.temp),
            "SRCROOT": str(self.root / "src"),
            "SCRIPT_OUTPUT_FILE_COUNT": "0",
            "SCRIPT_OUTPUT_FILE_LIST_COUNT": "1",
            "SCRIPT_OUTPUT_FILE_LIST_0": str(resolved),
            "CONFIGURATION": "Debug",
            **self.environment,
        }
        command = [*self.shell, str(script), mode, "ios", str(source or self.lock)]
        return subprocess.run(command, env=told, capture_output=True, text=True, timeout=100, check=False)


def write_lock(lock: Path, contents: Mapping[str, bytes], sources: Sequence[str], target: str = "ios") -> None:
    lines = [
        "mobile-export-lock 1",
        "# remark",
        "",
        "target android",
        "from elsewhere",
        f"file {'0' * 64} 1 assets/x",
        "",
    ]
    lines += [f"target {target}", *(f"from {source}" for source in sources)]
    lines += [f"file {hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in contents.items()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("\n".join(lines) + "\n")


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    for path, data in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def line_of(lock: Path, text: str) -> int:
    return next(number for number, line in enumerate(lock.read_text().splitlines(), 1) if text in line)


def only_these_tools(folder: Path) -> str:
    """A PATH with what the script may call and, so, no Python."""
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(os.path.realpath(found))
    return str(folder)


class Server:
    """Files by HTTP, as well or as badly as a test wants."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.ranges = True
        self.cut_after: int | None = None
        self.status = 200
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        data = self.files.get(request.path)
        if data is None or self.status != 200:
            request.send_error(404 if data is None else self.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        rest = data[start:]
        if self.cut_after is not None:
            rest, self.cut_after = rest[: self.cut_after], None
        request.wfile.write(rest)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
