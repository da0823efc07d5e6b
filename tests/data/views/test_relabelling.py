from __future__ import annotations

import pytest

from net2vec.data.views import RelabelledDataset, without_labels
from net2vec.errors import DataError


def test_renamed_merged_and_dropped(street):
    dataset = RelabelledDataset(street, {"null": "car", "grass": None, "wheel": "tyre", "x": "y"})
    assert dataset.labels == ("", "car", "tyre", "street-s", "nowhere")
    objects, tyres, more_tyres, ground = dataset.annotation(0).planes
    assert objects.labels.tolist() == [[1, 1, 0, 0]] * 2 + [[0, 0, 1, 1]] * 2
    assert (tyres.labels.tolist()[0], more_tyres.labels.tolist()[0]) == ([2, 0, 0, 0], [0, 0, 0, 2])
    assert ground.category == "material"
    assert not ground.labels.any()
    assert dataset.annotation(2).image_labels == (("scene", 3), ("material", 1))
    assert (dataset.images, dataset.splits) == (street.images, street.splits)


def test_merged_image_labels_are_listed_once(street):
    same = {"street-s": "null"}
    street.annotations[2] = type(street.annotations[2])((), (("scene", 5), ("scene", 2)))
    assert RelabelledDataset(street, same).annotation(2).image_labels == (("scene", 2),)


def test_digest_follows_the_changes_that_matter(street):
    digest = RelabelledDataset(street, {"car": None}).digest
    assert digest == RelabelledDataset(street, {"car": None, "no such": "label"}).digest
    assert digest != RelabelledDataset(street, {"car": "auto"}).digest
    street.digest = "1"
    assert digest != RelabelledDataset(street, {"car": None}).digest


def test_ignored_labels_must_be_there(street):
    assert "car" not in without_labels(street, ["car"]).labels
    assert without_labels(street, []) is street
    with pytest.raises(DataError, match="memory: no label 'weel' to ignore; did you mean wheel"):
        without_labels(street, ["weel"])
