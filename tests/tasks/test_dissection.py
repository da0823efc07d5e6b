"""Network Dissection's counts: by hand, against the oracle, and in any order."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.tasks.dissection import Dissector

import oracle
from builders_data import annotate

IMAGES, FILTERS, GRID, SIZE = 9, 5, (3, 4), (11, 8)


def count(annotations, A, threshold, order=None):
    dissector = Dissector(annotations, torch.from_numpy(threshold))
    for image in range(len(A)) if order is None else order:
        dissector.add(image, torch.from_numpy(A[image]))
    return dissector.result()


def test_counts_by_hand(tmp_path):
    # A filter fires in the left half of three images: one has a ball there, one only a cup, which
    # is of the same category, and one has no object at all and is not counted.
    ball, cup = np.zeros((2, 3, 2, 4), dtype=bool)
    ball[0, :, :1] = True
    cup[1, 0, 3] = True
    annotations = annotate(tmp_path, {"ball": ball, "cup": cup}, [True, False, True])
    A = np.tile(np.array([[1, 1, 0, 0]], dtype=np.float32), (3, 1, 2, 1))
    found = count(annotations, A, np.array([0.75], dtype=np.float32))
    assert found.hit[1:, 0].tolist() == [2, 0]
    assert found.union[1:, 0].tolist() == [4 + 4, 4 + 4 + 1]
    assert found.iou[1, 0] == 0.25


def test_activations_are_thresholded_after_upsampling(tmp_path):
    whole = np.ones((1, 1, 4), dtype=bool)
    annotations = annotate(tmp_path, {"all": whole}, [True])
    A = np.array([[[[0, 4]]]], dtype=np.float32)  # cells of two pixels: 0, 1, 3, 4
    found = [count(annotations, A, np.array([t], dtype=np.float32)).hit[1, 0] for t in (0.5, 2, 3)]
    assert found == [3, 2, 1]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_are_those_of_the_oracle_in_any_order(tmp_path_factory, seed):
    generator = np.random.default_rng(seed)
    A = generator.normal(size=(IMAGES, FILTERS, *GRID)).astype(np.float32)
    threshold = generator.normal(1, 0.5, FILTERS).astype(np.float32)
    masks = {}
    for name in ("one", "other"):
        here = (generator.random(IMAGES) < 0.6)[:, None, None]
        masks[name] = (generator.random((IMAGES, *SIZE)) < 0.3) & here
    scene = generator.random(IMAGES) < 0.5
    annotations = annotate(
        tmp_path_factory.mktemp("any"), masks, list(np.arange(IMAGES) % 3 > 0), {"sky": scene}
    )
    found = count(annotations, A, threshold, generator.permutation(IMAGES).tolist())
    whole = np.broadcast_to(scene[:, None, None], (IMAGES, *SIZE))
    every = {**masks, "sky": whole}
    category = {"one": "object", "other": "object", "sky": "scene"}
    for label, name in enumerate(annotations.names):
        if name and every[name].any():
            order = [name, *(each for each in every if each != name)]
            L = np.stack([every[each] for each in order])
            for k in range(FILTERS):
                counts = oracle.dissection(
                    A[:, k], threshold[k], L, [category[each] for each in order]
                )
                assert (found.hit[label, k], found.union[label, k]) == counts
