"""Many problems of a concept side by side, on a lattice of pixels: folds, strengths, subsets.

Cross-validation needs many solutions and few pixels. All problems share the images, the masks and
the weights of pixels; they differ in the images that they leave out. So a round is a few matrix
products for all of them: from weights to cells of the grid by a sparse matrix, from cells to the
lattice by two thin ones, and back. Where the grid is finer than the lattice, the sparse matrix
leads directly to the lattice. A *place* is a cell of the grid, or then a pixel of the lattice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from net2vec.core.devices import policy_of
from net2vec.kernels.backends import backend_of
from net2vec.kernels.backends.base import SparseMatrix
from net2vec.kernels.convex.histogram import BINS, bins_of
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.upsample import aligned_axis


@dataclass(frozen=True)
class _Block:
    """Some images of a lattice.

    Attributes:
        images: the images.
        to_places, to_filters: matrices from filters to places and back, images innermost.
        target: whether a pixel is in the mask.
        share: weight of a pixel in the loss.
    """

    images: slice
    to_places: SparseMatrix
    to_filters: SparseMatrix
    target: Float[Tensor, "pixel 1 image"]
    share: Float[Tensor, "pixel 1 image"]


@dataclass(frozen=True)
class Lattice:
    """Some pixels of a concept's images, those in a mask and those outside.

    Attributes:
        maps: thresholded maps of the images.
        rows, columns: weights of the grid's rows and columns in those of the lattice.
        inside: whether a pixel is in the concept's mask.
    """

    maps: SparseMaps
    rows: Float[Tensor, "y row"]
    columns: Float[Tensor, "x column"]
    inside: Bool[Tensor, "image y x"]

    @classmethod
    def of(
        cls,
        maps: SparseMaps,
        size: tuple[int, int],
        places: tuple[Sequence[int], Sequence[int]],
        inside: Bool[Tensor, "image y x"],
    ) -> Lattice:
        """A lattice of pixels.

        Args:
            maps: thresholded maps of the images.
            size: rows and columns of the masks.
            places: rows and columns of the lattice among these.
            inside: whether a pixel of the lattice is in the concept's mask.
        """
        rows, columns = (
            aligned_axis(cells, pixels).matrix()[list(chosen)].to(inside.device)
            for cells, pixels, chosen in zip(maps.grid, size, places, strict=True)
        )
        return cls(maps, rows, columns, inside)

    @cached_property
    def is_mixed(self) -> bool:
        """Whether there are pixels in the mask and outside; else the loss has no minimum."""
        return bool(self.inside.any()) and not bool(self.inside.all())

    def curvature(
        self,
        counts: Bool[Tensor, "problem image"],
        weight: Float[Tensor, "problem filter"] | None = None,
    ) -> Float[Tensor, "problem filter"]:
        """The second derivative along each weight, nearly.

        Args:
            counts: which images belong to each problem.
            weight: where; by default where it is largest, at 0.
        """
        total = self._zero(len(counts))
        for block in self._blocks(len(counts)):
            if weight is None:
                by_pixel = (block.share / 4).expand(-1, len(counts), -1).contiguous()
            else:
                p = self._value(weight, block).sigmoid_()
                by_pixel = (1 - p).mul_(p).mul_(block.share)
            total += self._back(by_pixel, block, counts[:, block.images])
        return total

    def gradient(
        self, weight: Float[Tensor, "problem filter"], counts: Bool[Tensor, "problem image"]
    ) -> Float[Tensor, "problem filter"]:
        """Gradients of the losses, without the L2 terms."""
        total = self._zero(len(counts))
        for block in self._blocks(len(counts)):
            error = self._value(weight, block).sigmoid_().sub_(block.target).mul_(block.share)
            total += self._back(error, block, counts[:, block.images])
        return total

    def loss(
        self, weight: Float[Tensor, "problem filter"], judge: Int[Tensor, "image"]
    ) -> Float[Tensor, "problem"]:
        """The losses over images, each by one of the problems, without the L2 terms.

        Args:
            weight: of every problem.
            judge: the problem by which each image is judged.
        """
        total = self._zero(len(weight))[:, 0]
        for block in self._blocks(len(weight)):
            value = self._judged(weight, block, judge[block.images])
            loss = softplus(value) - block.target[:, 0] * value
            by_image = (loss * block.share[:, 0]).sum(0)
            total.index_add_(0, judge[block.images], by_image.double())
        return total

    def histogram(
        self, weight: Float[Tensor, "problem filter"], judge: Int[Tensor, "image"], groups: int
    ) -> Int[np.ndarray, "group two bin"]:
        """Numbers of pixels by probability: all of them, and those in the masks.

        Args:
            weight: of every problem.
            judge: the problem by which each image is judged.
            groups: runs of neighbouring images that are counted separately.
        """
        numbers = groups * BINS
        counts = np.zeros((2, numbers), dtype=np.int64)
        image = torch.arange(len(self.maps), device=judge.device)
        start = (image * groups // len(self.maps) * BINS).int()
        for block in self._blocks(len(weight)):
            value = self._judged(weight, block, judge[block.images])
            index = bins_of(value.sigmoid_()) + start[block.images]
            inside = index[block.target[:, 0] > 0]
            backend = backend_of(index.device)
            counts += np.stack([backend.bincount(p.flatten(), numbers) for p in (index, inside)])
        return counts.reshape(2, groups, BINS).transpose(1, 0, 2)

    @property
    def _is_direct(self) -> bool:
        """Whether the grid has as many cells as the lattice has pixels, or more."""
        return self.maps.grid[0] * self.maps.grid[1] >= self.inside[0].numel()

    @property
    def _places(self) -> int:
        height, width = self.maps.grid
        return self.inside[0].numel() if self._is_direct else height * width

    def _zero(self, problems: int) -> Float[Tensor, "problem filter"]:
        shape = (problems, self.maps.filters)
        return torch.zeros(shape, dtype=torch.float64, device=self.inside.device)

    def _value(
        self, weight: Float[Tensor, "problem filter"], block: _Block
    ) -> Float[Tensor, "pixel problem image"]:
        """Z on the lattice."""
        images = block.target.shape[2]
        at = block.to_places.times(weight.float()).view(self._places, images, -1)
        return self._wide(at.transpose(1, 2).contiguous())

    def _judged(
        self, weight: Float[Tensor, "problem filter"], block: _Block, judge: Int[Tensor, "image"]
    ) -> Float[Tensor, "pixel image"]:
        """Z on the lattice, in each image by its own problem."""
        images = block.target.shape[2]
        at = block.to_places.times(weight.float()).view(self._places, images, -1)
        own = torch.gather(at, 2, judge[:, None].expand(self._places, -1, 1))
        return self._wide(own.transpose(1, 2).contiguous())[:, 0]

    def _wide(
        self, at: Float[Tensor, "place problem image"]
    ) -> Float[Tensor, "pixel problem image"]:
        """From cells of the grid to the lattice."""
        if self._is_direct:
            return at
        height, width = self.maps.grid
        high = self.rows @ at.view(height, -1)
        columns = self.columns.expand(len(self.rows), -1, -1)
        wide = torch.bmm(columns, high.view(len(self.rows), width, -1))
        return wide.view(-1, *at.shape[1:])

    def _back(
        self,
        by_pixel: Float[Tensor, "pixel problem image"],
        block: _Block,
        counts: Bool[Tensor, "problem image"],
    ) -> Float[Tensor, "problem filter"]:
        """From a gradient by pixels to one by filters, over the images of each problem."""
        problems, images = by_pixel.shape[1:]
        if not self._is_direct:
            height, width = len(self.rows), len(self.columns)
            columns = self.columns.T.expand(height, -1, -1)
            narrow = torch.bmm(columns, by_pixel.view(height, width, -1))
            by_pixel = (self.rows.T @ narrow.view(height, -1)).view(-1, problems, images)
        by_place = (by_pixel * counts).transpose(1, 2)
        return block.to_filters.times(by_place.reshape(-1, problems).T).T.double()

    def _blocks(self, problems: int) -> Iterator[_Block]:
        values = policy_of(self.inside.device).lattice_block_values
        images = max(1, values // (problems * max(self.inside[0].numel(), self._places)))
        if images not in self._by_size:
            starts = range(0, len(self.maps), images)
            self._by_size[images] = [self._block(first, first + images) for first in starts]
        yield from self._by_size[images]

    @cached_property
    def _by_size(self) -> dict[int, list[_Block]]:
        return {}

    def _block(self, first: int, last: int) -> _Block:
        last = min(last, len(self.maps))
        target = self.inside[first:last].flatten(1).T[:, None].float().contiguous()
        foreground = self.inside.sum().double()
        background = self.inside.numel() - foreground
        share = torch.where(target > 0, 0.5 / foreground, 0.5 / background).float()
        matrix = self._matrix(first, last)
        backend = backend_of(target.device)
        forth, back = (backend.sparse_matrix(part, target) for part in (matrix, matrix.T))
        return _Block(slice(first, last), forth, back, target, share)

    def _matrix(self, first: int, last: int) -> scipy.sparse.csr_array:
        cells, images = self.maps.grid[0] * self.maps.grid[1], last - first
        part = self.maps.slice_images(first, last)
        row = part.cell.cpu().numpy().astype(np.int64) * images + part.image().cpu().numpy()
        ones = np.ones(len(row), dtype=np.float32)
        column = part.filter.cpu().numpy()
        shape = (cells * images, self.maps.filters)
        on = scipy.sparse.csr_array((ones, (row, column)), shape=shape)
        if not self._is_direct:
            return on
        axes = (scipy.sparse.csr_array(axis.cpu().numpy()) for axis in (self.rows, self.columns))
        each = scipy.sparse.eye_array(images, dtype=np.float32)
        up = scipy.sparse.kron(scipy.sparse.kron(*axes), each, format="csr")
        return scipy.sparse.csr_array(up @ on)
