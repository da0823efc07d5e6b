"""Overlap of every filter's upsampled map with the masks of concepts, in exact integer counts.

The pixels between four neighbouring cells of the grid, a *square*, depend only on which of the four
corners are on: one of 16 patterns. So an image's masks are first counted by square and pattern, and
a filter's intersection with a mask is then a sum over the few squares that it touches: a product of
a very sparse matrix (filters by squares and patterns) with a table (squares and patterns by masks).
No map is ever upsampled, and an inactive filter costs nothing. On grids so fine that squares and
patterns outnumber the pixels, the pixels are counted instead. A *place* below is a square with a
pattern, or a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.kernels.backends import backend_of
from net2vec.kernels.geometry.upsample import Axis, aligned_axis

PATTERNS = 16


@dataclass(frozen=True)
class Squares:
    """The division of a mask of `rows` x `columns` pixels into squares of a grid.

    Attributes:
        grid: height and width of the grid.
        code: for every pixel, its square and its kind: `square * kinds + kind`. Pixels of a kind
            are on for the same patterns.
        on: whether pixels of a kind are on under a pattern. Bit 0 of a pattern is the square's
            upper left corner, then upper right, lower left, lower right.
        areas: pixels on, by square and pattern.
        pixel_starts, pixels: the pixels on, listed by square and pattern.
    """

    grid: tuple[int, int]
    size: tuple[int, int]
    code: Int[Tensor, "pixel"]
    on: Float[Tensor, "kind pattern"]
    areas: Int[Tensor, "square pattern"]
    pixel_starts: Int[Tensor, "square_pattern_and_end"]
    pixels: Int[Tensor, "on"]

    @classmethod
    @lru_cache(maxsize=8)
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
        lists = bits & (torch.arange(PATTERNS) > 0)
        pixel, pattern = torch.nonzero(lists.flatten(0, 1), as_tuple=True)
        place = square.flatten()[pixel] * PATTERNS + pattern
        starts = torch.cat([areas.new_zeros(1), torch.cumsum(areas.flatten(), 0)])
        pixels = pixel[torch.argsort(place, stable=True)]
        parts = (code, on, areas, starts, pixels)
        return cls(grid, size, *(part.to(device) for part in parts))

    @property
    def count(self) -> int:
        """Number of squares."""
        return self.areas.shape[0]

    @property
    def by_pixel(self) -> bool:
        """Whether counts by square and pattern would take more memory than the pixels."""
        return self.areas.numel() > 2 * len(self.code)

    @property
    def places(self) -> int:
        """Squares and patterns, or pixels."""
        return len(self.code) if self.by_pixel else self.areas.numel()

    @property
    def place_areas(self) -> Float[Tensor, "place"]:
        """Pixels of each place."""
        if self.by_pixel:
            return torch.ones(self.places, device=self.code.device)
        return self.areas.flatten().float()


def _on_patterns(rows: Axis, columns: Axis) -> Bool[Tensor, "row column pattern"]:
    """Whether a pixel is on under each pattern: strictly more than half of the weight is on."""
    below, right = rows.remainder[:, None], columns.remainder[None, :]
    above, left = rows.denominator - below, columns.denominator - right
    weights = torch.stack([above * left, above * right, below * left, below * right], -1)
    corners = (torch.arange(PATTERNS)[:, None] >> torch.arange(4)) & 1
    value = torch.einsum("yxc,pc->yxp", weights, corners)
    return 2 * value > rows.denominator * columns.denominator


@dataclass(frozen=True)
class Touched:
    """The places at which the filters of some images are on, as a sparse matrix.

    Attributes:
        images, filters: its rows are their products, images outermost.
        starts: for every row its first entry, and at the end the number of entries.
        place: of every entry, `square * 16 + pattern`, or a pixel.
        places: number of places.
    """

    images: int
    filters: int
    starts: Int[Tensor, "row_and_end"]
    place: Int[Tensor, "entry"]
    places: int


def touch(active: Bool[Tensor, "image filter y x"], squares: Squares) -> Touched:
    """The active places of thresholded maps."""
    images, filters = active.shape[:2]
    row, place = _patterns(active)
    if squares.by_pixel:
        row, place = _pixels(row, place, squares)
    counts = torch.bincount(row, minlength=images * filters)
    starts = torch.cat([counts.new_zeros(1), torch.cumsum(counts, 0)])
    return Touched(images, filters, starts, place, squares.places)


def pixels_on(
    active: Bool[Tensor, "image y x"], squares: Squares
) -> tuple[Int[Tensor, "on"], Int[Tensor, "on"]]:
    """The pixels that are on in the upsampled map of one filter (M_k), image by image.

    Args:
        active: thresholded maps of the filter.
        squares: the geometry of masks.

    Returns:
        The image, ascending, and the pixel of each.
    """
    return _pixels(*_patterns(active[:, None]), squares)


def _patterns(
    active: Bool[Tensor, "image filter y x"],
) -> tuple[Int[Tensor, "touched"], Int[Tensor, "touched"]]:
    """Row (image * filters + filter) and place of every square with an active corner."""
    corners = active.to(torch.uint8)
    # A grid of one row or column has no gap: its only cell is both ends of the square.
    if corners.shape[2] == 1:
        corners = corners.expand(-1, -1, 2, -1)
    if corners.shape[3] == 1:
        corners = corners.expand(-1, -1, -1, 2)
    pattern = corners[:, :, :-1, :-1] | (corners[:, :, :-1, 1:] << 1)
    pattern |= corners[:, :, 1:, :-1] << 2
    pattern |= corners[:, :, 1:, 1:] << 3
    flat = pattern.flatten(0, 1).flatten(1)
    row, square = torch.nonzero(flat, as_tuple=True)
    return row, square * PATTERNS + flat[row, square]


def _pixels(
    row: Int[Tensor, "touched"], place: Int[Tensor, "touched"], squares: Squares
) -> tuple[Int[Tensor, "on"], Int[Tensor, "on"]]:
    """The pixels that are on, of each row, from squares and patterns."""
    first = squares.pixel_starts[place]
    count = squares.pixel_starts[place + 1] - first
    done = torch.cumsum(count, 0) - count
    row = torch.repeat_interleave(row, count)
    offset = torch.arange(len(row), device=row.device) - torch.repeat_interleave(done, count)
    return row, squares.pixels[torch.repeat_interleave(first, count) + offset]


def overlaps(
    touched: Touched,
    masks: Bool[Tensor, "pair pixel"],
    image: Int[Tensor, "pair"],
    squares: Squares,
) -> tuple[Int[Tensor, "pair filter"], Int[Tensor, "image filter"]]:
    """Pixels shared by masks and filters, and the pixels of the filters.

    Args:
        touched: where the filters are on.
        masks: masks of concepts (L_c).
        image: the image of each mask, an index into those of `touched`; ascending.
        squares: the geometry with which `touched` was made.

    Returns:
        |M_k(x) and L_c(x)| for every mask and filter, |M_k(x)| for every image and filter.
    """
    counts = torch.bincount(image, minlength=touched.images)
    slot = torch.arange(len(image), device=image.device)
    slot -= (torch.cumsum(counts, 0) - counts)[image]
    slots = int(counts.max()) if len(image) else 0
    # All counts are below 2**24: single precision is exact.
    table = torch.zeros(touched.images, touched.places, slots + 1, device=masks.device)
    table[:, :, slots] = squares.place_areas
    table[image, :, slot] = _count(masks, squares)
    total = _sparse_product(touched, table.view(-1, slots + 1))
    by_image = total.view(touched.images, touched.filters, slots + 1).long()
    return by_image[image, :, slot], by_image[:, :, slots]


def _count(masks: Bool[Tensor, "pair pixel"], squares: Squares) -> Float[Tensor, "pair place"]:
    """Pixels of each mask that are on under each square and pattern, or the pixels themselves."""
    if squares.by_pixel:
        return masks.float()
    kinds = squares.on.shape[0]
    counts = backend_of(masks.device).count_codes(masks, squares.code, squares.count * kinds)
    return (counts.view(-1, kinds) @ squares.on).view(len(masks), squares.places)


def _sparse_product(
    touched: Touched, table: Float[Tensor, "image_place slot"]
) -> Float[Tensor, "row slot"]:
    """For every row the sum of the table's rows at its entries, those of its own image."""
    length = touched.starts.diff()
    image = torch.arange(len(length), device=length.device) // touched.filters
    column = touched.place + torch.repeat_interleave(image * touched.places, length)
    return backend_of(table.device).sum_rows(touched.starts, column, table)


def iou(
    intersection: Int[Tensor, "*shape"], union: Int[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Intersection over union, 0 where the union is empty (paper, equations 1 and 3)."""
    return torch.where(union > 0, intersection.double() / union.clamp(min=1), 0.0)
