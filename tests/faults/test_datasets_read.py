"""Masks and classes as people save them: what is read has the pixels that were drawn."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from builders_folders import (
    BLACK,
    COLORS,
    NAMES,
    NUMBERS,
    PLANTS,
    Folder,
    Read,
    Rows,
    classes,
    indexed,
    pair,
    photograph,
    values,
)
from net2vec.data.checked import annotation_of, image_of
from net2vec.data.opening import open_dataset
from net2vec.data.tools import check_dataset
from net2vec.errors import DataError

from builders_coco import box, columns, document, region
from builders_tables import images, write_shard, write_table

# pycocotools' arrays are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DRAWN = {"leaf": 256, "stem": 256}
READ = {}
ROWS = Rows()
row = ROWS.row


def read(**counts):
    """Adds a folder and the pixels, or images of a class, that are in it."""

    def add(fill):
        READ[fill.__name__] = (fill, counts)
        return fill

    return add


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def png(samples, bits, kind):
    """A PNG of a bit depth and colour type that Pillow does not write; `samples` are packed."""
    lines = b"".join(b"\0" + bytes(line) for line in samples)
    header = struct.pack(">IIBBBBB", 16, 12, bits, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def masks_of(f, content, suffix="png", names=NAMES):
    f.photos("images")
    for number in NUMBERS:
        f.text(f"masks/{number}.{suffix}")
        (f.path / f"masks/{number}.{suffix}").write_bytes(content)
    f.text("classes.txt", names)


def turned(f, orientation, columns=16):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for number in NUMBERS:
        picture = photograph(number)[:, :columns].copy()
        f.picture(f"images/{number}.jpg", picture, exif=exif)


# Masks.


@read(**DRAWN)
def suffixes_of_any_case(f):
    for number, suffix in enumerate(("JPG", "jpeg", "Jpg", "JPEG")):
        f.picture(f"images/{number}.{suffix}", photograph(number), format="JPEG")
        f.picture(f"masks/{number}.PNG", indexed(), format="PNG")
    f.text("classes.txt", NAMES)


@read(**DRAWN)
def masks_named_as_images(f):
    pair(f, stem="{}.jpg")


@read(**DRAWN)
def masks_of_16_bits(f):
    pair(f, mask=Image.fromarray(values().astype(np.uint16)))


@read(**DRAWN)
def masks_of_2_bits(f):
    parts = (values()[:, part::4] << (6 - 2 * part) for part in range(4))
    masks_of(f, png(np.bitwise_or.reduce(list(parts)), 2, 0))


@read(leaf=512)
def masks_of_1_bit(f):
    mask = Image.fromarray(values() > 0)
    masks_of(f, encoded(mask, format="TIFF", compression="group4"), "tif", "void\nleaf")


@read(**DRAWN)
def masks_of_bmp(f):
    masks_of(f, encoded(indexed(), format="BMP"), "bmp")


@read(**DRAWN)
def masks_of_any_palette(f):
    mask = Image.fromarray(values())
    mask.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    pair(f, mask=mask)


@read(**DRAWN)
def opaque_masks(f):
    pair(f, mask=np.dstack([values()] * 3 + [np.full((12, 16), 255, np.uint8)]))


@read(leaf=256)
def masks_transparent_where_nothing_is(f):
    mask = np.zeros((12, 16, 4), np.uint8)
    mask[:4] = (1, 1, 1, 255)
    pair(f, mask=mask)


@read(cat=256)
def masks_of_a_named_255(f):
    pair(f, mask=np.where(values() == 1, 255, 0).astype(np.uint8), names="255 cat")


@read(**DRAWN)
def names_with_marks(f):
    pair(f, names=None)
    f.text("classes.txt", "\ufeffvoid # nothing\r\n'leaf'\r\n# trees\r\n\"stem\" # brown\r\n\r\n")


@read(**DRAWN)
def numbered_names_with_marks(f):
    pair(f, names='0,"void"\n\n1,"leaf"\n2,"stem"')


@read(**DRAWN)
def files_of_systems(f):
    pair(f, stem="{}")
    junk = ("images/.DS_Store", "masks/Thumbs.db", "images/._0.jpg", "masks/._0.png")
    for name in (*junk, "__MACOSX/images/0.jpg", "images/.ipynb_checkpoints/0.jpg"):
        f.text(name, "junk")


@read(**DRAWN)
def odd_names(f):
    pair(f, stem="{}")
    for number, name in enumerate(("a b", "a\nb", "x" * 240, "a.b.c")):
        (f.path / f"images/{number}.jpg").rename(f.path / f"images/{name}.jpg")
        (f.path / f"masks/{number}.png").rename(f.path / f"masks/{name}.png")


@read(**DRAWN)
def images_of_any_kind(f):
    f.masks("masks")
    f.text("classes.txt", NAMES)
    photos = [Image.fromarray(photograph(number)) for number in NUMBERS]
    f.picture("images/0.jpg", photos[0].convert("L"))
    f.picture("images/1.jpg", photos[1].convert("CMYK"))
    f.picture("images/2.png", photos[2], save_all=True, append_images=photos)
    f.picture("images/3.webp", photos[3], save_all=True, append_images=photos)


@read(leaf=256, stem=256)
def upright_masks_of_turned_images(f):
    pair(f, mask=values().T.copy())
    turned(f, 6)


@read(**DRAWN)
def segmentation_directory_of_fiftyone(f):
    pair(f, "data", "labels", "0 background\n1 leaf\n2 stem")
    f.text("manifest.json", "{}")


# Classes.


@read(goldfish=4, newt=4)
def tiny_imagenet(f):
    classes(f, "train/n01443537/images", "train/n01629819/images", "val/images")
    f.text("val/val_annotations.txt", "0.jpg\tn01443537\t0\t0\t1\t1")
    f.text("words.txt", "n01443537\tgoldfish, Carassius\nn01629819\tnewt")


@read(cat=8, dog=8)
def splits_within_classes(f):
    classes(f, "cat/train", "cat/val", "dog/train", "dog/val")


@read(bus=4, train=4)
def a_class_of_trains(f):
    classes(f, "vehicles/bus", "vehicles/train")


# COCO.


def coco(f, *regions):
    f.picture("images/1.jpg", BLACK)
    f.text("instances.json", document(list(regions), "1.jpg"))


@read(person=16, car=8)
def runs_and_crowds(f):
    coco(f, region(1, columns(1, 0, 0, 1, 1, 1), crowd=1), region(3, columns(0, 1, 1, 0, 0, 0)))


@read(person=9)
def ids_that_are_texts(f):
    coco(f)
    content = json.loads(document([region("1", box(0, 0, 3, 3), "a-1")], "1.jpg"))
    content["images"][0]["id"] = "a-1"
    for category in content["categories"]:
        category["id"] = str(category["id"])
    f.text("instances.json", json.dumps(content))


@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_what_was_drawn(name, tmp_path):
    fill, counts = READ[name]
    fill(Folder(tmp_path))
    dataset = open_dataset(tmp_path)
    found = Counter()
    for index in range(len(dataset.images)):
        image_of(dataset, index)
        annotation = annotation_of(dataset, index)
        for plane in annotation.planes:
            found.update(dataset.labels[label] for label in plane.labels[plane.labels > 0])
        found.update(dataset.labels[label] for _, label in annotation.image_labels)
    assert found == counts


# Refused, for what was meant is not known.


@row("pixels are transparent and have a value or colour all the same")
def transparent_masks(f):
    alpha = np.where(values() == 1, 0, 255).astype(np.uint8)
    pair(f, mask=Image.fromarray(np.dstack([values(), alpha]), "LA"))


@row("pixels are transparent and have a value or colour all the same")
def transparent_colors(f):
    mask = np.zeros((12, 16, 4), np.uint8)
    mask[..., 0] = 200
    pair(f, names=None, mask=mask)
    f.text("labelmap.txt", "leaf:200,0,0::")


@row("stored as RGB;16B, of whose 16 bits a channel eight would be lost")
def masks_of_48_bits(f):
    samples = np.repeat(values().astype(">u2")[..., None], 3, axis=-1)
    masks_of(f, png(samples.view(np.uint8).reshape(12, -1), 16, 2))


@row("holds 2 frames; wanted a mask of one")
def masks_of_a_page_a_class(f):
    pages = [Image.fromarray(((values() == value) * value).astype(np.uint8)) for value in (1, 2)]
    masks_of(f, encoded(pages[0], format="TIFF", save_all=True, append_images=pages[1:]), "tif")


@row("the value 1 is #00c800 (0 200 0), in other masks #c80000 (200 0 0)")
def palettes_of_the_colors_in_use(f):
    pair(f)
    f.picture("masks/3.png", recolored())


def recolored():
    """The mask of the third image, in a palette of the colours in use alone."""
    mask = Image.fromarray(np.minimum(values(), 1))
    mask.putpalette([0, 0, 0, 0, 200, 0])
    return mask


@row("the value 1 is #00c800 (0 200 0), in other masks #c80000 (200 0 0)")
def palettes_in_a_table(f):
    masks = [encoded(recolored() if n == 3 else indexed(), format="PNG") for n in NUMBERS]
    photos = [photograph(n) for n in NUMBERS]
    write_table(f.path / "train.parquet", {"image": images(photos), "mask": images(masks)})
    f.text("classes.txt", NAMES)


@row("the value 1 is #00c800 (0 200 0), in other masks #c80000 (200 0 0)")
def palettes_in_a_shard(f):
    members = {}
    for n in NUMBERS:
        members[f"{n}.jpg"] = encoded(Image.fromarray(photograph(n)), format="JPEG")
        members[f"{n}.png"] = encoded(recolored() if n == 3 else indexed(), format="PNG")
    write_shard(f.path / "train.tar", members)
    f.text("classes.txt", NAMES)


@row("labels.txt: the value 1 is 'stem', in classes.txt 'leaf'; remove one of the lists, or state")
def two_lists_of_classes(f):
    pair(f)
    f.text("labels.txt", "void\nstem\nleaf")


@row("label_colors.txt: the colour #c80000 (200 0 0) is 'stem', in labelmap.txt 'leaf'")
def two_lists_of_colors(f):
    pair(f, names=None, mask=COLORS[values()])
    f.text("labelmap.txt", "leaf:200,0,0::\nstem:0,200,0::")
    f.text("label_colors.txt", "200 0 0 stem\n0 200 0 leaf")


@row(PLANTS)
def two_lists_of_classes_and_a_statement(f):
    two_lists_of_classes(f)
    f.text("dataset.toml", 'classes = "classes.txt"')


@row(PLANTS)
def two_lists_that_agree(f):
    pair(f)
    f.text("labels.txt", "1: Leaf\n2: stem, stalk")
    f.text("names.txt", "of the people who drew\n\nthe masks")


@row("pixel values have no names")
def published_names_of_other_numbers(f):
    for split in ("train", "val"):
        f.photos(f"leftImg8bit/{split}/ulm", "{}_leftImg8bit", "png")
        f.masks(f"gtFine/{split}/ulm", "{}_gtFine_labelTrainIds")
    endings = 'image_suffix = "_leftImg8bit"\nmask_suffix = "_gtFine_labelTrainIds"'
    f.text("dataset.toml", f'images = "leftImg8bit"\nmasks = "gtFine"\n{endings}')


@row("pixel values have no names; write classes.txt")
def segmentation_directory_of_fiftyone_without_names(f):
    pair(f, "data", "labels", None)


@row("data and fields are hardly two classes")
def dataset_of_fiftyone(f):
    f.photos("data")
    f.masks("fields/ground_truth")
    f.text("metadata.json", '{"default_mask_targets": {"1": "leaf", "2": "stem"}}')
    f.text("samples.json", '{"samples": []}')


@row("line 2: blank, so that it is not clear how the lines are counted")
def blank_lines_of_names(f):
    pair(f, names="void\n\nleaf\nstem")


@row("case0 and case1 are hardly two classes, for every folder has an image image.png and a mask")
def a_folder_a_case(f):
    for number in NUMBERS:
        f.picture(f"case{number}/image.png", photograph(number))
        f.picture(f"case{number}/label.png", indexed())


@row("in case0: images and masks are hardly two classes")
def folders_in_a_folder_a_case(f):
    for number in NUMBERS:
        f.picture(f"case{number}/images/a{number}.png", photograph(number))
        for value in (1, 2):
            f.picture(f"case{number}/masks/{value}.png", (values() == value).astype(np.uint8))


@row("labels: holds .txt files; masks are read from PNG")
def boxes_of_yolo_in_splits(f):
    for split in ("train", "val"):
        f.photos(f"images/{split}")
        f.text(f"labels/{split}/0.txt", "0 .1 .1 .2 .2")


@row("no layout recognised")
def splits_of_images_without_classes(f):
    classes(f, "train", "test")


@row("classes are at least two folders of images, and there is one, cat")
def one_class_in_splits(f):
    classes(f, "train/cat", "val/cat")


@row("images.zip and 1 more must be unpacked first")
def archives(f):
    f.text("images.zip")
    f.text("masks.zip")


@row("train.csv may name classes of images")
def a_table_of_classes(f):
    f.photos("images")
    f.text("train.csv", "image,label\n0.jpg,cat")


@row("all polygons lie within the first pixel")
def polygons_in_shares(f):
    coco(f, region(1, box(0, 0, 0.5, 0.5)))


@row("is damaged (a polygon is not a list of three or more x, y)")
def polygons_of_pairs(f):
    coco(f, region(1, [[[0, 0], [3, 0], [3, 3], [0, 3]]]))


# Lists of splits beside class folders.


def food(f, *lists):
    classes(f, "images/cat", "images/dog")
    for name, lines in lists:
        f.text(f"meta/{name}.txt", lines)


@row(Read("classes", "cat dog", (3, 2), "images on no list of a split"))
def lists_of_images_in_classes(f):
    food(f, ("train", "cat/0\ncat/1.jpg\n/images/dog/1.jpg 1"), ("val", "cat/2\ndog/2"))


@row(Read("classes", "cat dog", (2, 2), "lists: meta/test.txt, meta/train.txt"), "--split", "test")
def food_101(f):
    food(f, ("train", "cat/0\ndog/1"), ("test", "cat/2\ndog/2"), ("classes", "cat\ndog"))


@row(Read("classes", "cat dog", (6, 2), "lists: meta/val.txt"))
def a_list_of_validation_images_alone(f):
    food(f, ("val", "cat/2\ndog/2"))


@row(Read("classes", "cat dog", (2, 0), "--split"))
def food_101_without_a_choice(f):
    food_101(f)


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_that_would_be_misread_is_refused_in_one_line(name, tmp_path, capsys):
    ROWS.check(name, tmp_path / "set", capsys)


# Read, and told.


def told(path, fill):
    fill(Folder(path))
    return dict(check_dataset(path).notes)


def test_images_of_12_bits_in_16_are_refused(tmp_path):
    pair(Folder(tmp_path))
    (tmp_path / "images/0.jpg").unlink()
    Folder(tmp_path).picture("images/0.png", np.full((12, 16), 4080, np.uint16))
    with pytest.raises(DataError, match="16-bit grey of values up to 4080, nearly black"):
        image_of(open_dataset(tmp_path), 0)


def test_that_exif_may_turn_an_image_away_from_its_mask_is_told(tmp_path):
    def upside_down(f):
        pair(f)
        turned(f, 3)

    def square(f):
        pair(f, mask=values()[:, :12].copy())
        turned(f, 6, columns=12)

    for fill in (upside_down, square):
        found = told(tmp_path / fill.__name__, fill)["turned by EXIF"]
        assert found.startswith("4 of 4 images, as images/0.jpg")
    assert told(tmp_path / "plain", pair) == {}
    assert told(tmp_path / "tall", upright_masks_of_turned_images) == {}


def test_images_of_both_splits_are_told(tmp_path):
    found = told(tmp_path, lambda f: classes(f, "train/cat", "train/dog", "val/cat"))
    assert found["in both splits"] == "4 images, as val/cat/0.jpg, which is train/cat/0.jpg"


def twins_in_a_table(f):
    columns = {"image": images([photograph(n) for n in NUMBERS]), "label": [0, 1, 0, 1]}
    write_table(f.path / "train.parquet", columns)
    f.text("classes.txt", "Leaf\nleaf")


def twins_in_coco(f):
    coco(f, region(1, box(0, 0, 3, 3)))
    f.text("instances.json", (f.path / "instances.json").read_text().replace("car", "Person"))


@pytest.mark.parametrize(
    ("fill", "names"),
    [
        (lambda f: pair(f, names="void\nLeaf\nleaf"), "Leaf and leaf"),
        (twins_in_a_table, "Leaf and leaf"),
        (twins_in_coco, "person and Person"),
    ],
)
def test_concepts_that_differ_in_case_are_told(fill, names, tmp_path):
    assert told(tmp_path, fill)["two concepts"] == f"{names}, which differ in case alone"


def test_that_exif_may_turn_an_image_of_a_table_is_told(tmp_path):
    turned(Folder(tmp_path / "photos"), 3)
    photos = [(tmp_path / f"photos/images/{n}.jpg").read_bytes() for n in NUMBERS]
    masks = [encoded(indexed(), format="PNG") for _ in NUMBERS]
    table = {"image": images(photos), "mask": images(masks)}
    write_table(tmp_path / "table" / "train.parquet", table)
    found = told(tmp_path / "table", lambda f: f.text("classes.txt", NAMES))["turned by EXIF"]
    assert found.startswith("4 of 4 images")


def test_lists_of_several_partitions_are_told_and_not_read(tmp_path):
    lists = [
        (f"{name}{n}", f"{n % 2 * 'cat' or 'dog'}/0") for name in ("train", "test") for n in (1, 2)
    ]
    found = told(tmp_path, lambda f: food(f, *lists, ("train3", "cat\ndog")))
    assert found["lists not read"] == "meta/test1.txt and 4 more"


def test_the_name_of_the_value_0_is_told(tmp_path):
    pair(Folder(tmp_path), names="leaf\nstem\nroot")
    taken = dict(open_dataset(tmp_path).taken)
    assert taken["names"] == "classes.txt (3 concepts; the value 0 is leaf)"
