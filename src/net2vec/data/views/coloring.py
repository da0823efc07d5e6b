"""View of a dataset with the colour category added."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from net2vec.data.checked import annotation_of, image_of
from net2vec.data.colors import COLOR_NAMES, name_colors
from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.views.view import DatasetView, digest_view

COLOR = "color"
_RULE = 1
"""Version of the rule, to be raised when `name_colors` gives another name to any colour."""


class ColoredDataset(DatasetView):
    """A dataset with one more plane an image: the colour term of every pixel (`red-c`, ...).

    Broden (Bau et al. 2017) has the same category, with the colour naming of van de Weijer et al.
    (2009); the rule here is `net2vec.data.colors.name_colors`.

    Args:
        dataset: a dataset without the category "color".
    """

    def __init__(self, dataset: ProbeDataset) -> None:
        super().__init__(dataset)
        names = [f"{name}-c" for name in COLOR_NAMES]
        added = [name for name in names if name not in dataset.labels]
        self.labels = (*dataset.labels, *added)
        self._number = np.array([0, *(self.labels.index(name) for name in names)], np.int32)
        self.categories = (*dataset.categories, COLOR)

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's digest and the version of the rule."""
        return digest_view("colored", [self._dataset], _RULE)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        annotation = annotation_of(self._dataset, index)
        colors = self._number[name_colors(np.asarray(image_of(self._dataset, index)))]
        return Annotation((*annotation.planes, Plane(COLOR, colors)), annotation.image_labels)


def with_colors(dataset: ProbeDataset) -> ProbeDataset:
    """The dataset with the colour category; unchanged if it has one."""
    return dataset if COLOR in dataset.categories else ColoredDataset(dataset)
