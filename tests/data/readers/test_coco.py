from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from net2vec.data.files import hashed_split
from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers import CocoDataset
from net2vec.data.readers.coco import is_coco, stack_masks
from net2vec.data.readers.coco.regions import unpack_runs
from net2vec.errors import DataError

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 3, "name": "car", "supercategory": "vehicle"},
    {"id": 6, "name": "bus", "supercategory": "vehicle"},
    {"id": 90, "name": "unlabeled", "supercategory": "other"},
]


def document(annotations, *images, categories=CATEGORIES):
    """Images are 6 wide and 4 high, numbered from 1."""
    listed = [
        {"id": number, "file_name": name, "height": 4, "width": 6}
        for number, name in enumerate(images, start=1)
    ]
    return json.dumps({"images": listed, "annotations": annotations, "categories": categories})


def region(category, segmentation, image=1, crowd=0):
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": crowd,
    }


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def columns(*values):
    """Uncompressed run lengths of a mask: columns of 4, first of pixels that are off."""
    flat = np.repeat(values, 4)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    return {"counts": np.diff([0, *changes, flat.size]).tolist(), "size": [4, flat.size // 4]}


def maps(dataset, index):
    return [
        (plane.category, [[dataset.labels[label] for label in row] for row in plane.labels])
        for plane in dataset.annotation(index).planes
    ]


@pytest.fixture
def instances(put, gray, tmp_path):
    put("val2017/1.jpg", gray)
    regions = [
        region(3, box(0, 0, 3, 4)),
        region(6, box(2, 0, 5, 2)),
        region(1, columns(0, 0, 0, 0, 1, 1), crowd=1),
        region(90, box(0, 0, 6, 4)),
    ]
    put("annotations/instances_val2017.json", document(regions, "1.jpg"))
    return tmp_path


def test_polygons_and_crowds_by_supercategory_in_planes(instances):
    dataset = CocoDataset(instances)
    assert isinstance(dataset, ProbeDataset)
    assert is_coco(instances)
    assert (dataset.images, dataset.splits) == (("val2017/1.jpg",), ("val",))
    assert dataset.labels == ("", "person", "car", "bus")
    assert dataset.categories == ("person", "vehicle")
    car, bus, none = "car", "bus", ""
    assert maps(dataset, 0) == [
        ("person", [["", "", "", "", "person", "person"]] * 4),
        (
            "vehicle",
            [[car, car, car, bus, bus, none]] * 2 + [[car, car, car, none, none, none]] * 2,
        ),
        ("vehicle", [["", "", bus, "", "", ""]] * 2 + [[""] * 6] * 2),
    ]
    assert dataset.image_size(0) == (4, 6)
    assert dataset.image(0).size == (6, 4)


def test_compressed_runs_decode_like_plain_ones(put, gray, tmp_path):
    from pycocotools import mask

    plain = columns(0, 1, 0, 1, 1, 0)
    packed = mask.frPyObjects(plain, 4, 6)
    packed["counts"] = packed["counts"].decode()
    put("images/1.jpg", gray)
    put("plain/annotations.json", document([region(1, plain)], "1.jpg"))
    put("packed/annotations.json", document([region(1, packed)], "1.jpg"))
    expected = [("person", [["", "person", "", "person", "person", ""]] * 4)]
    assert maps(CocoDataset(tmp_path / "plain"), 0) == expected
    assert maps(CocoDataset(tmp_path / "packed"), 0) == expected


def test_panoptic_segments_share_the_image_with_instances(instances, put):
    ids = np.zeros((4, 6, 3), np.uint8)
    ids[:2] = (10, 1, 0)
    ids[2:, :3] = (0, 0, 2)
    put("annotations/panoptic_val2017/1.png", ids)
    categories = [*CATEGORIES, {"id": 184, "name": "tree-merged", "supercategory": "plant"}]
    segments = [{"id": 266, "category_id": 184}, {"id": 2 * 65536, "category_id": 1}]
    panoptic = [{"image_id": 1, "file_name": "1.png", "segments_info": segments}]
    put(
        "annotations/panoptic_val2017.json",
        document(panoptic, "1.jpg", categories=categories),
    )
    dataset = CocoDataset(instances)
    assert dataset.images == ("val2017/1.jpg",)
    found = dict(maps(dataset, 0))
    assert found["plant"] == [["tree-merged"] * 6] * 2 + [[""] * 6] * 2
    # Both files know of people; the mask is their union.
    assert (
        found["person"]
        == [["", "", "", "", "person", "person"]] * 2
        + [["person", "person", "person", "", "person", "person"]] * 2
    )


def test_unlisted_segments_are_refused(put, gray, tmp_path):
    put("images/1.jpg", gray)
    put("panoptic/1.png", np.full((4, 6, 3), 7, np.uint8))
    panoptic = [
        {
            "image_id": 1,
            "file_name": "1.png",
            "segments_info": [{"id": 8, "category_id": 1}],
        }
    ]
    put("panoptic.json", document(panoptic, "1.jpg"))
    with pytest.raises(DataError, match=r"1\.png: the segment 460551 is not in panoptic\.json"):
        CocoDataset(tmp_path).annotation(0)
    (tmp_path / "panoptic/1.png").unlink()
    with pytest.raises(DataError, match=r"panoptic/1\.png: the file is missing"):
        CocoDataset(tmp_path).annotation(0)


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


def test_what_is_passed_over_is_told(put, gray, tmp_path):
    for split in ("train", "test"):
        put(f"{split}/{split}.jpg", gray)
        put(f"{split}/_annotations.coco.json", document([], f"{split}.jpg"))
    annotations = [
        region(1, box(0, 0, 2, 2)),
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]},
        region(3, box(0, 0, 2, 2), image=8),
        region(3, box(0, 0, 2, 2), image=9),
    ]
    put("train/_annotations.coco.json", document(annotations, "train.jpg"))
    dataset = CocoDataset(tmp_path)
    assert [(item.what, item.count, item.example) for item in dataset.left_out] == [
        ("images", 1, "test/test.jpg"),
        ("annotations", 1, "train.jpg"),
    ]
    (fault,) = dataset.faults()
    assert fault.endswith("json: 2 annotations of images that it does not list, first of the id 8")
    assert len(dataset.annotation(0).planes) == 1


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


