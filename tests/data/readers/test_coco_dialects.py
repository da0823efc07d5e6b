"""Datasets with COCO's files that add something to them: LVIS, PACO and PartImageNet."""

import json

import numpy as np
import pytest

from net2vec.data import open_dataset, open_datasets
from net2vec.data.annotations import compile_annotations
from net2vec.data.views import RelabelledDataset
from net2vec.tasks.choice import choose_concepts

from builders_coco import box, document, maps, region

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = [{"id": n, "name": name} for n, name in enumerate(("cup", "dog", "aerosol_can"), start=1)]


@pytest.fixture
def lvis(put, gray, tmp_path):
    """Two training and two validation images; in the first not every cup is annotated."""
    names = []
    for number, split in enumerate(("train", "train", "val", "val"), start=1):
        put(f"{split}2017/{number}.png", gray)
        names.append(f"{split}2017/{number}.png")
    for split, images in (("train", (1, 2)), ("val", (3, 4))):
        regions = [region(1, box(0, 0, 3, 4), n) | {"id": n} for n in images]
        regions += [region(2, box(3, 0, 6, 4), n) | {"id": 10 + n} for n in images[1:]]
        content = json.loads(document(regions, *names, categories=NAMES))
        content["images"] = [image for image in content["images"] if image["id"] in images]
        for image in content["images"]:
            image["neg_category_ids"] = [3]
            image["not_exhaustive_category_ids"] = [1] if image["id"] == 1 else []
            name = image.pop("file_name")
            image["coco_url"] = f"http://images.cocodataset.org/{name}"
        put(f"lvis_v1_{split}.json", json.dumps(content))
    return tmp_path


def test_what_lvis_did_not_look_for_is_no_negative(lvis, tmp_path):
    dataset = open_dataset(lvis)
    assert [maps(dataset, n) != [] for n in range(4)] == [False, True, True, True]
    told = [(item.what, item.reason, item.count) for item in dataset.left_out]
    assert told == [("annotations", "not all of the kind in its image", 1)]
    assert dict(dataset.notes)["not looked for everywhere"].startswith("3 concepts")
    annotations = compile_annotations(dataset, (4, 6), tmp_path / "store")
    segment, classify = (choose_concepts(annotations, task) for task in ("segment", "classify"))
    assert [dataset.labels[label] for label in segment.labels] == ["cup", "dog"]
    assert classify.labels == []
    (dog,) = [one for one in classify.skipped if one.concept == "dog"]
    assert dog.reason == "not looked for in all images: those without it are not known"


def test_labels_not_looked_for_stay_so_in_views(lvis):
    dataset = open_dataset(lvis)
    renamed = RelabelledDataset(dataset, {"cup": "mug", "dog": None})
    assert renamed.unverified == {"mug", "aerosol_can"}
    joined = open_datasets([lvis, "diorama:4"], colors=True)
    assert joined.unverified == {"cup", "dog", "aerosol_can"}


def test_parts_and_attributes_of_paco(put, gray, tmp_path):
    categories = [
        {"id": 1, "name": "bowl", "supercategory": "OBJECT"},
        {"id": 2, "name": "bowl:rim", "supercategory": "PART"},
    ]
    regions = [
        region(1, box(0, 0, 6, 4)) | {"id": 5, "obj_ann_id": 5, "attribute_ids": [0, 7]},
        region(2, box(0, 0, 6, 1)) | {"id": 6, "obj_ann_id": 5, "attribute_ids": [7]},
    ]
    content = json.loads(document(regions, "train2017/1.png", categories=categories))
    content["images"][0]["neg_category_ids"] = []
    content["attributes"] = [{"id": 0, "name": "red"}, {"id": 7, "name": "wood"}]
    content["attr_type_to_attr_idxs"] = {"color": [0], "material": [7]}
    put("train2017/1.png", gray)
    put("paco_lvis_v1_train.json", json.dumps(content))
    dataset = open_dataset(tmp_path)
    assert dataset.labels == ("", "bowl", "bowl:rim", "red", "wood")
    assert dataset.categories == ("object", "part", "color", "material")
    found = {category: np.unique(rows).tolist() for category, rows in maps(dataset, 0)}
    assert found["object"] == ["bowl"]
    assert found["part"] == ["", "bowl:rim"]
    assert found["material"] == ["wood"]
    assert "bowl:rim" in dataset.unverified


def test_parts_of_partimagenet(put, gray, tmp_path):
    categories = [
        {"id": 0, "name": "Quadruped Head", "supercategory": "Quadruped"},
        {"id": 1, "name": "Fish Fin", "supercategory": "Fish"},
    ]
    put("images/train/n01440764_1.jpg", gray)
    text = document([region(0, box(0, 0, 3, 4))], "n01440764_1.jpg", categories=categories)
    put("annotations/train.json", text)
    dataset = open_dataset(tmp_path)
    assert (dataset.categories, dataset.labels) == (("part",), ("", "Quadruped Head", "Fish Fin"))
    assert dataset.splits == ("train",)
    assert dataset.unverified == frozenset()
