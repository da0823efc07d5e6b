"""Thresholds from a stream, against sorting and comparing everything."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.core import devices
from net2vec.kernels.backends import cpu
from net2vec.kernels.quantile import Highest, TopValues, rank_of

import oracle

QUANTILES = [0.005, 0.02, 0.1, 0.29, 0.5, 0.9, 0.999]


def all_above(top: TopValues) -> list[torch.Tensor]:
    """The filters and positions of all values above the thresholds."""
    return [torch.cat(parts) for parts in zip(*top.above(), strict=True)]


def activations(seed: int, filters: int, n: int, levels: int) -> np.ndarray:
    """Values [filter, n] with as many ties as few levels give; each filter has its own range."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, levels, (filters, n)) - generator.integers(0, 9, (filters, 1))
    return (values / 4).astype(np.float32)


def portions(n: int, cuts: list[int]) -> list[slice]:
    bounds = sorted({0, n, *(cut % n for cut in cuts)})
    return [slice(a, b) for a, b in pairwise(bounds)]


def stream(filters: int, quantile: float, count: int) -> TopValues:
    return TopValues.of(filters, rank_of(quantile, count) + 1)


def fill(top: TopValues, values: np.ndarray, parts: list[slice], longest: int = 1) -> TopValues:
    """Add portions of values [filter, n] in blocks, as long as `longest` or shorter."""
    for part in parts:
        some = torch.from_numpy(np.ascontiguousarray(values[:, part].T))
        n = len(some)
        block = max(length for length in range(1, longest + 1) if n % length == 0)
        top.add(some, part.start, some.view(n // block, block, -1).amax(1))
    return top


def dense(top: TopValues, shape: tuple[int, int]) -> np.ndarray:
    """Who is above, after checking that nobody is named twice."""
    filters, positions = (part.numpy() for part in all_above(top))
    above = np.zeros(shape, dtype=int)
    np.add.at(above, (filters, positions), 1)
    assert above.max(initial=0) <= 1
    return above.astype(bool)


def check(top: TopValues, values: np.ndarray, quantile: float) -> None:
    expected = np.array([oracle.threshold(row, quantile) for row in values])
    np.testing.assert_array_equal(
        dense(top, values.shape), values > expected[:, None], err_msg="above"
    )
    np.testing.assert_array_equal(top.bound.numpy(), expected)
    middle = top.thresholds().numpy()[:, None]
    np.testing.assert_array_equal(values > middle, values > expected[:, None])


@pytest.mark.parametrize(
    ("quantile", "count", "rank"),
    [
        (0.005, 1000, 5),
        (0.005, 999, 4),
        (0.005, 199, 0),
        (0.29, 100, 29),  # 28.999999999999996 in floating point
        (0.07, 100, 7),  # 7.000000000000001
        (1e-05, 300_000, 3),
        (0.005, 63_305 * 56 * 56, 992_622),
    ],
)
def test_the_rank_is_that_of_the_quantile_as_written(quantile, count, rank):
    assert rank_of(quantile, count) == rank


def test_five_of_a_thousand_are_above():
    values = np.random.default_rng(0).permutation(1000).astype(np.float32)[None]
    top = fill(stream(1, 0.005, 1000), values, portions(1000, [100, 450]))
    filters, positions = all_above(top)
    assert filters.tolist() == [0] * 5
    assert sorted(values[0, positions].tolist()) == [995, 996, 997, 998, 999]
    assert top.bound.tolist() == [994]


def test_ties_with_the_threshold_are_not_above():
    # Of ten values rank 3 is wanted: 9 7 5 5 | 5 ...: two are above 5, though three might be.
    values = np.array([[5, 1, 9, 5, 0, 7, 5, 2, 3, 4]], np.float32)
    top = fill(stream(1, 0.3, 10), values, portions(10, [4]))
    assert sorted(all_above(top)[1].tolist()) == [2, 5]
    assert top.bound.tolist() == [5]


def test_thresholds_lie_midway_to_the_next_larger_value():
    one = np.float32(1)
    step = np.nextafter(one, np.float32(2))
    rows = [
        [3, 1, 9, 4, 0, 7, 5, 2, 3, 4],  # 9 7 5 | 4: four would be on by any rounding of 4
        [6, 6, 6, 6, 6, 1, 2, 3, 4, 5],  # nothing is above
        [one, one, one, one, step, step, 0, 0, 0, 0],  # no number lies between
        [1e-45, 1e-45, 0, 0, 0, 0, 0, 0, 0, 0],  # half of the smallest number is none
        [3e38, 3e38, 3e38, 2e38, 0, 0, 0, 0, 0, 0],  # their sum is not finite in single precision
        [-5, -1, -2, -3, -7, -7, -7, -7, -7, -7],
    ]
    values = np.array(rows, np.float32)
    top = fill(stream(6, 0.3, 10), values, portions(10, [4]))
    found = top.thresholds()
    wanted = np.array([4.5, 6, 1, 0, 2.5e38, -4], np.float32)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(dense(top, values.shape), values > found.numpy()[:, None])


@pytest.mark.parametrize("size", [1, 3, 50, 400, 2000])
def test_filters_that_saturate_or_never_answer(size):
    generator = np.random.default_rng(1)
    n = 2000
    values = np.zeros((6, n), np.float32)
    values[0] = np.clip(generator.normal(0, 8, n), 0, 6)  # often at 6
    values[1] = 6
    values[3, generator.choice(n, 9, replace=False)] = 1  # less than tau: T = 0 and 9 are above
    values[4, generator.choice(n, 10, replace=False)] = 1  # exactly tau: T = 0 and 10 are above
    values[5, generator.choice(n, 11, replace=False)] = 1  # more than tau: T = 1 and none is
    top = fill(stream(6, 0.005, n), values, portions(n, list(range(0, n, size))))
    check(top, values, 0.005)
    assert top.bound.tolist() == [6, 6, 0, 0, 0, 1]
    assert np.bincount(all_above(top)[0], minlength=6).tolist() == [0, 0, 0, 9, 10, 0]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 400),
    levels=st.sampled_from([1, 2, 5, 50, 10_000]),
    quantile=st.sampled_from(QUANTILES),
    cuts=st.lists(st.integers(0, 10_000), max_size=30),
    longest=st.sampled_from([1, 3, 8]),
    chunk=st.sampled_from([8, 2**16]),
    long=st.sampled_from([1, 1000]),
    data=st.data(),
)
def test_any_portions_in_any_order_give_what_sorting_gives(
    seed, n, levels, quantile, cuts, longest, chunk, long, data
):
    values = activations(seed, 4, n, levels)
    parts = data.draw(st.permutations(portions(n, cuts)))
    policy = replace(devices.CPU, candidate_chunk=chunk)
    with mock.patch.object(devices, "CPU", policy), mock.patch.object(cpu, "_LONG_ROW", long):
        top = fill(stream(4, quantile, n), values, parts, longest)
    assert top.seen == n
    check(top, values, quantile)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 400),
    levels=st.sampled_from([1, 2, 5, 10_000]),
    quantile=st.sampled_from(QUANTILES),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    streams=st.integers(1, 5),
    data=st.data(),
)
def test_merged_streams_are_one_stream(seed, n, levels, quantile, cuts, streams, data):
    values = activations(seed, 3, n, levels)
    parts = data.draw(st.permutations(portions(n, cuts)))
    tops = [fill(stream(3, quantile, n), values, parts[i::streams]) for i in range(streams)]
    while len(tops) > 1:
        other = tops.pop(data.draw(st.integers(1, len(tops) - 1)))
        if data.draw(st.booleans()):
            other.settle()
        tops[data.draw(st.integers(0, len(tops) - 1))].merge(other)
    assert tops[0].seen == n
    check(tops[0], values, quantile)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), quantile=st.sampled_from(QUANTILES), stop=st.integers(1, 10))
