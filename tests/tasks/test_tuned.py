"""Single filters at thresholds of their own, against the oracle, and laws."""

from __future__ import annotations

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from net2vec.recording.activations import ActivationWriter
from net2vec.tasks.tuned import SHARES, tune_thresholds, tuned_counts

import oracle
from builders_data import annotate, recording_of

IMAGES, FILTERS, GRID, SIZE = 12, 4, (5, 4), (17, 12)
IS_TRAIN = np.arange(IMAGES) % 4 != 1
LABELS = [1, 2, 3]


def keep(folder, A):
    """A recording of activations [N, K, h, w] that were kept."""
    folder.mkdir(exist_ok=True)
    writer = ActivationWriter(folder / "kept", "token", "layer")
    writer.write(torch.from_numpy(A), 0)
    threshold = np.sort(A.transpose(1, 0, 2, 3).reshape(FILTERS, -1))[:, -4].copy()
    recording = recording_of(threshold[:, None, None] < A)
    kept = writer.finish(recording.shape)
    return dataclasses.replace(recording, threshold=threshold, activations=kept)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    generator = np.random.default_rng(0)
    L = np.zeros((IMAGES, *SIZE), dtype=bool)
    L[:, 4:12, 2:9] = True
    A = generator.normal(size=(IMAGES, FILTERS, *GRID))
    A[:, 2] += 3 * np.stack([oracle.block_share(one, *GRID) for one in L])
    A = A.round(1).astype(np.float16).astype(np.float32)
    masks = {
        "planted": L,
        "noise": (generator.random((IMAGES, *SIZE)) < 0.2) & (np.arange(IMAGES) < 9)[:, None, None],
        "whole": np.ones((IMAGES, *SIZE), dtype=bool),
    }
    return A, masks, annotate(folder, masks, list(IS_TRAIN)), keep(folder, A)


def images_of(mask, train):
    return np.flatnonzero(mask.any(axis=(1, 2)) & (train == IS_TRAIN))


def test_thresholds_and_counts_are_those_of_the_oracle(case):
    A, masks, annotations, recording = case
    found = tune_thresholds(recording, annotations, LABELS)
    for concept, label in enumerate(LABELS):
        L = masks[annotations.names[label]]
        train, val = (images_of(L, split) for split in (True, False))
        for k in range(FILTERS):
            candidates = oracle.candidate_thresholds(A[IS_TRAIN, k], SHARES, recording.threshold[k])
            t, counts = oracle.tuned_filter(A[train, k], L[train], candidates)
            assert found.threshold[concept, k] == t
            assert (found.intersection[0, concept, k], found.union[0, concept, k]) == counts
            counts = oracle.mask_counts(oracle.upsampled_is_on(A[val, k] > t, *SIZE), L[val])
            assert (found.intersection[1, concept, k], found.union[1, concept, k]) == counts


def test_no_candidate_is_better_in_training_and_the_papers_is_one(case):
    A, masks, annotations, recording = case
    found = tune_thresholds(recording, annotations, LABELS)
    for concept, label in enumerate(LABELS):
        L = masks[annotations.names[label]]
        train = images_of(L, True)
        B = A[train] > recording.threshold[:, None, None]
        paper = oracle.set_iou(*oracle.single_filter_counts(B, L[train]))
        assert (found.set_iou[0, concept] >= paper).all()
        everything = L[train].mean()
        assert (found.set_iou[0, concept] >= everything - 1e-12).all()
    assert found.best_filter[0] == 2
    assert np.isneginf(found.threshold[2]).all()  # of a concept that is everywhere


def test_a_monotone_map_of_a_filter_changes_thresholds_alone(case, tmp_path):
    A, _, annotations, recording = case
    other = keep(tmp_path, 2 * A**3 + A)  # exact: A has few digits
    one, two = (tune_thresholds(each, annotations, LABELS) for each in (recording, other))
    np.testing.assert_array_equal(one.intersection, two.intersection)
    np.testing.assert_array_equal(one.union, two.union)
    np.testing.assert_array_equal(
        two.threshold, (2 * one.threshold**3 + one.threshold).astype(np.float16)
    )


def test_counts_by_image_add_up(case):
    _, _, annotations, recording = case
    tuned = tune_thresholds(recording, annotations, LABELS)
    for concept, (label, counts) in enumerate(
        zip(LABELS, tuned_counts(recording, annotations, LABELS, tuned), strict=True)
    ):
        best = tuned.best_filter[concept]
        is_train = annotations.is_train[annotations.image[annotations.pairs(label)]]
        for split, chosen in enumerate((is_train, ~is_train)):
            assert counts.intersection[chosen].sum() == tuned.intersection[split, concept, best]
            assert counts.union[chosen].sum() == tuned.union[split, concept, best]


def test_results_do_not_depend_on_how_they_are_computed(case, monkeypatch):
    _, _, annotations, recording = case
    one = tune_thresholds(recording, annotations, LABELS)
    monkeypatch.setattr("net2vec.recording.activations._BLOCK_VALUES", 3 * FILTERS * 20)
    monkeypatch.setattr("net2vec.tasks.tuned._IMAGES", 2)
    with ThreadPoolExecutor(2) as executor:
        other = tune_thresholds(
            pickle.loads(pickle.dumps(recording)), annotations, LABELS, workers=3, executor=executor
        )
    for name, value in vars(one).items():
        np.testing.assert_array_equal(getattr(other, name), value, err_msg=name)


def test_activations_must_have_been_kept(case):
    _, _, annotations, recording = case
    with pytest.raises(ValueError, match="were not kept"):
        tune_thresholds(dataclasses.replace(recording, activations=None), annotations, LABELS)
