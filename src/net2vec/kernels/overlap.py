"""Overlap of every filter's upsampled map with the masks of concepts, in exact integer counts.

The pixels between four neighbouring cells of the grid, a *square*, depend only on which of the four
corners are on: one of 16 patterns. So an image's masks are first counted by square and pattern, and
a filter's intersection with a mask is then a sum over the few squares that it touches. No map is
ever upsampled, and a filter that is off costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.kernels.upsample import Axis, aligned_axis

PATTERNS = 16


@dataclass(frozen=True)
class Squares:
    """How a mask of `rows` x `columns` pixels divides into squares of a grid.

    Attributes:
        grid: height and width of the grid.
        code: for every pixel, its square and its kind: `square * kinds + kind`. Pixels of a kind
            are on for the same patterns.
        on: whether pixels of a kind are on under a pattern. Bit 0 of a pattern is the square's
            upper left corner, then upper right, lower left, lower right.
        areas: pixels on, by square and pattern.
    """

    grid: tuple[int, int]
    size: tuple[int, int]
    code: Int[Tensor, "pixel"]
    on: Float[Tensor, "kind pattern"]
    areas: Int[Tensor, "square pattern"]

    @classmethod
    def of(
        cls, grid: tuple[int, int], size: tuple[int, int], device: torch.device | str = "cpu"
    ) -> Squares:
        """The squares of a grid under masks of a size."""
        rows, columns = aligned_axis(grid[0], size[0]), aligned_axis(grid[1], size[1])
        bits = _on_patterns(rows, columns)
        powers = 2 ** torch.arange(PATTERNS)
        kinds, kind = torch.unique((bits * powers).sum(-1), return_inverse=True)
        on = ((kinds[:, None] // powers) % 2).float()
        square = rows.lower[:, None] * columns.cells + columns.lower
        code = (square * len(kinds) + kind).flatten()
        counts = torch.bincount(code, minlength=rows.cells * columns.cells * len(kinds))
        areas = (counts.view(-1, len(kinds)).float() @ on).long()
        return cls(grid, size, code.to(device), on.to(device), areas.to(device))

    @property
    def count(self) -> int:
        """Number of squares."""
        return self.areas.shape[0]


def _on_patterns(rows: Axis, columns: Axis) -> Bool[Tensor, "row column pattern"]:
    """Whether a pixel is on under each pattern: strictly more than half of the weight is on."""
    below, right = rows.remainder[:, None], columns.remainder[None, :]
    above, left = rows.denominator - below, columns.denominator - right
    weights = torch.stack([above * left, above * right, below * left, below * right], -1)
    corners = (torch.arange(PATTERNS)[:, None] >> torch.arange(4)) & 1
    value = torch.einsum("yxc,pc->yxp", weights, corners)
    return 2 * value > rows.denominator * columns.denominator


@dataclass(frozen=True)
class Patterns:
    """Where filters touch squares in some images: the non-zero patterns.

    Attributes:
        image, filter, cell: one entry a (image, filter, square) with any corner on, images
            ascending; `cell` is `square * 16 + pattern`.
        starts: for every image its first entry, and at the end the number of entries.
    """

    filter: Int[Tensor, "entry"]
    cell: Int[Tensor, "entry"]
    starts: Int[Tensor, "image_and_end"]


def find_patterns(active: Bool[Tensor, "image filter y x"]) -> Patterns:
    """The non-zero patterns of thresholded maps."""
    corners = active.to(torch.uint8)
    # A grid of one row or column has no gap: its only one is both ends of the square.
    if corners.shape[2] == 1:
        corners = corners.expand(-1, -1, 2, -1)
    if corners.shape[3] == 1:
        corners = corners.expand(-1, -1, -1, 2)
    pattern = corners[:, :, :-1, :-1] | (corners[:, :, :-1, 1:] << 1)
    pattern = pattern | (corners[:, :, 1:, :-1] << 2) | (corners[:, :, 1:, 1:] << 3)
    flat = pattern.flatten(2)
    image, filters, square = torch.nonzero(flat, as_tuple=True)
    cell = square * PATTERNS + flat[image, filters, square].long()
    counts = torch.bincount(image, minlength=len(active))
    starts = torch.cat([counts.new_zeros(1), torch.cumsum(counts, 0)])
    return Patterns(filters, cell, starts)


def count_masks(
    masks: Bool[Tensor, "pair pixel"], squares: Squares
) -> Int[Tensor, "pair square_pattern"]:
    """Pixels of each mask that are on, by square and pattern."""
    pair, pixel = torch.nonzero(masks, as_tuple=True)
    kinds = squares.on.shape[0]
    codes = squares.count * kinds
    counts = torch.bincount(pair * codes + squares.code[pixel], minlength=len(masks) * codes)
    # Counts are below 2**24: products in single precision are exact.
    by_pattern = counts.view(-1, kinds).float() @ squares.on
    return by_pattern.to(torch.int32).view(len(masks), squares.count * PATTERNS)


def filter_areas(patterns: Patterns, squares: Squares, filters: int) -> Int[Tensor, "image filter"]:
    """Pixels on in each filter's upsampled map: sums of |M_k(x)|."""
    images = len(patterns.starts) - 1
    counts = patterns.starts[1:] - patterns.starts[:-1]
    image = torch.repeat_interleave(torch.arange(images, device=counts.device), counts)
    total = torch.zeros(images * filters, dtype=torch.int64, device=counts.device)
    total.index_add_(0, image * filters + patterns.filter, squares.areas.flatten()[patterns.cell])
    return total.view(images, filters)


def filter_intersections(
    patterns: Patterns,
    counted: Int[Tensor, "pair square_pattern"],
    image: Int[Tensor, "pair"],
    filters: int,
) -> Int[Tensor, "pair filter"]:
    """Pixels on in both a mask and each filter's upsampled map: |M_k(x) and L_c(x)|.

    Args:
        patterns: where filters touch squares.
        counted: the masks, from `count_masks`.
        image: the image of each mask, an index into those of `patterns`.
        filters: number of filters.
    """
    begin = patterns.starts[image]
    length = patterns.starts[image + 1] - begin
    pair = torch.repeat_interleave(torch.arange(len(image), device=image.device), length)
    offset = torch.cumsum(length, 0) - length
    entry = torch.arange(len(pair), device=image.device) - offset[pair] + begin[pair]
    gained = counted.flatten()[pair * counted.shape[1] + patterns.cell[entry]].long()
    total = torch.zeros(len(image) * filters, dtype=torch.int64, device=image.device)
    total.index_add_(0, pair * filters + patterns.filter[entry], gained)
    return total.view(len(image), filters)


def iou(
    intersection: Int[Tensor, "*shape"], union: Int[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Intersection over union, 0 where the union is empty (paper, equations 1 and 3)."""
    return torch.where(union > 0, intersection.double() / union.clamp(min=1), 0.0)
