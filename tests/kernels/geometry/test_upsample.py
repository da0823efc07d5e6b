"""Upsampling and who is on, against whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.geometry.blocks import block_of
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.geometry.upsample import aligned_axis, upsampled, upsampled_is_on

import oracle

GRIDS = (6, 7, 13, 14, 27, 28, 55, 56)
MASKS = (112, 113)
SIDES = st.integers(1, 20)


def telling_maps(h: int, w: int) -> np.ndarray:
    """Maps with many steps along one axis, which tie where the mask allows it, and random ones."""
    y, x = np.mgrid[:h, :w]
    patterns = [
        y % 2 == 0,
        x % 2 == 0,
        (y + x) % 2 == 0,
        y >= h // 2,
        x >= w // 2,
        (y // 2) % 2 > 0,
    ]
    random = np.random.default_rng(h * 100 + w).random((6, h, w))
    shares = np.array([0.02, 0.2, 0.4, 0.5, 0.6, 0.9])[:, None, None]
    return np.concatenate([np.stack(patterns), random < shares])


def ties(maps: np.ndarray, H: int, W: int) -> int:
    """Pixels whose value is exactly 1/2."""
    rows, row_denominator = oracle.interpolation_weights(maps.shape[1], H)
    columns, column_denominator = oracle.interpolation_weights(maps.shape[2], W)
    value = rows @ maps.astype(np.int64) @ columns.T
    return int((2 * value == row_denominator * column_denominator).sum())


def on(maps: np.ndarray, H: int, W: int) -> np.ndarray:
    return upsampled_is_on(torch.from_numpy(maps), (H, W)).numpy()


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("grid", GRIDS)
def test_every_pixel_of_the_usual_grids_and_masks_is_exact(grid, mask):
    maps = telling_maps(grid, grid)
    # Over 111 * 111, an odd number, a half cannot occur; over 112 * 112 it does, at every grid.
    assert (ties(maps, mask, mask) > 0) == (mask == 113)
    np.testing.assert_array_equal(on(maps, mask, mask), oracle.upsampled_is_on(maps, mask, mask))


@pytest.mark.parametrize(
    ("grid", "mask"),
    [
        ((13, 7), (113, 112)),
        ((1, 1), (5, 3)),
        ((1, 6), (9, 113)),
        ((6, 1), (1, 9)),
        ((3, 3), (1, 1)),
        ((2, 2), (2, 2)),
        ((13, 13), (13, 13)),
        ((9, 30), (5, 4)),
    ],
)
def test_oblong_single_and_finer_grids(grid, mask):
    maps = telling_maps(*grid)
    np.testing.assert_array_equal(on(maps, *mask), oracle.upsampled_is_on(maps, *mask))


def test_a_tie_at_one_half_is_off():
    # Rows of up(B): 1 1/2 0, 1 3/4 1/2, 1 1 1.
    assert on(np.array([[True, False], [True, True]]), 3, 3).tolist() == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_map_of_the_masks_size_is_its_own_mask():
    maps = telling_maps(11, 8)
    np.testing.assert_array_equal(on(maps, 11, 8), maps)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), SIDES, SIDES, SIDES, SIDES)
def test_mirrored_and_turned_maps_give_mirrored_and_turned_masks(seed, h, w, H, W):
    maps = np.random.default_rng(seed).random((3, h, w)) < 0.5
    if H > 1:  # a mask of one row sees the first row of the grid alone
        np.testing.assert_array_equal(on(maps[:, ::-1].copy(), H, W), on(maps, H, W)[:, ::-1])
    np.testing.assert_array_equal(
        on(maps.transpose(0, 2, 1).copy(), W, H), on(maps, H, W).transpose(0, 2, 1)
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), SIDES, SIDES, SIDES, SIDES)
def test_more_cells_turn_no_pixel_off_and_opposites_share_none(seed, h, w, H, W):
    maps, more = np.random.default_rng(seed).random((2, h, w)) < 0.4
    assert not (on(maps, H, W) & ~on(maps | more, H, W)).any()
    assert not (on(maps, H, W) & on(~maps, H, W)).any()
    undecided = ~on(maps, H, W) & ~on(~maps, H, W)
    assert undecided.sum() == ties(maps[None], H, W)


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES)
def test_the_matrix_of_an_axis_is_bilinear_with_aligned_corners(h, H):
    axis = aligned_axis(h, H)
    matrix = axis.matrix(torch.float64).numpy()
    np.testing.assert_allclose(matrix, oracle.upsample_matrix(h, H), rtol=1e-14)
    lower, upper = axis.lower.numpy(), axis.upper.numpy()
    assert lower.min() >= 0
    assert upper.max() < h
    assert (upper - lower <= 1).all()
    assert lower.max() < axis.cells


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 99))
def test_numbers_are_upsampled_as_by_the_oracle(h, w, H, W, seed):
    grid = np.random.default_rng(seed).normal(size=(2, h, w))
    found = upsampled(torch.from_numpy(grid), (H, W)).numpy()
    np.testing.assert_allclose(found, oracle.upsample(grid, H, W), atol=1e-12)


def test_upsampling_is_exact_where_places_meet():
    grid = torch.tensor([[1.0, 4.0], [-2.0, 0.1]])
    assert upsampled(grid, (2, 2)).tolist() == grid.tolist()
    assert upsampled(grid, (4, 7))[::3, ::6].tolist() == grid.tolist()
    assert upsampled(grid, (3, 3))[1].tolist() == pytest.approx([-0.5, 0.775, 2.05])


@pytest.mark.parametrize(("grid", "size"), [((7, 7), (112, 112)), ((13, 13), (113, 113))])
def test_learning_computes_z_to_the_same_bits(grid, size):
    """What is predicted in a new image is what the same image had in the probe."""
    generator = np.random.default_rng(0)
    maps = SparseMaps.of(torch.from_numpy(generator.random((6, 20, *grid)) < 0.05))
    weight = torch.from_numpy(generator.normal(size=20).astype(np.float32))
    strips = Strips.of(grid, size)
    block = block_of(maps, strips, strips.pack(torch.zeros(6, *size, dtype=torch.bool)))
    in_learning = block.value(weight, torch.empty(block.mask.numel()))
    z = upsampled(maps.weighted(weight), size)
    image, lower = block.image, block.lower - block.image * grid[0]
    compared = 0
    for n in range(len(image)):
        # Strips of the block, by the grid row that they begin at; long ones are cut in two.
        for strip in torch.nonzero(strips.lower == lower[n])[:, 0]:
            rows = strips.pixel_row[strip][strips.exists[strip]]
            found = in_learning[n, : len(rows), : size[1]]
            same = torch.equal(z[image[n], rows], found)
            compared += same
            assert same or (strips.lower == lower[n]).sum() > 1
    assert compared == len(image)
