"""Image files that are not what their names say, and a watch over programs that are started."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import EpsImagePlugin

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 6 4
%%EndComments
0 0 6 4 rectfill
showpage
%%EOF
"""

NOT_AN_IMAGE = (
    "not an image that can be decoded: its content is that of no JPEG, PNG, BMP, GIF, PPM, TIFF, "
    "WEBP or AVIF file"
)


def write_eps(path: Path) -> Path:
    """A sound EPS of 6x4 points; where a file is replaced, of that file's size."""
    size = path.stat().st_size if path.exists() else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(EPS.ljust(size, b"\n"))
    return path


class ProgramStartedError(BaseException):
    """Not an `Exception`, so that no code takes it for a damaged file."""


@contextmanager
def programs_forbidden() -> Iterator[None]:
    """Whoever starts a program fails; Ghostscript passes for installed."""

    def refuse(*_: object, **__: object) -> None:
        raise ProgramStartedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        patch.setattr(os, "system", refuse)
        patch.setattr(EpsImagePlugin, "gs_binary", "gs")
        yield
