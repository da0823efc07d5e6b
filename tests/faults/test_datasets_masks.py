"""Folders of images and masks: pairs, splits, and names of values and colours."""

from __future__ import annotations

import numpy as np
import pytest

from builders_folders import (
    COLORS,
    NAMES,
    PLANTS,
    Read,
    Rows,
    indexed,
    pair,
    values,
)

COLORED = COLORS[values()]
HALVES = Read("masks", "leaf stem", (4, 4))
ROWS = Rows()
row = ROWS.row


# Folders.


@row(Read("masks", "leaf stem", (3, 1), "ImageSets/Segmentation/val.txt"))
def augmented_voc(f):
    pair(f, "JPEGImages", "SegmentationClassAug", None)
    f.text("class_names.txt", NAMES)
    f.text("ImageSets/Segmentation/train.txt", "0\n1\n2")
    f.text("ImageSets/Segmentation/val.txt", "3")


@row(Read("masks", "leaf stem", (3, 1)), "--split", "test", name="lists, split test")
def _(f):
    augmented_voc(f)
    f.text("ImageSets/Segmentation/val.txt", "")
    f.text("ImageSets/Segmentation/test.txt", "3")


@row(HALVES)
def mmsegmentation(f):
    for split in ("train", "val"):
        pair(f, f"img_dir/{split}", f"ann_dir/{split}")


@row(Read("masks", "leaf stem", (4, 4), "train with trainannot"))
def camvid(f):
    for split in ("train", "val"):
        pair(f, split, f"{split}annot")


@row(HALVES)
def years_in_splits(f):
    for split in ("train2017", "val2017"):
        pair(f, f"images/{split}", f"annotations/{split}")


@row(HALVES)
def splits_around(f):
    for split in ("train_set", "val_set"):
        pair(f, f"{split}/images", f"{split}/masks")


@row(HALVES)
def splits_behind_images(f):
    for split in ("train", "val"):
        pair(f, f"images/images_{split}", f"masks/images_{split}")


@row(Read("masks", "leaf stem", (4, 0), "no image validates, all 4 train; 4 are left out"))
def masks_to_train_and_test(f):
    for split in ("train", "test"):
        pair(f, f"images/{split}", f"masks/{split}")


row(HALVES, "--split", "test", name="masks to train and test, split")(masks_to_train_and_test)


@row(HALVES)
def masks_beside_images_in_splits(f):
    for split in ("train", "valid"):
        pair(f, split, split, stem="{}_mask")


@row(Read("masks", "leaf stem", (4, 4), "_classes.csv"))
def roboflow(f):
    for split in ("train", "valid"):
        pair(f, split, split, None, "{}_mask")
        f.text(f"{split}/_classes.csv", "Pixel Value, Class\n0, background\n1, leaf\n2, stem")


@row(Read("masks", "leaf stem", None, "*_mask"))
def masks_beside_images(f):
    pair(f, ".", ".", stem="{}_mask")


@row(PLANTS)
def masks_with_an_ending(f):
    pair(f, "train", "train_masks", stem="{}_mask")


@row(PLANTS)
def masks_with_an_l(f):
    pair(f, masks="labels", stem="{}_L")


@row("only 1 of 4 images have a mask *_mask beside them")
def few_masks_beside_images(f):
    f.photos(".")
    f.picture("0_mask.png", indexed())
    f.text("classes.txt", NAMES)


@row("no image has a mask of the same name; there are images/0.jpg and masks/x0.png")
def masks_of_other_names(f):
    pair(f, stem="x{}")


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
    pair(f, "JPEGImages", "SegmentationClass", None)
    f.masks("SegmentationClassAug")


@row(PLANTS)
def masks_whose_other_folder_does_not_fit(f):
    pair(f, masks="labels")
    f.masks("masks", "other{}")


# Names of values.


@row("the value 2 has no name in classes.txt")
def values_without_a_name(f):
    pair(f, names="void\nleaf")


@row("pixel values have no names; write classes.txt")
def no_names(f):
    pair(f, names=None)


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
    pair(f, mask=np.repeat(values()[..., None], 3, axis=-1))


# Colours.


@row(Read("masks", "leaf stem", None, "colours"))
def colors_of_cvat(f):
    pair(f, "JPEGImages", "SegmentationClass", None, mask=COLORED)
    lines = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nleaf:200,0,0::\nstem:0,200,0::"
    f.text("labelmap.txt", lines)


@row(PLANTS)
def colors_before_names(f):
    pair(f, names=None, mask=COLORED)
    f.text("label_colors.txt", "0 0 0\tVoid\n200 0 0\tleaf\n0 200 0\tstem")


@row(PLANTS)
def colors_in_a_table(f):
    pair(f, names=None, mask=COLORED)
    f.text("class_dict.csv", "name,r,g,b\nVoid,0,0,0\nleaf,200,0,0\nstem,0,200,0")


@row(PLANTS)
def colors_in_a_list_of_classes(f):
    pair(f, names="void #000000\nleaf #c80000\nstem #00c800", mask=COLORED)


@row(PLANTS)
def colors_of_palettes(f):
    pair(f, names=None)
    f.text("labelmap.txt", "leaf:200,0,0::\nstem:0,200,0::")


@row("pixels of kind RGB; a mask of class numbers is a palette")
def colors_without_a_list(f):
    pair(f, mask=COLORED)


@row("the colour #00c800 (0 200 0) has no name in labelmap.txt")
def colors_that_are_not_listed(f):
    pair(f, names=None, mask=COLORED)
    f.text("labelmap.txt", "leaf:200,0,0::")


@row("#c80000 (200 0 0) stands for both leaf and stem")
def colors_of_two_names(f):
    pair(f, names=None, mask=COLORED)
    f.text("labelmap.txt", "leaf:200,0,0::\nstem:200,0,0::")


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_is_read_as_what_it_is_or_refused_in_one_line(name, tmp_path, capsys):
    ROWS.check(name, tmp_path / "set", capsys)
