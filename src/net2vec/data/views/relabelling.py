"""A dataset seen with other names: labels renamed, merged or dropped."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from functools import cached_property

import numpy as np
from jaxtyping import Integer

from net2vec.data.checked import annotation_of
from net2vec.data.labels import number_names
from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.views.view import DatasetView, digest_view
from net2vec.errors import DataError


class RelabelledDataset(DatasetView):
    """A dataset whose labels are renamed; labels that get the same name become one.

    Args:
        dataset: where images and annotations come from.
        names: the new name of every label to change, None to drop it. Names that the dataset does
            not have are passed over.
    """

    def __init__(self, dataset: ProbeDataset, names: Mapping[str, str | None]) -> None:
        super().__init__(dataset)
        renamed = [names.get(name, name) or "" for name in dataset.labels]
        self.labels, numbers = number_names(renamed)
        self._number = np.array([numbers[name] for name in renamed], np.int32)
        self._changes = {name: names[name] for name in dataset.labels if name in names}

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's own and of the changes."""
        return digest_view("relabelled", [self._dataset], self._changes)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        return renumber(annotation_of(self._dataset, index), self._number)


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
