"""Class folders, and folders that could be of several layouts or of none."""

from __future__ import annotations

import json

import pytest
from PIL import features

from builders_folders import (
    ANIMALS,
    BLACK,
    NAMES,
    NUMBERS,
    PLANTS,
    Folder,
    Read,
    Rows,
    classes,
    pair,
    photograph,
)
from net2vec.cli import main

from builders_coco import box, document, region

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = Rows()
row = ROWS.row


# Several layouts, or none.


@row("hardly two classes")
def masks_in_unknown_folders(f):
    pair(f, "shots", "seg", None)


@row("hardly two classes")
def cityscapes_as_unpacked(f):
    for split in ("train", "val"):
        f.photos(f"leftImg8bit_trainvaltest/leftImg8bit/{split}/ulm", "{}_leftImg8bit", "png")
        f.masks(f"gtFine_trainvaltest/gtFine/{split}/ulm", "{}_gtFine_labelIds")


@row("COCO (instances.json) or masks (images with masks)")
def coco_and_masks(f):
    pair(f)
    f.text("instances.json", document([region(1, box(0, 0, 3, 3))], "0.jpg"))


row(PLANTS, "--reader", "masks", name="coco and masks, read as masks")(coco_and_masks)


@row(Read("COCO", "person"), "--reader", "coco")
def coco_and_masks_read_as_coco(f):
    coco_and_masks(f)
    f.picture("images/0.jpg", BLACK)


row("there is no reader 'mask'; did you mean masks?", "--reader", "mask", name="no such reader")(
    pair
)
row("no folders of images and masks are known; state both", "--reader", "masks", name="no masks")(
    classes
)


@row("labels: holds .txt files; masks are read from PNG")
def polygons_of_yolo(f):
    f.photos("images")
    f.text("labels/0.txt", "0 .1 .1 .2 .2")


@row("Annotations: holds .xml files; masks are read from PNG")
def boxes_of_voc(f):
    f.photos("JPEGImages")
    f.text("Annotations/0.xml", "<annotation/>")


@row("no layout recognised; it holds no images; known are Broden")
def nothing(f):
    f.text("readme.txt")


@row("no layout recognised")
def one_class(f):
    classes(f, "cat")


@row("holds datasets; name them each: fields, meadow")
def two_datasets(f):
    pair(f, "fields/images", "fields/masks")
    pair(f, "meadow/images", "meadow/masks")


def one_dataset(f):
    pair(f, "fields/images", "fields/masks")
    f.text("fields/classes.txt", NAMES)


@row("holds a dataset, fields, and images beside it, holiday")
def dataset_and_photographs(f):
    one_dataset(f)
    f.photos("holiday")


@row(Read("masks", "leaf stem", None, "fields"))
def dataset_and_notes(f):
    one_dataset(f)
    f.text("notes/labels.txt", "see the paper")
    f.text("notes/index.csv", "date,author")


@row("pixel values have no names")
def classes_with_masks_beside(f):
    for name in ("benign", "malignant"):
        f.photos(name, suffix="png")
        f.masks(name, "{}_mask")


# Class folders.


@row(ANIMALS)
def classes_and_readme(f):
    classes(f, "zoo/cat", "zoo/dog")
    f.text("README.txt")


@row(ANIMALS)
def classes_in_a_folder_beside_images(f):
    classes(f, "zoo/cat", "zoo/dog")
    f.picture("logo.png", photograph(0))


@row(ANIMALS)
def classes_in_a_folder_beside_notes(f):
    classes(f, "zoo/cat", "zoo/dog")
    f.text("notes/list.txt", "cat")
    f.text("__MACOSX/zoo/cat/1.jpg", "no picture")


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


@row(ANIMALS)
def classes_with_thumbnails(f):
    classes(f)
    f.photos("@eaDir")


@row(Read("classes", "livingRoom livingroom", (4, 4), "livingRoom and livingroom, which differ"))
def spellings(f):
    classes(f, "train/livingroom", "val/livingRoom")


@row(Read("classes", "cat dog", (16, 0)))
def jfif(f):
    for name in ("train/cat", "train/dog"):
        f.photos(name)
        for number in NUMBERS:
            f.picture(f"{name}/{number}.jfif", photograph(number), format="JPEG")


@row(Read("classes", "cat dog", None, "of a format that is not read"))
def pictures_of_telephones(f):
    classes(f)
    f.text("cat/1.heic")


@row(Read("classes", "cat dog", (8, 0), "no image validates"))
def train_and_test(f):
    classes(f, "train/cat", "train/dog", "test/cat", "test/dog")


SPLITS = {
    "test": Read("classes", "cat dog", (8, 8)),
    "draw=0.5,3": Read("classes", "cat dog", None, "50% to validate"),
    "tset": "no image is in a folder 'tset'; folders are cat, dog, test, train",
    "draw=7": "the share of validation images is 7",
}
for split, expected in SPLITS.items():
    row(expected, "--split", split, name=f"train_and_test, split {split}")(train_and_test)


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_is_read_as_what_it_is_or_refused_in_one_line(name, tmp_path, capsys):
    ROWS.check(name, tmp_path / "set", capsys)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_where_pillow_reads_it(tmp_path, capsys):
    for name in ("cat", "dog"):
        Folder(tmp_path).picture(f"{name}/1.avif", photograph(0))
    with pytest.raises(SystemExit):
        main(["data", "info", str(tmp_path), "--json"])
    assert sum(json.loads(capsys.readouterr().out)["images"].values()) == 2
