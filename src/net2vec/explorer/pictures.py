"""Pictures: thumbnails of the dataset's images, and uploads of the user."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from PIL import Image

from net2vec.errors import DataError

SIDES = (96, 192, 320, 640, 1280)
"""Longer sides that pictures are sent in."""

MAX_UPLOAD_BYTES = 20 << 20
MAX_UPLOAD_PIXELS = 50_000_000
_KEPT_UPLOADS = 16


def thumbnail(image: Image.Image, side: int) -> bytes:
    """An image as JPEG, no larger than a side of `SIDES` that is at least as large as asked for."""
    limit = next((known for known in SIDES if known >= side), SIDES[-1])
    small = image.convert("RGB")
    small.thumbnail((limit, limit), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


class Uploads:
    """Pictures of the user, as files of a temporary folder under names of their own."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._lock = Lock()

    def add(self, content: bytes) -> tuple[str, int, int]:
        """Keep a picture; returns its name, width and height.

        Raises:
            DataError: if it is too large, or no image of a format that is read.
        """
        # Pillow's plugins and the readers are loaded with the first picture.
        from net2vec.data.images import read_image_size

        if len(content) > MAX_UPLOAD_BYTES:
            raise DataError(f"the picture is larger than {MAX_UPLOAD_BYTES >> 20} MiB")
        name = hashlib.blake2b(content, digest_size=12).hexdigest()
        path = self._made_folder() / name
        path.write_bytes(content)
        try:
            height, width = read_image_size(path)
            if height * width > MAX_UPLOAD_PIXELS:
                raise DataError(
                    f"the picture has {width} x {height} pixels; at most "
                    f"{MAX_UPLOAD_PIXELS // 10**6} million are taken"
                )
        except DataError as error:
            path.unlink()
            with self._lock:
                self._files.pop(name, None)
            raise DataError(str(error).replace(str(path), "the picture")) from None
        with self._lock:
            self._files[name] = path
            self._files.move_to_end(name)
            while len(self._files) > _KEPT_UPLOADS:
                self._files.popitem(last=False)[1].unlink(missing_ok=True)
        return name, width, height

    def path(self, name: str) -> Path:
        """The file of a picture.

        Raises:
            DataError: if there is none of this name.
        """
        with self._lock:
            if name not in self._files:
                raise DataError("this picture is not kept any more; choose it again")
            return self._files[name]

    def close(self) -> None:
        """Remove all of them."""
        if self._folder is not None:
            self._folder.cleanup()

    def _made_folder(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="net2vec-explorer-")
            return Path(self._folder.name)
