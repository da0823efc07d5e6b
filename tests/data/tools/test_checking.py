from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from net2vec.data import open_dataset
from net2vec.data.annotations import compile_annotations
from net2vec.data.tools import find_faults, write_broden
from net2vec.errors import DataError


@pytest.fixture
def broden(street, tmp_path):
    pictures = [np.asarray(Image.effect_noise((32, 32), 80).convert("RGB"))] * 3
    return write_broden(replace(street, pictures=pictures), tmp_path / "broden", size=32)


def rewrite(old: str, new: str, table: str = "index"):
    def damage(folder):
        path = folder / f"{table}.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def remove(name: str):
    return lambda folder: (folder / name).unlink()


def cut(name: str):
    def damage(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def paint(name: str, size: tuple[int, int], color: tuple[int, int, int]):
    return lambda folder: Image.new("RGB", size, color).save(folder / name)


OBJECTS = "images/a/one_object_1.png"
DAMAGES = {
    "missing image": (remove("images/two.png"), r"images/two\.png: the file is missing"),
    "truncated image": (cut("images/a/one.jpg"), r"images/a/one\.jpg: cannot be decoded"),
    "missing mask": (remove(OBJECTS), r"one_object_1\.png: the file is missing"),
    "truncated mask": (cut(OBJECTS), r"one_object_1\.png: cannot be decoded"),
    "mask of another size": (
        paint(OBJECTS, (9, 16), (1, 0, 0)),
        r"one_object_1\.png: the mask is 9x16, index\.csv says 16x16",
    ),
    "greyscale mask": (
        lambda folder: Image.new("L", (16, 16)).save(folder / OBJECTS),
        r"one_object_1\.png: pixels of kind L",
    ),
    "unknown label in a mask": (
        paint(OBJECTS, (16, 16), (7, 0, 0)),
        r"one_object_1\.png: the label number 7 is not in label\.csv",
    ),
    "unknown label of an image": (
        rewrite(",5\n", ",77\n"),
        r"index\.csv: the label number 77 of a/one\.jpg is not in label\.csv",
    ),
    "unknown split": (
        rewrite("two.png,val", "two.png,validate"),
        r"index\.csv, line 3: two\.png has the unknown split 'validate'",
    ),
    "duplicate row": (
        rewrite("two.png,val", "a/one.jpg,val"),
        r"index\.csv, line 3: duplicate row of a/one\.jpg",
    ),
    "duplicate name": (
        rewrite("2,null", "2,car", "label"),
        r"label\.csv, line 3: the name 'car' stands twice",
    ),
    "missing table": (remove("category.csv"), r"category\.csv: the file is missing"),
    "column of no category": (
        rewrite("part", "prat", "category"),
        r"index\.csv: the column 'part' is no category",
    ),
    "path out of the folder": (
        rewrite("two.png,val", "../two.png,val"),
        r"'\.\./two\.png' does not name a file inside this folder",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_refused_in_use(broden, tmp_path, damage, reason):
    damage(broden)
    faults = find_faults(broden)
    assert [fault for fault in faults if re.search(reason, fault)], faults
    assert not [fault for fault in faults if "\n" in fault]

    def use():
        dataset = open_dataset(broden)
        for index in range(len(dataset.images)):
            dataset.image(index)
        compile_annotations(dataset, (4, 4), tmp_path / "store")

    with pytest.raises(DataError, match=reason):
        use()


def test_an_image_of_another_size_is_found_though_it_can_be_used(broden):
    Image.new("RGB", (30, 32)).save(broden / "images/two.png")
    assert [fault.partition(": ")[2] for fault in find_faults(broden)] == [
        "the image is 30x32, index.csv says 32x32"
    ]
    assert open_dataset(broden).image(1).size == (30, 32)


def test_every_fault_is_listed_once_and_a_sound_folder_has_none(broden):
    seen = []
    assert find_faults(broden, progress=lambda images, total: seen.append((images, total))) == []
    assert seen == [(1, 3)] * 3
    for damage in ("unknown split", "unknown label of an image", "truncated image"):
        DAMAGES[damage][0](broden)
    for name in ("images/a/one_part_1.png", "images/a/one_part_2.png"):
        (broden / name).unlink()
    faults = find_faults(broden)
    assert len(faults) == len(set(faults)) == 5


def test_a_fault_of_two_images_is_listed_once(broden):
    DAMAGES["truncated mask"][0](broden)
    index = broden / "index.csv"
    row = index.read_text().splitlines()[1]
    index.write_text(f"{index.read_text()}{row.replace('a/one.jpg', 'two.png.jpg')}\n")
    Image.new("RGB", (32, 32)).save(broden / "images/two.png.jpg")
    assert len(find_faults(broden)) == 1


def test_other_layouts_are_read_through(put, gray, tmp_path):
    put("set/images/a.png", gray)
    put("set/masks/a.png", np.zeros((2, 3), np.uint8))
    put("set/images/b.png", gray)
    put("set/masks/b.png", np.zeros((4, 4), np.uint8))
    put("set/images/c.png", gray)
    put("set/images/d.png", gray.tobytes())
    put("set/masks/d.png", np.full((4, 6), 9, np.uint8))
    put("set/classes.txt", "sky")
    faults = [fault.removeprefix(f"{tmp_path}/set/") for fault in find_faults(tmp_path / "set")]
    assert faults == [
        "images/c.png: has no mask of the same name",
        "images/b.png: a mask of object is 4x4, the image is 6x4",
        "images/d.png: not an image that can be decoded",
        "masks/d.png: the value 9 has no name in classes.txt",
    ]


def test_what_cannot_be_opened_is_one_fault(put, gray, tmp_path):
    put("set/train/a.png", gray)
    put("set/trainannot/a.png", np.zeros((4, 6), np.uint8))
    (fault,) = find_faults(tmp_path / "set")
    assert "write classes.txt" in fault


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such dataset"):
        find_faults(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no layout recognised"):
        find_faults(tmp_path)
