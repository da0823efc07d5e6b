"""Learning to classify, against the slow trajectory, and bit by bit whatever stands beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.core import devices
from net2vec.kernels.sgd.logistic import (
    Draws,
    accuracy,
    concepts_in_block,
    fit_logistic,
    largest_weights,
)

import oracle

RATES = [0.1] * 15 + [0.01] * 15


class Case:
    """Concepts of unequal sizes over the same images, with as many vectors each."""

    def __init__(self, seed: int, concepts: int, filters: int = 6, vectors: int = 2) -> None:
        generator = np.random.default_rng(seed)
        images = 90
        self.features = np.maximum(generator.normal(0.3, 1, (images, filters)), 0).astype(
            np.float32
        )
        self.draws, self.labels = [], []
        for _ in range(concepts):
            labels = self.features @ generator.normal(size=filters) > generator.normal()
            labels[:2] = True, False
            length = int(generator.integers(1, images))
            rows = np.stack([generator.permutation(images)[:length] for _ in RATES])
            self.labels.append(labels)
            self.draws.append(Draws(torch.from_numpy(rows), torch.from_numpy(labels[rows])))
        shape = (concepts, filters, vectors)
        self.start = torch.from_numpy(generator.uniform(-0.4, 0.4, shape).astype(np.float32))
        self.bias = torch.from_numpy(
            generator.uniform(0, 1, (concepts, vectors)).astype(np.float32)
        )
        self.kept = torch.ones(shape, dtype=torch.bool)
        self.kept[:, :, 1:] = torch.from_numpy(generator.random((concepts, filters, 1)) < 0.5)

    def fit(self, chosen: list[int], batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = fit_logistic(
            torch.from_numpy(self.features),
            [self.draws[concept] for concept in chosen],
            self.start[chosen],
            self.bias[chosen],
            self.kept[chosen],
            batch=batch,
            rates=RATES,
            momentum=0.9,
        )
        return weight.numpy(), bias.numpy()


def test_one_step_by_hand():
    # p = 1/2 for both rows: dw = (-1/2 * 2 + 1/2 * 0) / 2 = -1/2, db = 0; then w = 0.05.
    weight, bias = fit_logistic(
        torch.tensor([[2.0], [0.0], [9.0]]),
        [Draws(torch.tensor([[1, 0]]), torch.tensor([[False, True]]))],
        torch.zeros(1, 1, 1),
        torch.zeros(1, 1),
        torch.ones(1, 1, 1, dtype=torch.bool),
        batch=64,
        rates=[0.1],
        momentum=0.9,
    )
    assert (weight.item(), bias.item()) == (pytest.approx(0.05), 0)


def test_thirty_epochs_end_where_the_slow_trajectory_does():
    case = Case(0, 7)
    weight, bias = case.fit(list(range(7)))
    for concept in range(7):
        orders = list(case.draws[concept].rows.numpy())
        for vector in range(2):
            kept = np.flatnonzero(case.kept[concept, :, vector])
            w, b = oracle.fit_classification_subset(
                case.features,
                case.labels[concept],
                orders,
                case.start[concept, kept, vector].numpy(),
                float(case.bias[concept, vector]),
                kept,
                batch=32,
            )
            np.testing.assert_allclose(weight[concept, :, vector], w, atol=1e-5)
            assert bias[concept, vector] == pytest.approx(b, abs=1e-5)
    assert np.abs(weight - case.start.numpy())[:, :, 0].max(axis=1).min() > 0.05


def test_what_is_not_kept_stays_zero():
    case = Case(1, 4)
    weight, _ = case.fit([0, 1, 2, 3])
    assert not weight[~case.kept.numpy()].any()
    assert weight[case.kept.numpy()].all()


# Matrix products change their last bits with their shape, most readily with a single vector.
@pytest.mark.parametrize(("filters", "vectors", "concepts"), [(6, 2, 3), (6, 1, 64), (64, 1, 64)])
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_neighbours_do_not_touch_a_bit(filters, vectors, concepts, data):
    with pytest.MonkeyPatch.context() as patch:
        policy = replace(devices.CPU, logistic_step_values=concepts * filters * 32)
        patch.setattr(devices, "CPU", policy)
        assert concepts_in_block(filters, 32) == concepts
        case = Case(data.draw(st.integers(0, 2**32)), 7, filters, vectors)
        weight, bias = case.fit(list(range(7)))
        order = data.draw(st.permutations(range(7)))
        for chosen in (order[:1], order[: data.draw(st.integers(2, 7))]):
            other_weight, other_bias = case.fit(chosen)
            np.testing.assert_array_equal(other_weight, weight[chosen])
            np.testing.assert_array_equal(other_bias, bias[chosen])


def test_a_concept_without_rows_left_is_held_still():
    """Momentum must not carry on a concept that has no batch where a larger one has."""
    case = Case(2, 2)
    short, long = case.draws
    case.draws[0] = replace(short, rows=short.rows[:, :3], positive=short.positive[:, :3])
    case.draws[1] = replace(long, rows=long.rows[:, :1].repeat(1, 80), positive=long.positive[
        :, :1
    ].repeat(1, 80))  # fmt: skip
    together, alone = case.fit([0, 1], batch=4), case.fit([0], batch=4)
    np.testing.assert_array_equal(together[0][:1], alone[0])
    np.testing.assert_array_equal(together[1][:1], alone[1])


def test_permuted_filters_learn_permuted_weights():
    case = Case(3, 3)
    weight, bias = case.fit([0, 1, 2])
    order = np.random.default_rng(0).permutation(6)
    case.features = case.features[:, order]
    case.start, case.kept = case.start[:, order], case.kept[:, order]
    permuted, permuted_bias = case.fit([0, 1, 2])
    np.testing.assert_allclose(permuted, weight[:, order], atol=1e-5)
    np.testing.assert_allclose(permuted_bias, bias, atol=1e-5)


def test_no_concepts():
    weight, bias = Case(4, 2).fit([])
    assert weight.shape == (0, 6, 2)
    assert bias.shape == (0, 2)


def test_accuracy_counts_a_logit_of_zero_as_absent():
    features = torch.tensor([[2.0], [0.0], [9.0], [1.0]])
    rows, positive = torch.tensor([0, 1, 2]), torch.tensor([True, False, True])
    found = accuracy(features, rows, positive, torch.tensor([[0.05, 0.05, -1]]), torch.zeros(3))
    # Logits 0.1 0 0.45; the same; -2 0 -9.
    assert found.tolist() == [1, 1, pytest.approx(1 / 3)]
    found = accuracy(features, rows, positive, torch.tensor([[0.05]]), torch.tensor([1e-9]))
    assert found.tolist() == [pytest.approx(2 / 3)]
    expected = oracle.accuracy(features[rows].numpy(), positive.numpy(), np.array([0.05]), 1e-9)
    assert found.item() == expected


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 2.0]), min_size=1, max_size=40),
    st.integers(0, 40),
)
def test_the_largest_weights_are_the_lowest_of_equals(weights, count):
    count = min(count, len(weights))
    w = np.array(weights, np.float32)
    kept = largest_weights(torch.from_numpy(np.stack([w, w[::-1]])), count)
    for row, kept_row in zip((w, w[::-1]), kept, strict=True):
        assert np.flatnonzero(kept_row).tolist() == sorted(oracle.top_filters(row, count))


def test_largest_weights_by_hand():
    kept = largest_weights(torch.tensor([0.5, -2.0, 2.0, 0.1, -0.5]), 3)
    assert kept.tolist() == [True, True, True, False, False]
