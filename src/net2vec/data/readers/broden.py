"""Broden's folder layout (Bau et al. 2017, Network Dissection), read lazily.

`index.csv` has a row an image and a column a category, whose cells hold masks and image-level
labels separated by semicolons. A mask is an RGB image of label numbers, red + 256 * green; an
image-level label is a decimal number. `label.csv` names the numbers, `category.csv` the categories.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int
from PIL import Image

from net2vec.data.files import digest_files, inside
from net2vec.data.images import read_color_mask, read_image, read_image_size
from net2vec.data.protocol import SPLITS, Annotation, Plane
from net2vec.errors import DataError

INDEX, LABELS, CATEGORIES = "index.csv", "label.csv", "category.csv"
UNKNOWN_LABEL = -1


def is_broden(folder: Path) -> bool:
    """Whether the folder has Broden's index, or what is left when that is lost."""
    tables = [name for name in (INDEX, LABELS, CATEGORIES) if (folder / name).is_file()]
    return INDEX in tables or len(tables) == 2


class BrodenDataset:
    """A folder in Broden's layout.

    Opening it reads the three tables; image files and masks are touched only when asked for. Label
    numbers of the folder are kept where they run from 1 without a gap, else closed up.

    Args:
        folder: the folder that holds `index.csv`.

    Raises:
        DataError: a table is missing or does not say what it should; the message names the table,
            the row and what was wanted.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        tables = BrodenTables.read(self.folder)
        faults = tables.faults()
        if faults:
            more = f" (and {len(faults) - 1} more; see `net2vec data check`)" if faults[1:] else ""
            raise DataError(faults[0] + more)
        self.name = self.folder.resolve().name
        self.labels: tuple[str, ...] = ("", *tables.label["name"])
        self.categories: tuple[str, ...] = tuple(tables.category["name"])
        self.images: tuple[str, ...] = tuple(tables.index["image"])
        self.splits: tuple[str, ...] = tuple(tables.index["split"])
        self._cells = {name: tables.cells(name) for name in self.categories}
        self._mask_sizes = tables.mask_sizes()
        numbers = tables.label["number"].astype(int).to_numpy()
        self._label_at = np.full(numbers.max(initial=0) + 1, UNKNOWN_LABEL, np.int32)
        self._label_at[0] = 0
        self._label_at[numbers] = np.arange(1, len(numbers) + 1)

    @cached_property
    def digest(self) -> str:
        """Digest of the three tables and of the sizes of all files that the index names."""
        root = self.folder
        masks = (
            root / "images" / token
            for column in self._cells.values()
            for cell in column
            for token in _tokens(cell)
            if not token.isdecimal()
        )
        files = [*(root / "images" / name for name in self.images), *masks]
        return digest_files(root, [root / name for name in (INDEX, LABELS, CATEGORIES)], files)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return read_image(inside(self.folder / "images", self.images[index]))

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from its header."""
        return read_image_size(inside(self.folder / "images", self.images[index]))

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        planes: list[Plane] = []
        image_labels: list[tuple[str, int]] = []
        for category, column in self._cells.items():
            for token in _tokens(column[index]):
                if token.isdecimal():
                    # Broden writes 0 for labels that were too rare to get a number.
                    if int(token):
                        image_labels.append((category, self._image_label(index, int(token))))
                else:
                    planes.append(Plane(category, self._mask(index, token)))
        return Annotation(tuple(planes), tuple(image_labels))

    def _image_label(self, index: int, number: int) -> int:
        if number >= len(self._label_at) or self._label_at[number] == UNKNOWN_LABEL:
            where = f"{self.folder / INDEX}: {self.images[index]}"
            raise DataError(f"{where} has the label number {number}, which is not in {LABELS}")
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
        if not known.all() or (labels == UNKNOWN_LABEL).any():
            number = numbers[~known | (labels == UNKNOWN_LABEL)].min()
            raise DataError(f"{path}: the label number {number} is not in {LABELS}")
        return labels


def _tokens(cell: str) -> list[str]:
    """The masks and label numbers of one cell of the index."""
    return [token.strip() for token in cell.split(";") if token.strip()]


class BrodenTables:
    """The tables of a folder in Broden's layout, as text, before anything in them is believed.

    Attributes:
        folder: where they are.
        index: a row an image.
        label: a row a label.
        category: a row a category.
    """

    def __init__(
        self, folder: Path, index: pd.DataFrame, label: pd.DataFrame, category: pd.DataFrame
    ) -> None:
        self.folder, self.index, self.label, self.category = folder, index, label, category

    @classmethod
    def read(cls, folder: Path) -> BrodenTables:
        """Reads the tables.

        Raises:
            DataError: one is missing, is no table, or lacks a column.
        """
        return cls(
            folder,
            _table(folder / INDEX, ("image", "split")),
            _table(folder / LABELS, ("number", "name")),
            _table(folder / CATEGORIES, ("name",)),
        )

    def cells(self, category: str) -> list[str]:
        """What the index says of a category, image by image."""
        if category not in self.index:
            return [""] * len(self.index)
        return list(self.index[category])

    def mask_sizes(self) -> list[tuple[int, int]] | None:
        """The (height, width) of the masks of every image, where the index gives them."""
        if not {"sh", "sw"} <= set(self.index):
            return None
        sizes = zip(self.index["sh"].astype(int), self.index["sw"].astype(int), strict=True)
        return list(sizes)

    def faults(self) -> list[str]:
        """Everything that contradicts the layout within the tables, a line each."""
        index, label, category = (self.folder / name for name in (INDEX, LABELS, CATEGORIES))
        found = []
        if self.index.empty:
            found.append(f"{index}: no images")
        for image in _repeated(self.index["image"]):
            found.append(f"{index}: duplicate row of {image}")
        for row in self.index.loc[~self.index["split"].isin(SPLITS)].itertuples():
            found.append(f"{index}: {row.image} has the split {row.split!r}; wanted train or val")
        for column in {"sh", "sw"} & set(self.index):
            for row in self.index.loc[~self.index[column].str.isdecimal()].itertuples():
                found.append(f"{index}: {row.image} has no whole number as {column}")
        for number in self.label.loc[
            ~self.label["number"].str.fullmatch("[1-9][0-9]{0,4}"), "number"
        ]:
            found.append(f"{label}: {number!r} is no label number (1 to 65535)")
        for number in _repeated(self.label["number"]):
            found.append(f"{label}: label number {number} stands twice")
        for name in _repeated(self.label["name"]):
            found.append(f"{label}: the name {name!r} stands twice")
        if (self.label["name"] == "").any():
            found.append(f"{label}: a label without a name")
        for name in _repeated(self.category["name"]):
            found.append(f"{category}: the category {name!r} stands twice")
        unnamed = set(self.index.columns) - {"image", "split", "ih", "iw", "sh", "sw"}
        for name in sorted(unnamed - set(self.category["name"])):
            found.append(f"{index}: the column {name!r} is no category of {CATEGORIES}")
        return found


def _table(path: Path, wanted: tuple[str, ...]) -> pd.DataFrame:
    try:
        # Without keep_default_na a label named "null" or "NA" would become a missing value.
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except (OSError, ValueError) as fault:
        raise DataError(f"{path}: not a table ({fault})") from None
    missing = [name for name in wanted if name not in table]
    if missing:
        raise DataError(f"{path}: lacks the column {missing[0]!r}")
    return table


def _repeated(column: pd.Series[str]) -> list[str]:
    return list(column[column.duplicated()].unique())
