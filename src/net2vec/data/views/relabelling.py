"""A dataset seen with other names: labels renamed, merged or dropped."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Integer
from PIL import Image

from net2vec.data.labels import number_names
from net2vec.data.left_out import LeftOut, left_out_of
from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.views.sources import image_sources
from net2vec.errors import DataError


class RelabelledDataset:
    """A dataset whose labels are renamed; labels that get the same name become one.

    Args:
        dataset: where images and annotations come from.
        names: the new name of every label to change, None to drop it. Names that the dataset does
            not have are passed over.
    """

    def __init__(self, dataset: ProbeDataset, names: Mapping[str, str | None]) -> None:
        self._dataset = dataset
        renamed = [names.get(name, name) or "" for name in dataset.labels]
        self.labels, numbers = number_names(renamed)
        self._number = np.array([numbers[name] for name in renamed], np.int32)
        self._changes = {name: names[name] for name in dataset.labels if name in names}
        self.name = dataset.name
        self.categories = tuple(dataset.categories)
        self.images = dataset.images
        self.splits = dataset.splits

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's own and of the changes."""
        return digest_view("relabelled", [self._dataset.digest], self._changes)

    @property
    def sources(self) -> Sequence[str]:
        """Name of the dataset that every image comes from."""
        return image_sources(self._dataset)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What the dataset leaves out."""
        return left_out_of(self._dataset)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return self._dataset.image(index)

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`."""
        return image_size(self._dataset, index)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        return renumber(self._dataset.annotation(index), self._number)


def without_labels(dataset: ProbeDataset, names: Collection[str]) -> ProbeDataset:
    """The dataset without some labels.

    Raises:
        DataError: the dataset has no label of such a name.
    """
    for name in names:
        check_label(dataset, name, "ignore")
    return RelabelledDataset(dataset, dict.fromkeys(names)) if names else dataset


def check_label(dataset: ProbeDataset, name: str, purpose: str) -> None:
    """Refuses the name of a label that a dataset does not have.

    Args:
        dataset: which should have it.
        name: the label's.
        purpose: what is asked to be done with it, for the message.

    Raises:
        DataError: so.
    """
    if name not in dataset.labels[1:]:
        close = difflib.get_close_matches(name, dataset.labels[1:], n=3)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise DataError(f"{dataset.name}: no label {name!r} to {purpose}{hint}")


def renumber(annotation: Annotation, number: Integer[np.ndarray, " label"]) -> Annotation:
    """An annotation with `number[label]` in the place of every label; 0 drops it."""
    planes = tuple(Plane(plane.category, number[plane.labels]) for plane in annotation.planes)
    pairs = ((category, int(number[label])) for category, label in annotation.image_labels)
    # Merged labels would otherwise be listed twice.
    return Annotation(planes, tuple(dict.fromkeys(pair for pair in pairs if pair[1])))


def digest_view(kind: str, digests: Sequence[str], settings: object) -> str:
    """Digest of a view: what it does, to which datasets, with which settings."""
    text = json.dumps([kind, list(digests), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def image_size(dataset: ProbeDataset, index: int) -> tuple[int, int]:
    """(height, width) of an image, without decoding it where the dataset can tell."""
    if hasattr(dataset, "image_size"):
        size: tuple[int, int] = dataset.image_size(index)
        return size
    width, height = dataset.image(index).size
    return height, width
