"""Links, named pipes, and names in other forms of Unicode or in none."""

from __future__ import annotations

import os
import struct
import unicodedata

import pytest

from builders_folders import NAMES, PLANTS, Read, Rows, classes, pair, photograph, values

ROWS = Rows()
row = ROWS.row


def composed(text):
    return unicodedata.normalize("NFC", text)


def decomposed(text):
    return unicodedata.normalize("NFD", text)


@row(Read("classes", "Küche", (4, 4)))
def classes_in_two_forms(f):
    f.photos(f"train/{composed('Küche')}")
    f.photos(f"val/{decomposed('Küche')}")


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
    f.photos("images", composed("blüte{}"))
    f.masks("masks", decomposed("blüte{}"))
    f.text("classes.txt", NAMES)
    f.text("ImageSets/train.txt", decomposed("blüte0\nblüte1"))
    f.text("ImageSets/val.txt", composed("blüte2\nblüte3"))


@row(PLANTS)
def orientation_as_text(f):
    pair(f)
    entry = struct.pack("<HHI4s", 0x0112, 2, 4, b"six")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    f.picture("images/0.jpg", photograph(0), exif=exif)


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


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_is_read_as_what_it_is_or_refused_in_one_line(name, tmp_path, capsys):
    ROWS.check(name, tmp_path / "set", capsys)
