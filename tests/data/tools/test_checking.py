from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from net2vec.data import open_dataset
from net2vec.data.annotations import compile_annotations
from net2vec.data.tools import check_dataset, find_faults
from net2vec.errors import DataError

from builders_damage import DAMAGES
from builders_images import NOT_AN_IMAGE
from builders_runs import write_small_folder


@pytest.fixture
def broden(tmp_path):
    return write_small_folder(tmp_path / "broden")


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_refused_in_use(name, broden, tmp_path):
    damage = DAMAGES[name]
    damage.hurt(broden)
    faults = find_faults(broden)
    assert [fault for fault in faults if re.search(damage.reason, fault)], faults
    assert not [fault for fault in faults if "\n" in fault]

    def use():
        dataset = open_dataset(broden)
        for index in range(len(dataset.images)):
            dataset.image(index)
        compile_annotations(dataset, (4, 4), tmp_path / "store")

    with pytest.raises(DataError, match=damage.reason):
        use()


def test_every_fault_is_listed_once_and_a_sound_folder_has_none(broden):
    seen = []
    assert find_faults(broden, progress=lambda images, total: seen.append((images, total))) == []
    assert seen == [(1, 40)] * 40
    for name in ("unknown split", "unknown label of an image", "truncated mask"):
        DAMAGES[name].hurt(broden)
    for name in ("images/0003.png", "images/0004.png"):
        (broden / name).unlink()
    assert len(find_faults(broden)) == 5


def test_every_fault_of_a_row_and_of_its_files_is_listed(broden):
    index = broden / "index.csv"
    index.write_text(index.read_text().replace("0002.png,val,32", "0002.png,validate,huge"))
    DAMAGES["missing image"].hurt(broden)
    assert [fault.removeprefix(f"{broden}/") for fault in find_faults(broden)] == [
        "index.csv, line 4: 0002.png has the unknown split 'validate'; wanted train or val",
        "index.csv, line 4: 0002.png has no size in pixels as ih",
        "images/0002.png: the file is missing",
    ]


@pytest.mark.parametrize("row", ["1,,", "1,red-c", "01,red-c,", "1,red-c,a,b,c,d,e,f"])
def test_a_label_at_fault_is_one_fault_however_often_it_is_used(broden, row):
    label = broden / "label.csv"
    lines = label.read_text().splitlines()
    lines[1] = f"{row}{lines[1].split(',', 2)[2]}" if row.endswith(",") else row
    label.write_text("\n".join([*lines, ""]))
    (fault,) = find_faults(broden)
    assert "label.csv, line 2: " in fault


def test_a_fault_of_two_images_is_listed_once(broden):
    DAMAGES["truncated mask"].hurt(broden)
    index = broden / "index.csv"
    row = index.read_text().splitlines()[1]
    index.write_text(f"{index.read_text()}{row.replace('0000.png,', 'copy.png,')}\n")
    Image.new("RGB", (32, 32)).save(broden / "images/copy.png")
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
        "masks/b.png: the mask is 4x4, its image 6x4",
        f"images/d.png: {NOT_AN_IMAGE}",
        "masks/d.png: the value 9 has no name in classes.txt",
    ]


def test_that_nothing_is_a_concept_is_a_fault(put, gray, tmp_path):
    nothing = "no concept has any annotated pixel or image"
    put("empty/images/a.png", gray)
    put("empty/masks/a.png", np.zeros((2, 3), np.uint8))
    put("empty/classes.txt", "void\ncat")
    empty = tmp_path / "empty"
    assert find_faults(empty) == [f"{empty}: {nothing}; all masks are 0"]
    put("boxes/a.png", gray)
    image = {"id": 1, "file_name": "a.png", "height": 4, "width": 6}
    box = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}
    content = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]}
    put("boxes/instances.json", json.dumps(content))
    checked = check_dataset(tmp_path / "boxes")
    assert checked.faults == [f"{tmp_path / 'boxes'}: {nothing}"]
    assert [item.reason for item in checked.left_out] == ["a box without a region"]
    # What cannot be read may hold a concept.
    put("empty/masks/a.png", np.full((2, 3), 9, np.uint8))
    assert find_faults(empty) == [f"{empty}/masks/a.png: the value 9 has no name in classes.txt"]


def test_an_image_that_has_a_label_is_enough(put, tmp_path):
    put("small/images/x.png", np.zeros((4, 6, 3), np.uint8))
    put("small/index.csv", "image,split,object\nx.png,train,1\n")
    put("small/label.csv", "number,name\n1,car\n")
    put("small/category.csv", "name\nobject\n")
    assert find_faults(tmp_path / "small") == []
    put("small/index.csv", "image,split,object\nx.png,train,0\n")
    (fault,) = find_faults(tmp_path / "small")
    assert fault.endswith("small: no concept has any annotated pixel or image")


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