def test_a_stream_goes_on_from_what_was_saved_of_it(seed, quantile, stop):
    values = activations(seed, 3, 220, 40)
    parts = portions(220, list(range(0, 220, 20)))
    top = fill(stream(3, quantile, 220), values, parts[:stop])
    file = io.BytesIO()
    torch.save(vars(top), file)
    file.seek(0)
    restored = TopValues(**torch.load(file, weights_only=True))
    check(fill(restored, values, parts[stop:]), values, quantile)


def test_values_that_only_rise_do_not_pile_up():
    n, keep, portion = 20_000, 101, 64
    values = np.arange(n, dtype=np.float32)[None]
    top = stream(1, 0.005, n)
    for part in portions(n, list(range(0, n, portion))):
        fill(top, values, [part])
        assert top.key.shape[1] <= 1.5 * keep + portion
    check(top, values, 0.005)
    # Read once, a stream can be read again.
    check(top, values, 0.005)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 60),
    ranks=st.integers(1, 12),
    levels=st.sampled_from([1, 2, 5, 10_000]),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    waiting=st.sampled_from([1, 20, 512]),
    data=st.data(),
)
def test_the_highest_are_found_in_any_order_the_earliest_among_equals(
    seed, n, ranks, levels, cuts, waiting, data
):
    values = activations(seed, 3, n, levels)
    ranks = min(ranks, n)
    highest = Highest.of(3, ranks)
    with mock.patch("net2vec.kernels.quantile._PENDING_VALUES", waiting):
        for part in data.draw(st.permutations(portions(n, cuts))):
            highest.add(torch.from_numpy(values[:, part].T.copy()), part.start)
            if data.draw(st.booleans()):
                highest = Highest(highest.state())
    found, position = highest.largest()
    for row, value, place in zip(values, found.numpy(), position.numpy(), strict=True):
        best = sorted(range(n), key=lambda i: (-row[i], i))[:ranks]
        assert place.tolist() == best
        np.testing.assert_array_equal(value, row[best])


def test_zeros_of_both_signs_are_equal_and_every_finite_value_is_told_apart():
    values = np.array([[0.0, -0.0, -1e-45, 1e-45, 3.4e38, -3.4e38, -1.0, 1.0]], np.float32)
    highest = Highest.of(1, 8)
    highest.add(torch.from_numpy(values.T.copy()), 2**32 - 8)
    found, position = highest.largest()
    assert (position[0] - (2**32 - 8)).tolist() == [4, 7, 3, 0, 1, 2, 6, 5]
    np.testing.assert_array_equal(found.numpy(), -np.sort(-values))
