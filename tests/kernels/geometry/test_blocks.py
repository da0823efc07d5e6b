"""Blocks hold the pixels that active filters reach, each once, and lead there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.geometry import blocks
from net2vec.kernels.geometry.blocks import Block, CellBlock, StripBlock
from net2vec.kernels.geometry.strips import Strips

import oracle
from builders_data import sparse_maps

SIDES = st.integers(1, 9)
SIZES = st.integers(1, 20)


def block_of(B: np.ndarray, L: np.ndarray, first: int = 0, last: int | None = None) -> Block:
    strips = Strips.of(B.shape[2:], L.shape[1:])
    masks = strips.pack(torch.from_numpy(L))
    last = len(B) if last is None else last
    maps = sparse_maps(B).slice_images(first, last)
    return blocks.block_of(maps, strips, masks[first:last])


def value_of(block: Block, weight: torch.Tensor) -> torch.Tensor:
    return block.value(weight, torch.empty(block.mask.numel())).clone()


@settings(deadline=None, max_examples=80)
@given(SIDES, SIDES, SIZES, SIZES, st.integers(0, 2**32))
def test_strips_hold_every_pixel_once(h, w, H, W, seed):
    strips = Strips.of((h, w), (H, W))
    assert sorted(strips.pixel_row[strips.exists].tolist()) == list(range(H))
    assert ((strips.lower >= 0) & (strips.upper < h)).all()

    L = np.random.default_rng(seed).random((2, H, W)) < 0.5
    cut = strips.unpack(strips.pack(torch.from_numpy(L)).flatten(0, 1))
    cut = cut.view(2, len(strips), *cut.shape[1:]).numpy()
    back = np.zeros((2, H, W), dtype=int)
    exists = strips.exists.numpy()
    back[:, strips.pixel_row[strips.exists].numpy()] = cut[:, exists, :W]
    np.testing.assert_array_equal(back, L)
    # Padding belongs to no mask.
    assert not cut[:, ~exists].any()
    assert not cut[..., W:].any()


@pytest.mark.parametrize(
    ("grid", "size", "kind"),
    [((5, 7), (5, 7), CellBlock), ((5, 7), (5, 8), StripBlock), ((5, 7), (6, 7), StripBlock)],
)
def test_cells_are_pixels_only_where_nothing_is_upsampled(grid, size, kind):
    B, L = np.ones((1, 1, *grid), dtype=bool), np.ones((1, *size), dtype=bool)
    assert type(block_of(B, L)) is kind


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, SIZES, SIZES, st.sampled_from([0.02, 0.2, 0.9]), st.integers(0, 2**32))
def test_values_are_the_upsampled_sum_and_gradients_go_back_the_same_way(h, w, H, W, share, seed):
    generator = np.random.default_rng(seed)
    if generator.random() < 0.3:
        H, W = h, w  # nothing is upsampled
    B = generator.random((4, 3, h, w)) < share
    L = generator.random((4, H, W)) < 0.5
    first, last = sorted(generator.integers(0, 5, 2))
    block = block_of(B, L, int(first), int(last))
    weight = torch.from_numpy(generator.normal(size=3).astype(np.float32))
    z = np.einsum("k,nkyx->nyx", weight.numpy(), oracle.upsample(B, H, W))[first:last]
    value = value_of(block, weight)

    assert block.images == last - first
    # The mask is 0 on padding, so sums under it are sums over pixels.
    under = np.zeros(last - first)
    masked = (value * block.mask).numpy()
    np.add.at(under, block.image.numpy(), masked.sum(axis=tuple(range(1, masked.ndim))))
    np.testing.assert_allclose(under, (z * L[first:last]).sum(axis=(1, 2)), atol=1e-4)

    # The way back is the transpose of the way there: <value(w), g> = <w, back(g)>.
    pixels = block_of(B, np.ones_like(L), int(first), int(last)).mask
    g = torch.from_numpy(generator.normal(size=tuple(value.shape)).astype(np.float32)) * pixels
    gradient = torch.ones(3)
    block.add_back(gradient, g)  # adds to what is there
    torch.testing.assert_close((value * g).sum(), weight @ (gradient - 1), atol=1e-3, rtol=1e-4)


@settings(deadline=None, max_examples=40)
@given(SIDES, SIDES, SIZES, SIZES, st.integers(0, 2**32))
def test_sums_by_image_count_pixels_and_no_padding(h, w, H, W, seed):
    generator = np.random.default_rng(seed)
    if generator.random() < 0.3:
        H, W = h, w
    B = generator.random((3, 2, h, w)) < 0.3
    block = block_of(B, np.ones((3, H, W), dtype=bool))
    reached = oracle.upsample(B.any(axis=1), H, W) > 0
    value = value_of(block, torch.ones(2))
    counts, _ = block.counts(value)
    assert counts.tolist() == reached.sum(axis=(1, 2)).tolist()


@settings(deadline=None, max_examples=40)
@given(SIDES, SIDES, SIZES, SIZES, st.sampled_from([-0.5, 0.0, 0.3]), st.integers(0, 2**32))
def test_counts_are_of_pixels_above_the_cut_alone(h, w, H, W, cut, seed):
    generator = np.random.default_rng(seed)
    if generator.random() < 0.3:
        H, W = h, w
    B = generator.random((3, 2, h, w)) < 0.3
    L = generator.random((3, H, W)) < 0.5
    block = block_of(B, L)
    weight = np.array([0.7, -1.1], dtype=np.float32)
    z = np.einsum("k,nkyx->nyx", weight, oracle.upsample(B, H, W))
    # Only what the block holds is counted: strips, or cells, that an active filter reaches.
    held = np.zeros(3)
    pixels = block.is_pixel.numpy()
    np.add.at(held, block.image.numpy(), pixels.sum(axis=tuple(range(1, pixels.ndim))))
    predicted, hit = block.counts(value_of(block, torch.from_numpy(weight)), cut)
    missing = H * W - held
    on, near = z > cut, np.abs(z - cut) < 1e-5
    off_block = missing if cut < 0 else 0 * missing  # z is 0 there
    assert (np.abs(predicted.numpy() + off_block - on.sum(axis=(1, 2))) <= near.sum()).all()
    if cut >= 0:
        assert (np.abs(hit.numpy() - (on & L).sum(axis=(1, 2))) <= near.sum()).all()


def test_rows_that_no_active_filter_reaches_are_not_held():
    B = np.zeros((2, 1, 7, 7), dtype=bool)
    B[1, 0, 0, 3] = True  # reaches the first of six gaps alone
    block = block_of(B, np.ones((2, 61, 61), dtype=bool))
    assert isinstance(block, StripBlock)
    assert set(block.image.tolist()) == {1}
    # Pixel rows 0 to 9 lie before the second grid row; they are 10 of 61.
    assert int(block.mask.sum()) == 10 * 61
    value = value_of(block, torch.tensor([2.0]))
    # Straight below the cell the value falls from 2 by a tenth of that every row.
    column = value[:, :, 30].flatten()[block.mask[:, :, 30].flatten() > 0]
    np.testing.assert_allclose(sorted(column), np.arange(1, 11) / 5, atol=1e-6)
