"""Folders of every kind: each is read as what it is, or refused in one line."""

from __future__ import annotations

import json
import os
import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from net2vec.cli import main

from builders_coco import box, document, region
from builders_runs import write_small_folder

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NUMBERS = range(4)
NAMES = "void\nleaf\nstem"
PALETTE = [0, 0, 0, 200, 0, 0, 0, 200, 0]
COLORS = np.array(PALETTE, np.uint8).reshape(3, 3)


@dataclass(frozen=True)
class Read:
    """Expected: the layout, the concepts, the images that train and validate, and what is told."""

    layout: str
    concepts: str
    images: tuple[int, int] | None = None
    told: str = ""


class Folder:
    """A dataset's folder that a row of the table fills."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self, name: str, text: str = "") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def picture(self, name: str, picture: object, **options: object) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
        image.save(path, **options)

    def photos(self, name: str, stem: str = "{}", suffix: str = "jpg") -> None:
        for number in NUMBERS:
            self.picture(f"{name}/{stem.format(number)}.{suffix}", photograph(number))

    def masks(self, name: str, stem: str = "{}", kind: Callable[[], object] | None = None) -> None:
        for number in NUMBERS:
            self.picture(f"{name}/{stem.format(number)}.png", (kind or indexed)())

    def pipe(self, name: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    def link(self, name: str, target: str | Path) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def photograph(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)


def values() -> np.ndarray:
    """Class numbers 0 to 2."""
    return np.arange(12 * 16, dtype=np.uint8).reshape(12, 16) // 64


def indexed() -> Image.Image:
    image = Image.fromarray(values())
    image.putpalette(PALETTE)
    return image


def colored() -> np.ndarray:
    return COLORS[values()]


def equal_parts() -> np.ndarray:
    return np.repeat(values()[..., None], 3, axis=-1)


def pair(folder: Folder, images: str = "images", masks: str = "masks", names: str = NAMES) -> None:
    """Images, masks and names as any of the usual folders."""
    folder.photos(images)
    folder.masks(masks)
    folder.text("classes.txt", names)


def classes(folder: Folder, *names: str) -> None:
    for name in names or ("cat", "dog"):
        folder.photos(name)


PLANTS = Read("masks", "leaf stem")
ANIMALS = Read("classes", "cat dog")
ROWS: dict[str, tuple[Callable[[Folder], object], Read | str, tuple[str, ...]]] = {}


def row(
    expected: Read | str, *options: str, name: str = ""
) -> Callable[[Callable[[Folder], object]], Callable[[Folder], object]]:
    """Adds a row: what `data info` with some options makes of the folder that a function fills."""

    def add(fill: Callable[[Folder], object]) -> Callable[[Folder], object]:
        ROWS[name or fill.__name__] = (fill, expected, options)
        return fill

    return add


# Images and masks in folders of known names.


@row(Read("masks", "leaf stem", (3, 1), "ImageSets/Segmentation/val.txt"))
def augmented_voc(f):
    f.photos("JPEGImages")
    f.masks("SegmentationClassAug")
    f.text("class_names.txt", NAMES)
    f.text("ImageSets/Segmentation/train.txt", "0\n1\n2")
    f.text("ImageSets/Segmentation/val.txt", "3")


@row(Read("masks", "leaf stem", (4, 4)))
def mmsegmentation(f):
    for split in ("train", "val"):
        pair(f, f"img_dir/{split}", f"ann_dir/{split}")


@row(Read("masks", "leaf stem", (4, 4), "train with trainannot"))
def camvid(f):
    for split in ("train", "val"):
        pair(f, split, f"{split}annot")


@row(Read("masks", "leaf stem", (4, 4)))
def years_in_splits(f):
    for split in ("train2017", "val2017"):
        pair(f, f"images/{split}", f"annotations/{split}")


@row(Read("masks", "leaf stem", (4, 4)))
def splits_around(f):
    for split in ("train_set", "val_set"):
        pair(f, f"{split}/images", f"{split}/masks")


@row(Read("masks", "leaf stem", (4, 4)))
def masks_beside_images_in_splits(f):
    for split in ("train", "valid"):
        f.photos(split)
        f.masks(split, "{}_mask")
    f.text("classes.txt", NAMES)


@row(Read("masks", "leaf stem", None, "*_mask"))
def masks_beside_images(f):
    f.photos(".")
    f.masks(".", "{}_mask")
    f.text("classes.txt", NAMES)


@row(PLANTS)
def masks_with_an_ending(f):
    f.photos("train")
    f.masks("train_masks", "{}_mask")
    f.text("classes.txt", NAMES)


@row(PLANTS)
def masks_with_an_l(f):
    f.photos("images")
    f.masks("labels", "{}_L")
    f.text("classes.txt", NAMES)


@row("only 1 of 4 images have a mask *_mask beside them")
def few_masks_beside_images(f):
    f.photos(".")
    f.picture("0_mask.png", indexed())
    f.text("classes.txt", NAMES)


@row("no image has a mask of the same name; there are images/0.jpg and masks/x0.png")
def masks_of_other_names(f):
    f.photos("images")
    f.masks("masks", "x{}")
    f.text("classes.txt", NAMES)


@row("masks: holds .jpg files; masks are read from PNG")
def masks_as_jpeg(f):
    f.photos("images")
    f.photos("masks")
    f.text("classes.txt", NAMES)


@row("stored as JPEG, which blurs masks")
def masks_that_are_jpeg_inside(f):
    pair(f)
    f.picture("masks/0.png", values(), format="JPEG")


@row("images and rgb both hold images of the masks")
def two_folders_of_images(f):
    pair(f)
    f.photos("rgb")


@row("masks and labels both hold masks of the images")
def two_folders_of_masks(f):
    pair(f)
    f.masks("labels")


@row(Read("masks", "aeroplane bicycle"))
def two_folders_of_voc_masks(f):
    f.photos("JPEGImages")
    f.masks("SegmentationClass")
    f.masks("SegmentationClassAug")


@row(PLANTS)
def masks_whose_other_folder_does_not_fit(f):
    pair(f, masks="labels")
    f.masks("masks", "other{}")


@row("the value 2 has no name in classes.txt")
def values_without_a_name(f):
    pair(f, names="void\nleaf")


@row("pixel values have no names; write classes.txt")
def no_names(f):
    f.photos("images")
    f.masks("masks")


@row(PLANTS)
def names_of_labelme(f):
    pair(f, names="__ignore__\n_background_\nleaf\nstem")


@row("names the value 10000000000; pixels of masks are 65535 at most")
def names_of_huge_values(f):
    pair(f, names="0 void\n1 leaf\n10000000000 stem")


@row("pixels of masks are 65535 at most")
def names_of_values_of_many_digits(f):
    pair(f, names=f"0 void\n1 leaf\n{'9' * 9000} stem")


@row(Read("masks", "leaf stem", None, "class numbers"))
def masks_of_equal_parts(f):
    f.photos("images")
    f.masks("masks", kind=equal_parts)
    f.text("classes.txt", NAMES)


# Colours.


@row(Read("masks", "leaf stem", None, "colours"))
def colors_of_cvat(f):
    f.photos("JPEGImages")
    f.masks("SegmentationClass", kind=colored)
    lines = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nleaf:200,0,0::\nstem:0,200,0::"
    f.text("labelmap.txt", lines)


@row(PLANTS)
def colors_before_names(f):
    f.photos("images")
    f.masks("masks", kind=colored)
    f.text("label_colors.txt", "0 0 0\tVoid\n200 0 0\tleaf\n0 200 0\tstem")


@row(PLANTS)
def colors_in_a_table(f):
    f.photos("images")
    f.masks("masks", kind=colored)
    f.text("class_dict.csv", "name,r,g,b\nVoid,0,0,0\nleaf,200,0,0\nstem,0,200,0")


@row(PLANTS)
def colors_in_a_list_of_classes(f):
    f.photos("images")
    f.masks("masks", kind=colored)
    f.text("classes.txt", "void #000000\nleaf #c80000\nstem #00c800")


@row(PLANTS)
def colors_of_palettes(f):
    f.photos("images")
    f.masks("masks")
    f.text("labelmap.txt", "leaf:200,0,0::\nstem:0,200,0::")


@row("pixels of kind RGB; a mask of class numbers is a palette")
def colors_without_a_list(f):
    f.photos("images")
    f.masks("masks", kind=colored)
    f.text("classes.txt", NAMES)


@row("the colour #00c800 (0 200 0) has no name in labelmap.txt")
def colors_that_are_not_listed(f):
    f.photos("images")
    f.masks("masks", kind=colored)
    f.text("labelmap.txt", "leaf:200,0,0::")


@row("#c80000 (200 0 0) stands for both leaf and stem")
def colors_of_two_names(f):
    f.photos("images")
    f.masks("masks", kind=colored)
    f.text("labelmap.txt", "leaf:200,0,0::\nstem:200,0,0::")


# Folders that could be several things, or none.


@row("hardly two classes")
def masks_in_unknown_folders(f):
    f.photos("shots")
    f.masks("seg")


@row("COCO (instances.json) or masks (images with masks)")
def coco_and_masks(f):
    pair(f)
    f.text("instances.json", document([region(1, box(0, 0, 3, 3))], "0.jpg"))


@row(PLANTS, "--reader", "masks", name="coco and masks, read as masks")
def _(f):
    coco_and_masks(f)


@row(Read("COCO", "person"), "--reader", "coco", name="coco and masks, read as COCO")
def _(f):
    pair(f)
    for number in NUMBERS:
        f.picture(f"images/{number}.jpg", np.zeros((4, 6, 3), np.uint8))
    f.text("instances.json", document([region(1, box(0, 0, 3, 3))], "0.jpg"))


@row("there is no reader 'mask'; did you mean masks?", "--reader", "mask", name="no such reader")
def _(f):
    pair(f)


@row("no folders of images and masks are known; state both", "--reader", "masks", name="no masks")
def _(f):
    classes(f)


@row("labels: holds .txt files; masks are read from PNG")
def polygons_of_yolo(f):
    f.photos("images")
    f.text("labels/0.txt", "0 .1 .1 .2 .2")


@row("Annotations: holds .xml files; masks are read from PNG")
def boxes_of_voc(f):
    f.photos("JPEGImages")
    f.text("Annotations/0.xml", "<annotation/>")


@row(Read("masks", "leaf stem", (4, 0), "no image validates, all 4 train; 4 are left out"))
def masks_to_train_and_test(f):
    for split in ("train", "test"):
        pair(f, f"images/{split}", f"masks/{split}")


@row(Read("masks", "leaf stem", (4, 4)), "--split", "test", name="masks to train and test, split")
def _(f):
    masks_to_train_and_test(f)


@row(Read("masks", "leaf stem", (3, 1)), "--split", "test", name="lists, split test")
def _(f):
    augmented_voc(f)
    f.text("ImageSets/Segmentation/val.txt", "")
    f.text("ImageSets/Segmentation/test.txt", "3")


@row("no layout recognised; known are Broden")
def nothing(f):
    f.text("readme.txt")


@row("no layout recognised")
def one_class(f):
    classes(f, "cat")


@row("holds datasets; name them each: fields, meadow")
def two_datasets(f):
    pair(f, "fields/images", "fields/masks")
    pair(f, "meadow/images", "meadow/masks")


@row("holds a dataset, fields, and images beside it, holiday")
def dataset_and_photographs(f):
    pair(f, "fields/images", "fields/masks")
    f.text("fields/classes.txt", NAMES)
    f.photos("holiday")


@row(Read("masks", "leaf stem", None, "fields"))
def dataset_and_notes(f):
    pair(f, "fields/images", "fields/masks")
    f.text("fields/classes.txt", NAMES)
    f.text("notes/labels.txt", "see the paper")
    f.text("notes/index.csv", "date,author")


@row(ANIMALS)
def classes_and_readme(f):
    classes(f, "zoo/cat", "zoo/dog")
    f.text("README.txt")


@row(ANIMALS)
def classes_and_notes(f):
    classes(f)
    f.text("source_notes/notes.json", '{"images": "from flickr", "annotations": "by hand"}')
    f.text("source_notes/names.txt", "see the paper")


@row(ANIMALS)
def classes_and_an_index_of_other_images(f):
    classes(f)
    f.text("source_notes/instances.json", document([], "a.jpg"))


@row(ANIMALS)
def classes_and_a_table(f):
    classes(f)
    f.text("index.csv", "file,author\n0.jpg,me")


@row(ANIMALS)
def classes_and_a_json_file(f):
    classes(f)
    f.text("meta.json", '{"images": 8, "categories": ["cat", "dog"]}')


@row("pixel values have no names")
def classes_with_masks_beside(f):
    for name in ("benign", "malignant"):
        f.photos(name, suffix="png")
        f.masks(name, "{}_mask")


# Class folders.


@row(Read("classes", "cat dog", (8, 0), "no image validates"), name="train and test")
def train_and_test(f):
    classes(f, "train/cat", "train/dog", "test/cat", "test/dog")


@row(Read("classes", "cat dog", (8, 8)), "--split", "test", name="train and test, split test")
def _(f):
    train_and_test(f)


@row(Read("classes", "cat dog", None, "50% to validate"), "--split", "draw=0.5,3", name="draw")
def _(f):
    train_and_test(f)


@row("no image is in a folder 'tset'; folders are cat, dog, test, train", "--split", "tset",
     name="split of another name")  # fmt: skip
def _(f):
    train_and_test(f)


@row("the share of validation images is 7", "--split", "draw=7", name="share of 7")
def _(f):
    train_and_test(f)


@row(Read("classes", "livingRoom livingroom", (4, 4), "livingRoom and livingroom, which differ"))
def spellings(f):
    classes(f, "train/livingroom", "val/livingRoom")


@row(Read("classes", "cat dog", (16, 0), ""), name="jfif")
def _(f):
    for name in ("train/cat", "train/dog"):
        f.photos(name)
        for number in NUMBERS:
            f.picture(f"{name}/{number}.jfif", photograph(number), format="JPEG")


@row(Read("classes", "cat dog", None, "of a format that is not read"))
def pictures_of_telephones(f):
    classes(f)
    f.text("cat/1.heic")


@row(ANIMALS)
def classes_in_a_folder_beside_images(f):
    classes(f, "zoo/cat", "zoo/dog")
    f.picture("logo.png", photograph(0))


@row(Read("classes", "Küche", (4, 4)))
def classes_in_two_forms(f):
    f.photos(f"train/{unicodedata.normalize('NFC', 'Küche')}")
    f.photos(f"val/{unicodedata.normalize('NFD', 'Küche')}")


@row(Read("classes", "cat dog", None, "a link to a folder that is read already"))
def loops_of_links(f):
    classes(f)
    f.link("again", ".")
    f.link("cat/up", "..")


@row(Read("classes", "cat dog", None, ""))
def links_within(f):
    classes(f, "pool/cat", "pool/dog")
    f.link("images", "pool")


@row("a link out of the dataset")
def links_to_images_outside(f):
    classes(f)
    f.picture("../secret.jpg", photograph(0))
    f.link("cat/1.jpg", "../../secret.jpg")


@row("a link out of the dataset")
def links_to_folders_outside(f):
    classes(f)
    f.picture("../owl/1.jpg", photograph(0))
    f.link("owl", "../owl")


@row("a link out of the dataset")
def links_to_masks_outside(f):
    pair(f)
    f.picture("../secret.png", values())
    f.link("masks/1.png", "../../secret.png")


@row("a link out of the dataset")
def links_to_names_outside(f):
    pair(f)
    f.text("../secret.txt", NAMES)
    f.link("classes.txt", "../secret.txt")


@row("a named pipe, not an image file")
def pipes_for_masks(f):
    pair(f)
    f.pipe("masks/1.png")


@row("a named pipe, not an image file")
def pipes_for_images(f):
    pair(f)
    f.pipe("images/1.jpg")


@row("pixel values have no names")
def pipes_for_names(f):
    pair(f)
    f.pipe("classes.txt")


@row("its name is not UTF-8; rename it")
def names_in_latin_1(f):
    classes(f)
    name = os.fsdecode("fran\xe7ais.jpg".encode("latin-1"))
    (f.path / "cat" / "1.jpg").rename(f.path / "cat" / name)


@row("its name is not UTF-8; rename it")
def folders_in_latin_1(f):
    classes(f)
    (f.path / "cat").rename(f.path / os.fsdecode("fran\xe7ais".encode("latin-1")))


@row(Read("masks", "leaf stem", (2, 2)))
def names_in_two_forms(f):
    f.photos("images", unicodedata.normalize("NFC", "blüte{}"))
    f.masks("masks", unicodedata.normalize("NFD", "blüte{}"))
    f.text("classes.txt", NAMES)
    f.text("ImageSets/train.txt", unicodedata.normalize("NFD", "blüte0\nblüte1"))
    f.text("ImageSets/val.txt", unicodedata.normalize("NFC", "blüte2\nblüte3"))


@row(PLANTS)
def orientation_as_text(f):
    pair(f)
    entry = struct.pack("<HHI4s", 0x0112, 2, 4, b"six")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    f.picture("images/0.jpg", photograph(0), exif=exif)


@row(ANIMALS)
def classes_in_a_folder_beside_notes(f):
    classes(f, "zoo/cat", "zoo/dog")
    f.text("notes/list.txt", "cat")
    f.text("__MACOSX/zoo/cat/1.jpg", "no picture")


@row(ANIMALS)
def classes_with_thumbnails(f):
    classes(f)
    f.photos("@eaDir")


@row(Read("masks", "leaf stem", (4, 0), "no image validates"))
def links_from_split_to_split(f):
    pair(f, "train", "trainannot")
    f.link("val", "train")
    f.link("valannot", "trainannot")


@row(PLANTS)
def links_from_name_to_name(f):
    pair(f)
    f.link("img", "images")
    f.link("labels", "masks")


@row(Read("masks", "leaf stem", (4, 4)))
def splits_behind_images(f):
    for split in ("train", "val"):
        pair(f, f"images/images_{split}", f"masks/images_{split}")


@row(Read("masks", "leaf stem", (4, 4), "_classes.csv"))
def roboflow(f):
    for split in ("train", "valid"):
        f.photos(split)
        f.masks(split, "{}_mask")
        f.text(f"{split}/_classes.csv", "Pixel Value, Class\n0, background\n1, leaf\n2, stem")


@row("hardly two classes")
def cityscapes_as_unpacked(f):
    for split in ("train", "val"):
        f.photos(f"leftImg8bit_trainvaltest/leftImg8bit/{split}/ulm", "{}_leftImg8bit", "png")
        f.masks(f"gtFine_trainvaltest/gtFine/{split}/ulm", "{}_gtFine_labelIds")


# COCO.


def coco(f, text, name="instances.json", images=("images/1.jpg",)):
    for image in images:
        f.picture(image, np.zeros((4, 6, 3), np.uint8))
    f.text(name, text)


PERSON = [region(1, box(0, 0, 3, 3))]


def sized(width, height):
    content = json.loads(document(PERSON, "1.jpg"))
    content["images"][0] |= {"width": width, "height": height}
    return json.dumps(content)


@row(Read("COCO", "person", None, "instances.json"), name="coco")
def _(f):
    coco(f, document(PERSON, "1.jpg"))


@row("is said to have 1000000x1000000 pixels", name="coco of huge size")
def _(f):
    coco(f, sized(10**6, 10**6))


@row("its JSON file says 100000x3", name="coco of another shape")
def _(f):
    coco(f, sized(100000, 3))


@row("is said to have 6x0 pixels", name="coco without size")
def _(f):
    coco(f, sized(6, 0))


@row("nested too deeply", name="coco of deep nesting")
def _(f):
    coco(f, '{"images": [], "annotations": ' + "[" * 100_000 + "]" * 100_000 + "}")


@row("is no valid Unicode", name="coco of half a character")
def _(f):
    coco(f, document(PERSON, "1.jpg").replace('"person"', '"\\ud83d"'))


@row("not a COCO annotation file", name="coco cut short")
def _(f):
    coco(f, document(PERSON, "1.jpg")[:-30])


@row("no image is in the folder", name="coco without images")
def _(f):
    coco(f, document(PERSON, "1.jpg"), images=())


@row(Read("COCO", "person", (0, 2), "2.jpg: not there"), name="coco lacks images")
def _(f):
    coco(f, document(PERSON, "1.jpg", "2.jpg"), "instances_val.json")


@row(Read("COCO", "person", (0, 1), "not there"), "--skip-missing", name="coco, images skipped")
def _(f):
    coco(f, document(PERSON, "1.jpg", "2.jpg"), "instances_val.json")


@row(Read("COCO", "person", None, "images elsewhere"), name="coco with bare names")
def _(f):
    coco(f, document(PERSON, "1.jpg"), images=("far/away/1.jpg",))


@row(Read("COCO", "person", None, "the 2 categories 'person' (1, 7)"), name="coco of twins")
def _(f):
    content = json.loads(document(PERSON, "1.jpg"))
    content["categories"].append({"id": 7, "name": "person"})
    coco(f, json.dumps(content))


@row(Read("COCO", "person"), name="coco of another machine")
def _(f):
    coco(f, document(PERSON, "/home/me/1.jpg"))


@row(Read("COCO", "person", None, "not there"), name="coco of an image elsewhere")
def _(f):
    coco(f, document(PERSON, "../../../etc/passwd", "1.jpg"))


@row(Read("COCO", "person"), name="coco in two forms")
def _(f):
    name = unicodedata.normalize("NFC", "blüte.jpg")
    coco(f, document(PERSON, name), images=(unicodedata.normalize("NFD", name),))


@row(Read("COCO", "person", (1, 0)), name="coco of lvis")
def _(f):
    content = json.loads(document(PERSON, "1.jpg"))
    del content["images"][0]["file_name"]
    content["images"][0]["coco_url"] = "http://images.cocodataset.org/train2017/1.jpg"
    coco(f, json.dumps(content), images=("train2017/1.jpg",))


@row("has neither file_name nor coco_url", name="coco of no name")
def _(f):
    content = json.loads(document(PERSON, "1.jpg"))
    del content["images"][0]["file_name"]
    coco(f, json.dumps(content))


@row(Read("COCO", "car person", (0, 1)), name="coco of cityscapes")
def _(f):
    stem = "frankfurt_000000_000294"
    f.picture(f"leftImg8bit/val/{stem}_leftImg8bit.png", np.zeros((4, 6, 3), np.uint8))
    ids = np.zeros((4, 6, 3), np.uint8)
    ids[:2, :, 0], ids[2:, :, :2] = 24, (1, 1)
    f.picture(f"cityscapes_panoptic_val/{stem}_gtFine_panoptic.png", ids)
    image = {"id": stem, "file_name": f"{stem}_gtFine_leftImg8bit.png", "height": 4, "width": 6}
    segments = [{"id": 24, "category_id": 1}, {"id": 257, "category_id": 3}]
    file = f"{stem}_gtFine_panoptic.png"
    annotation = {"image_id": stem, "file_name": file, "segments_info": segments}
    content = json.loads(document([], "x")) | {"images": [image], "annotations": [annotation]}
    f.text("cityscapes_panoptic_val.json", json.dumps(content))


@row(Read("COCO", "person", (1, 1)), "--split", "test", name="coco, split test")
def _(f):
    coco(f, document(PERSON, "1.jpg"), "instances_train.json")
    coco(f, document(PERSON, "2.jpg"), "instances_test.json", images=("images/2.jpg",))


@row(Read("COCO", "person"), name="coco beside a pipe")
def _(f):
    coco(f, document(PERSON, "1.jpg"))
    f.pipe("other.json")


@row("a link out of the dataset", name="coco that is a link")
def _(f):
    coco(f, document(PERSON, "1.jpg"), "../secret.json")
    f.picture("1.jpg", np.zeros((4, 6, 3), np.uint8))
    f.link("instances.json", "../secret.json")


@row("a link out of the dataset", name="coco of images that are links")
def _(f):
    f.picture("../secret.jpg", np.zeros((4, 6, 3), np.uint8))
    coco(f, document(PERSON, "1.jpg"))
    f.link("images/1.jpg", "../../secret.jpg")


# Broden and ADE20K.


@row(Read("Broden", ""), name="broden")
def _(f):
    write_small_folder(f.path)


@row("label.csv: the file is missing", name="broden without a table")
def _(f):
    write_small_folder(f.path)
    (f.path / "label.csv").unlink()


@row("label.csv: not a regular file", name="broden with a pipe")
def _(f):
    write_small_folder(f.path)
    f.pipe("label.csv")
    f.text("category.csv", "name\nobject\n")


@row(Read("Broden", "", None, "not there"), name="broden that lacks an image")
def _(f):
    write_small_folder(f.path)
    (f.path / "images" / "0003.png").unlink()


@row(Read("Broden", "car", (1, 0)), name="broden in two forms")
def _(f):
    name = unicodedata.normalize("NFC", "blüte.png")
    f.picture(f"images/{unicodedata.normalize('NFD', name)}", photograph(0))
    f.text("index.csv", f"image,split,object\n{name},train,1")
    f.text("label.csv", "number,name\n1,car")
    f.text("category.csv", "name\nobject")


@row("a link out of the dataset", name="broden of a table that is a link")
def _(f):
    write_small_folder(f.path)
    (f.path / "label.csv").rename(f.path.parent / "secret.csv")
    f.link("label.csv", "../secret.csv")


@row("a link out of the dataset", name="broden of masks that are links")
def _(f):
    write_small_folder(f.path)
    f.picture("../secret.png", np.zeros((4, 4, 3), np.uint8))
    f.link("images/0000.png_object_1.png", "../../secret.png")


@row(Read("Broden", "", None), "--split", "draw=0.5", name="broden drawn again")
def _(f):
    write_small_folder(f.path)


@row(Read("ADE20K", "street-s wall", (1, 0)), name="ade20k with links")
def _(f):
    seg = np.zeros((12, 16, 3), np.uint8)
    seg[..., 1] = 7
    f.picture("training/urban/street/A.jpg", photograph(0))
    f.picture("training/urban/street/A_seg.png", seg)
    objects = '{"annotation": {"object": [{"name_ndx": 7, "name": "wall"}]}}'
    f.text("training/urban/street/A.json", objects)
    f.link("training/urban/again", "street")
    f.link("training/around", "../training")


@row("nested too deeply", name="ade20k of deep nesting")
def _(f):
    f.picture("training/urban/street/A.jpg", photograph(0))
    f.picture("training/urban/street/A_seg.png", np.zeros((12, 16, 3), np.uint8))
    f.text("training/urban/street/A.json", "[" * 100_000)


# Descriptions.


def described(f, text, names=""):
    f.photos("photos")
    f.masks("seg")
    f.text("dataset.toml", text)
    if names:
        f.text("names.txt", names)


TABLE = '\n[classes]\n1 = "leaf"\n2 = "stem"'
FOLDERS = 'images = "photos"\nmasks = "seg"\n'


@row(PLANTS, name="described folders")
def _(f):
    described(f, FOLDERS + TABLE)


@row(Read("masks", "leaf stem", None, "photos/*.jpg"), name="described patterns")
def _(f):
    described(f, 'images = "photos/*.jpg"\nmasks = ["seg/*.png"]\nclasses = "names.txt"', NAMES)


@row(PLANTS, name="described suffixes")
def _(f):
    f.photos("all", "{}_rgb")
    f.masks("all", "{}_seg")
    where = 'images = "all"\nmasks = "all"\nimage_suffix = "_rgb"\nmask_suffix = "_seg"\n'
    f.text("dataset.toml", where + TABLE)


@row(Read("masks", "leaf stem", (4, 4)), name="described splits by wildcards")
def _(f):
    for split in ("one", "two"):
        f.photos(f"{split}/rgb")
        f.masks(f"{split}/seg")
    where = 'images = "*/rgb/*.jpg"\nmasks = "*/seg/*.png"\n'
    f.text("dataset.toml", f'{where}{TABLE}\n[splits]\nval = "two"')


@row(Read("masks", "leaf stem", (1, 3)), name="described lists")
def _(f):
    described(f, f'{FOLDERS}{TABLE}\n[splits]\ntrain = "train.txt"\nval = "val.txt"')
    f.text("train.txt", "photos/0.jpg")
    f.text("val.txt", "1.jpg\n2\n3")


@row(Read("masks", "leaf stem", None, "90% to validate, seed 5"), name="described share")
def _(f):
    described(f, f"{FOLDERS}{TABLE}\n[splits]\nshare = 0.9\nseed = 5")


@row(PLANTS, name="described colours")
def _(f):
    f.photos("photos")
    f.masks("seg", kind=colored)
    f.text("dataset.toml", FOLDERS + '[colors]\nleaf = "#c80000"\nstem = [0, 200, 0]')


@row(Read("masks", "leaf", None, "void values: 0, 2"), name="described void values")
def _(f):
    described(f, FOLDERS + 'void = [0, 2]\n[classes]\n1 = "leaf"')


@row("the value 0 has no name", name="described void values without 0")
def _(f):
    described(f, FOLDERS + 'void = [2]\n[classes]\n1 = "leaf"')


@row(Read("classes", "photos seg"), name="described classes")
def _(f):
    described(f, 'reader = "classes"')


@row("unknown key 'catgory'; did you mean category?", name="described with a slip")
def _(f):
    described(f, 'catgory = "part"')


@row("unknown key 'valid'; did you mean val?", name="described split with a slip")
def _(f):
    described(f, '[splits]\nvalid = "x"')


@row("states only one of images and masks", name="described by half")
def _(f):
    described(f, 'masks = "seg"')


@row("masks = 'sgg' matches no image file in the dataset", name="described nowhere")
def _(f):
    described(f, 'images = "photos"\nmasks = "sgg"' + TABLE)


@row("have the same in common with their partner, '1'", name="described too widely")
def _(f):
    described(f, FOLDERS + TABLE)
    f.picture("seg/1.bmp", values())


@row("is on lists of both splits", name="described twice")
def _(f):
    described(f, f'{FOLDERS}{TABLE}\n[splits]\ntrain = "train.txt"\nval = "val.txt"')
    f.text("train.txt", "0.jpg")
    f.text("val.txt", "0.jpg")


@row("photos/0.jpg has two masks, seg/0.png and other/0.png", name="described with two masks")
def _(f):
    described(f, 'images = ["photos", "photos"]\nmasks = ["seg", "other"]' + TABLE)
    f.masks("other")


@row("holds datasets; name them each: one, two", name="two described datasets")
def _(f):
    for name in ("one", "two"):
        f.photos(f"{name}/photos")
        f.text(f"{name}/dataset.toml", 'reader = "classes"')


@row("wanted a path within", name="described outside")
def _(f):
    described(f, 'images = "../photos"\nmasks = "seg"')


@row("cannot be read as TOML", name="described badly")
def _(f):
    described(f, "images = photos")


@row("cannot be read as TOML (nested too deeply)", name="described deeply")
def _(f):
    described(f, "images = " + "[" * 10_000)


@row("not a regular file", name="described by a pipe")
def _(f):
    described(f, "")
    f.pipe("dataset.toml")


@row("a link out of the dataset", name="described by a link")
def _(f):
    described(f, "")
    f.text("../secret.toml", "")
    f.link("dataset.toml", "../secret.toml")


@row("is read as COCO, which takes splits, but void is stated", name="described for another layout")
def _(f):
    coco(f, document(PERSON, "1.jpg"))
    f.text("dataset.toml", "void = [3]")


@row("classes names 'nams.txt', which is no file", name="described without names")
def _(f):
    described(f, FOLDERS + 'classes = "nams.txt"')


@row("wanted a pixel value of 0 to 65535 as key", name="described with huge values")
def _(f):
    described(f, FOLDERS + '[classes]\n10000000000 = "leaf"')


@row("wanted a colour as '#80c0ff' or [128, 192, 255]", name="described with no colour")
def _(f):
    described(f, FOLDERS + "[colors]\nleaf = [1, 2]")


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_is_read_as_what_it_is_or_refused_in_one_line(name, tmp_path, capsys):
    fill, expected, options = ROWS[name]
    folder = tmp_path / "set"
    folder.mkdir()
    fill(Folder(folder))
    with pytest.raises(SystemExit) as exit_:
        main(["data", "info", str(folder), "--mask-size", "12", "--json", *options])
    out, err = capsys.readouterr()
    if isinstance(expected, str):
        assert (exit_.value.code, out) == (2, ""), out
        (line,) = err.strip().splitlines()
        assert expected in line
        return
    assert exit_.value.code == 0, err
    found = json.loads(out)
    assert found["layout"] == expected.layout
    if expected.concepts:
        assert sorted(row["concept"] for row in found["concepts"]) == expected.concepts.split()
    if expected.images is not None:
        assert tuple(found["images"].values()) == expected.images
    told = [f"{row['what']}: {row['as']}" for row in found["taken"]]
    told += [f"{row['what']} {row['reason']}" for row in found["passed_over"]]
    told += [found["no_run"], *(f"{name}: not there" for name in found["missing"])]
    assert expected.told in "\n".join(told)


def test_the_table_is_large_enough():
    assert len(ROWS) >= 60


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_where_pillow_reads_it(tmp_path, capsys):
    for name in ("cat", "dog"):
        Folder(tmp_path).picture(f"{name}/1.avif", photograph(0))
    with pytest.raises(SystemExit):
        main(["data", "info", str(tmp_path), "--json"])
    assert sum(json.loads(capsys.readouterr().out)["images"].values()) == 2
