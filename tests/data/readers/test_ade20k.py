from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.ade20k import Ade20kDataset
from net2vec.data.tools import find_faults
from net2vec.errors import DataError

STREET, INN = "training/urban/street/A_1", "validation/urban/inn__outdoor/A_2"


def classes(*rows: list[int]) -> np.ndarray:
    """Class numbers in ADE20K's channels, with an instance number in blue."""
    values = np.array(rows)
    return np.stack([values // 256 * 10, values % 256, values % 7], axis=-1).astype(np.uint8)


def description(*names: tuple[int, str]) -> str:
    things = [{"name": name, "name_ndx": number, "raw_name": "x"} for number, name in names]
    return json.dumps({"annotation": {"scene": ["outdoor", "urban"], "object": things}})


@pytest.fixture
def folder(put, gray, tmp_path):
    root = "ADE20K_2021_17_01/images/ADE"
    put(f"{root}/{STREET}.jpg", gray)
    put(f"{root}/{STREET}_seg.png", classes([0, 401, 401], [2831, 2831, 0]))
    put(f"{root}/{STREET}_parts_1.png", classes([0, 3035, 0], [0, 0, 0]))
    put(f"{root}/{STREET}_parts_2.png", classes([0, 0, 2122], [0, 0, 0]))
    names = [(401, "car, auto"), (2831, "tree"), (3035, "wheel"), (2122, "rim"), (9, "wheel, disc")]
    put(f"{root}/{STREET}.json", description(*names))
    put(f"{root}/{INN}.jpg", gray)
    put(f"{root}/{INN}_seg.png", classes([401, 9, 1], [0, 0, 0]))
    put(f"{root}/{INN}.json", description((401, "car, auto"), (9, "wheel, disc"), (1, "-")))
    return tmp_path / "ADE20K_2021_17_01"


def test_objects_parts_and_scenes(folder):
    dataset = Ade20kDataset(folder)
    assert isinstance(dataset, ProbeDataset)
    assert Ade20kDataset.examine(folder).is_whole
    assert dataset.images == (f"{STREET}.jpg", f"{INN}.jpg")
    assert dataset.splits == ("train", "val")
    annotation = dataset.annotation(0)
    named = [
        (plane.category, [[dataset.labels[label] for label in row] for row in plane.labels])
        for plane in annotation.planes
    ]
    assert named == [
        ("object", [["", "car", "car"], ["tree", "tree", ""]]),
        ("part", [["", "wheel", ""], ["", "", ""]]),
        ("part", [["", "", "rim"], ["", "", ""]]),
    ]
    assert [(c, dataset.labels[label]) for c, label in annotation.image_labels] == [
        ("scene", "street-s")
    ]
    assert dataset.image(0).size == (6, 4)
    assert dataset.image_size(0) == (4, 6)


def test_classes_of_one_first_synonym_are_one_label_and_dashes_none(folder):
    dataset = Ade20kDataset(folder)
    assert sorted(dataset.labels) == [
        "", "car", "inn-outdoor-s", "rim", "street-s", "tree", "wheel"
    ]  # fmt: skip
    (plane,) = dataset.annotation(1).planes
    assert [dataset.labels[label] for label in plane.labels[0]] == ["car", "wheel", ""]
    assert [dataset.labels[n] for _, n in dataset.annotation(1).image_labels] == ["inn-outdoor-s"]


def test_the_folder_of_splits_can_be_named_as_well(folder):
    inner = folder / "images" / "ADE"
    assert Ade20kDataset.examine(inner).is_whole
    assert Ade20kDataset(inner).name == Ade20kDataset(folder).name == "ADE20K_2021_17_01"
    assert Ade20kDataset(inner).images == Ade20kDataset(folder).images
    assert Ade20kDataset(inner).digest == Ade20kDataset(folder).digest
    assert not Ade20kDataset.examine(folder.parent).found


def test_digest_follows_names_and_masks(folder):
    digest = Ade20kDataset(folder).digest
    path = folder / f"images/ADE/{INN}.json"
    path.write_text(path.read_text().replace("disc", "disk"))
    changed = Ade20kDataset(folder).digest
    Image.fromarray(classes([401], [9])).save(folder / f"images/ADE/{INN}_seg.png")
    assert len({digest, changed, Ade20kDataset(folder).digest}) == 3


def test_words_that_are_no_unicode_are_passed_over(folder):
    path = folder / f"images/ADE/{INN}.json"
    path.write_bytes(path.read_bytes().replace(b'"raw_name": "x"', b'"raw_name": "caf\xe9"'))
    assert "car" in Ade20kDataset(folder).labels


def test_what_has_no_image_is_named(folder, put):
    root = folder / "images/ADE"
    assert list(Ade20kDataset(folder).faults()) == []
    (root / f"{INN}.jpg").unlink()
    put(f"{root}/{INN}_parts_1.png", classes([0, 3035, 0], [0, 0, 0]))
    dataset = Ade20kDataset(folder)
    assert dataset.images == (f"{STREET}.jpg",)
    assert list(dataset.faults()) == [
        f"{root}/{INN}{ending}: has no image A_2.jpg"
        for ending in (".json", "_parts_1.png", "_seg.png")
    ]
    assert find_faults(folder) == list(dataset.faults())


def test_parts_of_parts_need_the_parts(folder):
    mask = folder / f"images/ADE/{STREET}_parts_1.png"
    mask.unlink()
    with pytest.raises(DataError, match=r"A_1_parts_1\.png: the file is missing"):
        Ade20kDataset(folder).annotation(0)
    assert find_faults(folder) == [f"{mask}: the file is missing"]


def test_faults_are_named(folder, put):
    root = folder / "images" / "ADE"
    Image.fromarray(classes([77])).save(root / f"{INN}_seg.png")
    with pytest.raises(DataError, match=r"A_2_seg\.png: no JSON file names the class 77"):
        Ade20kDataset(folder).annotation(1)
    Image.fromarray(classes([401] * 9)).save(root / f"{INN}_seg.png")
    with pytest.raises(DataError, match=r"A_2_seg\.png: the mask is 9x1, its image \dx\d"):
        Ade20kDataset(folder).annotation(1)
    (root / f"{INN}_seg.png").unlink()
    with pytest.raises(DataError, match=r"A_2_seg\.png: the file is missing"):
        Ade20kDataset(folder).annotation(1)
    named = (root / f"{STREET}.json").read_text()
    for damaged in (
        named.replace('"name": "', '"name": 5, "was": "', 1),
        re.sub(r'"name_ndx": \d+', '"name_ndx": -1', named, count=1),
        re.sub(r'"name_ndx": \d+', '"name_ndx": 6656', named, count=1),
        re.sub(r'"name_ndx": \d+', '"name_ndx": Infinity', named, count=1),
    ):
        assert damaged != named
        (root / f"{STREET}.json").write_text(damaged)
        with pytest.raises(DataError, match=r"A_1\.json: not a description"):
            Ade20kDataset(folder)
    (root / f"{STREET}.json").write_text("{}")
    with pytest.raises(DataError, match=r"A_1\.json: not a description"):
        Ade20kDataset(folder)
    (root / f"{STREET}.json").unlink()
    with pytest.raises(DataError, match=r"A_1\.json: the file is missing"):
        Ade20kDataset(folder)
    with pytest.raises(DataError, match="no images under training or validation"):
        Ade20kDataset(put("empty/readme.txt", "").parent)
