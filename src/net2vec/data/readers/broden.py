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
from jaxtyping import Int
from PIL import Image

from net2vec.data.files import digest_files, inside
from net2vec.data.images import read_color_mask, read_image, read_image_size
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.broden_tables import CATEGORIES, INDEX, LABELS, BrodenTables
from net2vec.errors import DataError

_UNKNOWN = -1


class BrodenDataset:
    """A folder in Broden's layout.

    Opening it reads the three tables; image files and masks are touched only when asked for. Label
    numbers of the folder are kept where they run from 1 without a gap, else closed up.

    Args:
        folder: the folder that holds `index.csv`.
        tables: its tables, where they have been read and found sound.

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
        self.labels: tuple[str, ...] = ("", *tables.label["name"])
        self.categories: tuple[str, ...] = tuple(tables.category["name"])
        self.images: tuple[str, ...] = tuple(tables.index["image"])
        self.splits: tuple[str, ...] = tuple(tables.index["split"])
        self._cells = {name: tables.cells(name) for name in self.categories}
        self._image_sizes = tables.sizes("ih", "iw")
        self._mask_sizes = tables.sizes("sh", "sw")
        numbers = tables.label["number"].astype(int).to_numpy()
        self._label_at = np.full(numbers.max(initial=0) + 1, _UNKNOWN, np.int32)
        self._label_at[0] = 0
        self._label_at[numbers] = np.arange(1, len(numbers) + 1)

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
        if self._image_sizes is not None and image.size[::-1] != self._image_sizes[index]:
            height, width = self._image_sizes[index]
            raise DataError(
                f"{path}: the image is {image.width}x{image.height}, {INDEX} says {width}x{height}"
            )
        return image

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from the index or else from its header."""
        if self._image_sizes is not None:
            return self._image_sizes[index]
        return read_image_size(self._image_path(index))

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        planes: list[Plane] = []
        image_labels: list[tuple[str, int]] = []
        for category, token in self._annotations(index):
            if token.isdecimal():
                # Broden writes 0 for labels that were too rare to get a number.
                if int(token):
                    image_labels.append((category, self._image_label(index, int(token))))
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
                    self._image_label(index, int(token))
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

    def _image_label(self, index: int, number: int) -> int:
        if number >= len(self._label_at) or self._label_at[number] == _UNKNOWN:
            image = self.images[index]
            raise DataError(
                f"{self.folder / INDEX}: the label number {number} of {image} is not in {LABELS}"
            )
        return int(self._label_at[number])

    def _mask(self, index: int, token: str) -> Int[np.ndarray, "y x"]:
        path = inside(self.folder / "images", token)
        channels = read_color_mask(path)
        if self._mask_sizes is not None and channels.shape[:2] != self._mask_sizes[index]:
            height, width = self._mask_sizes[index]
            raise DataError(
                f"{path}: the mask is {channels.shape[1]}x{channels.shape[0]}, "
                f"{INDEX} says {width}x{height}"
            )
        numbers = channels[..., 0] + 256 * channels[..., 1].astype(np.int32)
        known = numbers < len(self._label_at)
        labels = self._label_at[np.where(known, numbers, 0)]
        known &= labels != _UNKNOWN
        if not known.all():
            raise DataError(f"{path}: the label number {numbers[~known].min()} is not in {LABELS}")
        return labels


def _tokens(cell: str) -> list[str]:
    """The masks and label numbers of one cell of the index."""
    return [token.strip() for token in cell.split(";") if token.strip()]
