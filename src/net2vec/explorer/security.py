"""Requests are answered under a secret token alone, and answers restrict the browser.

The token is the first part of every path: a page in a frame of a notebook may set no cookies, and
pictures and modules cannot be asked for with a header. A page of another origin does not know it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {frames}"
)
_NOTEBOOKS = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:*"


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(18)


class Guard:
    """Answers requests under the token alone, and from the hosts that the server is reached by."""

    def __init__(
        self, app: ASGIApp, token: str, hosts: Sequence[str] | None, *, framed: bool
    ) -> None:
        """Guard an application.

        Args:
            app: what is guarded; it sees paths without the token.
            token: the first part of every path.
            hosts: names in the header `Host` that are answered; None for all. Other names may be
                those of a foreign page whose address was made to lead here (DNS rebinding).
            framed: whether pages of notebooks on this machine may show it in a frame.
        """
        self._app = app
        self._token = token
        self._hosts = hosts
        self._policy = _POLICY.format(frames=_NOTEBOOKS if framed else "'none'")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "").rpartition(":")[0].lower()
        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        known = secrets.compare_digest(first.encode(), self._token.encode())
        if not known or not slash or (self._hosts is not None and host not in self._hosts):
            await PlainTextResponse("not found\n", 404)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
            await send(message)

        inner = dict(scope, path=f"/{rest}", raw_path=f"/{rest}".encode())
        await self._app(inner, receive, send_with_headers)
