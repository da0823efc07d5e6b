"""Reads folders of the tester's choice: `NET2VEC_TEST_DATA` names a dataset or a folder of some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from net2vec.data import open_dataset
from net2vec.errors import DataError

IMAGES = 20


def named_datasets():
    named = os.environ.get("NET2VEC_TEST_DATA")
    if named is None:
        skip = pytest.mark.skip(reason="NET2VEC_TEST_DATA names no folder")
        return [pytest.param(Path(), marks=skip, id="none")]
    folder = Path(named)
    try:
        open_dataset(folder)
        folders = [folder]
    except DataError:
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    return [pytest.param(path, id=path.name) for path in folders]


@pytest.mark.parametrize("folder", named_datasets())
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_folder_keeps_the_promises_of_a_dataset(folder):
    dataset = open_dataset(folder)
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
