"""Folders with an index: COCO, Broden and ADE20K."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest

from builders_folders import BLACK, Read, Rows, photograph

from builders_coco import box, document, region
from builders_runs import write_small_folder

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "blüte") for form in ("NFC", "NFD"))
PERSON = Read("COCO", "person")
ROWS = Rows()
row = ROWS.row


# COCO.


def people(*images):
    """A document with a person in the first image."""
    return document([region(1, box(0, 0, 3, 3))], *images)


def changed(**image):
    """A document whose image is changed; values that are None are removed."""
    content = json.loads(people("1.jpg"))
    described = content["images"][0] | image
    content["images"] = [{key: value for key, value in described.items() if value is not None}]
    return json.dumps(content)


def coco(f, text=None, name="instances.json", images=("images/1.jpg",)):
    for image in images:
        f.picture(image, BLACK)
    f.text(name, people("1.jpg") if text is None else text)


row(PERSON)(coco)

TEXTS = {
    "coco of huge size": (
        "is said to have 1000000x1000000 pixels",
        changed(width=10**6, height=10**6),
    ),
    "coco of another shape": (
        "its JSON file says 100000x3",
        changed(width=100000, height=3),
    ),
    "coco without size": ("is said to have 6x0 pixels", changed(height=0)),
    "coco of deep nesting": (
        "nested too deeply",
        '{"images": [], "annotations": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ),
    "coco of half a character": (
        "is no valid Unicode",
        people("1.jpg").replace('"person"', '"\\ud83d"'),
    ),
    "coco without categories": (
        "instances.json: not a COCO annotation file ('categories' is missing)",
        json.dumps({k: v for k, v in json.loads(people("1.jpg")).items() if k != "categories"}),
    ),
    "coco of texts as categories": (
        "(the category_id of an annotation is 'person'; wanted a whole number)",
        people("1.jpg").replace('"category_id": 1', '"category_id": "person"'),
    ),
    "coco of parts of numbers": (
        "(the category_id of an annotation is '1.5'; wanted a whole number)",
        people("1.jpg").replace('"category_id": 1', '"category_id": 1.5'),
    ),
    "coco of names as images": (
        "(a number, a text, a list or a table stands where another of these should)",
        json.dumps(json.loads(people("1.jpg")) | {"images": ["1.jpg"]}),
    ),
    "coco cut short": ("not a COCO annotation file", people("1.jpg")[:-30]),
    "coco of no name": ("has neither file_name nor coco_url", changed(file_name=None)),
    "coco of another machine": (PERSON, people("/home/me/1.jpg")),
    "coco of an image elsewhere": (
        Read("COCO", "person", None, "not there"),
        people("../../../etc/passwd", "1.jpg"),
    ),
}
for key, (expected, text) in TEXTS.items():
    row(expected, name=key)(lambda f, text=text: coco(f, text))


@row("no image is in the folder")
def coco_without_images(f):
    coco(f, images=())


@row(Read("COCO", "person", (0, 2), "2.jpg: not there"))
def coco_lacks_images(f):
    coco(f, people("1.jpg", "2.jpg"), "instances_val.json")


row(Read("COCO", "person", (0, 1), "not there"), "--skip-missing", name="coco, images skipped")(
    coco_lacks_images
)


@row(Read("COCO", "person", None, "images elsewhere"))
def coco_with_bare_names(f):
    coco(f, images=("far/away/1.jpg",))


@row(Read("COCO", "person", None, "the 2 categories 'person' (1, 7)"))
def coco_of_twins(f):
    content = json.loads(people("1.jpg"))
    content["categories"].append({"id": 7, "name": "person"})
    coco(f, json.dumps(content))


@row(PERSON)
def coco_in_two_forms(f):
    coco(f, people(f"{COMPOSED}.jpg"), images=(f"{DECOMPOSED}.jpg",))


@row(Read("COCO", "person", (1, 0)))
def coco_of_lvis(f):
    url = "http://images.cocodataset.org/train2017/1.jpg"
    coco(f, changed(file_name=None, coco_url=url), images=("train2017/1.jpg",))


@row(Read("COCO", "car person", (0, 1)))
def coco_of_cityscapes(f):
    stem = "frankfurt_000000_000294"
    f.picture(f"leftImg8bit/val/{stem}_leftImg8bit.png", BLACK)
    ids = BLACK.copy()
    ids[:2, :, 0], ids[2:, :, :2] = 24, (1, 1)
    f.picture(f"cityscapes_panoptic_val/{stem}_gtFine_panoptic.png", ids)
    image = {"id": stem, "file_name": f"{stem}_gtFine_leftImg8bit.png", "height": 4, "width": 6}
    segments = [{"id": 24, "category_id": 1}, {"id": 257, "category_id": 3}]
    file = f"{stem}_gtFine_panoptic.png"
    annotation = {"image_id": stem, "file_name": file, "segments_info": segments}
    content = json.loads(document([], "x")) | {"images": [image], "annotations": [annotation]}
    f.text("cityscapes_panoptic_val.json", json.dumps(content))


@row(Read("COCO", "person", (1, 1)), "--split", "test")
def coco_split_test(f):
    coco(f, name="instances_train.json")
    coco(f, people("2.jpg"), "instances_test.json", images=("images/2.jpg",))


@row(PERSON)
def coco_beside_a_pipe(f):
    coco(f)
    f.pipe("other.json")


@row("a link out of the dataset")
def coco_that_is_a_link(f):
    coco(f, name="../secret.json")
    f.picture("1.jpg", BLACK)
    f.link("instances.json", "../secret.json")


@row("a link out of the dataset")
def coco_of_images_that_are_links(f):
    f.picture("../secret.jpg", BLACK)
    coco(f)
    f.link("images/1.jpg", "../../secret.jpg")


# Broden.


@row(Read("Broden", ""))
def broden(f):
    write_small_folder(f.path)


row(Read("Broden", ""), "--split", "draw=0.5", name="broden drawn again")(broden)


@row("label.csv: the file is missing")
def broden_without_a_table(f):
    broden(f)
    (f.path / "label.csv").unlink()


@row("label.csv: not a regular file")
def broden_with_a_pipe(f):
    broden(f)
    f.pipe("label.csv")
    f.text("category.csv", "name\nobject\n")


@row(Read("Broden", "", None, "not there"))
def broden_that_lacks_an_image(f):
    broden(f)
    (f.path / "images" / "0003.png").unlink()


@row(Read("Broden", "car", (1, 0)))
def broden_in_two_forms(f):
    f.picture(f"images/{DECOMPOSED}.png", photograph(0))
    f.text("index.csv", f"image,split,object\n{COMPOSED}.png,train,1")
    f.text("label.csv", "number,name\n1,car")
    f.text("category.csv", "name\nobject")


@row("a link out of the dataset")
def broden_of_a_table_that_is_a_link(f):
    broden(f)
    (f.path / "label.csv").rename(f.path.parent / "secret.csv")
    f.link("label.csv", "../secret.csv")


@row("a link out of the dataset")
def broden_of_masks_that_are_links(f):
    broden(f)
    f.picture("../secret.png", np.zeros((4, 4, 3), np.uint8))
    f.link("images/0000.png_object_1.png", "../../secret.png")


# ADE20K.


def ade20k(f, objects):
    seg = np.zeros((12, 16, 3), np.uint8)
    seg[..., 1] = 7
    f.picture("training/urban/street/A.jpg", photograph(0))
    f.picture("training/urban/street/A_seg.png", seg)
    f.text("training/urban/street/A.json", objects)


@row(Read("ADE20K", "street-s wall", (1, 0)))
def ade20k_with_links(f):
    ade20k(f, '{"annotation": {"object": [{"name_ndx": 7, "name": "wall"}]}}')
    f.link("training/urban/again", "street")
    f.link("training/around", "../training")


@row("nested too deeply")
def ade20k_of_deep_nesting(f):
    ade20k(f, "[" * 100_000)


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_is_read_as_what_it_is_or_refused_in_one_line(name, tmp_path, capsys):
    ROWS.check(name, tmp_path / "set", capsys)
