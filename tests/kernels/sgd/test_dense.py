"""Products over all pixels come to what autograd and the pixels that count come to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd import dense
from net2vec.kernels.sgd.dense import DenseBatch, count_dense
from net2vec.kernels.sgd.pixels import PixelBatch, count_pixels

from builders_data import sparse_maps

SIZES = st.integers(1, 9)
# Fewer and more images than a product takes.
PORTIONS = st.sampled_from([1, 3, 64])


def case(seed, h, w, H, W):
    rng = np.random.default_rng(seed)
    images = int(rng.integers(1, 12))
    B = rng.random((images, 4, h, w)) < rng.choice([0.05, 0.4])
    L = rng.random((images, H, W)) < 0.3
    factors = torch.from_numpy(rng.uniform(0.2, 1, (2, images)).astype(np.float32))
    strips = Strips.of((h, w), (H, W))
    weight = torch.from_numpy(rng.normal(size=4).astype(np.float32))
    return B, L, strips, strips.pack(torch.from_numpy(L)), factors, weight


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), SIZES, SIZES, st.integers(1, 20), st.integers(1, 20), PORTIONS)
def test_the_gradient_is_that_of_autograd(seed, h, w, H, W, portion):
    B, L, strips, masks, (background, slope), weight = case(seed, h, w, H, W)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_CHUNK_IMAGES", portion)
        batch = DenseBatch(sparse_maps(B), strips, masks, background, slope)
        found = batch.gradient(weight)
    by_pixel = PixelBatch(sparse_maps(B), strips, masks, background, slope).gradient(weight)
    own = weight.double().requires_grad_()
    summed = torch.einsum("nkyx,k->nyx", torch.from_numpy(B).double(), own)
    z = interpolate(summed[:, None], (H, W), mode="bilinear", align_corners=True)[:, 0]
    target = background[:, None, None] - slope[:, None, None] * torch.from_numpy(L)
    (z.sigmoid() * target).sum().backward()
    torch.testing.assert_close(found.double(), own.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found, by_pixel, rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), SIZES, SIZES, st.integers(1, 20), st.integers(1, 20), PORTIONS)
def test_counts_are_those_of_the_pixels_that_count(seed, h, w, H, W, portion):
    B, L, strips, masks, _, weight = case(seed, h, w, H, W)
    weight = (weight * 8).round() / 8  # sums are exact, but for upsampling
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_CHUNK_IMAGES", portion)
        patch.setattr(dense, "_COUNTED_PIXELS", 2 * portion * len(strips) * strips.pixels)
        found = count_dense(sparse_maps(B), strips, masks, weight)
    wanted = count_pixels(sparse_maps(B), strips, masks, weight)
    # A pixel where positive and negative cells cancel out may be on either side.
    summed = torch.einsum("nkyx,k->nyx", torch.from_numpy(B).double(), weight.double())
    z = interpolate(summed[:, None], (H, W), mode="bilinear", align_corners=True)[:, 0]
    close = (z.abs() < 1e-5).flatten(1).sum(1)
    for one, other in zip(found, wanted, strict=True):
        assert ((one - other).abs() <= close).all()
    at_most = (torch.from_numpy(L).flatten(1)).sum(1)
    assert (found[1] <= at_most).all()


def test_a_filter_that_is_on_everywhere_by_hand():
    # z is 2 at all six pixels, three of them in the mask; the second filter is never on.
    B = np.zeros((1, 2, 2, 2), dtype=bool)
    B[0, 0] = True
    strips = Strips.of((2, 2), (2, 3))
    mask = torch.tensor([[[True, True, False], [True, False, False]]])
    weight = torch.tensor([2.0, 5.0])
    predicted, hit = count_dense(sparse_maps(B), strips, strips.pack(mask), weight)
    assert (predicted.tolist(), hit.tolist()) == ([6], [3])
    batch = DenseBatch(
        sparse_maps(B), strips, strips.pack(mask), torch.tensor([0.25]), torch.tensor([1.0])
    )
    p = 1 / (1 + np.exp(-2.0))
    expected = p * (1 - p) * (3 * 0.25 - 3 * 0.75)
    np.testing.assert_allclose(batch.gradient(weight), [expected, 0], rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), SIZES, SIZES, st.integers(1, 20), st.integers(1, 20))
def test_packed_masks_come_back_by_rows(seed, h, w, H, W):
    L = torch.from_numpy(np.random.default_rng(seed).random((3, H, W)) < 0.5)
    strips = Strips.of((h, w), (H, W))
    rows = strips.unpack_rows(strips.pack(L))
    assert torch.equal(rows[:, :, :W].bool(), L)
    assert not rows[:, :, W:].any()


def test_images_of_no_filter_come_to_nothing():
    maps = SparseMaps.of(torch.zeros(3, 2, 4, 4, dtype=torch.bool))
    strips = Strips.of((4, 4), (9, 9))
    masks = strips.pack(torch.ones(3, 9, 9, dtype=torch.bool))
    batch = DenseBatch(maps, strips, masks, torch.ones(3), torch.ones(3))
    assert batch.gradient(torch.ones(2)).tolist() == [0, 0]
    assert count_dense(maps, strips, masks, torch.ones(2))[0].tolist() == [0, 0, 0]
