"""The colour category, added to a dataset that has none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from PIL import Image

from net2vec.data.colors import COLOR_NAMES, name_colors
from net2vec.data.left_out import LeftOut, left_out_of
from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.views.relabelling import digest_view, image_size
from net2vec.data.views.sources import image_sources

COLOR = "color"
_RULE = 1
"""To be raised when `name_colors` changes its mind about some colour."""


class ColoredDataset:
    """A dataset with one more plane an image: the colour term of every pixel (`red-c`, ...).

    Bau et al. (2017) did the same for Broden, by the colour naming of van de Weijer et al. (2009);
    the rule here is `net2vec.data.colors.name_colors`.

    Args:
        dataset: one without the category "color".
    """

    def __init__(self, dataset: ProbeDataset) -> None:
        self._dataset = dataset
        names = [f"{name}-c" for name in COLOR_NAMES]
        added = [name for name in names if name not in dataset.labels]
        self.labels = (*dataset.labels, *added)
        self._number = np.array([0, *(self.labels.index(name) for name in names)], np.int32)
        self.categories = (*dataset.categories, COLOR)
        self.name = dataset.name
        self.images = dataset.images
        self.splits = dataset.splits

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's own and of the rule."""
        return digest_view("colored", [self._dataset.digest], _RULE)

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
        annotation = self._dataset.annotation(index)
        colors = self._number[name_colors(np.asarray(self._dataset.image(index)))]
        return Annotation((*annotation.planes, Plane(COLOR, colors)), annotation.image_labels)


def with_colors(dataset: ProbeDataset) -> ProbeDataset:
    """The dataset with the colour category: itself, where it has one already."""
    return dataset if COLOR in dataset.categories else ColoredDataset(dataset)
