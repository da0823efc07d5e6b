"""The pixels that a converged fit is chosen by: few, since it takes many solutions to choose."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.lattice import Lattice
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import grid_of

# Every so many rows and columns are enough to choose by: neighbours are alike.
_STRIDES = (8, 4, 2)
# Pixels of the concept that a lattice should have, where it can.
_ENOUGH = 250
# Masks that are unpacked at a time.
_PORTION = 256


def lattice_of(
    recording: LayerRecording,
    annotations: Annotations,
    pairs: Int[np.ndarray, "pair"],
    device: torch.device | str,
) -> Lattice:
    """A lattice of pixels of a concept's images, as wide as the concept's size allows.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        pairs: the images, as pairs of the annotations.
        device: where to solve.
    """
    size = annotations.size
    rows, columns = lattice_axes(recording, annotations, pairs)
    masks = [
        torch.from_numpy(annotations.masks_of(pairs[first : first + _PORTION]))[:, rows][
            :, :, columns
        ]
        for first in range(0, max(len(pairs), 1), _PORTION)
    ]
    maps = recording.maps(annotations.image[pairs], device)
    return Lattice.of(maps, size, (rows, columns), torch.cat(masks).to(device))


def lattice_axes(
    recording: LayerRecording, annotations: Annotations, pairs: Int[np.ndarray, "pair"]
) -> tuple[list[int], list[int]]:
    """Rows and columns of the pixels of a lattice."""
    area = int(annotations.area[pairs].sum(dtype=np.int64))
    stride = _stride(area, grid_of(recording), annotations.size)
    rows, columns = (_spread(length, stride) for length in annotations.size)
    return rows, columns


def _stride(area: int, grid: tuple[int, int], size: tuple[int, int]) -> int:
    """The widest stride that leaves enough of the concept; the first for coarse grids alone."""
    widest = all(2 * cells * _STRIDES[0] <= n for cells, n in zip(grid, size, strict=True))
    wanted = _STRIDES if widest else _STRIDES[1:]
    return next((stride for stride in wanted if area >= stride**2 * _ENOUGH), wanted[-1])


def _spread(length: int, stride: int) -> list[int]:
    """Evenly spread places, the first and the last among them, about a `stride` apart."""
    count = max(1, -(-length // stride))
    return [round(place) for place in np.linspace(0, length - 1, count).tolist()]
