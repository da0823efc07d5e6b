"""Network Dissection's own measure: which concept each filter detects.

Activations are upsampled first and thresholded after, M_k = up(A_k) > T_k, with cells as equal
blocks of the image; and intersections and unions are summed over all images, of both splits, that
have any concept of the same category:

    IoU(k, c) = sum_x |M_k(x) & L_c(x)| / sum_x |M_k(x) | L_c(x)|

So a filter that fires in images without the concept pays for it, as it does not in the set IoU of
single filters (`net2vec.tasks.single`). A filter is a detector of the concept of its highest IoU
if that is above .04.

Source: Bau et al., Network Dissection, CVPR 2017, section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.geometry.upsample import centred_axis, upsampled


@dataclass(frozen=True)
class Dissection:
    """Counts of pixels for every label of a dataset and every filter of a layer.

    Attributes:
        hit: pixels of both, sum_x |M_k & L_c|.
        union: pixels of either, over the images that have a label of the same category.
    """

    hit: Int[np.ndarray, "label filter"]
    union: Int[np.ndarray, "label filter"]

    @property
    def iou(self) -> Float[np.ndarray, "label filter"]:
        """IoU; 0 where neither has a pixel."""
        iou_of_sums: Float[np.ndarray, "label filter"] = self.hit / np.maximum(self.union, 1)
        return iou_of_sums


class Dissector:
    """Counts the pixels of a layer's filters, image by image, in any order."""

    def __init__(self, annotations: Annotations, threshold: Float[Tensor, "filter"]) -> None:
        """Begin with no image.

        Args:
            annotations: of the dataset.
            threshold: T_k of each filter.
        """
        self.annotations = annotations
        self.threshold = threshold
        labels = len(annotations.names)
        _, self._category = np.unique(np.array(annotations.category), return_inverse=True)
        self._by_image = np.argsort(annotations.image, kind="stable")
        images = np.arange(len(annotations.is_train) + 1)
        self._starts = np.searchsorted(annotations.image[self._by_image], images)
        self._label = np.repeat(np.arange(labels), np.diff(annotations.starts))
        self._hit = np.zeros((labels, len(threshold)), dtype=np.int64)
        self._area = np.zeros(labels, dtype=np.int64)
        self._fired = np.zeros((int(self._category.max()) + 1, len(threshold)), dtype=np.int64)

    def add(self, image: int, output: Float[Tensor, "filter y x"]) -> None:
        """Count the pixels of an image.

        Args:
            image: its place in the dataset.
            output: the layer's output for it, on the CPU.
        """
        pairs = self._by_image[self._starts[image] : self._starts[image + 1]]
        if not len(pairs):
            return
        labels = self._label[pairs]
        # Interpolated values are never above the highest that they are made of.
        fires = output.amax((1, 2)) > self.threshold
        fired = np.flatnonzero(fires.numpy())
        maps = upsampled(output[fires], self.annotations.size, centred_axis)
        on = (maps > self.threshold[fires, None, None]).flatten(1).float()
        masks = torch.from_numpy(self.annotations.masks_of(pairs)).flatten(1).float()
        # Counts below 2**24 are exact in single precision.
        self._hit[labels[:, None], fired] += (masks @ on.T).long().numpy()
        self._area[labels] += self.annotations.area[pairs]
        present = np.unique(self._category[labels])
        self._fired[present[:, None], fired] += on.sum(1).long().numpy()

    def result(self) -> Dissection:
        """The counts of all images so far."""
        either = self._area[:, None] + self._fired[self._category] - self._hit
        return Dissection(self._hit, either)
