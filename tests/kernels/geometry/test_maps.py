"""Thresholded maps as lists, against the dense arrays that they stand for."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.geometry.maps import SparseMaps

from builders_data import sparse_maps


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from([0.0, 0.1, 0.6, 1.0]),
)
def test_dense_chosen_and_single_filters(seed, shape, share):
    generator = np.random.default_rng(seed)
    B = generator.random(shape) < share
    maps = sparse_maps(B)
    assert len(maps) == shape[0]
    np.testing.assert_array_equal(maps.dense().numpy(), B)
    np.testing.assert_array_equal(maps.image().numpy(), np.nonzero(B)[0])

    kept = generator.random(shape[1]) < 0.5
    only = maps.keep_filters(torch.from_numpy(kept))
    np.testing.assert_array_equal(only.dense().numpy(), B & kept[:, None, None])
    assert only.filters == shape[1]

    chosen = generator.integers(shape[1], size=shape[0])
    alone = maps.alone(torch.from_numpy(chosen))
    np.testing.assert_array_equal(alone.dense()[:, 0].numpy(), B[np.arange(len(B)), chosen])

    first, last = sorted(generator.integers(shape[0] + 1, size=2).tolist())
    stretch = maps.slice_images(first, last)
    np.testing.assert_array_equal(stretch.dense().numpy(), B[first:last])
    joined = SparseMaps.joined([stretch, maps, only])
    assert joined.filters == 3 * shape[1]
    parts = joined.dense().split([last - first, shape[0], shape[0]])
    for n, (part, own) in enumerate(zip(parts, [B[first:last], B, only.dense()], strict=True)):
        mine = slice(n * shape[1], (n + 1) * shape[1])
        np.testing.assert_array_equal(part[:, mine].numpy(), own)
        assert int(part.sum()) == int(np.asarray(own).sum())


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from([0.0, 0.1, 0.6, 1.0]),
)
def test_dense_maps_become_the_lists_of_a_recording_and_their_weighted_sum(seed, shape, share):
    generator = np.random.default_rng(seed)
    B = generator.random(shape) < share
    maps, wanted = SparseMaps.of(torch.from_numpy(B)), sparse_maps(B)
    assert (maps.grid, maps.filters) == (wanted.grid, wanted.filters)
    for name in ("starts", "filter", "cell"):
        assert getattr(maps, name).tolist() == getattr(wanted, name).tolist()
    weight = generator.normal(size=shape[1])
    total = maps.weighted(torch.from_numpy(weight)).numpy()
    np.testing.assert_allclose(total, np.einsum("k,nkyx->nyx", weight, B), atol=1e-12)
    assert (total[~B.any(axis=1)] == 0).all()