def test_damage_is_named(put, tmp_path):
    path = put("instances.json", '{"images": [')
    with pytest.raises(DataError, match=r"instances\.json: not a COCO annotation file"):
        CocoDataset(tmp_path)
    path.write_text(document([region(77, box(0, 0, 2, 2))], "1.jpg"))
    with pytest.raises(DataError, match=r"instances\.json: category 77 is used but not listed"):
        CocoDataset(tmp_path)
    path.write_text(document([], *()))
    with pytest.raises(DataError, match="no images for training or validation"):
        CocoDataset(tmp_path)


DAMAGED_REGIONS = {
    "runs that end early": ({"size": [4, 6], "counts": [1, 1]}, "runs do not fill the image"),
    "packed runs that end early": ({"size": [4, 6], "counts": "11"}, "runs do not fill the image"),
    "packed runs of nothing": ({"size": [4, 6], "counts": ""}, "not packed as COCO packs them"),
    "packed runs that break off": ({"size": [4, 6], "counts": "4T"}, "not packed as COCO packs"),
    "negative runs": ({"size": [4, 6], "counts": [-1, 25]}, "runs do not fill the image"),
    "runs of another image": (
        {"size": [6, 4], "counts": [24]},
        r"for an image of height and width \[6, 4\], not \[4, 6\]",
    ),
    "no runs": ({"size": [4, 6]}, "counts"),
    "runs of nothing": ({"size": [4, 6], "counts": None}, "neither numbers nor text"),
    "no size": ({"counts": [24]}, "size"),
    "half a point": ([[0, 0, 5, 0, 5, 3, 1]], "three or more x, y"),
    "points that are none": ([[0, 0, 5, 0, 5, "y"]], "could not convert"),
    "a point at infinity": ([[0, 0, 1e12, 0, 5, 3]], "a polygon leaves the image of 6x4"),
    "a point that is not a number": (
        [[0, 0, None, 0, 5, 3]],
        "a polygon has coordinates that are not numbers",
    ),
}


@pytest.mark.parametrize("name", DAMAGED_REGIONS)
def test_damaged_regions_are_refused(name, put, tmp_path):
    segmentation, reason = DAMAGED_REGIONS[name]
    damaged = region(1, segmentation)
    put("instances.json", document([region(1, box(0, 0, 2, 2)), damaged], "1.jpg"))
    with pytest.raises(DataError, match=rf"json: a region in 1\.jpg is damaged .*{reason}"):
        CocoDataset(tmp_path).annotation(0)
    put("instances.json", document([{**damaged, "id": 77}, region(1, box(0, 0, 2, 2))], "1.jpg"))
    with pytest.raises(DataError, match=rf"the region of annotation 77 in 1\.jpg .*{reason}"):
        CocoDataset(tmp_path).annotation(0)


def test_polygons_of_one_or_two_points_are_left_out_and_counted(put, gray, tmp_path):
    """pycocotools takes two points for a box."""
    put("1.jpg", gray)
    regions = [
        region(1, [[0, 0, 6, 4], *box(0, 0, 2, 4), [5, 3], []]),
        region(3, [[0, 0, 5, 3]]),
    ]
    put("instances.json", document(regions, "1.jpg"))
    dataset = CocoDataset(tmp_path)
    assert maps(dataset, 0) == [("person", [["person"] * 2 + [""] * 4] * 4)]
    assert list(dataset.left_out) == [LeftOut("polygons", "fewer than three points", 4, "1.jpg")]


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


def test_digest_follows_annotations_and_images(instances, put, gray):
    digest = CocoDataset(instances).digest
    put("val2017/1.jpg", Image.effect_noise((6, 4), 50))
    changed = CocoDataset(instances).digest
    put("annotations/instances_val2017.json", document([], "1.jpg"))
    assert len({digest, changed, CocoDataset(instances).digest}) == 3


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_unpacked_runs_are_those_that_were_packed(runs):
    from pycocotools import mask

    packed = mask.frPyObjects({"counts": runs, "size": [sum(runs), 1]}, sum(runs), 1)
    assert unpack_runs(packed["counts"].decode()).tolist() == runs


@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_stacked_masks_lose_nothing(seed, count):
    rng = np.random.default_rng(seed)
    masks = {number + 1: rng.random((5, 7)) < rng.random() for number in range(count)}
    planes = stack_masks(masks)
    for number, mask in masks.items():
        assert (
            np.any([plane == number for plane in planes], axis=0) == mask
        ).all() or not mask.any()
    depth = np.sum(list(masks.values()), axis=0).max() if masks else 0
    assert len(planes) == depth
