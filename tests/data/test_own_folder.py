"""Reads a folder of the tester's choice, named by `NET2VEC_TEST_DATA`."""

from __future__ import annotations

import os

import pytest

from net2vec.data import open_dataset

FOLDER = os.environ.get("NET2VEC_TEST_DATA")
IMAGES = 20


@pytest.mark.skipif(FOLDER is None, reason="NET2VEC_TEST_DATA names no folder")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_folder_keeps_the_promises_of_a_dataset():
    dataset = open_dataset(FOLDER)
    assert len(dataset.images) == len(dataset.splits) == len(set(dataset.images)) > 0
    assert set(dataset.splits) <= {"train", "val"}
    assert dataset.labels[0] == ""
    assert "" not in dataset.labels[1:]
    assert len(set(dataset.labels)) == len(dataset.labels)
    assert len(dataset.digest) == 64
    found = set()
    step = -(-len(dataset.images) // IMAGES)
    for index in range(0, len(dataset.images), step):
        assert dataset.image(index).mode == "RGB"
        annotation = dataset.annotation(index)
        for plane in annotation.planes:
            assert plane.category in dataset.categories
            assert plane.labels.min() >= 0
            found |= {dataset.labels[label] for label in set(plane.labels.ravel().tolist())}
        found |= {dataset.labels[label] for _, label in annotation.image_labels}
    assert found - {""}
