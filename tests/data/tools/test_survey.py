from __future__ import annotations

import json
from dataclasses import replace

import pytest

from net2vec.data.annotations import compile_annotations
from net2vec.data.protocol import Annotation
from net2vec.data.tools import survey_dataset


@pytest.fixture
def survey(street, tmp_path):
    return survey_dataset(street, compile_annotations(street, (4, 4), tmp_path))


def test_concepts_by_category_and_number_of_images(survey):
    assert survey.concepts.to_numpy().tolist() == [
        ["grass", "object", 1, 1, 6 / 16, True],
        ["car", "object", 1, 0, 4 / 16, True],
        ["wheel", "part", 1, 0, 2 / 16, True],
        ["null", "material", 2, 0, 10 / 16, True],
        ["street-s", "scene", 2, 0, 1.0, False],
    ]
    assert survey.images == {"train": 2, "val": 1}
    assert survey.image_sizes == {(6, 9): 3}


def test_categories(survey):
    assert survey.categories().to_numpy().tolist() == [
        ["object", 2, 2, 1.5, 5 / 16],
        ["part", 1, 1, 1.0, 2 / 16],
        ["material", 1, 1, 2.0, 10 / 16],
        ["scene", 1, 0, 2.0, 1.0],
    ]


def test_concepts_and_sources_stand_in_one_order(survey):
    assert list(survey.sources.index) == list(survey.concepts["concept"])
    assert survey.sources["memory"].tolist() == [2, 1, 1, 2, 2]


def test_json_round_trip(survey):
    content = json.loads(json.dumps(survey.as_json()))
    assert content["image_sizes"] == [{"height": 6, "width": 9, "images": 3}]
    assert content["concepts"][1] == {
        "concept": "car",
        "category": "object",
        "train": 1,
        "val": 0,
        "size": 0.25,
        "pixels": True,
    }
    assert content["sources"]["car"] == {"memory": 1}


def test_an_empty_dataset_is_surveyed(street, tmp_path):
    bare = replace(street, annotations=[Annotation()] * 3)
    survey = survey_dataset(bare, compile_annotations(bare, (4, 4), tmp_path))
    assert survey.concepts.empty
    assert survey.categories().empty
    assert json.loads(json.dumps(survey.as_json()))["concepts"] == []
