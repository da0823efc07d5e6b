"""The web application: the page's files, the API, uploads."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from net2vec.errors import Net2VecError
from net2vec.explorer.api import QUESTIONS
from net2vec.explorer.encode import Binary, to_json
from net2vec.explorer.pictures import MAX_UPLOAD_BYTES
from net2vec.explorer.security import Guard
from net2vec.explorer.state import Explorer
from net2vec.explorer.theme import theme_css
from net2vec.explorer.trying import upload

PAGES = ("", "concepts", "concept", "filters", "filter", "space", "try")
"""Paths of the pages; one file serves all of them."""

_STATIC = files("net2vec.explorer") / "static"
_MEDIA = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The run does not change while it is served, and another start has another token.
_KEEP = {"Cache-Control": "private, max-age=86400, immutable"}
_ASK_AGAIN = {"Cache-Control": "no-store"}
_CHANGING = ("status",)


def application(
    explorer: Explorer, token: str, hosts: Sequence[str] | None = None, *, framed: bool = False
) -> ASGIApp:
    """The application that serves an explorer under a token; see `security.Guard`."""
    static = {f"static/{name}": file for name, file in _static_files(_STATIC)}

    async def page(_: Request) -> Response:
        return _file_response(_STATIC / "index.html")

    async def theme(_: Request) -> Response:
        return Response(theme_css(), media_type=_MEDIA[".css"], headers=_ASK_AGAIN)

    async def file(request: Request) -> Response:
        found = static.get(request.path_params["path"].removeprefix("/"))
        # By name from the package's own list: no path is made of the request's.
        return _file_response(found) if found is not None else _error("no such file", 404)

    async def ask(request: Request) -> Response:
        question = QUESTIONS.get(request.path_params["name"])
        if question is None:
            return _error("no such question; see docs/explorer.md", 404)
        try:
            answer = await run_in_threadpool(question.ask, explorer, request.query_params)
        except Net2VecError as error:
            return _error(" ".join(str(error).split()), 400)
        headers = _ASK_AGAIN if question.name in _CHANGING else _KEEP
        if isinstance(answer, Binary):
            return Response(answer.content, media_type=answer.media_type, headers=headers)
        return Response(to_json(answer), media_type="application/json", headers=headers)

    async def take_upload(request: Request) -> Response:
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MAX_UPLOAD_BYTES:
                return _error(f"the picture is larger than {MAX_UPLOAD_BYTES >> 20} MiB", 413)
        try:
            answer = await run_in_threadpool(upload, explorer, bytes(content))
        except Net2VecError as error:
            return _error(" ".join(str(error).split()), 400)
        return Response(to_json(answer), media_type="application/json", headers=_ASK_AGAIN)

    routes = [
        *(Route(f"/{name}", page) for name in PAGES),
        Route("/static/theme.css", theme),
        Route("/api/upload", take_upload, methods=["POST"]),
        Route("/api/{name}", ask),
        Route("/{path:path}", file),
    ]
    return Guard(Starlette(routes=routes), token, hosts, framed=framed)


def _static_files(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    files = []
    for each in folder.iterdir():
        if each.is_dir():
            files += _static_files(each, f"{prefix}{each.name}/")
        elif each.name.endswith(tuple(_MEDIA)):
            files.append((prefix + each.name, each))
    return files


def _file_response(file: Traversable) -> Response:
    suffix = "." + file.name.rpartition(".")[2]
    return Response(file.read_bytes(), media_type=_MEDIA[suffix], headers=_ASK_AGAIN)


def _error(text: str, code: int) -> Response:
    return Response(to_json({"error": text}), code, media_type="application/json")
