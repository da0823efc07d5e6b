from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.coco import CocoDataset, stack_masks
from net2vec.data.readers.coco.regions import unpack_runs
from net2vec.errors import DataError

from builders_coco import CATEGORIES, box, columns, document, maps, region

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


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
    assert CocoDataset.examine(instances).is_whole
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
