"""Broden's folder layout (Bau et al. 2017, Network Dissection), read lazily.

`index.csv` has a row an image and a column a category, whose cells hold masks and image-level
labels separated by semicolons. A mask is an RGB image of label numbers, red + 256 * green; an
image-level label is a decimal number. `label.csv` names the numbers, `category.csv` the categories.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int
from PIL import Image

from net2vec.data.files import digest_files, inside
from net2vec.data.images import read_color_mask, read_image, read_image_size
from net2vec.data.labels import concept_name
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.broden.tables import (
    CATEGORIES,
    IMAGE,
    INDEX,
    LABELS,
    SPLIT,
    BrodenTables,
    is_size,
)
from net2vec.errors import DataError

_UNKNOWN = -1
_DIGITS = 9


class BrodenDataset:
    """A folder in Broden's layout.

    Opening it reads the three tables; image files and masks are touched only when asked for. Label
    numbers of the folder are kept where they run from 1 without a gap, else closed up; void labels
    are no concepts here either.

    Args:
        folder: the folder that holds `index.csv`.
        tables: its tables, where they have been read; their faults are then known to who gives
            them, and what is legible of them is read.

    Raises:
        DataError: a table is missing or does not say what it should; the message names the table,
            the line and what was wanted.
    """

    def __init__(self, folder: Path | str, tables: BrodenTables | None = None) -> None:
        self.folder = Path(folder)
        if tables is None:
            tables = BrodenTables.read(self.folder)
            faults = tables.faults()
            if faults:
                more = f" ({len(faults) - 1} more: see `net2vec data check`)" if faults[1:] else ""
                raise DataError(faults[0] + more)
        self.name = self.folder.resolve().name
        names, rows = tables.labels(), tables.images()
        concepts = [number for number, name in names.items() if concept_name(name)]
        self.labels: tuple[str, ...] = ("", *(names[number] for number in concepts))
        self.categories: tuple[str, ...] = tuple(tables.categories())
        self.images: tuple[str, ...] = tuple(rows[IMAGE])
        self.splits: tuple[str, ...] = tuple(rows[SPLIT])
        self._cells = {name: list(rows[name]) for name in self.categories}
        self._image_sizes = _sizes(rows, "ih", "iw")
        self._mask_sizes = _sizes(rows, "sh", "sw")
        self._label_at = np.full(max(names, default=0) + 1, _UNKNOWN, np.int32)
        self._label_at[[0, *names]] = 0  # void, unless it is a concept
        self._label_at[concepts] = np.arange(1, len(concepts) + 1)

    @cached_property
    def digest(self) -> str:
        """Digest of the three tables and of all files that the index names."""
        masks = (
            token
            for column in self._cells.values()
            for cell in column
            for token in _tokens(cell)
            if not token.isdecimal()
        )
        files = (f"images/{name}" for name in (*self.images, *masks))
        return digest_files(self.folder, (INDEX, LABELS, CATEGORIES), files)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        path = self._image_path(index)
        image = read_image(path)
        size = self._image_sizes[index]
        if size is not None and image.size[::-1] != size:
            raise DataError(
                f"{path}: the image is {image.width}x{image.height}, {INDEX} says "
                f"{size[1]}x{size[0]}"
            )
        return image

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from the index or else from its header."""
        return self._image_sizes[index] or read_image_size(self._image_path(index))

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        planes: list[Plane] = []
        image_labels: list[tuple[str, int]] = []
        for category, token in self._annotations(index):
            if token.isdecimal():
                if label := self._image_label(index, token):
                    image_labels.append((category, label))
            else:
                planes.append(Plane(category, self._mask(index, token)))
        return Annotation(tuple(planes), tuple(image_labels))

    def image_faults(self, index: int) -> Iterator[str]:
        """All that `image` and `annotation` refuse of an image, each as `file: reason`."""
        try:
            self.image(index)
        except DataError as fault:
            yield str(fault)
        for _, token in self._annotations(index):
            try:
                if token.isdecimal():
                    self._image_label(index, token)
                else:
                    self._mask(index, token)
            except DataError as fault:
                yield str(fault)

    def _image_path(self, index: int) -> Path:
        return inside(self.folder / "images", self.images[index])

    def _annotations(self, index: int) -> Iterator[tuple[str, str]]:
        """Category and token of every mask and image-level label of an image."""
        for category, column in self._cells.items():
            for token in _tokens(column[index]):
                yield category, token

    def _image_label(self, index: int, token: str) -> int:
        """The label of a number; 0, as Broden writes for labels that were too rare, is none."""
        # Longer ones can overflow, and Python would refuse to read the longest.
        number = int(token) if len(token) <= _DIGITS else len(self._label_at)
        if number >= len(self._label_at) or self._label_at[number] == _UNKNOWN:
            shown = token if len(token) <= _DIGITS else f"{token[:_DIGITS]}..."
            raise DataError(
                f"{self.folder / INDEX}: the label number {shown} of {self.images[index]} is not "
                f"in {LABELS}"
            )
        return int(self._label_at[number])

    def _mask(self, index: int, token: str) -> Int[np.ndarray, "y x"]:
        path = inside(self.folder / "images", token)
        channels = read_color_mask(path)
        size = self._mask_sizes[index]
        if size is not None and channels.shape[:2] != size:
            raise DataError(
                f"{path}: the mask is {channels.shape[1]}x{channels.shape[0]}, "
                f"{INDEX} says {size[1]}x{size[0]}"
            )
        numbers = channels[..., 0] + 256 * channels[..., 1].astype(np.int32)
        known = numbers < len(self._label_at)
        labels = self._label_at[np.where(known, numbers, 0)]
        known &= labels != _UNKNOWN
        if not known.all():
            raise DataError(f"{path}: the label number {numbers[~known].min()} is not in {LABELS}")
        return labels


def _sizes(rows: pd.DataFrame, height: str, width: str) -> list[tuple[int, int] | None]:
    """The (height, width) in two columns of the index, where it has them and they are legible."""
    if height not in rows or width not in rows:
        return [None] * len(rows)
    return [
        (int(tall), int(wide)) if is_size(tall) and is_size(wide) else None
        for tall, wide in zip(rows[height], rows[width], strict=True)
    ]


def _tokens(cell: str) -> list[str]:
    """The masks and label numbers of one cell of the index."""
    return [token.strip() for token in cell.split(";") if token.strip()]
