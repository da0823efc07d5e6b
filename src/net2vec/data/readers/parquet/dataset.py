"""Tables with a column of images and one of masks or classes, in Parquet shards.

Datasets of the Hugging Face hub have this form. Features are read by the library `datasets`;
images, in whatever row group they are, from the shards themselves.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from net2vec.data.description import Description
from net2vec.data.files import list_files, root_of_links
from net2vec.data.image_files import ImageBytes
from net2vec.data.labels import printable
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.readers.base import Evidence
from net2vec.data.readers.image_classes import listed_classes, name_classes
from net2vec.data.readers.mask_classes import MaskClasses
from net2vec.data.readers.one_category import OneCategoryReader
from net2vec.data.readers.parquet.arrangement import (
    CARD,
    absent_shards,
    arrange,
    choose,
    read_card,
)
from net2vec.data.readers.parquet.columns import choose_columns, has_images
from net2vec.data.readers.parquet.shards import Shards
from net2vec.data.splits import TEST, SplitChoice
from net2vec.errors import DataError

SUFFIXES = frozenset({".parquet"})
_INSTALL = "reading Parquet needs datasets and pyarrow; pip install 'net2vec[hf]'"
_LARGE_GROUP = 256 << 20


class ParquetDataset(OneCategoryReader):
    """Images in a table, with masks of class numbers or colours or with classes of whole images.

    The split of an image is that of its files; images of others than train, validation and test are
    drawn by a hash of their names, and so is everything where the user names one split alone.

    Args:
        folder: with Parquet files anywhere in it.
        stated: part of the dataset, columns, category, names or colours, void values, splits.

    Raises:
        DataError: if a file is damaged, a library is not installed, or it is not clear which files
            or columns are meant or what their numbers mean.
    """

    layout = "parquet"
    marks = "*.parquet with a column of images"
    takes = frozenset(
        {"subset", "images", "masks", "label", "category", "classes", "colors", "void", "splits"}
    )
    is_outermost = True
    reads_at_random = False

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        super().__init__(folder, description)
        _refuse_without_libraries(self.folder)
        within = root_of_links(self.folder)
        files = list_files(self.folder, SUFFIXES, within=within)
        if not files:
            raise DataError(f"{self.folder}: holds no Parquet files")
        arrangement = arrange(files, read_card(self.folder / CARD))
        chosen = choose(arrangement, self.description.subset or "", str(self.folder))
        rule = self.description.splits
        for split in chosen:
            if not chosen[split] and rule.split_of(f"{split}/") != TEST:
                raise DataError(
                    f"{self.folder}: its card names a split {split!r}, of which no file is here"
                )
        self._split_files = {split: tuple(files) for split, files in chosen.items() if files}
        shards = [(split, file) for split, files in self._split_files.items() for file in files]
        self._shards = Shards(self.folder, [file for _, file in shards], within)
        self._columns = choose_columns(self._features(), self.description, str(self.folder))
        self._image_bytes = self._bytes_of(self._columns.image)
        split_of_file = [split for split, _ in shards]
        self._table_splits = [
            split
            for split, length in zip(split_of_file, self._shards.lengths, strict=True)
            for _ in range(length)
        ]
        self._names = self._row_names()
        labels = self._read_labels(within)
        alone = len(chosen) == 1 and bool(self.description.subset)
        self._choice = SplitChoice(rule)
        rows: list[int] = []
        for row, name in enumerate(self._names):
            found = rule.split_of(PurePosixPath(name).name if alone else name)
            if self._choice.add(name, found, self._why_left_out(row, labels)):
                rows.append(row)
        if not rows:
            raise DataError(f"{self.folder}: no annotated images for training or validation")
        rule.check_used(self._names, str(self.folder))
        self._rows = tuple(rows)
        if labels is not None:
            self.image_labels = [self.image_labels[row] for row in rows]
        self.images, self.splits = zip(*self._choice.splits.items(), strict=True)
        self.categories = (self.description.category or "object",)

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """Parquet files, of which the first has a column that may hold images."""
        files = list_files(folder, SUFFIXES)
        if not files:
            return Evidence()
        if find_spec("pyarrow") is None or find_spec("datasets") is None:
            return Evidence((f"{len(files)} Parquet files",), (_INSTALL,))
        shards = Shards(folder, files[:1], root_of_links(folder))
        if not has_images(shards.schema):
            columns = ", ".join(shards.schema.names)
            return Evidence(
                (), (f"{folder / files[0]}: no column holds images; columns are {columns}",)
            )
        return Evidence((f"{files[0]}{', ...' if len(files) > 1 else ''}",))

    @cached_property
    def digest(self) -> str:
        """Digest of the contents of all shards that are used, and of what decides their meaning."""
        columns = (self._columns.image, self._columns.mask, self._columns.label)
        meaning = self.mask_classes.settings if self.mask_classes else ()
        settings = (columns, self.categories, self.labels, self.images, self.splits, meaning)
        return hashlib.sha256(
            f"{settings!r}\0{self._shards.digest(self._rows)}".encode()
        ).hexdigest()

    def _mask_source(self, index: int) -> ImageBytes:
        return self._encoded(self._rows[index], self._bytes_of(str(self._columns.mask)))

    def _image_source(self, index: int) -> ImageBytes:
        return self._encoded(self._rows[index], self._image_bytes)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Images for testing, and images without a mask or class."""
        return list(count_left_out("images", self._choice.unused))

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """Columns, names, void values and splits."""
        columns = self._columns
        shown = ", ".join(
            f"{split} ({len(self._split_files[split])} files)" for split in self._split_files
        )
        return [
            ("files by split", shown),
            ("images", f"column {columns.image}"),
            *self.classes_taken(f"column {columns.mask}", f"column {columns.label}"),
            self.split_taken(self._choice.drawn),
        ]

    @property
    def notes(self) -> Sequence[tuple[str, str]]:
        """Columns that are not read, absent shards, and row groups that are slow to read."""
        notes = list(super().notes)
        if self._columns.passed_over:
            notes.append(("columns not read", ", ".join(self._columns.passed_over)))
        files = [file for files in self._split_files.values() for file in files]
        if absent := absent_shards(files):
            notes.append(("incomplete", f"{absent} of the shards that names count are not here"))
        if (size := self._shards.largest_group(self._columns.image)) > _LARGE_GROUP:
            notes.append(
                ("slow", f"an image is read with its row group, up to {size >> 20} MB; rewrite the "
                 f"files with row groups of some hundred images")
            )  # fmt: skip
        return notes

    def _features(self) -> dict[str, Any]:
        from datasets import Features

        try:
            return dict(Features.from_arrow_schema(self._shards.schema))
        except Exception as fault:  # features of newer versions, ...
            reason = " ".join(str(fault).split())
            raise DataError(
                f"{self._shards.path(0)}: datasets cannot read its features ({reason})"
            ) from None

    def _bytes_of(self, column: str) -> str:
        """The column, or the field of it, that holds the bytes of image files."""
        import pyarrow as pa

        is_struct = pa.types.is_struct(self._shards.schema.field(column).type)
        return f"{column}.bytes" if is_struct else column

    def _row_names(self) -> list[str]:
        """Names of all images: of their files where each has one, else of shard and row."""
        files: list[Any] = [None]
        if self._image_bytes != self._columns.image:
            fields = self._shards.schema.field(self._columns.image).type
            if fields.get_field_index("path") >= 0:
                files = self._shards.column(f"{self._columns.image}.path")
        if all(files):
            named = [
                f"{split}/{printable(PurePosixPath(str(file).replace(chr(92), '/')).name)}"
                for split, file in zip(self._table_splits, files, strict=True)
            ]
            if max(Counter(named).values(), default=0) == 1:
                return named
        located = map(self._shards.locate, range(len(self._table_splits)))
        return [
            f"{split}/{PurePosixPath(file).stem}/{row:06}"
            for split, (file, row) in zip(self._table_splits, located, strict=True)
        ]

    def _read_labels(self, within: Path) -> list[Any] | None:
        """Sets `labels`; without masks also `image_labels`, by row, whose classes it returns."""
        columns, stated = self._columns, self.description
        if columns.label is None:
            self.mask_classes = MaskClasses.from_description(self.folder, stated, within=within)
            self.labels = self.mask_classes.labels
            return None
        values = [listed_classes(value) for value in self._shards.column(columns.label)]
        names: Mapping[int, str] | None = None
        if not any(isinstance(value, str) for row in values for value in row):
            if columns.names is not None and stated.classes is None:
                names = dict(enumerate(columns.names))
            else:
                names = MaskClasses.from_description(self.folder, stated, within=within).names
        where = f"{self.folder}, column {columns.label}"
        category = stated.category or "object"
        self.labels, self.image_labels = name_classes(values, names, category, where)
        return values

    def _why_left_out(self, row: int, labels: Sequence[Any] | None) -> str | None:
        if labels is None:
            return "no mask" if row in self._maskless else None
        return None if labels[row] else "no class"

    @cached_property
    def _maskless(self) -> frozenset[int]:
        """Rows without a mask."""
        import pyarrow as pa

        column = str(self._columns.mask)
        kind = self._shards.schema.field(column).type
        if not (pa.types.is_struct(kind) and kind.get_field_index("path") >= 0):
            return frozenset()
        # The path alone is small; where the whole value is null, so is the row of the struct.
        return frozenset(self._shards.nulls(f"{column}.path"))

    def _encoded(self, row: int, column: str) -> ImageBytes:
        file, inner = self._shards.locate(row)
        name = f"{self.folder / file}, row {inner}, {column.removesuffix('.bytes')}"
        content = self._shards.value(row, column)
        if content is None:
            raise DataError(
                f"{name}: the file of the image is not in the table; write it with "
                f"embed_external_files"
            )
        return ImageBytes(name, content)

    def faults(self) -> Iterator[str]:
        """Absent shards."""
        files = [file for files in self._split_files.values() for file in files]
        if absent := absent_shards(files):
            yield f"{self.folder}: {absent} of the shards that the names of others count are absent"


def _refuse_without_libraries(folder: Path) -> None:
    if find_spec("pyarrow") is None or find_spec("datasets") is None:
        raise DataError(f"{folder}: {_INSTALL}")
