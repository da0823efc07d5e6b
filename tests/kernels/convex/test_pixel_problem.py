"""Balanced log loss over pixels, on all of them and on a lattice, against dense autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import softplus

from net2vec.core import devices
from net2vec.kernels.convex.histogram import BINS, best_cut
from net2vec.kernels.convex.lattice import Lattice
from net2vec.kernels.convex.pixel_problem import PixelProblem
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips

import oracle

GRIDS = [((4, 3), (11, 8)), ((7, 7), (28, 28)), ((6, 5), (6, 5)), ((1, 4), (9, 9))]


def case(grid, size, *, images=7, filters=4, seed=0, density=0.15):
    rng = np.random.default_rng(seed)
    B = rng.random((images, filters, *grid)) < density
    B[0] = False
    L = rng.random((images, *size)) < 0.3
    w = torch.from_numpy(rng.normal(0, 2, filters))
    return B, L, w


def problem_of(B, L, parts) -> PixelProblem:
    strips = Strips.of(B.shape[2:], L.shape[1:])
    return PixelProblem(
        strips,
        [
            (SparseMaps.of(torch.from_numpy(B[part])), strips.pack(torch.from_numpy(L[part])))
            for part in parts
        ],
    )


def dense_loss(B, L, w, share):
    """The loss of pixels with given weights [n, H, W], in double precision with autograd."""
    maps = torch.from_numpy(oracle.upsample(B, *L.shape[1:]))
    z = torch.einsum("k,nkyx->nyx", w, maps)
    return ((softplus(z) - torch.from_numpy(L) * z) * torch.from_numpy(share)).sum()


def balanced(L):
    return np.where(L, 0.5 / L.sum(), 0.5 / (~L).sum())


@pytest.mark.parametrize(("grid", "size"), GRIDS)
def test_loss_and_gradient_are_those_of_autograd(grid, size):
    B, L, w = case(grid, size)
    parts = [slice(0, 3), slice(3, 7)]
    problem = problem_of(B, L, parts)
    for chosen in ([0], [1], [0, 1]):
        rows = np.concatenate([np.arange(7)[parts[i]] for i in chosen])
        variable = w.clone().requires_grad_()
        loss = dense_loss(B[rows], L[rows], variable, balanced(L[rows]))
        loss.backward()
        balance = problem.balance(chosen)
        assert problem.loss(w, chosen, balance) == pytest.approx(loss.item(), rel=1e-5)
        found = problem.gradient(w, chosen, balance)
        torch.testing.assert_close(found, variable.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("grid", "size"), GRIDS)
@pytest.mark.parametrize("cut", [-0.4, 0.0, 0.7])
def test_counts_are_those_of_dense_masks(grid, size, cut):
    B, L, w = case(grid, size, seed=1)
    problem = problem_of(B, L, [slice(0, 5), slice(5, 7)])
    z = np.einsum("k,nkyx->nyx", w.numpy(), oracle.upsample(B, *size))
    for part, rows in ((0, slice(0, 5)), (1, slice(5, 7))):
        predicted, hit = problem.counts(w, cut, part)
        on = z[rows] > cut
        assert predicted.tolist() == on.sum((1, 2)).tolist()
        assert hit.tolist() == (on & L[rows]).sum((1, 2)).tolist()


@pytest.mark.parametrize(("grid", "size"), GRIDS)
def test_the_cut_reaches_the_best_iou(grid, size):
    B, L, w = case(grid, size, seed=2)
    L |= oracle.upsample(B, *size)[:, 1] > 0.5
    w[1] = 3.0
    problem = problem_of(B, L, [slice(0, 7)])
    histogram = problem.histogram(w, [0])
    assert histogram.sum(axis=1).tolist() == [L.size, L.sum()]
    predicted, hit = problem.counts(w, best_cut(histogram[None]), 0)
    iou = int(hit.sum()) / (int(predicted.sum()) + int(L.sum()) - int(hit.sum()))
    z = np.einsum("k,nkyx->nyx", w.numpy(), oracle.upsample(B, *size))
    assert iou == pytest.approx(oracle.best_cut_iou(z.ravel(), L.ravel()), abs=2e-3)


def test_the_cut_by_hand():
    # Three bins: 5 pixels of which 1 is inside, 4 of which 3, 2 of which 2. All are predicted with
    # IoU 6 / 11; without the first bin it is 5 / 7, the best; with the last alone 2 / 6.
    histogram = np.zeros((2, BINS), dtype=np.int64)
    for place, pixels, inside in ((100, 5, 1), (BINS // 2, 4, 3), (BINS - 50, 2, 2)):
        histogram[:, place] = pixels, inside
    share = (101 + BINS // 2) / 2 / BINS
    assert best_cut(histogram[None]) == pytest.approx(np.log(share / (1 - share)))


def test_pixels_without_an_active_filter_are_above_the_cut_where_they_should_be():
    # They have z = 0 and lie in the middle bin. With neighbours on both sides there is no room
    # between two values: the cut is on the edge of a bin, and must not take them out.
    histogram = np.zeros((2, BINS), dtype=np.int64)
    for place, pixels, inside in ((-1, 50, 5), (0, 1000, 900), (1, 50, 45)):
        histogram[:, BINS // 2 + place] = pixels, inside
    assert -1e-5 < best_cut(histogram[None]) < 0


def test_of_two_cuts_that_do_as_well_the_one_that_all_images_agree_on_is_chosen():
    # Four groups of 100 pixels, ten of them inside. Above the upper cut lie 16 pixels of one group
    # alone, all its ten inside: IoU 10 / 46. Above the lower one lie also 30 of each other group,
    # five inside: IoU 25 / 121, which is less, but less a matter of one group.
    histogram = np.zeros((4, 2, BINS), dtype=np.int64)
    low, middle, high = 100, BINS // 2, BINS - 100
    histogram[:, 0, [low, middle, high]] = [70, 30, 0]
    histogram[:, 1, [low, middle, high]] = [5, 5, 0]
    histogram[0, 0, [low, middle, high]] = [84, 0, 16]
    histogram[0, 1, [low, middle, high]] = [0, 0, 10]

    def score(hit: list[int], union: list[int]) -> float:
        iou = sum(hit) / sum(union)
        parts = [(h - iou * u) / sum(union) for h, u in zip(hit, union, strict=True)]
        return float(iou - np.sqrt(4 / 3 * sum(part**2 for part in parts)) / 2)

    assert 10 / 46 > 25 / 121
    assert score([10, 0, 0, 0], [16, 10, 10, 10]) < score([10, 5, 5, 5], [16, 35, 35, 35])

    def cut_of(first: int, last: int) -> float:
        share = (first + last) / 2 / BINS
        return float(np.log(share / (1 - share)))

    upper, lower = cut_of(middle + 1, high), cut_of(low + 1, middle)
    assert best_cut(histogram.sum(0)[None]) == pytest.approx(upper)
    assert best_cut(histogram) == pytest.approx(lower)


LATTICES = [
    ((4, 3), (11, 8), ([0, 3, 7, 10], [0, 4, 7])),
    ((4, 3), (11, 8), (list(range(11)), list(range(8)))),
    ((6, 5), (6, 5), ([0, 2, 5], [0, 4])),
    ((7, 7), (14, 14), ([0, 6, 13], [0, 6, 13])),
]


@pytest.mark.parametrize(("grid", "size", "places"), LATTICES)
def test_a_lattice_takes_some_pixels_and_some_images(grid, size, places, monkeypatch):
    monkeypatch.setattr(devices, "CPU", replace(devices.CPU, lattice_block_values=300))
    B, L, _ = case(grid, size, seed=3)
    rng = np.random.default_rng(4)
    rows, columns = places
    inside = L[:, rows][:, :, columns]
    maps = SparseMaps.of(torch.from_numpy(B))
    lattice = Lattice.of(maps, size, places, torch.from_numpy(inside))
    counts = torch.tensor([[1, 1, 1, 0, 0, 1, 1], [0, 1, 0, 1, 1, 1, 0], [1] * 7]).bool()
    weight = torch.from_numpy(rng.normal(0, 2, (3, 4)))
    found = lattice.gradient(weight, counts)
    chosen = np.zeros((7, *size), dtype=bool)
    chosen[np.ix_(np.arange(7), rows, columns)] = True
    for place in range(3):
        share = balanced(inside)
        full = np.zeros((7, *size))
        full[np.ix_(np.arange(7), rows, columns)] = share * counts[place].numpy()[:, None, None]
        variable = weight[place].clone().requires_grad_()
        expected = dense_loss(B, L, variable, full)
        expected.backward()
        torch.testing.assert_close(found[place], variable.grad, rtol=1e-5, atol=1e-7)
    judge = torch.tensor([2, 0, 1, 1, 2, 0, 0])
    loss = lattice.loss(weight, judge)
    histogram = lattice.histogram(weight, judge, groups=3)
    expected_histogram = np.zeros((3, 2, BINS), dtype=np.int64)
    z = np.einsum("pk,nkyx->pnyx", weight.numpy(), oracle.upsample(B, *size))
    z = z[:, :, rows][:, :, :, columns]
    share = balanced(inside)
    for place in range(3):
        own = judge.numpy() == place
        t = inside[own]
        lost = np.logaddexp(0, np.where(t, -z[place, own], z[place, own])) * share[own]
        assert float(loss[place]) == pytest.approx(lost.sum(), rel=1e-5)
    for image, place in enumerate(judge.tolist()):
        p = 1 / (1 + np.exp(-z[place, image].astype(np.float32)))
        for which, chosen in enumerate((np.ones_like(inside[image]), inside[image])):
            bins = (p[chosen] * BINS).astype(int)
            np.add.at(expected_histogram[image * 3 // 7, which], bins, 1)
    assert histogram.sum(2).tolist() == expected_histogram.sum(2).tolist()
    # A probability on the edge of a bin may fall to either side.
    apart = np.abs(np.cumsum(histogram - expected_histogram, axis=2))
    assert apart.max() <= 2


@given(st.integers(0, 2**31), st.sampled_from(LATTICES))
def test_curvature_bounds_the_second_derivative(seed, geometry):
    """Along one weight the gradient grows by no more than the curvature says."""
    grid, size, places = geometry
    B, L, w = case(grid, size, seed=seed)
    maps = SparseMaps.of(torch.from_numpy(B))
    inside = torch.from_numpy(L[:, places[0]][:, :, places[1]])
    lattice = Lattice.of(maps, size, places, inside)
    if not lattice.is_mixed:
        return
    counts = torch.ones(1, 7, dtype=torch.bool)
    bound = lattice.curvature(counts)[0]
    for k in range(4):
        moved = w.clone()
        moved[k] += 0.5
        change = lattice.gradient(moved[None], counts) - lattice.gradient(w[None], counts)
        assert -1e-6 <= float(change[0, k]) <= 0.5 * float(bound[k]) * (1 + 1e-4) + 1e-6
