"""The images of a concept as the linear discriminant looks at them: activations, masks, z, counts.

A cell is a block of the image, and counts as foreground by the share of it that the mask covers. Z
is interpolated between the centres of the cells; the paper's fits keep corners aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.histogram import SCORE_GROUPS, best_share
from net2vec.kernels.discriminant.maps import (
    bin_counts,
    count_pixels,
    grid_values,
    lattice_values,
    limits_of,
    value_of,
)
from net2vec.kernels.geometry.upsample import block_means
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import Counts, grid_of, masks_on
from net2vec.tasks.fits.cross_validation import stretches
from net2vec.tasks.fits.pixel_lattice import lattice_axes

# Values of the training images of a concept that are kept in memory between looks, at most.
_LOADED_VALUES = 1 << 26
# Images whose pixels are counted at a time: their maps stay in the caches.
_COUNTED_IMAGES = 16

Some = slice | Int[np.ndarray, "image"]
"""Some of the images of a split, by their places in it."""


class ConceptImages:
    """The training and validation images that contain a concept, on a layer.

    Splits are numbered: 0 training, 1 validation.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        label: the concept.
        device: where maps are computed.

    Raises:
        ValueError: if the activations of the layer were not kept.
    """

    def __init__(
        self,
        recording: LayerRecording,
        annotations: Annotations,
        label: int,
        device: torch.device | str,
    ) -> None:
        if recording.activations is None:
            raise ValueError(f"the activations of layer {recording.layer} were not kept")
        self.recording = recording
        self.kept = recording.activations
        self.annotations = annotations
        self.device = torch.device(device)
        self.grid = grid_of(recording)
        self.pairs = [annotations.pairs(label, train=train) for train in (True, False)]
        self._loaded: Tensor | None = None
        # Training images are looked at many times.
        self._training = self.kept
        if len(self.pairs[0]) * self.cells * recording.filters <= _LOADED_VALUES:
            self._loaded = self.activations(0, slice(None))
        else:
            self._training = self.kept.close_by(annotations.image[self.pairs[0]])

    def with_masks(self, annotations: Annotations) -> ConceptImages:
        """The same images with other masks; activations in memory are shared.

        Args:
            annotations: they differ in the masks alone.
        """
        found = copy(self)
        found.annotations = annotations
        found._forget("shares", "_lattice")
        return found

    def thinned(self, limit: int) -> ConceptImages:
        """The same with so many training images at most, evenly spread.

        Args:
            limit: number of images.
        """
        images = len(self.pairs[0])
        if images <= limit:
            return self
        some = np.arange(limit) * images // limit
        found = copy(self)
        found.pairs = [self.pairs[0][some], self.pairs[1]]
        found._forget("_lattice")
        vars(found)["shares"] = self.shares[torch.from_numpy(some)]
        if limit * self.cells * self.recording.filters <= _LOADED_VALUES:
            found._loaded = self.activations(0, some)
        return found

    def _forget(self, *names: str) -> None:
        for name in names:
            vars(self).pop(name, None)

    @property
    def cells(self) -> int:
        """Cells of the grid."""
        return self.grid[0] * self.grid[1]

    def activations(self, split: int, some: Some) -> Float[Tensor, "image cell filter"]:
        """The activations of some of the images of a split."""
        if split == 0 and self._loaded is not None:
            return self._loaded[some if isinstance(some, slice) else torch.from_numpy(some)]
        images = self.annotations.image[self.pairs[split][some]]
        kept = self._training if split == 0 else self.kept
        return kept.of(images).to(self.device)

    def masks(self, split: int, some: Some) -> Bool[Tensor, "image row column"]:
        """The masks of some of the images of a split."""
        return masks_on(self.device, self.annotations, self.pairs[split][some])

    @cached_property
    def shares(self) -> Float[Tensor, "image cell"]:
        """The share of every cell of the training images that the mask covers."""
        found = torch.empty(len(self.pairs[0]), self.cells, device=self.device)
        for some in self.kept.blocks(len(found)):
            found[some] = block_means(self.masks(0, some), self.grid).flatten(1)
        return found

    def values(self, weight: Float[Tensor, "vector filter"]) -> Float[Tensor, "vector image cell"]:
        """Z of some vectors on the grid of all training images.

        Args:
            weight: the vectors, which weigh activations as they are.
        """
        weight = weight.to(self.device)
        found = torch.empty(len(weight), *self.shares.shape, device=self.device)
        for some in self.kept.blocks(len(self.shares)):
            cells = self.activations(0, some).flatten(0, 1)
            found[:, some] = (cells @ weight.T).T.view(len(weight), -1, self.cells)
        return found

    def weighted_sums(
        self, value: Float[Tensor, "vector image cell"]
    ) -> Float[Tensor, "vector filter"]:
        """Sums of the activations of all cells of training images, each times a number.

        Args:
            value: the numbers.
        """
        found = torch.zeros(len(value), self.recording.filters, dtype=torch.float64)
        for some in self.kept.blocks(len(self.shares)):
            found += (value[:, some].flatten(1) @ self.activations(0, some).flatten(0, 1)).cpu()
        return found

    def best_cuts(self, weight: Float[Tensor, "vector filter"]) -> Float[Tensor, "vector"]:
        """For every vector the cut of z with the best set IoU on training images.

        Neither z nor the cut depends on the other vectors.

        Args:
            weight: as for `values`.
        """
        weight = weight.to(self.device)
        found = torch.empty(len(weight), *self.shares.shape, device=self.device)
        for some in self.kept.blocks(len(self.shares)):
            found[:, some] = grid_values(self.activations(0, some), weight).transpose(0, 1)
        return torch.tensor([self.best_cut(value) for value in found], dtype=torch.float64)

    def best_cut(self, value: Float[Tensor, "image cell"]) -> float:
        """The cut of z with the best set IoU on training images.

        Args:
            value: z on the grid.
        """
        lattice, masks = self._lattice
        at_pixels = lattice_values(value.view(-1, *self.grid), self.annotations.size, lattice)
        limits = limits_of(at_pixels)
        group = stretches(len(value), SCORE_GROUPS)
        return value_of(best_share(bin_counts(at_pixels, masks, group, limits)), limits)

    @cached_property
    def _lattice(
        self,
    ) -> tuple[tuple[Int[Tensor, "row"], Int[Tensor, "column"]], Bool[Tensor, "image row column"]]:
        """Rows and columns of the pixels that cuts are chosen by, and the masks there."""
        axes = lattice_axes(self.recording, self.annotations, self.pairs[0])
        rows, columns = (torch.tensor(places) for places in axes)
        blocks = self.kept.blocks(len(self.pairs[0]))
        masks = [self.masks(0, some)[:, rows][:, :, columns] for some in blocks]
        return (rows, columns), torch.cat(masks)

    def count(
        self,
        split: int,
        weight: Float[Tensor, "vector filter"],
        bias: Float[Tensor, "vector"],
        cut: Float[Tensor, "vector"],
        masked: Sequence[ConceptImages] = (),
    ) -> list[Counts]:
        """For every vector its pixels in the images of a split.

        Args:
            split: the split.
            weight: as for `values`.
            bias: added to z.
            cut: a pixel is predicted where z + bias is above it.
            masked: by vector, the same images with the masks that it is judged by; by default all
                are judged by the masks of these.
        """
        masked = masked or [self]
        pairs = self.pairs[split]
        size, hit = np.zeros((2, len(weight), len(pairs)), dtype=np.int64)
        weight, bias, cut = (part.to(self.device) for part in (weight, bias, cut))
        for some in self.kept.blocks(len(pairs)):
            values = grid_values(self.activations(split, some), weight)
            values = values.reshape(*values.shape[:2], *self.grid)
            for first in range(0, len(values), _COUNTED_IMAGES):
                here = values[first : first + _COUNTED_IMAGES]
                at = slice(some.start + first, some.start + first + len(here))
                for i in range(len(weight)):
                    if i < len(masked):
                        masks = masked[i].masks(split, at)
                    found = count_pixels(here[:, i], bias[i], cut[i], masks)
                    size[i, at], hit[i, at] = (part.cpu().numpy() for part in found)
        area = np.stack([one.annotations.area[pairs] for one in masked]).astype(np.int64)
        return [Counts(*each) for each in zip(hit, size + area - hit, strict=True)]
