"""Bilinear upsampling of small grids, and which pixels of a mask it turns on.

Along an axis, output i of H lies at i (h - 1) / (H - 1) between two of h inputs, so all weights are
rational with denominator H - 1. A pixel is on iff its value is strictly above 1/2, and exact ties
do occur: in floating point, rounding would decide some of them. Here the weights stay integers
until they are compared.

Where corners are not aligned, the cells of a grid are equal blocks of an image: output i lies at
(i + 1/2) h / H - 1/2, and outputs beyond the centres of the outer cells have the value there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

# Axes are asked for again for every few maps; images have many sizes of their own.
_CACHED_AXES = 64


@dataclass(frozen=True, eq=False)
class Axis:
    """The weights with which the outputs of one axis are interpolated from its inputs.

    Output i is `(denominator - remainder[i]) * x[lower[i]] + remainder[i] * x[upper[i]]`, over
    `denominator`.

    Attributes:
        inputs, outputs: sizes.
        lower, upper: the two inputs of each output; equal where the axis has a single input.
        remainder: weight of the upper one, times `denominator`.
        denominator: H - 1 with corners aligned, or 1 for a single output; otherwise 2 H.
    """

    inputs: int
    outputs: int
    lower: Int[Tensor, "out"]
    upper: Int[Tensor, "out"]
    remainder: Int[Tensor, "out"]
    denominator: int

    @property
    def cells(self) -> int:
        """Gaps between inputs; a single input counts as one."""
        return max(self.inputs - 1, 1)

    def matrix(self, dtype: torch.dtype = torch.float32) -> Float[Tensor, "out in"]:
        """The axis as a matrix: outputs = matrix @ inputs."""
        return self._exact_matrix.to(dtype)

    @cached_property
    def _exact_matrix(self) -> Float64[Tensor, "out in"]:
        matrix = torch.zeros(self.outputs, self.inputs, dtype=torch.float64)
        rows = torch.arange(self.outputs)
        share = self.remainder.double() / self.denominator
        matrix[rows, self.lower] += 1 - share
        matrix[rows, self.upper] += share
        return matrix


@lru_cache(_CACHED_AXES)
def aligned_axis(inputs: int, outputs: int) -> Axis:
    """The axis that takes `inputs` values to `outputs`, first onto first and last onto last.

    A single output takes the first input, as PyTorch does.
    """
    denominator = max(outputs - 1, 1)
    position = torch.arange(outputs) * (inputs - 1)
    # The last output lies on the last input: the end of the last gap, not the start of another.
    lower = torch.div(position, denominator, rounding_mode="floor").clamp(max=max(inputs - 2, 0))
    upper = (lower + 1).clamp(max=inputs - 1)
    return Axis(inputs, outputs, lower, upper, position - lower * denominator, denominator)


@lru_cache(_CACHED_AXES)
def centred_axis(inputs: int, outputs: int) -> Axis:
    """The axis whose inputs are the centres of equal blocks of the outputs.

    It is that of PyTorch's `interpolate` without `align_corners`.
    """
    denominator = 2 * outputs
    position = (2 * torch.arange(outputs) + 1) * inputs - outputs
    position = position.clamp(0, (inputs - 1) * denominator)
    lower = torch.div(position, denominator, rounding_mode="floor").clamp(max=max(inputs - 2, 0))
    upper = (lower + 1).clamp(max=inputs - 1)
    return Axis(inputs, outputs, lower, upper, position - lower * denominator, denominator)


def upsampled(
    grid: Float[Tensor, "*batch y x"],
    size: tuple[int, int],
    axis: Callable[[int, int], Axis] = aligned_axis,
) -> Float[Tensor, "*batch row column"]:
    """Maps brought to a size by bilinear interpolation (up).

    Along the rows first and then between them, as learning on a CPU computes z, and to the same
    bits.

    Args:
        grid: maps on the grid of a layer.
        size: rows and columns of the result.
        axis: `aligned_axis`, as in the paper, or `centred_axis`.
    """
    rows, columns = axis(grid.shape[-2], size[0]), axis(grid.shape[-1], size[1])
    wide = grid @ columns.matrix(grid.dtype).T.to(grid.device)
    share = (rows.remainder.to(grid) / rows.denominator)[:, None]
    lower, upper = (
        torch.index_select(wide, -2, index.to(grid.device)) for index in (rows.lower, rows.upper)
    )
    return torch.lerp(lower, upper, share)


def upsampled_is_on(
    active: Bool[Tensor, "*batch y x"], size: tuple[int, int]
) -> Bool[Tensor, "*batch row column"]:
    """Pixels where the upsampled map of a thresholded filter is strictly above 1/2 (M_k).

    Args:
        active: thresholded maps on the grid of the layer.
        size: rows and columns of the mask.

    Source: paper, section 3.1.1; exact, ties are off.
    """
    rows, columns = aligned_axis(active.shape[-2], size[0]), aligned_axis(active.shape[-1], size[1])
    # Integers below 2**53 are exact in double precision, whatever the order of the sums.
    grid = active.double()
    vertical = _integer_matrix(rows).to(active.device)
    horizontal = _integer_matrix(columns).to(active.device)
    value = vertical @ grid @ horizontal.T
    return 2 * value > rows.denominator * columns.denominator


def block_means(
    masks: Bool[Tensor, "*batch row column"], grid: tuple[int, int]
) -> Float[Tensor, "*batch y x"]:
    """The share of each cell that a mask covers, where cells are equal blocks of the image.

    Args:
        masks: masks of any size.
        grid: rows and columns of the cells.
    """
    rows, columns = (
        _block_matrix(cells, pixels, masks.device)
        for cells, pixels in zip(grid, masks.shape[-2:], strict=True)
    )
    return rows @ masks.float() @ columns.T


@cache
def _block_matrix(cells: int, pixels: int, device: torch.device) -> Float[Tensor, "cell pixel"]:
    """The share that each pixel has in the length of each cell; rows have the sum 1."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * pixels / cells
    first = torch.arange(pixels, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], first + 1) - torch.maximum(edges[:-1, None], first)
    return (overlap.clamp(min=0) * cells / pixels).float().to(device)


def _integer_matrix(axis: Axis) -> Float[Tensor, "out in"]:
    matrix = torch.zeros(axis.outputs, axis.inputs, dtype=torch.float64)
    outputs = torch.arange(axis.outputs)
    matrix[outputs, axis.lower] += (axis.denominator - axis.remainder).double()
    matrix[outputs, axis.upper] += axis.remainder.double()
    return matrix
