"""Sums in a fixed order come to what plain products come to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.geometry.sparse import ScatteredSum, in_order


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 30), st.integers(1, 50))
def test_a_product_in_order_is_a_product(seed, to, terms, numbers):
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(to, terms)), rng.normal(size=(terms, numbers))
    found = in_order(torch.from_numpy(left).float(), torch.from_numpy(right).float())
    np.testing.assert_allclose(found, left @ right, atol=1e-4)


@pytest.mark.parametrize("width", [(), (3,)])
def test_scattered_sums_are_those_of_a_loop(width):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, *width)).astype(np.float32)
    source, place = rng.integers(7, size=20), rng.integers(5, size=20)
    wanted = np.ones((6, *width))
    for one, other in zip(source, place, strict=True):
        wanted[other] += values[one]
    total = torch.ones(6, *width)
    summed = ScatteredSum.of(torch.from_numpy(source), torch.from_numpy(place), 6)
    summed.add_to(total, torch.from_numpy(values))
    np.testing.assert_allclose(total, wanted, atol=1e-5)
    if not width:
        np.testing.assert_allclose(summed.sums(torch.from_numpy(values)), wanted - 1, atol=1e-5)
    every = torch.zeros(5, *width)
    ScatteredSum.of(None, torch.tensor([0, 0, 3, 3, 3, 1, 0]), 5).add_to(
        every, torch.from_numpy(values)
    )
    np.testing.assert_allclose(every[3], values[2:5].sum(0), atol=1e-5)
    assert not every[4].any()
