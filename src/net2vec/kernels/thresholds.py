"""Overlap of filters with masks at many thresholds at once, in exact integer counts.

A pixel of a filter's upsampled map is on where more than half of the weight of the four corners of
its square is on (`net2vec.kernels.overlap`). As the threshold falls, the corners of a square turn
on one after the other, the highest activation first. Each *step*, a corner that joins those that
are on, turns on the pixels by which two patterns differ. So a mask is counted by square and step
once, and every filter adds, for each of its squares, four of these counts to a histogram over
thresholds: its cumulated sums are the counts at all thresholds. No map is made for any of them.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Bool, Float, Float16, Int, Integer, UInt16
from torch import Tensor

from net2vec.kernels.backends import backend_of
from net2vec.kernels.overlap import PATTERNS, Squares

CODES = 1 << 16
"""Values that half precision has."""

_CORNERS = 4
# The patterns that a step leaves, its corner, and the number of a step by both.
_BEFORE, _CORNER = np.nonzero((np.arange(PATTERNS)[:, None] >> np.arange(_CORNERS)) & 1 == 0)
_STEP = np.zeros((PATTERNS, _CORNERS), dtype=np.int32)
_STEP[_BEFORE, _CORNER] = np.arange(len(_BEFORE))
STEPS = len(_BEFORE)
"""A corner, and those of the other three that were on before."""


def codes_of(values: Float16[np.ndarray, "*shape"]) -> UInt16[np.ndarray, "*shape"]:
    """The values of half precision as whole numbers of the same order."""
    bits = values.view(np.uint16)
    return np.where(bits >> 15, ~bits, bits | np.uint16(1 << 15)).astype(np.uint16)


def values_of(codes: Integer[np.ndarray, "*shape"]) -> Float16[np.ndarray, "*shape"]:
    """The inverse of `codes_of`."""
    bits = codes.astype(np.uint16)
    return np.where(bits >> 15, bits ^ np.uint16(1 << 15), ~bits).astype(np.uint16).view(np.float16)


def upper_quantiles(
    counts: Int[np.ndarray, "filter code"], shares: Float[np.ndarray, "share"]
) -> Float[np.ndarray, "filter share"]:
    """By filter the least values above which at most a share of its values lie.

    It is the rule of the paper's threshold: of n values the floor(share n) + 1 largest one.

    Args:
        counts: how often a filter has the value of each code.
        shares: between 0 and 1; for 1 it is the least value.
    """
    total = counts.sum(1)
    allowed = np.floor(shares * total[:, None])
    # Values up to each code; the quantile is the first code that leaves no more than allowed.
    upto = np.cumsum(counts, axis=1)
    wanted = np.maximum(total[:, None] - allowed, 1)
    codes = [np.searchsorted(each, least) for each, least in zip(upto, wanted, strict=True)]
    return values_of(np.array(codes)).astype(np.float32)


def count_steps(masks: Bool[Tensor, "mask pixel"], squares: Squares) -> Float[Tensor, "place mask"]:
    """Pixels of masks that each step turns on, by square and step.

    Args:
        masks: masks of concepts, on the CPU.
        squares: the geometry.
    """
    kinds = len(squares.on)
    counts = backend_of(masks.device).count_codes(masks, squares.code, squares.count * kinds)
    after = torch.from_numpy(_BEFORE | (1 << _CORNER))
    gained = squares.on[:, after] - squares.on[:, torch.from_numpy(_BEFORE)]
    return (counts.view(-1, kinds) @ gained).view(len(masks), -1).T.contiguous()


def count_levels(
    level: Int[Tensor, "filter y x"], gained: Float[Tensor, "place mask"], bins: int
) -> Float[np.ndarray, "mask filter bin"]:
    """Pixels of an image's masks by how many thresholds a filter is above there.

    Args:
        level: how many thresholds the activation of each filter is above.
        gained: what `count_steps` returns for the masks.
        bins: one more than there are thresholds.

    Returns:
        Whole numbers.
    """
    corners = _corners_by_level(level.numpy().astype(np.uint16))
    corner = corners % _CORNERS
    before = np.zeros_like(corner)
    for turn in range(1, _CORNERS):
        before[:, turn] = before[:, turn - 1] | 1 << corner[:, turn - 1]
    step = _STEP.take(before * _CORNERS + corner)
    step += np.arange(corners.shape[2], dtype=np.int32) * STEPS
    filters = len(corners)
    row = corners // _CORNERS + np.arange(filters, dtype=np.int32)[:, None, None] * bins
    # Entries in no order: the rows of a filter are few, and stay in the caches.
    entries = np.ones(row.size, dtype=np.float32), (row.ravel(), step.ravel())
    adding = scipy.sparse.coo_array(entries, shape=(filters * bins, len(gained)))
    # All counts of an image are below 2**24: single precision is exact.
    counts = torch.from_numpy(adding @ gained.numpy())
    return counts.T.contiguous().view(-1, filters, bins).numpy()


def _corners_by_level(
    level: UInt16[np.ndarray, "filter y x"],
) -> UInt16[np.ndarray, "filter order square"]:
    """The corners of every square, the highest level first, as `level * 4 + corner`."""
    # A grid of one row or column has no gap: its only cell is both ends of the square.
    grid = np.concatenate([level] * 2, axis=1) if level.shape[1] == 1 else level
    grid = np.concatenate([grid] * 2, axis=2) if grid.shape[2] == 1 else grid
    parts = (grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, :-1], grid[:, 1:, 1:])
    keys = np.stack([part * _CORNERS + corner for corner, part in enumerate(parts)], axis=1)
    keys = keys.reshape(len(grid), _CORNERS, -1)
    for one, other in ((0, 1), (2, 3), (0, 2), (1, 3), (1, 2)):
        low = np.minimum(keys[:, one], keys[:, other])
        np.maximum(keys[:, one], keys[:, other], out=keys[:, one])
        keys[:, other] = low
    return keys
