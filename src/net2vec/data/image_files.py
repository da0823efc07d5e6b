"""Opens image files: regular files of a fixed list of formats. All other code opens them by this.

Pillow detects the format from the content, not the name, and passes some formats to external
programs: EPS under any name goes to Ghostscript, which executes it. Files of unknown origin are
therefore opened only as one of the formats below.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from net2vec.errors import DataError, Net2VecError

IMAGE_FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP"),
    # Pillow before 11.3 has no such plugin and raises KeyError for the name.
    *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()),
)
"""Pillow's names of the formats that are read; all are decoded within this process."""

# MPO, a camera's file of several JPEGs, is opened as JPEG and then renamed.
_FORMATS_OPENED = frozenset({*IMAGE_FORMATS, "MPO"})

_IRREGULAR = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


@dataclass(frozen=True)
class ImageBytes:
    """An image file that lies within another file, such as an archive.

    Attributes:
        name: of the file and the place in it, for messages.
        content: the bytes of the image file.
    """

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


ImageSource = Path | ImageBytes
"""An image file, on disk or within another file."""


@contextmanager
def open_image(path: ImageSource) -> Iterator[Image.Image]:
    """Opens an image file as one of `IMAGE_FORMATS`, without loading it.

    Errors of Pillow within the block are turned into `DataError` too.

    Args:
        path: a regular file or a symbolic link to one (reading a pipe may never end), or the bytes
            of one.

    Raises:
        DataError: if it is missing, not a regular file, of another format, too large or damaged.
    """
    try:
        if isinstance(path, Path):
            _refuse_irregular(path)
        content = path if isinstance(path, Path) else BytesIO(path.content)
        with Image.open(content, formats=IMAGE_FORMATS) as image:
            yield image
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: not an image that can be decoded: its content is that of no {_NAMES} file"
        ) from None
    except Net2VecError:
        raise
    # For damaged files Pillow raises OSError, SyntaxError, ValueError, RuntimeError, TypeError.
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
    """Checks that an image which is not loaded yet has one of the formats that are read.

    Loading it would run the decoder of its format. Users who trust the file can load it first.

    Raises:
        DataError: if it is not loaded and has another format.
    """
    # A loaded image has no tiles left to decode, and a stub has become another class.
    pending = bool(getattr(image, "tile", None)) or isinstance(image, ImageFile.StubImageFile)
    if pending and image.format not in _FORMATS_OPENED:
        raise DataError(
            f"{label}: an image opened as {image.format}, which is not read from files; wanted "
            f"{_NAMES}; if you trust the file, call the image's load() first"
        )


_NAMES = f"{', '.join(IMAGE_FORMATS[:-1])} or {IMAGE_FORMATS[-1]}"
