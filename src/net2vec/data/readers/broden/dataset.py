"""Broden's folder layout (Bau et al. 2017, Network Dissection), read lazily.

`index.csv` has a row an image and a column a category, whose cells contain masks and image-level
labels separated by semicolons. A mask is an RGB image of label numbers, red + 256 * green; an
image-level label is a decimal number. `label.csv` names the numbers, `category.csv` the categories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int
from PIL import Image

from net2vec.data.annotator_record import ANNOTATOR_FILE, AnnotatorRecord, read_records
from net2vec.data.description import Description
from net2vec.data.files import digest_files, inside, is_there, on_disk
from net2vec.data.images import read_color_mask, read_image, read_image_size
from net2vec.data.labels import concept_name
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.base import Evidence, Reader, label_table, look_up
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

_MAX_DIGITS = 9
_MAX_HEADER = 1 << 16  # bytes


class BrodenDataset(Reader):
    """A folder in Broden's layout.

    Opening it reads the three tables; images and masks are read on request. Label numbers of the
    folder are kept if they run from 1 without a gap, else they are renumbered; void labels are not
    concepts.

    Args:
        folder: the folder that contains `index.csv`.
        tables: its tables if they have been read; faults in them are then accepted, and only the
            valid parts are used.

    Raises:
        DataError: if a table is missing or invalid; the message names the table, the line and the
            expected content.
    """

    layout = "Broden"
    marks = f"{INDEX}, {LABELS}"

    def __init__(self, folder: Path | str, tables: BrodenTables | None = None) -> None:
        super().__init__(folder)
        if tables is None:
            tables = BrodenTables.read(self.folder)
            if faults := tables.faults():
                more = f" ({len(faults) - 1} more: see `net2vec data check`)" if faults[1:] else ""
                raise DataError(faults[0] + more)
        self.root = self.folder / "images"
        self.annotators: tuple[AnnotatorRecord, ...] = read_records(self.folder)
        self._tables = tables
        names, rows = tables.labels(), tables.images()
        concepts = [number for number, name in names.items() if concept_name(name)]
        self.labels: tuple[str, ...] = ("", *(names[number] for number in concepts))
        self.categories: tuple[str, ...] = tuple(tables.categories())
        self.images: tuple[str, ...] = tuple(on_disk(self.root, name) for name in rows[IMAGE])
        self.splits: tuple[str, ...] = tuple(rows[SPLIT])
        self._cells = {
            name: [[on_disk(self.root, token) for token in _tokens(cell)] for cell in rows[name]]
            for name in self.categories
        }
        self._image_sizes = _sizes(rows, "ih", "iw")
        self._mask_sizes = _sizes(rows, "sh", "sw")
        void = dict.fromkeys((0, *names), 0)
        self._table = label_table(void | {n: label for label, n in enumerate(concepts, start=1)})

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """Broden's index, or both of its other tables."""
        tables = [name for name in (INDEX, LABELS, CATEGORIES) if (folder / name).is_file()]
        if len(tables) > 1 or (tables == [INDEX] and _is_index(folder / INDEX)):
            return Evidence(tuple(tables))
        return Evidence()

    @classmethod
    def open_for_check(cls, folder: Path, description: Description) -> BrodenDataset:
        """The dataset, also if rows of its tables are invalid."""
        return cls(folder, BrodenTables.read(folder))

    @property
    def taken(self) -> list[tuple[str, str]]:
        """The tables."""
        return [
            ("images", f"{INDEX} ({len(self.images)} rows)"),
            ("names", f"{LABELS} ({len(self.labels) - 1} concepts)"),
            ("categories", f"{CATEGORIES} ({', '.join(self.categories)})"),
            *(("masks made by", record.sentence) for record in self.annotators),
        ]

    @cached_property
    def missing(self) -> list[int]:
        """Indices of images in the index that are not in `images`."""
        return [i for i, name in enumerate(self.images) if not is_there(self.root, name)]

    def faults(self) -> Iterator[str]:
        """Contradictions within the tables, as `file: reason`."""
        yield from self._tables.faults()

    @cached_property
    def digest(self) -> str:
        """Digest of the three tables and of all files that the index names."""
        columns = self._cells.values()
        tokens = (token for column in columns for cell in column for token in cell)
        masks = (token for token in tokens if not token.isdecimal())
        files = (f"images/{name}" for name in (*self.images, *masks))
        record = (ANNOTATOR_FILE,) if self.annotators else ()
        return digest_files(self.folder, (INDEX, LABELS, CATEGORIES, *record), files)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        path = inside(self.root, self.images[index], self.folder)
        image = read_image(path)
        _check_size(path, "image", image.size[::-1], self._image_sizes[index])
        return image

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from the index or else from its header."""
        return self._image_sizes[index] or read_image_size(
            inside(self.root, self.images[index], self.folder)
        )

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        planes: list[Plane] = []
        image_labels: list[tuple[str, int]] = []
        for category, token in self._annotations(index):
            if not token.isdecimal():
                planes.append(Plane(category, self._mask(index, token)))
            elif label := self._image_label(index, token):
                image_labels.append((category, label))
        return Annotation(tuple(planes), tuple(image_labels))

    def image_faults(self, index: int) -> Iterator[str]:
        """All errors of an image, its masks and its image-level labels, as `file: reason`."""
        reads: list[Callable[[], object]] = [partial(self.image, index)]
        for _, token in self._annotations(index):
            if token.isdecimal():
                reads.append(partial(self._image_label, index, token))
            else:
                reads.append(partial(self._mask, index, token))
        for read in reads:
            try:
                read()
            except DataError as error:
                yield str(error)

    def _annotations(self, index: int) -> Iterator[tuple[str, str]]:
        """Category and token of every mask and image-level label of an image."""
        for category, column in self._cells.items():
            for token in column[index]:
                yield category, token

    def _image_label(self, index: int, token: str) -> int:
        """Label of a number; 0, by which Broden replaced labels that were too rare, is no label."""
        # Longer numbers can overflow, and int() refuses the longest.
        number = int(token) if len(token) <= _MAX_DIGITS else len(self._table)
        label = int(self._table[number]) if number < len(self._table) else -1
        if label < 0:
            shown = token if len(token) <= _MAX_DIGITS else f"{token[:_MAX_DIGITS]}..."
            raise DataError(
                f"{self.folder / INDEX}: the label number {shown} of {self.images[index]} is not "
                f"in {LABELS}"
            )
        return label

    def _mask(self, index: int, token: str) -> Int[np.ndarray, "y x"]:
        path = inside(self.root, token, self.folder)
        channels = read_color_mask(path)
        _check_size(path, "mask", channels.shape[:2], self._mask_sizes[index])
        labels, unknown = look_up(
            self._table, channels[..., 0] + 256 * channels[..., 1].astype(np.int32)
        )
        if unknown is not None:
            raise DataError(f"{path}: the label number {unknown} is not in {LABELS}")
        return labels


def _is_index(path: Path) -> bool:
    """Whether the first line of a table names the columns of an index."""
    with path.open("rb") as file:
        header = file.readline(_MAX_HEADER).decode("utf-8-sig", errors="replace")
    return {IMAGE, SPLIT} <= {name.strip().strip('"') for name in header.split(",")}


def _check_size(
    path: Path, kind: str, size: tuple[int, int], indexed_size: tuple[int, int] | None
) -> None:
    """Checks that a (height, width) is that of the index, if it has one."""
    if indexed_size is not None and size != indexed_size:
        raise DataError(
            f"{path}: the {kind} is {size[1]}x{size[0]}, {INDEX} says {indexed_size[1]}x"
            f"{indexed_size[0]}"
        )


def _sizes(rows: pd.DataFrame, height: str, width: str) -> list[tuple[int, int] | None]:
    """The (height, width) in two columns of the index; None where missing or invalid."""
    if height not in rows or width not in rows:
        return [None] * len(rows)
    return [
        (int(tall), int(wide)) if is_size(tall) and is_size(wide) else None
        for tall, wide in zip(rows[height], rows[width], strict=True)
    ]


def _tokens(cell: str) -> list[str]:
    """The masks and label numbers in one cell of the index."""
    return [token.strip() for token in cell.split(";") if token.strip()]
