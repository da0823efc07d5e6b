"""The base class of dataset readers, and the table of pixel values that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int, Integer
from PIL import Image

from net2vec.data.checked import annotation_of, image_of
from net2vec.data.description import Description
from net2vec.data.files import refuse_links_out, root_of_links
from net2vec.data.image_files import ImageSource
from net2vec.data.images import read_image, read_image_size
from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import Annotation, ProbeDataset
from net2vec.errors import DataError


@dataclass(frozen=True)
class Evidence:
    """Signs in a folder for and against a reader's being the one to read it.

    Attributes:
        found: files and folders of its layout, for messages; none if it is another layout.
        against: why it would not read the whole folder as what it is.
    """

    found: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the reader can read the folder as far as it can tell."""
        return bool(self.found) and not self.against


class Reader(ABC):
    """A probe dataset (`net2vec.data.ProbeDataset`) that is read from a folder of one layout.

    A subclass states the class attributes, sets the attributes below when it is opened, and reads
    images and masks only on request. Other packages add theirs under the entry-point group
    `net2vec.readers`; the built-in ones are listed in `net2vec.data.readers`.

    Args:
        folder: the dataset's.
        stated: statements of the user about it; passed only if the reader `takes` anything.

    Attributes:
        layout: name of the layout.
        marks: files or folders by which the layout is recognised, for messages.
        takes: fields of `Description` that the reader asks for; others are refused.
        is_fallback: whether the reader recognises nearly any folder of images, so that all other
            readers take precedence over it.
        is_outermost: whether of a folder and the only one in it, which both have the layout, the
            outer one is the dataset's, since files that describe it lie there.
        folder: the dataset's.
        root: the folder that the names in `images` are relative to.
        name, labels, categories, images, splits: as in `ProbeDataset`.
        left_out: images, annotations, ... of the folder that are not part of the dataset.
        taken: roles and the parts of the folder that have them, as ("masks", "SegmentationClass").
        notes: readings that may surprise, as such pairs.
        reading: why the folder is read by this reader, as such pairs.
        missing: indices of images that an index names and that are not in the folder.
    """

    layout: ClassVar[str]
    marks: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()
    is_fallback: ClassVar[bool] = False
    is_outermost: ClassVar[bool] = False

    labels: Sequence[str]
    categories: Sequence[str]
    images: Sequence[str]
    splits: Sequence[str]

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        self.folder = self.root = Path(folder)
        self.description = description or Description()
        self.reading: Sequence[tuple[str, str]] = ()
        place = self.folder.resolve()
        repository = root_of_links(place)
        # In the hub's cache the folder is called as a commit, and the one around it ORG--NAME.
        name = place.name if repository == place else repository.name.rpartition("--")[2]
        # A name that is not UTF-8 could not be printed.
        self.name = name.encode(errors="replace").decode()

    @classmethod
    @abstractmethod
    def examine(cls, folder: Path) -> Evidence:
        """Evidence for and against this layout, from names and, for tables, their content."""

    @classmethod
    def open_for_check(cls, folder: Path, description: Description) -> Reader:
        """The dataset, where possible also one whose `faults` would make opening it fail."""
        return cls(folder, description) if cls.takes else cls(folder)

    @property
    @abstractmethod
    def digest(self) -> str:
        """Digest of everything that determines the images and annotations."""

    @abstractmethod
    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return read_image(self._image_source(index))

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from its header."""
        return read_image_size(self._image_source(index))

    def split_taken(self, drawn: int) -> tuple[str, str]:
        """A pair of `taken`: where the splits are from, given how many images were drawn."""
        rule = self.description.splits
        if rule.listed:
            return "splits", "stated lists"
        stated = f"stated: {', '.join(rule.val)} validates; " if rule.val else ""
        if not drawn:
            return "splits", f"{stated}by names of folders and lists"
        how = "the rest trains" if rule.val else (
            f"drawn by names, {rule.share:.0%} to validate, seed {rule.seed}"
        )  # fmt: skip
        return "splits", f"{stated}{how} ({drawn} of {len(self.images)} images)"

    def _image_source(self, index: int) -> ImageSource:
        """The file of the image at `index`; a subclass may have it within another file."""
        path = self.root / self.images[index]
        refuse_links_out(self.folder, path)
        return path

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """By default nothing; see the class."""
        return ()

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """By default nothing; see the class."""
        return ()

    @property
    def notes(self) -> Sequence[tuple[str, str]]:
        """Concepts whose names differ in case alone; a subclass may add to them."""
        spelt: dict[str, list[str]] = defaultdict(list)
        for name in self.labels[1:]:
            spelt[name.lower()].append(name)
        return [
            ("two concepts", f"{' and '.join(names)}, which differ in case alone")
            for names in spelt.values()
            if len(names) > 1
        ]

    @property
    def missing(self) -> Sequence[int]:
        """Indices of images that an index names and that are not in the folder."""
        return ()

    def faults(self) -> Iterator[str]:
        """Files and entries that are ignored but probably not on purpose, as `file: reason`."""
        yield from ()

    def image_faults(self, index: int) -> Iterator[str]:
        """Errors in reading an image and its annotation, as `file: reason`."""
        return image_faults(self, index)

    def why_empty(self) -> str:
        """A likely reason if no image has any label; empty if none is known."""
        return ""


def image_faults(dataset: ProbeDataset, index: int) -> Iterator[str]:
    """Errors in reading an image and its annotation, as `file: reason`."""
    for read in (image_of, annotation_of):
        try:
            read(dataset, index)
        except DataError as error:
            yield str(error)


def label_table(labels: Mapping[int, int]) -> Int[np.ndarray, "value"]:
    """Label number by pixel value; -1 for values that are not in `labels`."""
    table = np.full(max(labels) + 1, -1, np.int32)
    table[list(labels)] = list(labels.values())
    return table


def look_up(
    table: Int[np.ndarray, "value"], values: Integer[np.ndarray, "y x"]
) -> tuple[Int[np.ndarray, "y x"], int | None]:
    """Label numbers of pixel values, and the smallest value that is not in the table, if any."""
    known = (values >= 0) & (values < len(table))
    labels = table[np.where(known, values, 0)]
    known &= labels >= 0
    return labels, None if known.all() else int(values[~known].min())
