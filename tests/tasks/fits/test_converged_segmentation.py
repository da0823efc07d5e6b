"""The convex twin of learning to segment, against Newton's method on dense features."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from net2vec.data.annotations import Annotations
from net2vec.recording import LayerRecording
from net2vec.tasks.fits import converged_segmentation as converged_segment
from net2vec.tasks.fits.converged_segmentation import segment_converged

import oracle
from builders_data import annotate, recording_of

IMAGES, FILTERS, GRID, SIZE = 34, 6, (5, 4), (17, 12)
IS_TRAIN = np.arange(IMAGES) % 4 != 1


def planted(seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Maps of which the last is always off, and masks that some of the others follow."""
    generator = np.random.default_rng(seed)
    B = generator.random((IMAGES, FILTERS, *GRID)) < 0.25
    B[3], B[:, -1] = False, False
    up = oracle.upsampled_is_on(B, *SIZE)
    noise = generator.random((IMAGES, *SIZE)) < 0.05
    masks = {
        "first": up[:, 1] ^ noise,
        "either": up[:, 0] | up[:, 4],
        "noise": generator.random((IMAGES, *SIZE)) < 0.2,
        "whole": np.ones((IMAGES, *SIZE), dtype=bool),
        "rare": up[:, 2] & (np.arange(IMAGES) < 6)[:, None, None],
    }
    return B, masks


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> tuple[np.ndarray, dict[str, np.ndarray], LayerRecording, Annotations]:
    B, masks = planted(0)
    annotations = annotate(tmp_path_factory.mktemp("store"), masks, list(IS_TRAIN))
    return B, masks, recording_of(B), annotations


def learn(case, label: int, sizes=()):
    _, _, recording, annotations = case
    return segment_converged(recording, annotations, label, best_filter=1, subset_sizes=sizes)


def images_of(mask: np.ndarray, train: bool) -> np.ndarray:
    return np.flatnonzero(mask.any(axis=(1, 2)) & (train == IS_TRAIN))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("label", [1, 2, 3, 5])
def test_the_vector_is_the_optimum(case, label):
    B, masks, _, annotations = case
    found = learn(case, label)
    mask = masks[annotations.names[label]]
    images = images_of(mask, True)
    expected = oracle.converged_segmentation(B[images], mask[images], found.l2)
    assert cosine(found.weight, expected) > 0.9999
    np.testing.assert_allclose(found.weight, expected, atol=5e-3 * np.linalg.norm(expected))
    assert found.weight[-1] == 0  # never on: nothing says what its weight should be
    assert found.bias == 0
    assert np.isnan(found.start_distance)


def test_two_starts_end_at_the_same_vector(case, monkeypatch):
    first = learn(case, 1)
    zero = converged_segment._Learner._zero

    def elsewhere(self, choices):
        generator = torch.Generator().manual_seed(5)
        return 3 * torch.randn(zero(self, choices).shape, generator=generator).double()

    monkeypatch.setattr(converged_segment._Learner, "_zero", elsewhere)
    second = learn(case, 1)
    assert first.l2 == second.l2
    assert cosine(first.weight, second.weight) > 0.9999


@pytest.mark.parametrize("label", [1, 2, 4, 5])
def test_scores_are_those_of_vector_and_cut(case, label):
    B, masks, _, annotations = case
    found = learn(case, label, sizes=(1, 2))
    mask = masks[annotations.names[label]]
    vectors = [(found.weight, found.cut, found.score)]
    for place in range(2):
        for kind in ("subset", "path"):
            weight, cut, score = (getattr(found, f"{kind}_{x}") for x in ("weight", "cut", "score"))
            vectors.append((weight[place], cut[place], score[:, place]))
            assert np.count_nonzero(weight[place]) <= (1, 2)[place]
    for split, train in enumerate((True, False)):
        images = images_of(mask, train)
        maps = oracle.upsample(B[images], *SIZE)
        for weight, cut, score in vectors:
            predicted = np.einsum("k,nkyx->nyx", weight.astype(np.float64), maps) > cut
            intersection, union = oracle.mask_counts(predicted, mask[images])
            assert score[split] == pytest.approx(intersection / union, abs=1e-6)
    pairs = annotations.pairs(label)
    assert found.pairs.tolist() == pairs.tolist()
    val = ~IS_TRAIN[annotations.image[pairs]]
    totals = found.pair_intersection[1, val].sum() / found.pair_union[1, val].sum()
    assert totals == found.score[1]
    for kind in ("subset", "path"):
        shared, joined = (getattr(found, f"{kind}_pair_{x}") for x in ("intersection", "union"))
        assert shared.shape == (2, len(pairs))
        for split, here in enumerate((~val, val)):
            totals = shared[:, here].sum(axis=1) / joined[:, here].sum(axis=1)
            assert totals.tolist() == getattr(found, f"{kind}_score")[split].tolist()


def test_a_subset_is_the_optimum_of_its_filters(case):
    B, masks, _, _ = case
    found = learn(case, 2, sizes=(2,))
    top = np.argsort(-np.abs(found.weight), kind="stable")[:2]
    assert set(np.flatnonzero(found.subset_weight[0])) == set(top)
    assert set(np.flatnonzero(found.path_weight[0])) == {0, 4}  # what the mask is made of
    images = images_of(masks["either"], True)
    expected = oracle.converged_segmentation(B[images][:, top], masks["either"][images], found.l2)
    assert cosine(found.subset_weight[0][top], expected) > 0.9999


def test_a_concept_that_fills_every_mask_has_no_vector(case):
    found = learn(case, 4)
    assert not found.weight.any()
    assert found.score.tolist() == [1.0, 1.0]


def test_a_single_training_image(tmp_path):
    B, masks = planted(1)
    masks["first"][~np.isin(np.arange(IMAGES), (4, 5))] = False
    annotations = annotate(tmp_path, masks, list(IS_TRAIN))
    found = segment_converged(recording_of(B), annotations, 1, best_filter=1, subset_sizes=())
    assert found.l2 == converged_segment.STRENGTHS[0]
    assert found.score[0] > 0.5


def test_filters_in_another_order_give_weights_in_that_order(case):
    B, _, _, annotations = case
    order = np.array([3, 1, 5, 0, 4, 2])
    there = segment_converged(
        recording_of(B[:, order]), annotations, 1, best_filter=1, subset_sizes=()
    )
    here = learn(case, 1)
    np.testing.assert_allclose(there.weight, here.weight[order], rtol=1e-3, atol=1e-4)


def test_it_repeats_to_the_last_bit(case):
    one, other = learn(case, 2, (1, 3)), learn(case, 2, (1, 3))
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_more_signal_less_strength(case):
    """What is noise is held down harder than what is there."""
    assert learn(case, 3).l2 > learn(case, 1).l2
