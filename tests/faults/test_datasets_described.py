"""Folders with a `dataset.toml`."""

from __future__ import annotations

from functools import partial

import pytest

from builders_folders import BLACK, COLORS, NAMES, PLANTS, Read, Rows, values

from builders_coco import box, document, region

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FOLDERS = 'images = "photos"\nmasks = "seg"\n'
LEAF = '[classes]\n1 = "leaf"'
TABLE = f'\n{LEAF}\n2 = "stem"'
LISTS = f'{FOLDERS}{TABLE}\n[splits]\ntrain = "train.txt"\nval = "val.txt"'
ROWS = Rows()
row = ROWS.row


def described(folder, text, mask=None):
    folder.photos("photos")
    folder.masks("seg", mask=mask)
    folder.text("dataset.toml", text)


TEXTS: dict[str, tuple[Read | str, str]] = {
    "folders": (PLANTS, FOLDERS + TABLE),
    "share": (
        Read("masks", "leaf stem", None, "90% to validate, seed 5"),
        f"{FOLDERS}{TABLE}\n[splits]\nshare = 0.9\nseed = 5",
    ),
    "void values": (
        Read("masks", "leaf", None, "void values: 0, 2"),
        f"{FOLDERS}void = [0, 2]\n{LEAF}",
    ),
    "void values without 0": ("the value 0 has no name", f"{FOLDERS}void = [2]\n{LEAF}"),
    "classes": (Read("classes", "photos seg"), 'reader = "classes"'),
    "a slip": ("unknown key 'catgory'; did you mean category?", 'catgory = "part"'),
    "a slip in splits": ("unknown key 'valid'; did you mean val?", '[splits]\nvalid = "x"'),
    "half of the pairs": ("states only one of images and masks", 'masks = "seg"'),
    "no folder": (
        "masks = 'sgg' matches no image file in the dataset",
        f'images = "photos"\nmasks = "sgg"{TABLE}',
    ),
    "a folder outside": ("wanted a path within", 'images = "../photos"\nmasks = "seg"'),
    "no TOML": ("cannot be read as TOML", "images = photos"),
    "deep nesting": (
        "cannot be read as TOML (nested too deeply)",
        "images = " + "[" * 10_000,
    ),
    "no file of names": (
        "classes names 'nams.txt', which is no file",
        f'{FOLDERS}classes = "nams.txt"',
    ),
    "huge values": (
        "wanted a pixel value of 0 to 65535 as key",
        f'{FOLDERS}[classes]\n10000000000 = "leaf"',
    ),
    "no colour": (
        "wanted a colour as '#80c0ff' or [128, 192, 255]",
        f"{FOLDERS}[colors]\nleaf = [1, 2]",
    ),
}
for key, (expected, text) in TEXTS.items():
    row(expected, name=key)(partial(described, text=text))


@row(Read("masks", "leaf stem", None, "photos/*.jpg"))
def patterns(f):
    described(f, 'images = "photos/*.jpg"\nmasks = ["seg/*.png"]\nclasses = "names.txt"')
    f.text("names.txt", NAMES)


@row(PLANTS)
def suffixes(f):
    f.photos("all", "{}_rgb")
    f.masks("all", "{}_seg")
    where = 'images = "all"\nmasks = "all"\nimage_suffix = "_rgb"\nmask_suffix = "_seg"\n'
    f.text("dataset.toml", where + TABLE)


@row(Read("masks", "leaf stem", (4, 4)))
def splits_by_wildcards(f):
    for split in ("one", "two"):
        f.photos(f"{split}/rgb")
        f.masks(f"{split}/seg")
    where = 'images = "*/rgb/*.jpg"\nmasks = "*/seg/*.png"\n'
    f.text("dataset.toml", f'{where}{TABLE}\n[splits]\nval = "two"')


@row(Read("masks", "leaf stem", (1, 3)))
def lists(f):
    described(f, LISTS)
    f.text("train.txt", "photos/0.jpg")
    f.text("val.txt", "1.jpg\n2\n3")


@row("is on lists of both splits")
def an_image_on_two_lists(f):
    described(f, LISTS)
    f.text("train.txt", "0.jpg")
    f.text("val.txt", "0.jpg")


@row(PLANTS)
def colours(f):
    described(f, FOLDERS + '[colors]\nleaf = "#c80000"\nstem = [0, 200, 0]', COLORS[values()])


@row("have the same in common with their partner, '1'")
def two_masks_of_a_name(f):
    described(f, FOLDERS + TABLE)
    f.picture("seg/1.bmp", values())


@row("photos/0.jpg has two masks, seg/0.png and other/0.png")
def two_masks_of_an_image(f):
    described(f, 'images = ["photos", "photos"]\nmasks = ["seg", "other"]' + TABLE)
    f.masks("other")


@row("holds datasets; name them each: one, two")
def two_datasets(f):
    for name in ("one", "two"):
        f.photos(f"{name}/photos")
        f.text(f"{name}/dataset.toml", 'reader = "classes"')


@row("not a regular file")
def a_pipe(f):
    described(f, "")
    f.pipe("dataset.toml")


@row("a link out of the dataset")
def a_link(f):
    described(f, "")
    f.text("../secret.toml", "")
    f.link("dataset.toml", "../secret.toml")


@row("is read as COCO, which takes splits, but void is stated")
def another_layout(f):
    f.picture("images/1.jpg", BLACK)
    f.text("instances.json", document([region(1, box(0, 0, 3, 3))], "1.jpg"))
    f.text("dataset.toml", "void = [3]")


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_is_read_as_what_it_is_or_refused_in_one_line(name, tmp_path, capsys):
    ROWS.check(name, tmp_path / "set", capsys)
