"""Overlap of filters and masks, counted pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.overlap import Squares, iou, overlaps, touch

import oracle

# Grid, mask size, and whether the pixels are fewer than twice the squares' patterns.
GEOMETRIES = [
    ((1, 1), (4, 5), False),
    ((1, 6), (9, 8), False),
    ((5, 1), (9, 3), True),
    ((2, 2), (3, 3), False),
    ((4, 3), (4, 3), True),
    ((7, 7), (28, 29), False),
    ((13, 13), (113, 113), False),
    ((14, 14), (28, 28), True),
    ((12, 9), (4, 5), True),
]


def counted(
    B: np.ndarray, masks: np.ndarray, image: list[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels shared by every mask and filter, and pixels of the filters, by the kernel."""
    squares = Squares.of(B.shape[2:], masks.shape[1:])
    shared, own = overlaps(
        touch(torch.from_numpy(np.ascontiguousarray(B)), squares),
        torch.from_numpy(masks).flatten(1),
        torch.as_tensor(image, dtype=torch.int64),
        squares,
    )
    return shared.numpy(), own.numpy()


def by_pixel(B: np.ndarray, masks: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same from the upsampled maps themselves."""
    M = oracle.upsampled_is_on(B, *masks.shape[1:])
    shared = (M[image] & masks[:, None]).sum(axis=(2, 3))
    return shared, M.sum(axis=(2, 3))


def case(seed: int, images: int, filters: int, grid, size, share: float, pairs: int):
    """Maps, masks (the first empty, the second full) and their images; filter 0 is off."""
    generator = np.random.default_rng(seed)
    B = generator.random((images, filters, *grid)) < share
    B[:, 0] = False
    masks = generator.random((pairs, *size)) < generator.random((pairs, 1, 1))
    masks[:1], masks[1:2] = False, True
    return B, masks, np.sort(generator.integers(0, images, pairs))


def test_by_hand():
    # Filter 0: the upper row; filter 1: everything; filter 2: three corners; filter 3: nothing.
    B = np.zeros((1, 4, 2, 2), dtype=bool)
    B[0, 0, 0] = B[0, 1] = B[0, 2] = True
    B[0, 2, 0, 1] = False
    # On at 3 x 3: row 0; all; all but the upper right three (1/2, 0 and 1/2).
    masks = np.array([[[1, 0, 1], [0, 0, 0], [0, 0, 1]], [[0, 1, 1], [0, 1, 1], [0, 0, 0]]]) > 0
    shared, own = counted(B, masks, [0, 0])
    assert shared.tolist() == [[2, 3, 2, 0], [2, 4, 1, 0]]
    assert own.tolist() == [[3, 9, 6, 0]]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.8])
@pytest.mark.parametrize(("grid", "size", "fine"), GEOMETRIES)
def test_counts_are_those_of_upsampled_maps(grid, size, fine, share):
    B, masks, image = case(grid[0] * size[1], 4, 5, grid, size, share, 7)
    assert Squares.of(grid, size).by_pixel is fine
    shared, own = counted(B, masks, image)
    expected, expected_own = by_pixel(B, masks, image)
    np.testing.assert_array_equal(shared, expected)
    np.testing.assert_array_equal(own, expected_own)


@pytest.mark.parametrize(("grid", "size"), [((5, 4), (13, 9)), ((9, 9), (12, 12))])
def test_summed_over_images_they_are_the_counts_of_the_set_iou(grid, size):
    generator = np.random.default_rng(3)
    B, L = generator.random((6, 4, *grid)) < 0.4, generator.random((6, *size)) < 0.5
    shared, own = counted(B, L, np.arange(6))
    intersections, unions = oracle.single_filter_counts(B, L)
    np.testing.assert_array_equal(shared.sum(axis=0), intersections)
    area = L.sum(axis=(1, 2))[:, None]
    np.testing.assert_array_equal((own + area - shared).sum(axis=0), unions)


@pytest.mark.parametrize(("grid", "size"), [((4, 4), (9, 9)), ((9, 9), (9, 9))])
def test_images_without_masks_and_images_without_active_filters(grid, size):
    B, masks, _ = case(5, 3, 3, grid, size, 0.5, 4)
    B[0] = False
    shared, own = counted(B, masks, [0, 0, 2, 2])
    assert not shared[:2].any()
    assert own[1].any()  # no mask asks for image 1
    np.testing.assert_array_equal(own, by_pixel(B, masks, np.array([0, 0, 2, 2]))[1])
    nothing, still = counted(B, masks[:0], [])
    assert nothing.shape == (0, 3)
    np.testing.assert_array_equal(still, own)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32),
    grid=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    cut=st.integers(1, 3),
)
def test_order_of_filters_and_division_of_images_do_not_matter(seed, grid, size, cut):
    B, masks, image = case(seed, 4, 3, grid, size, 0.4, 6)
    shared, own = counted(B, masks, image)
    np.testing.assert_array_equal(shared, by_pixel(B, masks, image)[0])

    order = np.random.default_rng(seed).permutation(3)
    permuted, permuted_own = counted(B[:, order], masks, image)
    np.testing.assert_array_equal(permuted, shared[:, order])
    np.testing.assert_array_equal(permuted_own, own[:, order])

    early = image < cut
    halves = [
        counted(B[:cut], masks[early], image[early]),
        counted(B[cut:], masks[~early], image[~early] - cut),
    ]
    np.testing.assert_array_equal(np.concatenate([half[0] for half in halves]), shared)
    np.testing.assert_array_equal(np.concatenate([half[1] for half in halves]), own)


def test_iou_of_nothing_is_zero():
    shared, joined = torch.tensor([0, 0, 1, 4]), torch.tensor([0, 3, 3, 4])
    assert iou(shared, joined).tolist() == [0, 0, 1 / 3, 1]
    assert iou(shared, joined).dtype == torch.float64
