"""A file server with moods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest


@dataclass
class Server:
    """Serves `files`, and remembers what was asked for.

    Attributes:
        cuts: after how many bytes of the body to break off, an answer each; then never again.
        answers: status codes to answer with first, by path.
        ranges: whether parts of a file are served.
        etags: validator by path.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    ranges: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    moods: ClassVar[Server]

    def do_GET(self) -> None:
        server, wanted = self.moods, self.headers.get("Range")
        server.requests.append((self.path, wanted))
        if server.answers.get(self.path):
            return self.send_error(server.answers[self.path].pop(0))
        if self.path not in server.files:
            return self.send_error(404)
        body, etag = server.files[self.path], server.etags.get(self.path)
        start = 0
        if_range = self.headers.get("If-Range")
        if wanted and server.ranges and if_range in (None, etag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = start + server.cuts.pop(0) if server.cuts else len(body)
        self.wfile.write(body[start:end])
        return None

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    _Handler.moods = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield _Handler.moods
    http.shutdown()
    thread.join()
    http.server_close()
