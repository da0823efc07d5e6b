"""Overlap of filters with masks at many thresholds, against maps made for each of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.overlap import Squares
from net2vec.kernels.thresholds import (
    CODES,
    codes_of,
    count_levels,
    count_steps,
    upper_quantiles,
    values_of,
)

import oracle

GEOMETRIES = [((1, 1), (4, 5)), ((1, 6), (9, 8)), ((5, 1), (9, 3)), ((7, 7), (28, 29)),
              ((12, 9), (4, 5)), ((4, 3), (4, 3))]  # fmt: skip


def counted(level: np.ndarray, masks: np.ndarray, thresholds: int) -> np.ndarray:
    """Pixels of masks [M, H, W] that are on above each threshold [M, K, thresholds]."""
    squares = Squares.of(level.shape[1:], masks.shape[1:])
    gained = count_steps(torch.from_numpy(masks).flatten(1), squares)
    found = count_levels(torch.from_numpy(level), gained, thresholds + 1)
    return found[:, :, :0:-1].cumsum(2)[:, :, ::-1]


def test_by_hand():
    # A grid of 2 x 2 under a mask of 3 x 3: its middle row and column lie halfway between cells.
    level = np.array([[[3, 1], [0, 2]]])
    mask = np.ones((1, 3, 3), dtype=bool)
    # Above all three thresholds is the upper left corner alone; above two the lower right one as
    # well, and no pixel between is more than half on; above one the upper row and the right column,
    # and the middle pixel, three of whose four cells are on.
    assert counted(level, mask, 3).tolist() == [[[6, 2, 1]]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(GEOMETRIES), st.integers(1, 5))
def test_counts_are_those_of_a_map_for_every_threshold(seed, geometry, thresholds):
    grid, size = geometry
    generator = np.random.default_rng(seed)
    level = generator.integers(0, thresholds + 1, (3, *grid))
    masks = generator.random((2, *size)) < 0.4
    found = counted(level, masks, thresholds)
    for limit in range(thresholds):
        M = oracle.upsampled_is_on(level > limit, *size)
        assert (found[:, :, limit] == (M[None] & masks[:, None]).sum((2, 3))).all()


def test_codes_have_the_order_of_the_values():
    every = np.arange(CODES).astype(np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert (values_of(codes_of(finite)) == finite).all()
    order = np.argsort(codes_of(finite))
    assert (np.diff(finite[order].astype(np.float64)) >= 0).all()


@pytest.mark.parametrize("share", [0.0, 0.005, 0.3, 0.5, 1.0])
def test_quantiles_follow_the_rule_of_the_paper(share):
    values = np.random.default_rng(1).normal(size=(2, 201)).round(1).astype(np.float16)
    counts = np.stack([np.bincount(codes_of(each), minlength=CODES) for each in values])
    (found,) = upper_quantiles(counts, np.array([share])).T
    ordered = np.sort(values.astype(np.float32), axis=1)[:, ::-1]
    assert (found == ordered[:, min(int(share * 201), 200)]).all()
