"""Average precision over pixels, against scikit-learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from net2vec.recording.activations import ActivationWriter
from net2vec.tasks.ranking import average_precision, rank_pixels

import oracle
from builders_data import annotate, recording_of

IMAGES, FILTERS, GRID, SIZE = 20, 3, (4, 5), (13, 16)


def test_by_hand():
    # From the highest bin down: one pixel, of the concept; two, one of them; one, not.
    counts = np.array([[1, 2, 1], [0, 1, 1]])
    assert average_precision(counts) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros((2, 3), dtype=np.int64)) == 0


@pytest.mark.parametrize("of_activations", [True, False])
def test_it_is_that_of_all_pixels(tmp_path, of_activations):
    generator = np.random.default_rng(0)
    A = generator.normal(size=(IMAGES, FILTERS, *GRID)).astype(np.float16).astype(np.float32)
    L = generator.random((IMAGES, *SIZE)) < 0.3
    L[:, 3:9, 4:12] |= A[:, :1, :1, 0] > 0
    is_train = np.arange(IMAGES) < 2
    annotations = annotate(tmp_path, {"concept": L}, is_train.tolist())
    writer = ActivationWriter(tmp_path / "kept", "token", "layer")
    writer.write(torch.from_numpy(A), 0)
    recording = recording_of(A > 0.5)
    recording = dataclasses.replace(recording, activations=writer.finish(recording.shape))
    w = np.array([2.0, -0.5, 0.1], dtype=np.float32)
    found = rank_pixels(recording, annotations, 1, w, of_activations=of_activations)
    val = np.flatnonzero(~is_train & L.any(axis=(1, 2)))
    if of_activations:
        z = [oracle.centred_upsample(np.tensordot(w, A[i], 1), *SIZE) for i in val]
    else:
        z = np.einsum("k,nkyx->nyx", w, oracle.upsample(A[val] > 0.5, *SIZE))
    wanted = average_precision_score(L[val].ravel(), np.ravel(z))
    assert found == pytest.approx(wanted, abs=2e-3)
    assert found > L[val].mean()
    w[1] = np.nan
    assert np.isnan(rank_pixels(recording, annotations, 1, w, of_activations=of_activations))
