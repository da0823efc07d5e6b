"""Which images a COCO document speaks of, and where they are."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from net2vec.data.readers.coco import CocoDataset
from net2vec.data.splits import hashed_split
from net2vec.errors import DataError

from builders_coco import box, document, maps, region

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_splits_by_folder_file_or_name(put, gray, tmp_path):
    put("train2017/1.jpg", gray)
    put("val2017/1.jpg", gray)
    put("annotations/instances_train2017.json", document([region(1, box(0, 0, 2, 2))], "1.jpg"))
    put("annotations/instances_val2017.json", document([], "1.jpg"))
    put("annotations/captions_val2017.json", document([], "caption.jpg"))
    dataset = CocoDataset(tmp_path)
    assert dataset.images == ("train2017/1.jpg", "val2017/1.jpg")
    assert dataset.splits == ("train", "val")
    assert [len(dataset.annotation(index).planes) for index in (0, 1)] == [1, 0]


def test_images_beside_their_file_and_test_images(put, gray, tmp_path):
    for split in ("train", "valid", "test"):
        put(f"{split}/{split}.jpg", gray)
        put(f"{split}/_annotations.coco.json", document([], f"{split}.jpg"))
    dataset = CocoDataset(tmp_path)
    assert dataset.images == ("train/train.jpg", "valid/valid.jpg")
    assert dataset.splits == ("train", "val")


@pytest.mark.parametrize(
    ("files", "images"),
    [
        (
            ("train/_annotations.coco.json", "valid/_annotations.coco.json"),
            ("train/1.jpg", "valid/1.jpg"),
        ),
        (
            ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
            ("images/train2017/1.jpg", "images/val2017/1.jpg"),
        ),
        (
            ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
            ("train2017/images/1.jpg", "val2017/images/1.jpg"),
        ),
    ],
)
def test_images_of_one_name_in_two_splits_are_two(put, tmp_path, files, images):
    for number, (file, image, category) in enumerate(zip(files, images, (1, 3), strict=True)):
        put(image, np.full((4, 6, 3), number, np.uint8))
        put(file, document([region(category, box(0, 0, 6, 4))], "1.jpg"))
    dataset = CocoDataset(tmp_path)
    assert dataset.images == images
    assert dataset.splits == ("train", "val")
    assert maps(dataset, 0) == [("person", [["person"] * 6] * 4)]
    assert maps(dataset, 1) == [("vehicle", [["car"] * 6] * 4)]
    assert [np.asarray(dataset.image(index)).max() for index in (0, 1)] == [0, 1]


def test_images_that_cannot_be_told_apart_are_refused(put, gray, tmp_path):
    for folder in ("a", "b"):
        put(f"{folder}/1.jpg", gray)
    put("annotations.json", document([], "1.jpg"))
    with pytest.raises(DataError, match=r"1\.jpg may be a/1\.jpg or b/1\.jpg; write the folder"):
        CocoDataset(tmp_path)
    put("annotations.json", document([], "b/1.jpg"))
    assert CocoDataset(tmp_path).images == ("b/1.jpg",)
    put("annotations.json", document([], "b/1.jpg", "c/1.jpg"))
    (tmp_path / "a/1.jpg").unlink()
    with pytest.raises(DataError, match=r"c/1\.jpg cannot be told from b/1\.jpg"):
        CocoDataset(tmp_path)


def test_the_other_splits_image_is_not_taken_for_a_missing_one(put, gray, tmp_path):
    put("train2017/1.jpg", gray)
    for split in ("train", "val"):
        put(f"annotations/instances_{split}2017.json", document([], "1.jpg"))
    with pytest.raises(DataError, match=r"val2017\.json: 1\.jpg cannot be told from the one in"):
        CocoDataset(tmp_path)


def test_masks_of_segments_are_not_taken_for_images(put, gray, tmp_path):
    put("images/1.png", gray)
    put("panoptic_val/1.png", np.zeros((4, 6, 3), np.uint8))
    panoptic = [{"image_id": 1, "file_name": "1.png", "segments_info": []}]
    put("panoptic_val.json", document(panoptic, "1.png"))
    assert CocoDataset(tmp_path).images == ("images/1.png",)


def test_one_id_stands_for_one_image(put, tmp_path):
    content = json.loads(document([], "1.jpg", "2.jpg"))
    content["images"][1]["id"] = 1
    put("instances.json", json.dumps(content))
    with pytest.raises(DataError, match=r"the id 1 stands for two images, 1\.jpg and 2\.jpg"):
        CocoDataset(tmp_path)


def test_without_a_split_the_name_decides(put, tmp_path):
    names = [f"{number}.jpg" for number in range(20)]
    put("annotations.json", document([], *names))
    dataset = CocoDataset(tmp_path)
    assert dataset.splits == tuple(hashed_split(name) for name in dataset.images)
    assert set(dataset.splits) == {"train", "val"}
    with pytest.raises(DataError, match="the file is missing"):
        dataset.image(0)


def test_of_a_missing_image_it_is_told_where_it_was_looked_for(put, gray, tmp_path):
    put("images/2.jpg", gray)
    long = f"{'n' * 300}.jpg"  # which no file can be called
    put("annotations.json", document([], "1.jpg", "2.jpg", long))
    dataset = CocoDataset(tmp_path)
    assert dataset.images == ("1.jpg", "images/2.jpg", long)
    for index, name in ((0, "1.jpg"), (2, long)):
        reason = f"{name}: the file is missing, and no folder within {tmp_path} has an image of the"
        with pytest.raises(DataError, match=re.escape(reason)):
            dataset.image(index)


@pytest.mark.parametrize("name", ["/home/me/1.jpg", "C:\\data\\1.jpg", "elsewhere/1.jpg"])
def test_names_from_another_machine_are_found(put, gray, tmp_path, name):
    put("images/1.jpg", gray)
    put("annotations.json", document([], name))
    assert CocoDataset(tmp_path).images == ("images/1.jpg",)


def test_files_outside_are_not_read(put, gray, tmp_path):
    put("secret.jpg", gray)
    put("set/annotations.json", document([], "../secret.jpg"))
    with pytest.raises(DataError, match="does not name a file inside"):
        CocoDataset(tmp_path / "set").image(0)


def test_images_may_be_resized_but_not_turned(put, tmp_path):
    put("instances.json", document([region(1, box(0, 0, 6, 4))], "1.png"))
    put("1.png", np.zeros((8, 12, 3), np.uint8))
    assert CocoDataset(tmp_path).image(0).size == (12, 8)
    put("1.png", np.zeros((6, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"1\.png: the image is 4x6, its JSON file says 6x4"):
        CocoDataset(tmp_path).image(0)


def test_an_image_without_a_name_is_missing_like_any_other(put, tmp_path):
    put("instances.json", document([], ""))
    dataset = CocoDataset(tmp_path)
    assert len(dataset.digest) == 64
    with pytest.raises(DataError, match="'' does not name a file inside"):
        dataset.image(0)
