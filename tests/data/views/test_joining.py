from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.views import JoinedDataset
from net2vec.errors import DataError


@pytest.fixture
def fields(street):
    return replace(
        street,
        name="fields",
        digest="1",
        labels=("", "cow", "grass"),
        categories=("material", "object"),
        images=("cow.jpg",),
        splits=("val",),
        annotations=[
            Annotation((Plane("object", np.array([[2, 1, 0]], np.int32)),), (("material", 2),))
        ],
    )


def test_equal_names_are_one_concept(street, fields):
    joined = JoinedDataset([street, fields])
    assert isinstance(joined, ProbeDataset)
    assert joined.name == "memory+fields"
    assert joined.labels == (*street.labels, "cow")
    assert joined.categories == ("object", "part", "material", "scene")
    assert joined.images == (
        "memory/a/one.jpg",
        "memory/two.png",
        "memory/three.tif",
        "fields/cow.jpg",
    )
    assert joined.splits == ("train", "val", "train", "val")
    grass, cow = joined.labels.index("grass"), joined.labels.index("cow")
    assert joined.annotation(3).planes[0].labels.tolist() == [[grass, cow, 0]]
    assert joined.annotation(3).image_labels == (("material", grass),)
    assert (joined.annotation(1).planes[0].labels == street.annotation(1).planes[0].labels).all()
    assert joined.image(3).getpixel((0, 0)) == fields.image(0).getpixel((0, 0))
    assert joined.image_size(2) == (6, 9)


def test_datasets_of_one_name_are_numbered(street, fields):
    fields.name = "memory"
    joined = JoinedDataset([street, fields, replace(fields, digest="2")])
    assert joined.name == "memory+memory-2+memory-3"
    assert len(set(joined.images)) == 5
    assert joined.sources[-2:] == ("memory-2", "memory-3")


def test_digest_follows_parts_and_order(street, fields):
    digests = {
        JoinedDataset([street, fields]).digest,
        JoinedDataset([fields, street]).digest,
        JoinedDataset([street, replace(fields, digest="2")]).digest,
        JoinedDataset([street, replace(fields, name="meadows")]).digest,
    }
    assert len(digests) == 4


def test_one_dataset_twice_is_refused(street, fields):
    with pytest.raises(DataError, match="memory: the same dataset is given twice"):
        JoinedDataset([street, fields, replace(street)])
