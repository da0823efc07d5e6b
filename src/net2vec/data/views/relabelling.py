"""Views of a dataset with labels renamed, merged or dropped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

import numpy as np
from jaxtyping import Integer

from net2vec.core.messages import did_you_mean
from net2vec.data.checked import annotation_of
from net2vec.data.labels import number_names
from net2vec.data.optional import unverified_of
from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.views.view import DatasetView, digest_view
from net2vec.errors import DataError


class RelabelledDataset(DatasetView):
    """A dataset with renamed labels; labels renamed to the same name are merged.

    Args:
        dataset: where images and annotations come from.
        names: new name of each label to change, None to drop it; names of no label are ignored.
    """

    def __init__(self, dataset: ProbeDataset, names: Mapping[str, str | None]) -> None:
        super().__init__(dataset)
        renamed = [names.get(name, name) or "" for name in dataset.labels]
        self.labels, numbers = number_names(renamed)
        self._number = np.array([numbers[name] for name in renamed], np.int32)
        self._changes = {name: names[name] for name in dataset.labels if name in names}

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's digest and the changes."""
        return digest_view("relabelled", [self._dataset], self._changes)

    @property
    def unverified(self) -> frozenset[str]:
        """Labels that may be in images that are not annotated with them, by their new names."""
        names = zip(self._dataset.labels, self._number, strict=True)
        unverified = unverified_of(self._dataset)
        return frozenset(self.labels[n] for name, n in names if n and name in unverified)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        return renumber(annotation_of(self._dataset, index), self._number)


def without_labels(dataset: ProbeDataset, names: Collection[str]) -> ProbeDataset:
    """The dataset without some labels.

    Raises:
        DataError: if the dataset has no label of one of the names.
    """
    for name in names:
        check_label(dataset, name, "ignore")
    return RelabelledDataset(dataset, dict.fromkeys(names)) if names else dataset


def check_label(dataset: ProbeDataset, name: str, purpose: str) -> None:
    """Checks that a dataset has a label.

    Args:
        dataset: the dataset.
        name: name of the label.
        purpose: the user's intention, for the message.

    Raises:
        DataError: if the dataset has no such label.
    """
    if name not in dataset.labels[1:]:
        hint = did_you_mean(name, dataset.labels[1:], "`net2vec data info` lists them")
        raise DataError(f"{dataset.name}: no label {name!r} to {purpose}; {hint}")


def renumber(annotation: Annotation, number: Integer[np.ndarray, " label"]) -> Annotation:
    """An annotation with every label replaced by `number[label]`; 0 drops it."""
    planes = tuple(Plane(plane.category, number[plane.labels]) for plane in annotation.planes)
    pairs = ((category, int(number[label])) for category, label in annotation.image_labels)
    # Merged labels would otherwise occur twice.
    return Annotation(planes, tuple(dict.fromkeys(pair for pair in pairs if pair[1])))
