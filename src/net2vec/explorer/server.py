"""Serving an explorer on this machine: from the command line, or beside a notebook."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from threading import Thread
from typing import Any

from net2vec.errors import ConfigError
from net2vec.explorer.probe import Data
from net2vec.explorer.security import LOCAL_HOSTS, new_token
from net2vec.explorer.state import Explorer
from net2vec.runs import Run

LOCAL = "127.0.0.1"
_FRAME_HEIGHT = 760
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Serving:
    """An explorer that is being served beside this program; a notebook shows it in a frame.

    Attributes:
        url: its address, with the token.
        explorer: what is served.
        height: of the frame, in pixels.
    """

    url: str
    explorer: Explorer
    height: int
    _server: Any
    _thread: Thread

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self.explorer.close()

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.url)}" title="net2vec explorer" '
            f'width="100%" height="{self.height}" style="border: 0"></iframe>'
        )


def start(
    runs: Sequence[Run], *, data: Data = None, port: int = 0, height: int = _FRAME_HEIGHT
) -> Serving:
    """Serve an explorer of some runs from a thread of this program.

    Args:
        runs: opened runs.
        data: where the probe dataset is, if it is not where the runs say.
        port: the port; 0 takes a free one.
        height: of the frame in a notebook, in pixels.

    Raises:
        ConfigError: if the port cannot be had.
        ResultsError: if a run is there twice.
    """
    explorer = Explorer(runs, data)
    bound, url, server = _prepare(explorer, LOCAL, port, framed=True)
    thread = Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    return Serving(url, explorer, height, server, thread)


def explore(explorer: Explorer, ready: Any, *, host: str = LOCAL, port: int = 0) -> None:
    """Serve an explorer until it is interrupted.

    Args:
        explorer: what to serve.
        ready: called with the address once the server can be reached.
        host: the address to listen at; others than that of this machine let others in who know the
            token.
        port: the port; 0 takes a free one.

    Raises:
        ConfigError: if the port cannot be had.
    """
    bound, url, server = _prepare(explorer, host, port, framed=False)
    ready(url)
    try:
        server.run(sockets=[bound])
    finally:
        bound.close()
        explorer.close()


def _prepare(
    explorer: Explorer, host: str, port: int, *, framed: bool
) -> tuple[socket.socket, str, Any]:
    try:
        import uvicorn

        from net2vec.explorer.application import application
    except ImportError as error:
        raise ConfigError("the explorer needs the extra: pip install 'net2vec[explore]'") from error
    bound = _bind(host, port)
    token = new_token()
    hosts = LOCAL_HOSTS if host in (LOCAL, "localhost", "::1") else None
    app = application(explorer, token, hosts, framed=framed)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    name = f"[{host}]" if ":" in host else host
    return bound, f"http://{name}:{bound.getsockname()[1]}/{token}/", uvicorn.Server(config)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}; name another --port"
        ) from None
    return bound
