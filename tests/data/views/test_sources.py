from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from net2vec.data.annotations import compile_annotations
from net2vec.data.optional import image_sources
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.views import (
    JoinedDataset,
    RelabelledDataset,
    count_sources,
    sources_as_json,
    with_colors,
)


@pytest.fixture
def meadow(street):
    """One image of grass."""
    return replace(
        street,
        name="meadow",
        digest="1",
        labels=("", "lawn"),
        images=("m.png",),
        splits=("val",),
        annotations=[Annotation((Plane("object", np.array([[1]], np.int32)),))],
    )


def test_sources_are_known_through_every_view(street, meadow):
    inner = JoinedDataset([street, meadow])
    other = replace(street, name="other", digest="2")
    joined = with_colors(RelabelledDataset(JoinedDataset([inner, other]), {}))
    first = "memory+meadow"
    assert list(image_sources(joined)) == [
        *[f"{first}/memory"] * 3,
        f"{first}/meadow",
        *["other"] * 3,
    ]


def test_images_of_a_concept_are_counted_by_source(street, meadow, tmp_path):
    joined = RelabelledDataset(JoinedDataset([street, meadow]), {"lawn": "grass"})
    sources = count_sources(joined, compile_annotations(joined, (4, 4), tmp_path))
    assert list(sources.columns) == ["memory", "meadow"]
    assert "nowhere" not in sources.index
    assert sources.loc["grass"].tolist() == [2, 1]
    assert sources.loc["car"].tolist() == [1, 0]
    told = json.loads(json.dumps(sources_as_json(sources)))
    assert told["grass"] == {"memory": 2, "meadow": 1}
    assert told["car"] == {"memory": 1}


def test_a_dataset_without_annotations_has_no_concepts(street, tmp_path):
    bare = replace(street, annotations=[Annotation()] * 3)
    sources = count_sources(bare, compile_annotations(bare, (4, 4), tmp_path))
    assert sources.shape == (0, 1)
    assert sources_as_json(sources) == {}
