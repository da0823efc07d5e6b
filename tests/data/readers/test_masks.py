from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from net2vec.data.description import Description
from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.splits import hashed_split
from net2vec.data.tools import find_faults
from net2vec.errors import DataError


def values(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def names_at(dataset: MaskDataset, index: int) -> list[list[str]]:
    (plane,) = dataset.annotation(index).planes
    return [[dataset.labels[label] for label in row] for row in plane.labels]


def test_camvid_folders_beside_each_other(put, gray, tmp_path):
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        put(f"{split}/{name}.jpg", gray)
        put(f"{split}annot/{name}.png", values([0, 1], [2, 255]))
    put("classes.txt", "sky\nroad\nunlabelled\n")
    dataset = MaskDataset(tmp_path)
    assert isinstance(dataset, ProbeDataset)
    assert MaskDataset.examine(tmp_path).is_whole
    assert dataset.images == ("train/a.jpg", "val/b.jpg")
    assert dataset.splits == ("train", "val")
    assert dataset.labels == ("", "sky", "road")
    assert dataset.categories == ("object",)
    assert names_at(dataset, 0) == [["sky", "road"], ["", ""]]
    assert dataset.image(1).size == (6, 4)


def test_voc_with_lists_published_names_and_unlisted_images(put, gray, tmp_path):
    for name in ("2007_1", "2007_2", "2007_3", "2007_4"):
        put(f"JPEGImages/{name}.jpg", gray)
        if name != "2007_4":
            put(f"SegmentationClass/{name}.png", values([0, 7], [15, 255]))
    put("ImageSets/Segmentation/train.txt", "2007_1\n")
    put("ImageSets/Segmentation/val.txt", "2007_2\n")
    put("ImageSets/Segmentation/trainval.txt", "2007_1\n2007_2\n")
    put("ImageSets/Main/val.txt", "2007_1 -1\n2007_3 1\n")
    dataset = MaskDataset(tmp_path)
    assert dict(zip(dataset.images, dataset.splits, strict=True)) == {
        "JPEGImages/2007_1.jpg": "train",
        "JPEGImages/2007_2.jpg": "val",
    }
    assert len(dataset.labels) == 21
    assert names_at(dataset, 0) == [["", "car"], ["person", ""]]


def test_published_splits_with_a_year_are_those_of_the_folders(put, gray, tmp_path):
    for split, name in (("train2017", "a"), ("val2017", "b")):
        put(f"images/{split}/{name}.jpg", gray)
        put(f"masks/{split}/{name}.png", values([1, 1], [1, 1]))
    put("classes.txt", "void\ncat\n")
    dataset = MaskDataset(tmp_path)
    assert dict(zip(dataset.images, dataset.splits, strict=True)) == {
        "images/train2017/a.jpg": "train",
        "images/val2017/b.jpg": "val",
    }


def test_stems_on_lists_may_have_spaces_and_dots(put, gray, tmp_path):
    stems = ("my frame 0", "frame.0001", "frame.0002", "plain")
    for stem in stems:
        put(f"images/{stem}.jpg", gray)
        put(f"masks/{stem}.png", values([1, 1], [1, 1]))
    put("classes.txt", "void\ncat\n")
    put("ImageSets/train.txt", "my frame 0\nframe.0001\n")
    put("ImageSets/val.txt", "images/frame.0002.jpg masks/frame.0002.png\nplain 1\n")
    dataset = MaskDataset(tmp_path)
    found = {
        Path(image).stem: split for image, split in zip(dataset.images, dataset.splits, strict=True)
    }
    assert found == dict(zip(stems, ("train", "train", "val", "val"), strict=True))
    assert list(dataset.faults()) == []


def test_lists_that_fit_no_file_are_shown_beside_one(put, gray, tmp_path):
    put("images/a.jpg", gray)
    put("masks/a.png", values([1, 1], [1, 1]))
    put("ImageSets/train.txt", "frame_a\n")
    with pytest.raises(DataError, match=r"has 'frame_a', an image is images/a\.jpg"):
        MaskDataset(tmp_path)


def test_without_lists_the_name_decides(put, gray, tmp_path):
    for number in range(12):
        put(f"images/{number}.jpg", gray)
        put(f"masks/{number}.png", values([1]))
    put("classes.txt", "background\nleaf\n")
    dataset = MaskDataset(tmp_path)
    assert dataset.splits == tuple(hashed_split(name) for name in dataset.images)
    assert set(dataset.splits) == {"train", "val"}


def test_cityscapes_stems_kinds_and_names(put, gray, tmp_path):
    for split, city in (("train", "aachen"), ("val", "ulm"), ("test", "bonn")):
        stem = f"{split}/{city}/{city}_000_019"
        put(f"leftImg8bit/{stem}_leftImg8bit.png", gray)
        put(f"gtFine/{stem}_gtFine_labelIds.png", values([7, 26], [3, 1]))
        put(f"gtFine/{stem}_gtFine_instanceIds.png", values([99, 99], [99, 99]))
        put(f"gtFine/{stem}_gtFine_color.png", gray)
    dataset = MaskDataset(tmp_path)
    assert [image.split("/")[1] for image in dataset.images] == ["train", "val"]
    assert names_at(dataset, 1) == [["road", "car"], ["", ""]]
    assert list(dataset.faults()) == []


def test_scene_parsing_takes_its_table(put, gray, tmp_path):
    put("objectInfo150.txt", "Idx\tRatio\tName\n1\t.2\twall\n2\t.1\tbuilding, edifice\n")
    for split in ("training", "validation"):
        put(f"images/{split}/{split}.jpg", gray)
        put(f"annotations/{split}/{split}.png", values([0, 1, 2]))
    dataset = MaskDataset(tmp_path)
    assert dataset.splits == ("train", "val")
    assert names_at(dataset, 0) == [["", "wall", "building"]]


def test_folders_by_split_outside_and_another_category(put, gray, tmp_path):
    for split in ("train", "valid"):
        put(f"{split}/images/x.png", gray)
        put(f"{split}/masks/x.png", values([1]))
    put("classes.txt", "0: void\n1: brick")
    dataset = MaskDataset(tmp_path, Description(category="material"))
    assert dataset.images == ("train/images/x.png", "valid/images/x.png")
    assert dataset.splits == ("train", "val")
    assert dataset.annotation(0).planes[0].category == "material"


def test_digest_follows_names_category_splits_and_files(put, gray, tmp_path):
    put("images/x.png", gray)
    mask = put("masks/x.png", values([1]))
    put("classes.txt", "void\nbrick")
    digests = {
        MaskDataset(tmp_path).digest,
        MaskDataset(tmp_path, Description(category="material")).digest,
    }
    put("classes.txt", "void\nstone")
    digests.add(MaskDataset(tmp_path).digest)
    put(
        "ImageSets/val.txt"
        if MaskDataset(tmp_path).splits == ("train",)
        else "ImageSets/train.txt",
        "x",
    )
    digests.add(MaskDataset(tmp_path).digest)
    put(mask.relative_to(tmp_path), values([1] * 50, [0, 1] * 25))
    digests.add(MaskDataset(tmp_path).digest)
    assert len(digests) == 5


def test_values_without_a_name_are_refused(put, gray, tmp_path):
    put("images/x.png", gray)
    put("masks/x.png", values([0, 9]))
    put("classes.txt", "sky\nroad")
    with pytest.raises(DataError, match=r"x\.png: the value 9 has no name in classes\.txt"):
        MaskDataset(tmp_path).annotation(0)
    put("masks/x.png", np.array([[300]], np.uint16))
    with pytest.raises(DataError, match="the value 300 has no name"):
        MaskDataset(tmp_path).annotation(0)


def test_masks_may_be_smaller_but_not_lie_across_their_image(put, tmp_path):
    """A photograph that its camera turns, and a mask drawn on what it stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    put("images/x.jpg", np.zeros((40, 61, 3), np.uint8), exif=exif)
    put("classes.txt", "sky\nroad")
    put("masks/x.png", np.ones((31, 20), np.uint8))
    dataset = MaskDataset(tmp_path)
    assert dataset.image(0).size == (40, 61)
    assert dataset.annotation(0).planes[0].labels.shape == (31, 20)
    put("masks/x.png", np.ones((40, 61), np.uint8))
    with pytest.raises(DataError, match=r"masks/x\.png: the mask is 61x40, its image 40x61"):
        dataset.annotation(0)


def test_what_is_missing_is_said(put, gray, tmp_path):
    put("images/x.png", gray)
    put("masks/y.png", values([0]))
    names = r"no image has a mask of the same name; there are images/x\.png and masks/y\.png$"
    with pytest.raises(DataError, match=names):
        MaskDataset(tmp_path)
    put("masks/x.png", values([0]))
    with pytest.raises(DataError, match=r"write classes\.txt, a name a line from 0, or a num"):
        MaskDataset(tmp_path)
    put("classes.txt", "sky")
    put("images/z.jpg", gray)
    assert sorted(MaskDataset(tmp_path).faults()) == [
        f"{tmp_path}/images/z.jpg: has no mask of the same name",
        f"{tmp_path}/masks/y.png: has no image of the same name",
    ]


def test_images_that_no_list_names_need_no_mask(put, gray, tmp_path):
    put("SegmentationClass/x.png", values([7]))
    for name in ("x", "y", "z"):
        put(f"JPEGImages/{name}.jpg", gray)
    put("ImageSets/Segmentation/train.txt", "x\nz\n")
    (fault,) = MaskDataset(tmp_path).faults()
    assert fault == f"{tmp_path}/JPEGImages/z.jpg: has no mask of the same name"


def test_lists_that_contradict_or_name_nothing_are_told(put, gray, tmp_path):
    for name in ("x", "y", "z", "w"):
        put(f"JPEGImages/{name}.jpg", gray)
        put(f"SegmentationClass/{name}.png", values([7]))
    (tmp_path / "JPEGImages/z.jpg").unlink()
    put("ImageSets/Segmentation/train.txt", "x\ngone\nz\n")
    put("ImageSets/Segmentation/val.txt", "y\nx\n")
    put("ImageSets/Segmentation/test.txt", "unpublished\n")
    lists = tmp_path / "ImageSets/Segmentation"
    dataset = MaskDataset(tmp_path)
    assert dataset.splits == ("train", "val")
    assert list(dataset.faults()) == [
        f"{tmp_path}/SegmentationClass/z.png: has no image of the same name",
        f"{lists}/train.txt: gone has neither image nor mask",
        f"{lists}/val.txt: x is in train.txt as well, and counted there",
    ]
    assert find_faults(tmp_path) == list(dataset.faults())


def test_images_left_out_are_counted(put, gray, tmp_path):
    for name in ("train/a", "train/b", "val/c", "test/d"):
        put(f"{name}.jpg", gray)
    for name in ("train", "val"):
        put(f"{name}annot/{'a' if name == 'train' else 'c'}.png", values([0]))
    put("classes.txt", "sky")
    assert list(MaskDataset(tmp_path).left_out) == [
        LeftOut("images", "no mask of the same name", 1, "train/b.jpg"),
    ]
    put("whole/classes.txt", "sky")
    for name in ("x", "y", "z"):
        put(f"whole/images/{name}.jpg", gray)
        put(f"whole/masks/{name}.png", values([0]))
    put("whole/ImageSets/train.txt", "x")
    put("whole/ImageSets/test.txt", "y")
    assert list(MaskDataset(tmp_path / "whole").left_out) == [
        LeftOut("images", "of a split for testing", 1, "images/y.jpg"),
        LeftOut("images", "on no list in ImageSets", 1, "images/z.jpg"),
    ]


def test_images_for_testing_alone_are_none_to_use(put, gray, tmp_path):
    put("images/test/x.png", gray)
    put("masks/test/x.png", values([0]))
    put("classes.txt", "sky")
    with pytest.raises(DataError, match="no image that has a mask is for training or validation"):
        MaskDataset(tmp_path)


def test_classes_of_one_name_are_one_and_told(put, gray, tmp_path):
    put("images/x.png", gray)
    put("masks/x.png", values([0, 1, 2], [3, 4, 4]))
    put("classes.txt", "void\ncat\ncat\nunlabelled\ncat")
    dataset = MaskDataset(tmp_path)
    assert names_at(dataset, 0) == [["", "cat", "cat"], ["", "cat", "cat"]]
    merged = LeftOut("classes", "merged with another of the same name", 2, "cat")
    assert list(dataset.left_out) == [merged]


@pytest.mark.parametrize("void", [255, 65535])
def test_void_values_become_concepts_by_a_name(put, gray, tmp_path, void):
    put("images/x.png", gray)
    put("masks/x.png", np.array([[0, void], [0, 0]], np.uint8 if void == 255 else np.uint16))
    put("classes.txt", "void\ncat")
    dataset = MaskDataset(tmp_path)
    assert names_at(dataset, 0) == [["", ""], ["", ""]]
    hint = (
        f"value {void} counts as void; name it in classes.txt to make it a concept, each line with "
        f"its number, as in `{void} cat`"
    )
    assert dataset.why_empty() == hint
    fault = f"{tmp_path}: no concept has any annotated pixel or image; {hint}"
    assert find_faults(tmp_path) == [fault]
    for classes in (f"{void} cat", f"0 background\n1 dog\n{void} cat\n"):
        put("classes.txt", classes)
        assert names_at(MaskDataset(tmp_path), 0) == [["", "cat"], ["", ""]]
        assert find_faults(tmp_path) == []
    put("classes.txt", f"{void} ignore")  # whoever says so knows
    assert MaskDataset(tmp_path).why_empty() == ""


def test_other_folders_are_not_taken_for_masks(put, gray, tmp_path):
    put("images/cat/x.png", gray)
    put("labels/labels.txt", "cat")
    assert not MaskDataset.examine(tmp_path).found
