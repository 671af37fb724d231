"""A web server of this machine, which can also do what web servers should not."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@dataclass
class FileServer:
    """Files by path; `answers` are given one after another to the next requests, whatever they ask for.

    Attributes:
        asked: each request so far: its path, and its Range.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    always: Answer | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def plain(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """As it should be, ranges included."""
    asked = handler.headers.get("Range")
    if asked is None:
        return send(handler, 200, data)
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    if start >= len(data):
        return send(handler, 416, Content_Range=f"bytes */{len(data)}")
    return send(handler, 206, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")


def without_ranges(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    send(handler, 200, data)


def breaks_after(count: int, of: Answer = plain) -> Answer:
    """The connection ends after so many bytes of the body."""

    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        whole, left = handler.wfile, count

        class Broken:
            ended = False

            def write(self, part: bytes) -> None:
                nonlocal left
                if self.ended:
                    whole.write(part[:left])
                    left -= min(left, len(part))
                else:
                    whole.write(part)
                    self.ended = part.endswith(b"\r\n\r\n")

            def flush(self) -> None:
                whole.flush()

        handler.wfile = Broken()
        of(handler, data)
        handler.wfile = whole

    return answer


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda handler, data: send(handler, status, body, **headers)


def without_length(body: bytes) -> Answer:
    """The answer ends where the connection does."""

    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(most: int, sent: list[int]) -> Answer:
    """Sends until the reader has enough, at most so many megabytes; says how many it took."""

    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            for count in range(most):
                sent[:] = [count]
                handler.wfile.write(bytes(1_000_000))

    return answer


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    files = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files.asked.append((self.path, self.headers.get("Range")))
            files.headers.append(dict(self.headers))
            answer = files.answers.pop(0) if files.answers else files.always or plain
            data = files.files.get(self.path.partition("?")[0])
            if data is None and answer is plain:
                answer = says(404)
            answer(self, data or b"")

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    files.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
