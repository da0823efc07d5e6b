"""Several datasets joined to one."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate

import numpy as np
from PIL import Image

from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.checked import annotation_of, digest_of
from net2vec.data.labels import number_names
from net2vec.data.left_out import LeftOut
from net2vec.data.optional import (
    annotators_of,
    image_size,
    image_sources,
    layout_of,
    left_out_of,
    missing_of,
    taken_of,
    unverified_of,
)
from net2vec.data.protocol import Annotation, ProbeDataset
from net2vec.data.views.relabelling import renumber
from net2vec.data.views.view import digest_view
from net2vec.errors import DataError


class JoinedDataset:
    """Several datasets one after another; labels and categories of equal name are merged.

    The name of an image begins with that of its dataset, as in `voc/2007_000032.jpg`. Datasets of
    the same name get a number.

    Args:
        datasets: one or more.

    Raises:
        DataError: if two datasets have the same digest, or one has none.
    """

    def __init__(self, datasets: Sequence[ProbeDataset]) -> None:
        self._datasets = tuple(datasets)
        repeated = [d for d, count in Counter(digest_of(d) for d in datasets).items() if count > 1]
        if repeated:
            twice = next(d.name for d in datasets if d.digest == repeated[0])
            raise DataError(f"{twice}: the same dataset is given twice; name it once")
        self.layout = ", ".join(dict.fromkeys(filter(None, map(layout_of, datasets))))
        self._prefixes = _numbered([dataset.name for dataset in datasets])
        self._ends = list(accumulate(len(dataset.images) for dataset in datasets))
        self.name = "+".join(self._prefixes)
        self.labels, numbers = number_names(name for d in datasets for name in d.labels)
        self._numbers = [np.array([numbers[name] for name in d.labels], np.int32) for d in datasets]
        self.categories = tuple(dict.fromkeys(name for d in datasets for name in d.categories))
        self.images = tuple(
            f"{prefix}/{image}"
            for prefix, dataset in zip(self._prefixes, datasets, strict=True)
            for image in dataset.images
        )
        self.splits = tuple(split for dataset in datasets for split in dataset.splits)

    @cached_property
    def digest(self) -> str:
        """Digest of the datasets' own digests and names, in their order."""
        return digest_view("joined", self._datasets, self._prefixes)

    @cached_property
    def sources(self) -> Sequence[str]:
        """By image, the name of the dataset that it comes from."""
        return tuple(
            f"{prefix}/{source}" if source != dataset.name else prefix
            for prefix, dataset in zip(self._prefixes, self._datasets, strict=True)
            for source in image_sources(dataset)
        )

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Items that the datasets leave out, with the dataset's name before each example."""
        return [
            replace(item, example=f"{prefix}/{item.example}")
            for prefix, dataset in zip(self._prefixes, self._datasets, strict=True)
            for item in left_out_of(dataset)
        ]

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """Roles that parts of the datasets' folders were given, with the datasets' names."""
        return [
            (f"{prefix}: {what}", as_what)
            for prefix, dataset in zip(self._prefixes, self._datasets, strict=True)
            for what, as_what in taken_of(dataset)
        ]

    @property
    def missing(self) -> Sequence[int]:
        """Indices of images that an index names and that are not there."""
        starts = [0, *self._ends]
        return [
            start + index
            for start, dataset in zip(starts, self._datasets, strict=False)
            for index in missing_of(dataset)
        ]

    @property
    def annotators(self) -> Sequence[AnnotatorRecord]:
        """The models that made masks of the datasets, each once."""
        return list(dict.fromkeys(one for d in self._datasets for one in annotators_of(d)))

    @property
    def unverified(self) -> frozenset[str]:
        """Labels that may be in images of a dataset that are not annotated with them."""
        return frozenset().union(*map(unverified_of, self._datasets))

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        part, position = self._locate(index)
        return self._datasets[part].image(position)

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`."""
        part, position = self._locate(index)
        return image_size(self._datasets[part], position)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        part, position = self._locate(index)
        return renumber(annotation_of(self._datasets[part], position), self._numbers[part])

    def _locate(self, index: int) -> tuple[int, int]:
        part = bisect.bisect_right(self._ends, index)
        return part, index - (self._ends[part - 1] if part else 0)


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    distinct: list[str] = []
    for name in names:
        candidate = name
        while candidate in distinct:
            seen[name] += 1
            candidate = f"{name}-{seen[name] + 1}"
        distinct.append(candidate)
    return distinct
