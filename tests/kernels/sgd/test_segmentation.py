"""Learning to segment, against the slow trajectory, autograd, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from net2vec.core import devices
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd import segmentation as fit
from net2vec.kernels.sgd.segmentation import (
    SegmentationProblem,
    count_predicted,
    fit_segmentation,
)

import oracle
from builders_data import sparse_maps

# Grids and masks: coarse, of the mask's size (square and not), single rows and cells, equal along
# one axis, finer than the mask, a mask of one row; so many pixels to a cell that nodes stand for
# them: gaps of unequal size, a single row of cells.
GEOMETRIES = [
    ((3, 4), (9, 7)),
    ((7, 7), (22, 22)),
    ((5, 5), (5, 5)),
    ((4, 6), (4, 6)),
    ((2, 2), (2, 2)),
    ((1, 6), (8, 11)),
    ((6, 1), (10, 6)),
    ((1, 1), (4, 4)),
    ((4, 6), (4, 13)),
    ((5, 3), (12, 3)),
    ((9, 8), (4, 5)),
    ((3, 3), (1, 4)),
    ((3, 3), (15, 16)),
    ((1, 3), (9, 23)),
]


def case(seed: int, images: int, filters: int, grid, size, share: float = 0.3):
    """Maps, masks of unequal sizes, and a start; every fourth image has no active filter."""
    generator = np.random.default_rng(seed)
    B = generator.random((images, filters, *grid)) < share
    B[3::4] = False
    L = generator.random((images, *size)) < np.linspace(0.1, 0.7, images)[:, None, None]
    return B, L, generator.uniform(-1, 1, filters).astype(np.float32)


def problem_of(
    B: np.ndarray, L: np.ndarray, batch: int = 64, alpha: float = 0.5
) -> SegmentationProblem:
    strips = Strips.of(B.shape[2:], L.shape[1:])
    masks = strips.pack(torch.from_numpy(L))
    return SegmentationProblem(sparse_maps(B), strips, masks, batch, alpha)


def fit_alone(problem: SegmentationProblem, start: torch.Tensor, **how: float) -> torch.Tensor:
    return fit_segmentation([problem], start[None], **how)[0]


def counts_of(problem: SegmentationProblem, weight: torch.Tensor) -> tuple:
    return count_predicted([problem], weight[None])[0]


def learned(
    B: np.ndarray,
    L: np.ndarray,
    w0: np.ndarray,
    *,
    batch: int = 64,
    alpha: float | None = None,
    learning_rate: float = 0.02,
    momentum: float = 0.9,
    epochs: int = 30,
) -> np.ndarray:
    weight = fit_alone(
        problem_of(B, L, batch, 1 - float(L.mean()) if alpha is None else alpha),
        torch.from_numpy(w0),
        learning_rate=learning_rate,
        momentum=momentum,
        epochs=epochs,
    )
    return weight.numpy()


def test_one_step_by_hand():
    # One filter on the upper of two rows; at three rows it weighs 1, 1/2, 0. From w = 0 p = 1/2.
    B = np.array([[[[True], [False]]]])
    L = np.array([[[True], [False], [False]]])
    # alpha = 2/3: dL/dz = -2/3 / 4 inside, 1/3 / 4 outside, so dL/dw = (-2 + 1/2) / 12 = -1/8.
    w = learned(B, L, np.zeros(1, np.float32), learning_rate=1.0, epochs=1)
    assert w == pytest.approx(1 / 8)
    # A second image without an active filter halves it: the loss is a mean over the batch.
    twice = np.concatenate([B, B & False]), np.concatenate([L, L])
    w = learned(*twice, np.zeros(1, np.float32), learning_rate=1.0, epochs=1)
    assert w == pytest.approx(1 / 16)


@pytest.mark.parametrize(("grid", "size"), GEOMETRIES)
def test_thirty_epochs_end_where_the_slow_trajectory_does(grid, size):
    B, L, w0 = case(sum(grid) * sum(size), 21, 4, grid, size)
    settings = {"learning_rate": 0.02, "batch": 8, "epochs": 30}  # batches of 8, 8 and 5
    w = learned(B, L, w0, **settings)
    np.testing.assert_allclose(w, oracle.fit_segmentation(B, L, w0, **settings), atol=1e-5)
    assert np.abs(w - w0).max() > 0.05


def test_the_papers_settings():
    # 67 images: a batch of 64 and a batch of 3.
    B, L, w0 = case(0, 67, 6, (7, 7), (56, 57), share=0.05)
    B, L, w0 = B, L, w0 / np.float32(6**0.5)
    paper = {"learning_rate": 1e-4, "momentum": 0.9, "batch": 64, "epochs": 30}
    w = learned(B, L, w0, **paper)
    np.testing.assert_allclose(w, oracle.fit_segmentation(B, L, w0), atol=1e-5)
    assert np.abs(w - w0).min() > 0.01


@pytest.mark.parametrize(("grid", "size"), [((3, 4), (9, 7)), ((4, 4), (4, 4))])
def test_a_concept_that_fills_every_mask_weighs_all_pixels_alike(grid, size):
    B, L, w0 = case(2, 10, 3, grid, size)
    L[:] = True
    settings = {"learning_rate": 0.005, "batch": 4, "epochs": 30}
    w = learned(B, L, w0, **settings)
    np.testing.assert_allclose(w, oracle.fit_segmentation(B, L, w0, **settings), atol=1e-5)
    assert (w > w0 + 0.1).all()


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    geometry=st.sampled_from(GEOMETRIES),
    alpha=st.sampled_from([0.0, 0.2, 0.97]),
)
def test_a_step_goes_down_the_gradient_that_autograd_finds(seed, geometry, alpha):
    B, L, w0 = case(seed, 5, 3, *geometry)
    step = w0 - learned(B, L, w0, alpha=alpha, learning_rate=1.0, momentum=0.0, epochs=1)

    w = torch.tensor(w0, dtype=torch.float64, requires_grad=True)
    maps, t = torch.from_numpy(B).double(), torch.from_numpy(L).double()
    combined = (w[:, None, None] * maps).sum(1, keepdim=True)
    z = functional.interpolate(combined, L.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    p = torch.sigmoid(z)
    inside, outside = (alpha, 1 - alpha) if alpha else (1, 1)
    (-(inside * t * p + outside * (1 - t) * (1 - p)).sum() / len(t)).backward()
    np.testing.assert_allclose(step, w.grad.numpy(), atol=2e-5)


@pytest.mark.parametrize(("grid", "size"), GEOMETRIES)
def test_counts_are_exact(grid, size):
    B, L, _ = case(3, 11, 4, grid, size)
    L[0], L[1] = False, True
    weight = np.random.default_rng(4).normal(size=4).astype(np.float32)
    predicted, hit = counts_of(problem_of(B, L, batch=4), torch.from_numpy(weight))
    M = oracle.predicted_mask(B, weight, *size)
    assert M.any()
    assert predicted.tolist() == M.sum(axis=(1, 2)).tolist()
    assert hit.tolist() == (M & L).sum(axis=(1, 2)).tolist()


def test_a_sum_of_exactly_zero_is_not_predicted():
    B = np.zeros((1, 2, 2, 2), dtype=bool)
    B[0, 0, 0], B[0, 1, 1] = True, True  # the upper row, the lower row
    L = np.ones((1, 3, 2), dtype=bool)
    predicted, hit = counts_of(problem_of(B, L), torch.tensor([1.0, -1.0]))
    # z is 1, 0, -1 down the rows.
    assert (predicted.tolist(), hit.tolist()) == ([2], [2])
    nothing = counts_of(problem_of(B & False, L), torch.tensor([1.0, 1.0]))
    assert [count.tolist() for count in nothing] == [[0], [0]]


@pytest.mark.parametrize(("grid", "size"), [((4, 5), (11, 9)), ((5, 5), (5, 5))])
def test_without_an_active_filter_nothing_moves(grid, size):
    B, L, w0 = case(5, 6, 3, grid, size)
    B[:, 1] = False
    w = learned(B, L, w0)
    assert w[1] == w0[1]
    assert (w != w0).sum() == 2
    np.testing.assert_array_equal(learned(B & False, L, w0), w0)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), geometry=st.sampled_from(GEOMETRIES))
def test_permuted_filters_learn_permuted_weights(seed, geometry):
    B, L, w0 = case(seed, 9, 5, *geometry)
    order = np.random.default_rng(seed).permutation(5)
    w = learned(B, L, w0, batch=4, epochs=5)
    permuted = learned(B[:, order], L, w0[order], batch=4, epochs=5)
    np.testing.assert_allclose(permuted, w[order], atol=2e-6)


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    geometry=st.sampled_from(GEOMETRIES),
    added=st.integers(1, 5),
)
def test_images_without_active_filters_only_thin_the_batch(seed, geometry, added):
    B, L, w0 = case(seed, 6, 3, *geometry)
    shape = (added, *L.shape[1:])
    with_empty = (
        np.concatenate([B, np.zeros((added, *B.shape[1:]), dtype=bool)]),
        np.concatenate([L, np.random.default_rng(seed).random(shape) < 0.5]),
    )
    # In the batch they count as images: as if the step were shorter. (They would move alpha too.)
    thinned = learned(*with_empty, w0, alpha=0.7, learning_rate=0.02, epochs=5)
    shorter = learned(B, L, w0, alpha=0.7, learning_rate=0.02 * 6 / (6 + added), epochs=5)
    np.testing.assert_allclose(thinned, shorter, atol=2e-6)
    # In a batch of their own they give no gradient, and without momentum no step.
    alone = {"alpha": 0.7, "batch": 6, "momentum": 0.0, "epochs": 5}
    np.testing.assert_array_equal(learned(*with_empty, w0, **alone), learned(B, L, w0, **alone))
    # They are predicted nowhere and leave the counts of the others alone.
    predicted, hit = counts_of(problem_of(*with_empty), torch.from_numpy(w0))
    expected = counts_of(problem_of(B, L), torch.from_numpy(w0))
    assert predicted.tolist() == expected[0].tolist() + [0] * added
    assert hit.tolist() == expected[1].tolist() + [0] * added


@pytest.mark.parametrize(("grid", "size"), [((4, 5), (11, 9)), ((5, 5), (5, 5))])
def test_the_size_of_blocks_moves_only_rounding(grid, size, monkeypatch):
    B, L, w0 = case(6, 13, 4, grid, size)
    found = []
    for most in (1, 3 * size[0] * size[1], 1 << 20):  # one image a block, a few, the whole batch
        monkeypatch.setattr(devices, "CPU", replace(devices.CPU, pixel_block=most))
        problem = problem_of(B, L, batch=8, alpha=0.6)
        w = fit_alone(problem, torch.from_numpy(w0), learning_rate=0.02, momentum=0.9, epochs=10)
        found.append((w.numpy(), [count.tolist() for count in counts_of(problem, w)]))
    for w, counts in found[1:]:
        np.testing.assert_allclose(w, found[0][0], atol=2e-6)
        assert counts == found[0][1]


def test_a_problem_can_be_learned_again_from_another_start():
    B, L, w0 = case(7, 9, 3, (4, 5), (11, 9))
    settings = {"learning_rate": 0.02, "momentum": 0.9, "epochs": 5}
    problem, start = problem_of(B, L), torch.from_numpy(w0)
    first = fit_alone(problem, start, **settings)
    fit_alone(problem, -start, **settings)
    torch.testing.assert_close(fit_alone(problem, start, **settings), first, rtol=0, atol=0)
    np.testing.assert_array_equal(start.numpy(), w0)


@pytest.mark.parametrize(
    ("grid", "size"), [((4, 5), (11, 9)), ((5, 5), (5, 5)), ((3, 3), (15, 16))]
)
def test_a_subset_is_learned_as_if_there_were_no_other_filters(grid, size):
    B, L, w0 = case(8, 9, 5, grid, size)
    kept = torch.tensor([True, False, True, False, False])
    settings = {"learning_rate": 0.02, "momentum": 0.9, "epochs": 5}
    whole, start = problem_of(B, L, batch=4), torch.from_numpy(w0)
    full = fit_alone(whole, start, **settings)
    subset = whole.keep_filters(kept)
    w = fit_alone(subset, start * kept, **settings)
    alone = B & kept.numpy()[None, :, None, None]
    expected = problem_of(alone, L, batch=4)
    torch.testing.assert_close(w, fit_alone(expected, start * kept, **settings), rtol=0, atol=0)
    assert w[~kept].tolist() == [0, 0, 0]
    for count, other in zip(counts_of(subset, w), counts_of(expected, w), strict=True):
        assert count.tolist() == other.tolist()
    # The whole problem does not notice.
    torch.testing.assert_close(fit_alone(whole, start, **settings), full, rtol=0, atol=0)


@pytest.mark.parametrize(("grid", "size"), [((3, 3), (40, 41)), ((7, 7), (56, 57))])
def test_nodes_learn_what_pixels_learn(grid, size, monkeypatch):
    B, L, w0 = case(9, 20, 6, grid, size)
    settings = {"learning_rate": 0.002, "momentum": 0.9, "epochs": 30}
    problem, start = problem_of(B, L, batch=8, alpha=0.6), torch.from_numpy(w0)
    w = fit_alone(problem, start, **settings)
    monkeypatch.setattr(fit.NodeGrid, "of", lambda *_: None)
    by_pixel = fit_alone(problem, start, **settings)
    assert (w - torch.from_numpy(w0)).abs().max() > 0.5
    torch.testing.assert_close(w, by_pixel, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("grid", "size"), GEOMETRIES)
def test_choices_of_filters_side_by_side_are_those_of_each_alone(grid, size):
    B, L, w0 = case(11, 13, 6, grid, size)
    chosen = [[2], [0, 4], [], [1, 2, 3], [0, 1, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
    kept = torch.stack([torch.isin(torch.arange(6), torch.tensor(k)) for k in chosen])
    settings = {"learning_rate": 0.02, "momentum": 0.9, "epochs": 12}
    whole = problem_of(B, L, batch=5, alpha=0.6)
    problems = [whole.keep_filters(some) for some in kept]
    start = torch.from_numpy(w0) * kept
    together = fit_segmentation(problems, start, **settings)
    for problem, some, begin, found in zip(problems, kept, start, together, strict=True):
        np.testing.assert_array_equal(found, fit_alone(problem, begin, **settings))
        assert not found[~some].any()
    assert (together - start).abs().max() > 0.05


@pytest.mark.parametrize(
    ("grid", "size", "together"),
    [
        *((*geometry, 1 << 12) for geometry in [*GEOMETRIES, ((6, 7), (45, 60))]),
        *((*geometry, n) for geometry in (GEOMETRIES[1], GEOMETRIES[12]) for n in (1, 1 << 30)),
    ],
)
def test_concepts_side_by_side_learn_the_same_bits_as_alone(grid, size, together, monkeypatch):
    # One, two, three and five batches, masks of any size, and weights that some squares grow
    # steep by and others do not.
    cases = [case(n, images, 5, grid, size) for n, images in enumerate([3, 9, 1, 20, 12, 8])]
    problems = [
        problem_of(B, L, batch=4, alpha=alpha)
        for (B, L, _), alpha in zip(cases, [0.9, 0.5, 0.0, 0.7, 0.99, 0.3], strict=True)
    ]
    start = torch.from_numpy(np.stack([scale * w0 for scale, (*_, w0) in enumerate(cases, 1)]))
    settings = {"learning_rate": 0.01, "momentum": 0.9, "epochs": 8}
    alone = torch.stack(
        [fit_alone(*each, **settings) for each in zip(problems, start, strict=True)]
    )
    monkeypatch.setattr(devices, "CPU", replace(devices.CPU, node_step_samples=together))
    for order in ([0, 1, 2, 3, 4, 5], [4, 2, 5, 0, 3, 1], [3, 5]):
        chosen = [problems[i] for i in order]
        found = fit_segmentation(chosen, start[order], **settings)
        np.testing.assert_array_equal(found, alone[order])
        counts = count_predicted(chosen, found)
        for i, (predicted, hit) in zip(order, counts, strict=True):
            M = oracle.predicted_mask(cases[i][0], alone[i].numpy(), *size)
            assert np.abs(predicted.numpy() - M.sum(axis=(1, 2))).max() <= 1
            expected = counts_of(problems[i], alone[i])
            assert [predicted.tolist(), hit.tolist()] == [part.tolist() for part in expected]
    assert (alone - start).abs().amax(1).min() > 1e-3
