"""The only door by which image files come in: regular files, of a fixed list of formats.

A file is what its content says, not its name, and Pillow knows formats that it does not decode
itself: it hands EPS, whatever the file is called, to Ghostscript, a program that the file then
controls. What comes from elsewhere is therefore tried as the formats below and as nothing else.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from net2vec.errors import DataError, Net2VecError

IMAGE_FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP"),
    # Pillow before 11.3 has no such plugin, and asked for it fails with KeyError.
    *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()),
)
"""What Pillow calls the formats that are read. All are decoded within this process."""

# Cameras' files of several JPEGs: opened as JPEG, and then called otherwise.
_FORMATS_OPENED = frozenset({*IMAGE_FORMATS, "MPO"})

_IRREGULAR = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """An image file opened by Pillow as one of `IMAGE_FORMATS`, not loaded yet.

    Whatever fails in opening it, and in decoding it while it is open, is one `DataError`.

    Args:
        path: of a regular file, or of a symbolic link to one: reading a pipe may never end.

    Raises:
        DataError: it is missing, no regular file, of another format, too large, or damaged.
    """
    try:
        _refuse_irregular(path)
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            yield image
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: not an image that can be decoded: its content is that of no {_NAMES} file"
        ) from None
    except Net2VecError:
        raise
    # Pillow's plugins answer damaged files with whatever they meet: OSError, SyntaxError,
    # ValueError, RuntimeError, TypeError.
    except Exception as fault:
        reason = " ".join(str(fault).split()) or type(fault).__name__
        raise DataError(f"{path}: cannot be decoded ({reason})") from None


def _refuse_irregular(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = _IRREGULAR.get(stat.S_IFMT(mode), "a device")
        raise DataError(
            f"{path}: {kind}, not an image file; wanted a regular file or a link to one"
        )


def refuse_unread_format(image: Image.Image, label: str) -> None:
    """Refuses a Pillow image that somebody has opened as another format and not loaded yet.

    To load it is to run whatever decodes that format. Who trusts the file loads it first.

    Raises:
        DataError: so.
    """
    # Once loaded, a file has no tiles left to decode, and a stub has become another class.
    pending = bool(getattr(image, "tile", None)) or isinstance(image, ImageFile.StubImageFile)
    if pending and image.format not in _FORMATS_OPENED:
        raise DataError(
            f"{label}: an image opened as {image.format}, which is not read from files; wanted "
            f"{_NAMES}; if you trust the file, call the image's load() first"
        )


_NAMES = f"{', '.join(IMAGE_FORMATS[:-1])} or {IMAGE_FORMATS[-1]}"
