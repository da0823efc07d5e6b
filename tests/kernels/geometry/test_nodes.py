"""Nodes stand for the pixels of a square: at every steepness, in every shape, and few enough."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from net2vec.core.scratch import Scratch
from net2vec.kernels.convex.node_problem import NodeProblem
from net2vec.kernels.convex.pixel_problem import PixelProblem
from net2vec.kernels.geometry import node_grid
from net2vec.kernels.geometry.node_grid import LEVELS, LOG_LEVELS, MaskSums, NodeGrid, Samples
from net2vec.kernels.geometry.nodes import BlockIndex, NodeBlock
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.geometry.upsample import aligned_axis

from builders_data import sparse_maps

# Even and uneven gaps, a single row or column of squares, a single cell, many pixels a square.
GEOMETRIES = [
    ((3, 3), (15, 16)),
    ((2, 4), (10, 23)),
    ((1, 3), (9, 23)),
    ((4, 1), (31, 8)),
    ((1, 1), (8, 8)),
    ((2, 2), (40, 41)),
]


def block_of(
    B: np.ndarray, L: np.ndarray, background: float, slope: float, scratch: Scratch | None = None
) -> NodeBlock:
    grid = NodeGrid.of(B.shape[2:], L.shape[1:])
    assert grid is not None
    masks = grid.strips.pack(torch.from_numpy(L))
    images = torch.arange(len(L))
    factors = (torch.full((len(L),), value) for value in (background, slope))
    sums = MaskSums(grid, masks, *factors, keeps=scratch is None)
    return NodeBlock(sparse_maps(B), sums, BlockIndex(images, images * 0), scratch=scratch)


def true_gradient(
    B: np.ndarray, L: np.ndarray, w: np.ndarray, background: float, slope: float
) -> np.ndarray:
    """Sum over pixels of (background - slope t) p, differentiated in double precision."""
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    summed = (weight[:, None, None] * torch.from_numpy(B).double()).sum(1, keepdim=True)
    z = functional.interpolate(summed, L.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    loss = ((background - slope * torch.from_numpy(L).double()) * torch.sigmoid(z)).sum()
    loss.backward()
    return weight.grad.numpy()


@pytest.mark.parametrize(
    ("count", "steepest", "log"),
    [(*level, False) for level in LEVELS] + [(*level, True) for level in LOG_LEVELS],
)
def test_nodes_are_enough_for_the_steepest_square(count, steepest, log):
    # p (1 - p), or p, along a side on which z rises by `steepest`, at 401 pixels, times a cell's
    # share.
    share = np.linspace(0, 1, 401)
    polynomials = node_grid._lagrange(aligned_axis(2, 401), count).numpy()
    places = node_grid._chebyshev(count)

    def f(at: np.ndarray, middle: float) -> np.ndarray:
        p = 1 / (1 + np.exp(-(middle + steepest * (at - 0.5))))
        return at * p * (1 if log else 1 - p)

    errors = [
        np.abs(polynomials @ f(places, middle) - f(share, middle)).max()
        for middle in np.linspace(-12, 12, 97)
    ]
    most = 1e-4 if log else 3e-5 / 4
    assert max(errors) <= most
    # Nor are they many more than that takes.
    assert max(errors) >= most / 6


@pytest.mark.parametrize(
    ("grid", "size"), [((5, 5), (5, 5)), ((5, 5), (25, 25)), ((9, 2), (4, 200))]
)
def test_where_pixels_are_few_there_are_no_nodes(grid, size):
    assert NodeGrid.of(grid, size) is None


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    geometry=st.sampled_from(GEOMETRIES),
    steep=st.sampled_from([0.01, 0.3, 1.0, 3.0, 8.0, 40.0]),
)
def test_gradients_are_those_of_the_pixels_however_steep(seed, geometry, steep):
    generator = np.random.default_rng(seed)
    B = generator.random((4, 3, *geometry[0])) < 0.4
    L = generator.random((4, *geometry[1])) < 0.5
    L[0], L[1] = False, True
    w = (steep * generator.normal(size=3)).astype(np.float32)
    background, slope = generator.uniform(0, 1), generator.uniform(0.5, 2)
    block = block_of(B, L, background, slope)
    gradient = block.gradient(torch.from_numpy(w))
    pixels = L.shape[1] * L.shape[2] * len(L)
    expected = true_gradient(B, L, w, background, slope)
    # 1e-5 of what the pixels could come to if all of them pulled the same way.
    np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-5 * pixels / 4)
    # Squares keep what they have been given: the second time is the first.
    again = block.gradient(torch.from_numpy(w))
    torch.testing.assert_close(again, gradient, rtol=0, atol=0)


def test_squares_are_taken_at_more_nodes_as_they_grow_steeper_and_at_pixels_at_last():
    B = np.zeros((1, 1, 3, 3), dtype=bool)
    B[0, 0, 0, 0] = True  # one corner of one square of four
    L = np.random.default_rng(0).random((1, 61, 61)) < 0.5
    grid = NodeGrid.of((3, 3), (61, 61))
    assert grid is not None
    assert grid.levels == LEVELS  # 31 x 31 pixels in the last square
    for level, weight in enumerate([1.0, 1.5, 3.0, 6.0, 10.0]):
        block = block_of(B, L, 0.5, 1.0)
        w = np.array([weight], dtype=np.float32)
        gradient = block.gradient(torch.from_numpy(w))
        assert block._level.tolist() == [level]
        np.testing.assert_allclose(gradient, true_gradient(B, L, w, 0.5, 1.0), rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_block_in_a_scratch_file_has_the_same_gradients_to_the_bit(geometry):
    grid, size = geometry
    generator = np.random.default_rng(3)
    B, L = generator.random((40, 4, *grid)) < 0.3, generator.random((40, *size)) < 0.3
    in_memory, on_disk = (block_of(B, L, 0.2, 1.0, scratch) for scratch in (None, Scratch()))
    direction = torch.from_numpy(generator.normal(size=4)).float()
    # Squares go from level to level, at last all of them from the last one to their pixels.
    for steepness in (0.1, 1.0, 2.0, 4.0, 8.0, 16.0, 1000.0, 1.0):
        weight = direction * steepness
        assert torch.equal(in_memory.gradient(weight), on_disk.gradient(weight))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), geometry=st.sampled_from(GEOMETRIES))
def test_sums_at_nodes_give_sums_of_polynomials_exactly(seed, geometry):
    # z itself is bilinear: what it sums to over a mask is known from any nodes.
    generator = np.random.default_rng(seed)
    (h, w), (H, W) = geometry
    grid = NodeGrid.of(*geometry)
    assert grid is not None
    L = generator.random((1, H, W)) < 0.5
    values = generator.normal(size=(h, w))
    up = [aligned_axis(a, b).matrix(torch.float64).numpy() for a, b in ((h, H), (w, W))]
    z = up[0] @ values @ up[1].T
    strips = Strips.of(*geometry)
    masks = strips.pack(torch.from_numpy(L)).flatten(0, 1)
    corners = torch.from_numpy(values.ravel()).float()[grid.corner].view(2, 2, -1)
    for level in range(len(grid.levels)):
        samples = Samples.of(grid, level)
        rows = torch.lerp(corners[:, :1], corners[:, 1:], samples.across)
        at_nodes = torch.lerp(rows[:1], rows[1:], samples.down).flatten(0, 1)
        found = grid.sums(masks, torch.arange(len(strips)), level) * at_nodes
        assert float(found.sum()) == pytest.approx(float(z[L[0]].sum()), abs=1e-3)
        assert float((samples.whole * at_nodes).sum()) == pytest.approx(float(z.sum()), abs=1e-3)


@pytest.mark.parametrize("scale", [0.3, 6.0])
def test_a_log_loss_at_nodes_has_the_gradient_of_its_pixels(scale):
    rng = np.random.default_rng(5)
    B = rng.random((70, 5, 3, 3)) < 0.2  # more images than a block has
    L = rng.random((70, 24, 25)) < np.linspace(0.05, 0.6, 70)[:, None, None]
    maps, strips = sparse_maps(B), Strips.of((3, 3), (24, 25))
    masks = strips.pack(torch.from_numpy(L))
    pixels = PixelProblem(strips, [(maps, masks)])
    balance = pixels.balance([0])
    grid = NodeProblem.fits(strips, maps)
    assert grid is not None
    problem = NodeProblem(grid, maps, masks, balance, pixels.pull([0], balance))
    kept = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]]).bool()
    weight = torch.from_numpy(rng.normal(0, scale, (3, 5))) * kept
    for near in (weight, torch.zeros_like(weight)):
        found = problem.gradient_of(list(kept), near)(weight)
        for row, some, one in zip(found, kept, weight, strict=True):
            true = pixels.gradient(one, [0], balance)
            assert float((row - true)[some].abs().max()) <= 1e-6
            assert float(true[some].abs().max()) > 1e-3
