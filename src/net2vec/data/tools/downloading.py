"""Resumable downloads over HTTP."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte

Progress = Callable[[int, int | None], object]


class DownloadError(Exception):
    """A file cannot be downloaded; the message is that of the server or the network."""


def hidden_path(folder: Path, name: str, url: str) -> Path:
    """Hidden path of a downloaded file, distinct for each address."""
    return folder / f".{name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def discard(folder: Path, name: str, url: str) -> None:
    """Removes a file downloaded from an address, complete or partial."""
    path_of_file = hidden_path(folder, name, url)
    part = _part_file(path_of_file)
    for path in (path_of_file, part, _state_file(part)):
        path.unlink(missing_ok=True)


def has_begun(folder: Path, name: str, url: str) -> bool:
    """Whether a file was downloaded from an address, completely or in part."""
    path = hidden_path(folder, name, url)
    return path.exists() or _part_file(path).exists()


class ResumingDownloader:
    """A downloader for `pooch` that resumes after a lost connection or the end of the program.

    The partial file has the hidden name of the download with `.part`. Whether the file on the
    server has changed is decided by `ETag` or `Last-Modified`, or by the length if the server sends
    neither.

    Args:
        name: the file's name.
        progress: called with the bytes done and the total bytes, None if unknown.
        attempts: number of consecutive attempts without any new byte.
        pause: seconds before the second attempt; doubled for each further one.
    """

    def __init__(
        self,
        name: str,
        *,
        progress: Progress = lambda done, total: None,
        attempts: int = 4,
        pause: float = 1.0,
    ) -> None:
        self._name, self._progress = name, progress
        self._attempts, self._pause = attempts, pause

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Fetches `url` to `output_file`, as `pooch` calls it.

        Raises:
            DownloadError: if the server refuses, or all attempts fail.
        """
        if not url.startswith(("http://", "https://")):
            raise DownloadError(f"not an HTTP address: {url}")
        part = _part_file(hidden_path(Path(output_file).parent, self._name, url))
        failures = 0
        while True:
            before = _size(part)
            try:
                self._resume(url, part)
                break
            except urllib.error.HTTPError as fault:
                # A busy server may answer later; a refusal is final.
                if fault.code < 500 and fault.code != HTTPStatus.TOO_MANY_REQUESTS:
                    raise DownloadError(f"answered {fault.code} {fault.reason}") from None
                reason = f"answered {fault.code} {fault.reason}"
            except (OSError, http.client.HTTPException, EOFError) as fault:
                reason = str(getattr(fault, "reason", fault)) or type(fault).__name__
            failures = 0 if _size(part) > before else failures + 1
            if failures >= self._attempts:
                raise DownloadError(reason)
            time.sleep(self._pause * 2 ** max(failures - 1, 0))
        part.replace(output_file)
        _state_file(part).unlink(missing_ok=True)

    def _resume(self, url: str, part: Path) -> None:
        """Appends the missing bytes, or restarts if the file has changed on the server."""
        state = _State.read(part)
        done = _size(part) if state else 0
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310
        if done and state:
            request.add_header("Range", f"bytes={done}-")
            if state.validator:
                request.add_header("If-Range", state.validator)
        try:
            response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
        except urllib.error.HTTPError as fault:
            if fault.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not state:
                raise
            if done == state.total:
                return
            part.unlink()
            raise EOFError("what came is longer than the file") from None
        with response:
            total = _total(response, done)
            continues = response.status == HTTPStatus.PARTIAL_CONTENT
            if continues and state and total != state.total:
                part.unlink()
                raise EOFError("the file has changed on the server")
            done = done if continues else 0
            validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            if validator.startswith("W/"):  # weak: equal in meaning, not in bytes
                validator = ""
            with part.open("ab" if continues else "wb") as file:
                _State(validator, total).write(part)  # after open() has truncated the file
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    self._progress(done, total)
        if total is not None and done != total:
            raise EOFError(f"the connection broke after {done} of {total} bytes")


def _total(response: http.client.HTTPResponse, done: int) -> int | None:
    """Length of the whole file according to the response; None if unknown."""
    ranges = response.headers.get("Content-Range", "")
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        if not ranges.startswith(f"bytes {done}-"):
            raise EOFError(f"the server sent another part than was asked for: {ranges!r}")
        length = ranges.rpartition("/")[2]
        return int(length) if length.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


@dataclass(frozen=True)
class _State:
    """Validator (or empty) and length of the file in the server's first response."""

    validator: str
    total: int | None

    @classmethod
    def read(cls, part: Path) -> _State | None:
        try:
            return cls(**json.loads(_state_file(part).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, part: Path) -> None:
        _state_file(part).write_text(json.dumps(asdict(self)))


def _part_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _state_file(part: Path) -> Path:
    return part.with_suffix(".state")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
