"""Several datasets seen as one."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np
from PIL import Image

from net2vec.data.checked import annotation_of, digest_of
from net2vec.data.labels import number_names
from net2vec.data.left_out import LeftOut, left_out_of_several
from net2vec.data.protocol import Annotation, ProbeDataset
from net2vec.data.views.relabelling import renumber
from net2vec.data.views.sources import image_sources
from net2vec.data.views.view import digest_view, image_size
from net2vec.errors import DataError


class JoinedDataset:
    """Datasets one after another; labels of equal name are one concept, categories likewise.

    Images are named after their dataset, as in `voc/2007_000032.jpg`. Datasets of one name are
    told apart by a number.

    Args:
        datasets: at least one.

    Raises:
        DataError: one dataset is given twice, or has no digest to tell.
    """

    def __init__(self, datasets: Sequence[ProbeDataset]) -> None:
        self._datasets = tuple(datasets)
        repeated = [d for d, count in Counter(digest_of(d) for d in datasets).items() if count > 1]
        if repeated:
            twice = next(d.name for d in datasets if d.digest == repeated[0])
            raise DataError(f"{twice}: the same dataset is given twice; name it once")
        self._prefixes = _distinct([dataset.name for dataset in datasets])
        self._interval_bounds = list(accumulate(len(dataset.images) for dataset in datasets))
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
        """Name of the dataset that every image comes from."""
        return tuple(
            f"{prefix}/{source}" if source != dataset.name else prefix
            for prefix, dataset in zip(self._prefixes, self._datasets, strict=True)
            for source in image_sources(dataset)
        )

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What the datasets leave out."""
        return left_out_of_several(self._datasets, self._prefixes)

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
        part = bisect.bisect_right(self._interval_bounds, index)
        return part, index - (self._interval_bounds[part - 1] if part else 0)


def _distinct(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    distinct: list[str] = []
    for name in names:
        candidate = name
        while candidate in distinct:
            seen[name] += 1
            candidate = f"{name}-{seen[name] + 1}"
        distinct.append(candidate)
    return distinct
