"""Maps of z = w . a on the grid of a layer: the same bits wherever they are computed."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from net2vec.kernels.geometry.upsample import centred_axis, upsampled

BINS = 1 << 12
# Vectors of a product. Products of another shape may be rounded in another way.
_BLOCK_VECTORS = 8


def grid_values(
    activations: Float[Tensor, "image cell filter"], weight: Float[Tensor, "vector filter"]
) -> Float[Tensor, "image vector cell"]:
    """Z of some vectors on the grid; it depends neither on other images nor on other vectors.

    Args:
        activations: of images.
        weight: the vectors, in single precision.
    """
    images, cells, filters = activations.shape
    vectors = len(weight)
    blocks = -(-vectors // _BLOCK_VECTORS)
    padded = weight.new_zeros(blocks * _BLOCK_VECTORS, filters)
    padded[:vectors] = weight
    found = activations.new_empty(images, blocks, _BLOCK_VECTORS, cells)
    for block, some in enumerate(padded.view(blocks, _BLOCK_VECTORS, filters)):
        for image, values in enumerate(activations):
            torch.mm(some, values.T, out=found[image, block])
    return found.view(images, -1, cells)[:, :vectors]


def count_pixels(
    value: Float[Tensor, "image y x"],
    bias: Float[Tensor, ""],
    cut: Float[Tensor, ""],
    masks: Bool[Tensor, "image row column"],
) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
    """By image the pixels where z + bias > cut, and those of them that lie in the mask."""
    size = (masks.shape[1], masks.shape[2])
    predicted = upsampled(value, size, centred_axis) + bias > cut
    return predicted.sum((1, 2)), (predicted & masks).sum((1, 2))


def bin_counts(
    values: Float[Tensor, "image *place"],
    shares: Shaped[Tensor, "image *place"],
    group: Int[np.ndarray, "image"],
    limits: tuple[float, float],
) -> Float[np.ndarray, "group two bin"]:
    """By group of images, how many places have z in each of `BINS` bins, and their shares in masks.

    Args:
        values: z of cells, or of pixels.
        shares: the share of each that lies in the mask, or whether it does.
        group: the group of each image, ascending.
        limits: the lower end of the first bin and the upper end of the last.
    """
    low, high = limits
    groups = int(group.max(initial=0)) + 1
    # On a GPU weighted counts would be added in any order.
    at = (values.cpu().flatten(1) - low) * (BINS / max(high - low, 1e-30))
    bins = at.clamp_(0, BINS - 1).to(torch.int64) + torch.from_numpy(group)[:, None] * BINS
    inside = shares.cpu().flatten().double()
    counts = [
        torch.bincount(bins.flatten(), weights, groups * BINS).double().view(groups, BINS)
        for weights in (None, inside)
    ]
    return torch.stack(counts, 1).numpy()


def lattice_values(
    value: Float[Tensor, "image y x"],
    size: tuple[int, int],
    lattice: tuple[Int[Tensor, "row"], Int[Tensor, "column"]],
) -> Float[Tensor, "image row column"]:
    """Z at some pixels, from z on the grid.

    Args:
        value: z on the grid.
        size: rows and columns of masks.
        lattice: rows and columns of the pixels.
    """
    rows, columns = (
        centred_axis(cells, pixels).matrix(value.dtype)[chosen].to(value.device)
        for cells, pixels, chosen in zip(value.shape[1:], size, lattice, strict=True)
    )
    return rows @ value @ columns.T


def limits_of(values: Float[Tensor, "*any"]) -> tuple[float, float]:
    """The lowest and the highest value."""
    return float(values.min()), float(values.max())


def value_of(share: float, limits: tuple[float, float]) -> float:
    """The value at a share of the bins; below all values for 0."""
    low, high = limits
    width = max(high - low, 1e-30)
    return float(np.float64(low) + share * width) if share > 0 else low - 1e-3 * width
