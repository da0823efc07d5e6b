"""The linear discriminant, against the oracle and on planted concepts."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from net2vec.kernels.discriminant.ridge import SHRINKAGES
from net2vec.recording.activations import ActivationWriter
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.fits.lda import LdaFit
from net2vec.tasks.fits.lda_images import ConceptImages
from net2vec.tasks.fits.lda_learner import _CHOICE_STEPS, _STEPS, ConceptLearner
from net2vec.tasks.nulls import shuffle_masks

import oracle
from builders_data import annotate, recording_of

IMAGES, FILTERS, GRID, SIZE = 30, 6, (5, 4), (17, 12)
IS_TRAIN = np.arange(IMAGES) % 4 != 1


def keep(folder, A, shards=((5, IMAGES), (0, 5))):
    """A recording of activations [N, K, h, w] that were kept, in shards."""
    writer = ActivationWriter(folder / "kept", "token", "layer")
    for first, last in shards:
        writer.write(torch.from_numpy(A[first:last]), first)
    recording = recording_of(A > 1.5, means=A.mean((2, 3)))
    return dataclasses.replace(recording, activations=writer.finish(recording.shape))


def planted(seed=0):
    """Activations that a concept raises in two filters, on a background that others share."""
    generator = np.random.default_rng(seed)
    A = generator.normal(size=(IMAGES, FILTERS, *GRID))
    A[:, 1] += 2 * A[:, 0]  # what distracts has to be subtracted
    L = np.zeros((IMAGES, *SIZE), dtype=bool)
    for mask in L:
        y, x = generator.integers(0, 10), generator.integers(0, 6)
        mask[y : y + 7, x : x + 6] = True
    shares = np.stack([oracle.block_share(one, *GRID) for one in L])
    A[:, 1] += 4 * shares
    A[:, 3] -= 2 * shares
    A = A.astype(np.float16).astype(np.float32)
    masks = {
        "planted": L,
        "noise": generator.random((IMAGES, *SIZE)) < 0.2,
        "whole": np.ones((IMAGES, *SIZE), dtype=bool),
        "rare": L & (np.arange(IMAGES) == 0)[:, None, None],
        "third": L & (np.arange(IMAGES) % 3 == 0)[:, None, None],
    }
    return A, masks


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    A, masks = planted()
    folder = tmp_path_factory.mktemp("kept")
    annotations = annotate(folder, masks, list(IS_TRAIN))
    data = FitData(keep(folder, A), annotations, "dataset", torch.device("cpu"))
    return A, masks, data


def learn(data, label, sizes=()):
    return LdaFit().segment(data, [ConceptTask(data.annotations, label)], sizes)[0]


def images_of(mask, train):
    return np.flatnonzero(mask.any(axis=(1, 2)) & (train == IS_TRAIN))


# Most training images have the first two concepts, the last is in a third of them.
@pytest.mark.parametrize("label", [1, 2, 5])
def test_vectors_are_those_of_the_oracle(case, label):
    A, masks, data = case
    found = learn(data, label)
    L = masks[data.annotations.names[label]]
    train = images_of(L, True)
    wanted, _ = oracle.discriminant(A[train], A[IS_TRAIN], L[train], found.l2, _STEPS)
    np.testing.assert_allclose(found.weight, wanted, atol=3e-4 * abs(wanted).max())
    scale = LdaFit().layer_arrays(data, "segment")["filter_scale"]
    np.testing.assert_allclose(scale, 1 / oracle.cells_of(A[IS_TRAIN]).std(0), rtol=1e-5)


@pytest.mark.parametrize("label", [1, 2, 3, 4, 5])
def test_counts_are_those_of_the_stored_vector(case, label):
    A, masks, data = case
    sizes = (1, 3)
    found = learn(data, label, sizes)
    L = masks[data.annotations.names[label]]
    scale = LdaFit().layer_arrays(data, "segment")["filter_scale"]
    chosen = [
        (found.weight, found.bias, found.cut, found.pair_intersection[1], found.pair_union[1])
    ]
    chosen += [
        tuple(
            getattr(found, f"{rule}_{name}")[i]
            for name in ("weight", "bias", "cut", "pair_intersection", "pair_union")
        )
        for rule in ("subset", "path", "backward")
        for i in range(len(sizes))
    ]
    images = data.annotations.image[found.pairs]
    for w, b, cut, shared, either in chosen:
        predicted = np.stack(
            [oracle.discriminant_mask(A[i], w * scale, b, cut, *SIZE) for i in images]
        )
        # Single precision decides pixels that lie at the cut.
        counts = [(m & t).sum() for m, t in zip(predicted, L[images], strict=True)]
        np.testing.assert_allclose(shared, counts, atol=1)
        unions = [(m | t).sum() for m, t in zip(predicted, L[images], strict=True)]
        np.testing.assert_allclose(either, unions, atol=1)


def test_a_planted_concept_is_found_with_what_distracts_subtracted(case):
    _, _, data = case
    found = learn(data, 1, (2, 4))
    assert found.score[1] > 0.6
    assert found.weight[1] > 0 > found.weight[0]
    # The pattern shows the filters that the concept moves, not the one that is subtracted.
    assert set(np.argsort(-np.abs(found.pattern))[:2]) == {1, 3}
    assert found.path_score[1, 1] > 0.6
    assert found.backward_score[1, 1] > 0.6
    assert (np.count_nonzero(found.subset_weight, axis=1) == [2, 4]).all()
    assert (found.weight != 0).all()


def learner_of(data, label):
    images = ConceptImages(data.recording, data.annotations, label, "cpu")
    return ConceptLearner(images, LdaFit()._covariance(data))


def test_the_cut_is_midway_to_that_of_images_that_were_held_out(case):
    A, masks, data = case
    learner = learner_of(data, 1)
    vector = learner.solve(())
    train, L = images_of(masks["planted"], True), masks["planted"]
    cells = oracle.cells_of(A[IS_TRAIN])
    mean, deviation = cells.mean(0), cells.std(0)

    def z_of(images, w, b):
        rows = (oracle.cells_of(A[images]) - mean) / deviation
        return torch.from_numpy((rows @ w + b).reshape(len(images), -1)).float()

    z = []
    for held in np.array_split(train, 5):
        rest = np.setdiff1d(train, held)
        z += z_of(held, *oracle.discriminant(
            A[rest], A[IS_TRAIN], L[rest], learner.strength, _CHOICE_STEPS
        ))  # fmt: skip
    w, b = oracle.discriminant(A[train], A[IS_TRAIN], L[train], learner.strength, _STEPS)
    own, held_out = (
        learner.images.best_cut(value) for value in (z_of(train, w, b), torch.stack(z))
    )
    assert abs(held_out - own) > 0.02
    raw, bias, cut = learner.place(vector)
    offset = float((z_of(train, w, b) - learner.images.values(raw)[0]).mean())
    assert float(cut - bias) + offset == pytest.approx((own + held_out) / 2, abs=0.01)


def test_the_cuts_of_subsets_are_moved_by_their_share_of_filters(case):
    learner = learner_of(case[2], 1)
    raw, bias, cut = learner.place(learner.solve((1, 3)))
    moved = (cut - bias).double() - learner.images.best_cuts(raw)
    share = torch.tensor([6, 1, 3, 1, 3, 1, 3]) / FILTERS
    assert abs(moved[0]) > 0.01
    torch.testing.assert_close(moved, moved[0] * share.double(), rtol=0, atol=1e-6)


def test_the_strength_falls_with_the_images_that_it_was_not_chosen_on(case, monkeypatch):
    whole, few = learner_of(case[2], 1), learner_of(case[2], 1)
    assert whole.strength in SHRINKAGES
    cells = GRID[0] * GRID[1]
    monkeypatch.setattr("net2vec.tasks.fits.lda_learner._CHOICE_CELLS", 7 * cells)
    assert few.strength / 10**-0.5 in SHRINKAGES  # 7 of 22 images
    assert few.held_out.weight == pytest.approx(7 / 29)


def test_noise_is_not_found(case):
    _, _, data = case
    found = learn(data, 2)
    area = data.annotations.concept_size(2)
    assert found.score[1] < area + 0.05


def test_where_there_is_nothing_to_tell_apart(case):
    _, _, data = case
    whole = learn(data, 3, (2,))
    assert (whole.weight == 0).all()
    assert whole.score.tolist() == [1, 1]
    rare = learn(data, 4)  # a single image cannot be held out
    assert np.isfinite(rare.weight).all()
    assert rare.score[0] > 0.3


def test_permuted_filters_have_permuted_weights(case, tmp_path):
    A, _, data = case
    order = np.array([3, 0, 5, 1, 4, 2])
    other = dataclasses.replace(data, recording=keep(tmp_path, A[:, order].copy()))
    one, two = learn(data, 1), learn(other, 1)
    np.testing.assert_allclose(two.weight, one.weight[order], rtol=1e-4, atol=1e-5)
    assert two.l2 == one.l2


def test_results_are_the_same_alone_and_in_another_process(case):
    _, _, data = case
    together = LdaFit().segment(data, [ConceptTask(data.annotations, n) for n in (1, 2)], (2,))
    sent = pickle.loads(pickle.dumps(data))
    for label, one in zip((1, 2), together, strict=True):
        other = learn(sent, label, (2,))
        for name, value in vars(one).items():
            np.testing.assert_array_equal(getattr(other, name), value, err_msg=name)


def test_shards_change_no_bit(case, tmp_path):
    A, _, data = case
    shards = [(first, first + 3) for first in range(0, IMAGES, 3)]
    other = dataclasses.replace(data, recording=keep(tmp_path, A, shards[::-1]))
    found = learn(other, 1, (2,))
    for name, value in vars(learn(data, 1, (2,))).items():
        np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)


@pytest.mark.slow
def test_noise_passes_no_more_often_than_chance(tmp_path):
    """Of four concepts of noise, how many beat all of 19 shuffles: a fifth of one is expected."""
    A, _ = planted(1)
    draws = np.random.default_rng(2).random((4, 20, IMAGES, *SIZE)) < 0.3
    masks = {f"draw {i}": mask for i, mask in enumerate(draws.reshape(-1, IMAGES, *SIZE))}
    annotations = annotate(tmp_path, masks, list(IS_TRAIN))
    data = FitData(keep(tmp_path, A), annotations, "dataset", torch.device("cpu"))
    tasks = [ConceptTask(annotations, 1 + i) for i in range(len(masks))]
    scores = LdaFit().segmentation_scores(data, tasks).reshape(4, 20)
    assert (scores[:, 0] > scores[:, 1:].max(1)).sum() <= 1  # more in 1 of 70 such worlds


@pytest.mark.parametrize("loaded", [1 << 26, 0])
def test_null_draws_together_have_the_scores_of_each_alone(case, monkeypatch, loaded):
    _, _, data = case
    monkeypatch.setattr("net2vec.tasks.fits.lda_images._LOADED_VALUES", loaded)
    key = {"seed": 0, "dataset": "dataset"}
    concepts = [
        ConceptTask(shuffle_masks(data.annotations, [label], **key, draw=draw), label)
        for label in (1, 2, 3)
        for draw in range(5)
    ]
    alone = [LdaFit().segment(data, [one], ())[0].score[1] for one in concepts]
    assert LdaFit().segmentation_scores(data, concepts).tolist() == alone
    assert len(set(alone[:5])) > 1


def test_null_draws_are_learned_together_in_their_order(case):
    groups = LdaFit().group_draws(case[2], dict.fromkeys(range(3, 22), 7))
    assert [draw for group in groups for draw in group] == list(range(3, 22))
    assert [len(group) for group in groups] == [7, 6, 6]  # about equal work for all workers
    assert LdaFit().group_draws(case[2], {}) == []


def test_subsets_change_no_bit_of_all_filters(case):
    _, _, data = case
    found, alone = learn(data, 1, (1, 3)), learn(data, 1)
    for name in ("weight", "bias", "cut", "score"):
        np.testing.assert_array_equal(getattr(found, name), getattr(alone, name), err_msg=name)


def test_the_cut_of_a_vector_does_not_depend_on_others(tmp_path):
    generator = np.random.default_rng(0)
    A = generator.normal(size=(IMAGES, 112, 14, 14)).astype(np.float16).astype(np.float32)
    masks = {"noise": generator.random((IMAGES, 28, 28)) < 0.2}
    annotations = annotate(tmp_path, masks, list(IS_TRAIN))
    images = ConceptImages(keep(tmp_path, A), annotations, 1, "cpu")
    weight = torch.from_numpy(generator.normal(size=(13, 112))).float()
    alone = [float(images.best_cuts(one[None])) for one in weight]
    assert images.best_cuts(weight).tolist() == alone


def test_backward_elimination_is_that_of_the_oracle(case):
    A, _, data = case
    found = learn(data, 1, (1, 3, 5))
    S = np.corrcoef(oracle.cells_of(A[IS_TRAIN]).T)
    for size, weight in zip((1, 3, 5), found.backward_weight, strict=True):
        wanted = oracle.backward_selection(S, found.pattern, found.l2, size)
        assert np.flatnonzero(weight).tolist() == wanted


@pytest.mark.parametrize("rule", ["subset", "path", "backward"])
def test_subsets_take_the_steps_of_a_layer_of_their_own(case, tmp_path, rule):
    A, masks, data = case
    found = learn(data, 1, (3,))
    weight = getattr(found, f"{rule}_weight")[0]
    kept = np.flatnonzero(weight)
    L = masks["planted"]
    train = images_of(L, True)
    wanted, _ = oracle.discriminant(
        A[train][:, kept], A[IS_TRAIN][:, kept], L[train], found.l2, _STEPS
    )
    np.testing.assert_allclose(weight[kept], wanted, atol=3e-4 * abs(wanted).max())


@pytest.mark.parametrize("loaded", [1 << 26, 0])
def test_a_strength_is_chosen_on_few_of_many_images(case, monkeypatch, loaded):
    _, _, data = case
    monkeypatch.setattr("net2vec.tasks.fits.lda_images._LOADED_VALUES", loaded)
    images = ConceptImages(data.recording, data.annotations, 1, "cpu")
    some = images.thinned(7)
    assert some.pairs[0].tolist() == images.pairs[0][np.arange(7) * 22 // 7].tolist()
    chosen = torch.from_numpy(np.arange(7) * 22 // 7)
    assert torch.equal(some.shares, images.shares[chosen])
    weight = torch.ones(1, FILTERS)
    torch.testing.assert_close(some.values(weight)[0], images.values(weight)[0, chosen])
    assert images.thinned(22) is images


def test_many_images_are_read_in_blocks(case, monkeypatch):
    _, _, data = case
    one = learn(data, 1)
    monkeypatch.setattr("net2vec.recording.activations._BLOCK_VALUES", 7 * FILTERS * 20)
    monkeypatch.setattr("net2vec.tasks.fits.lda_images._LOADED_VALUES", 0)
    other = learn(pickle.loads(pickle.dumps(data)), 1)
    np.testing.assert_allclose(other.weight, one.weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(other.score, one.score, atol=0.01)
