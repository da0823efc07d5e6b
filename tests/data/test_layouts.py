"""What folders of pictures are taken for: images and masks, classes, or neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from net2vec.data import open_dataset
from net2vec.data.readers.folders import FolderDataset
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.tools import find_faults
from net2vec.errors import DataError

NUMBERS = range(4)


def photograph(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)


def indexed(seed: int) -> Image.Image:
    """A palette image of three values."""
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 3, (12, 16), np.uint8))
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    return image


def grey(seed: int, values: int = 200) -> np.ndarray:
    """A greyscale image of so many values."""
    steps = np.arange(12 * 16, dtype=np.uint32) % values * (255 // values)
    return np.random.default_rng(seed).permutation(steps).reshape(12, 16).astype(np.uint8)


def colored(seed: int) -> np.ndarray:
    """A mask of three colours."""
    colors = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]], np.uint8)
    return colors[np.random.default_rng(seed).integers(0, 3, (12, 16))]


@pytest.fixture
def fill(put) -> Callable[..., None]:
    """Four pictures of one kind in a folder."""

    def write(name: str, kind: Callable[[int], object], stem: str = "{}") -> None:
        suffix = "jpg" if kind is photograph else "png"
        for number in NUMBERS:
            put(f"{name}/{stem.format(number)}.{suffix}", kind(number))

    return write


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("Images", "Masks"),
        ("image", "label"),
        ("images", "labels"),
        ("IMG", "Mask"),
        ("data", "label"),
        ("photos", "annotations/pixel-level"),
        ("images", "annotations/trimaps"),
        ("JPEGImages", "SegmentationClass"),
        ("JPEGImages", "SegmentationClassAug"),
        ("JPEGImages", "SegmentationClass_aug"),
        ("JPEGImages", "SegmentationClassPNG"),
        ("JPEGImages", "SegmentationClassRaw"),
        ("leftImg8bit", "gtFine"),
        ("img_dir", "ann_dir"),
    ],
)
@pytest.mark.parametrize("split", ["", "inside", "outside"])
def test_images_and_masks_are_read(fill, put, tmp_path, images, masks, split):
    splits = [f"{name}/" for name in ("train", "val")] if split else [""]
    for name in splits:
        inside, outside = (name, "") if split == "inside" else ("", name)
        fill(f"{outside}{images}/{inside}", photograph)
        fill(f"{outside}{masks}/{inside}", indexed)
    put("class_names.txt", "background\nleaf\nstem")
    dataset = open_dataset(tmp_path)
    assert type(dataset) is MaskDataset
    assert dataset.labels == ("", "leaf", "stem")
    assert len(dataset.images) == len(NUMBERS) * len(splits)
    if split:
        assert set(dataset.splits) == {"train", "val"}
    expected = np.asarray(indexed(1))
    found = dataset.annotation([Path(name).stem for name in dataset.images].index("1"))
    assert np.array_equal(found.planes[0].labels, expected)
    assert find_faults(tmp_path) == []


@pytest.mark.parametrize("lists", ["ImageSets/Segmentation", "imagesets"])
def test_the_augmented_voc_keeps_its_lists_and_names(fill, put, tmp_path, lists):
    fill("JPEGImages", photograph)
    fill("SegmentationClassAug", indexed)
    put(f"{lists}/train.txt", "0\n3")
    put(f"{lists}/val.txt", "2")
    dataset = open_dataset(tmp_path)
    assert [Path(name).stem for name in dataset.images] == ["0", "2", "3"]
    assert dataset.splits == ("train", "val", "train")
    assert (len(dataset.labels), dataset.labels[1]) == (21, "aeroplane")


def test_of_several_folders_of_masks_one_is_read_and_the_others_are_told(fill, tmp_path):
    fill("JPEGImages", photograph)
    fill("SegmentationClass", indexed)
    fill("SegmentationClassAug", lambda seed: np.full((12, 16), 5, np.uint8))
    dataset = open_dataset(tmp_path)
    assert dataset.annotation(0).planes[0].labels.max() < 5
    (left_out,) = dataset.left_out
    assert left_out.what == "folders"
    assert left_out.reason == "masks are read from SegmentationClass"
    assert (left_out.count, left_out.example) == (1, "SegmentationClassAug")


def test_arrays_of_labelme_are_passed_over_for_its_pictures(fill, put, tmp_path):
    fill("JPEGImages", photograph)
    put("SegmentationClass/1.npy", b"")
    fill("SegmentationClassPNG", indexed)
    put("class_names.txt", "_background_\nleaf\nstem")
    assert open_dataset(tmp_path).labels == ("", "leaf", "stem")


@pytest.mark.parametrize(
    ("layout", "lists", "reason"),
    [
        # What the pictures hold, and their names.
        ({"shots": photograph, "seg": indexed}, {}, "seg holds images of few values, named as"),
        ({"shots": grey, "seg": indexed}, {}, "seg holds images of few values, named as"),
        ({"shots": photograph, "seg": colored}, {}, "seg holds images of few colours, named as"),
        (
            {"shots": photograph, "depth": grey, "seg": lambda seed: grey(seed, 40)},
            {},
            "seg holds images of few values, named as those in shots",
        ),
        (
            {"train/shots": photograph, "train/seg": indexed, "val/shots": photograph},
            {},
            "in train: shots and seg are hardly two classes",
        ),
        (
            {"shots/train": photograph, "seg/train": indexed, "shots/val": photograph},
            {},
            "shots and seg are hardly two classes",
        ),
        (
            {"oslo/shots": photograph, "oslo/seg": indexed, "bonn/shots": photograph},
            {},
            "in oslo: shots and seg are hardly",
        ),
        (
            {"images/a": photograph, "images/b": photograph, "seg/a": indexed, "seg/b": indexed},
            {},
            "images and seg are hardly",
        ),
        # Lists.
        (
            {"JPEGImages": photograph, "View": lambda seed: photograph(seed + 9)},
            {"class_names.txt": "sky\nroad\ncar"},
            "View holds images named as those in JPEGImages are",
        ),
        (
            {"JPEGImages": photograph, "SegmentationObject": indexed},
            {"ImageSets/Segmentation/train.txt": "1"},
            "SegmentationObject holds images of few values, named as",
        ),
        (
            {"JPEGImages": photograph, "Other {}x": photograph},
            {"ImageSets/Segmentation/train.txt": "1"},
            "ImageSets lies beside them",
        ),
        (
            {"a": photograph, "b": photograph, "seg {}x": indexed},
            {"labels.txt": "sky\nroad"},
            "seg holds images of few values and labels.txt lies beside it",
        ),
        # Nothing else is there.
        ({"shots": photograph, "seg m{}": indexed}, {}, "few values, unlike shots"),
    ],
)
def test_images_and_masks_under_other_names_are_no_classes(
    fill, put, tmp_path, layout, lists, reason
):
    for place, kind in layout.items():
        name, _, stem = place.partition(" ")
        fill(name, kind, stem or "{}")
    for name, text in lists.items():
        put(name, text)
    with pytest.raises(DataError) as refusal:
        open_dataset(tmp_path)
    message = str(refusal.value)
    assert reason in message
    assert "\n" not in message
    with pytest.raises(DataError, match=r"hardly two classes, .*; choose by --reader NAME"):
        find_faults(tmp_path)
    # The way out that the message names.
    names = {part for place in layout for part in place.split(" ")[0].split("/")}
    put("classes.txt", "\n".join(sorted(names)))
    assert type(open_dataset(tmp_path)) is FolderDataset


@pytest.mark.parametrize(
    ("layout", "lists"),
    [
        # Numbered pictures of one size in every class.
        ({"cat": photograph, "dog": photograph}, {}),
        ({"cat": photograph, "dog": photograph}, {"classes.txt": "cat\ndog"}),
        ({"cat": photograph, "dog": photograph}, {"labels.txt": "Katze\nHund"}),
        ({"cat": photograph, "dog": photograph, "owl": photograph}, {"labels.txt": "Tiere\n"}),
        ({"train/cat": photograph, "train/dog": photograph, "val/cat": photograph}, {}),
        ({"train/cat": indexed, "val/cat": photograph, "val/dog": photograph}, {}),
        # Classes that hold few values, all of them.
        ({"circle": indexed, "square": indexed}, {"names.txt": "round\nother"}),
        ({"red": colored, "blue": colored}, {}),
        ({"0": grey, "1": lambda seed: grey(seed, 40)}, {}),
        # One of many holds drawings.
        ({"cat": photograph, "dog": photograph, "drawing d{}": indexed}, {}),
        ({"cat": photograph, "black_dog": indexed}, {"classes.txt": "1 cat\n2 Black dog"}),
        ({"n01 a{}": photograph, "n02 b{}": indexed}, {"labels.txt": "n01: tench\nn02: owl"}),
        # Lists of names as published collections have them.
        (
            {"images/banded banded_{}": photograph, "images/lined lined_{}": photograph},
            {"labels/labels_joint_anno.txt": "", "classes.txt": "stripes\nlines"},
        ),
        (
            {"a/abbey": photograph, "b/beach": photograph},
            {"categories_places365.txt": "/a/abbey 0\n/b/beach 1", "labels.txt": "indoor\nother"},
        ),
        (
            {"train/n01 n01_{}": photograph, "train/n02 n02_{}": photograph},
            {"words.txt": "n01 tench\nn02 goldfish", "labels.txt": "tench\ngoldfish"},
        ),
    ],
)
def test_class_folders_are_read(fill, put, tmp_path, layout, lists):
    for place, kind in layout.items():
        name, _, stem = place.partition(" ")
        fill(name, kind, stem or "{}")
    for name, text in lists.items():
        put(name, text)
    dataset = open_dataset(tmp_path)
    assert type(dataset) is FolderDataset
    assert len(dataset.images) == len(NUMBERS) * len(layout)


def test_numbers_that_classes_share_name_no_masks(put, tmp_path):
    """Pictures of other shapes are no masks of photographs, whatever they hold."""
    for number in NUMBERS:
        put(f"cat/{number}.jpg", photograph(number))
        put(f"dog/{number}.jpg", photograph(number))
        put(f"sign/{number}.png", np.full((9, 9 + number), number, np.uint8))
    assert type(open_dataset(tmp_path)) is FolderDataset


def test_damaged_pictures_are_left_to_the_check(put, tmp_path):
    for name in ("cat/1.png", "dog/1.png"):
        put(name, b"no picture")
    assert type(open_dataset(tmp_path)) is FolderDataset
    assert len(find_faults(tmp_path)) == 2
