from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from net2vec.data import open_dataset, open_datasets
from net2vec.data.diorama import Diorama
from net2vec.data.readers.ade20k import Ade20kDataset
from net2vec.data.readers.broden import BrodenDataset
from net2vec.data.readers.coco import CocoDataset
from net2vec.data.readers.folders import FolderDataset
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.recognition import recognise
from net2vec.data.tools import find_faults
from net2vec.errors import DataError


@pytest.fixture
def masks(put, gray, tmp_path):
    """Fields with a red car: values are 0 sky, 1 car."""
    picture = gray.copy()
    picture[2:] = (200, 0, 0)
    for split in ("train", "val"):
        put(f"fields/{split}/1.png", picture)
        put(f"fields/{split}annot/1.png", np.array([[0] * 3, [1] * 3], np.uint8))
    put("fields/classes.txt", "sky\ncar")
    return tmp_path / "fields"


@pytest.fixture
def folders(put, gray, tmp_path):
    for name in ("train/auto", "val/auto", "val/zebra"):
        put(f"zoo/{name}/1.png", gray)
    return tmp_path / "zoo"


@pytest.fixture
def broden(put, tmp_path):
    put("small/index.csv", "image,split,object\nx.jpg,train,1\n")
    put("small/label.csv", "number,name\n1,car\n")
    put("small/category.csv", "name\nobject\n")
    return tmp_path / "small"


def test_each_layout_is_recognised(put, gray, tmp_path, masks, folders, broden):
    put("full/images/ADE/training/urban/street/A.jpg", gray)
    put("full/images/ADE/training/urban/street/A_seg.png", gray)
    put("full/images/ADE/training/urban/street/A.json", '{"annotation": {"object": []}}')
    coco = {"images": [{"id": 1, "file_name": "1.jpg", "height": 1, "width": 1}]}
    put("things/1.jpg", gray)
    put("things/annotations/x.json", json.dumps({**coco, "annotations": [], "categories": []}))
    readers = {
        broden: BrodenDataset,
        tmp_path / "full": Ade20kDataset,
        tmp_path / "things": CocoDataset,
        masks: MaskDataset,
        folders: FolderDataset,
    }
    for folder, reader in readers.items():
        assert type(open_dataset(folder)) is reader
        assert type(open_datasets([str(folder)])) is reader
    assert isinstance(open_dataset("diorama"), Diorama)


def test_a_folder_in_a_folder_stands_for_it(put, gray, tmp_path):
    put("download/kit/set/train/1.png", gray)
    put("download/kit/set/trainannot/1.png", np.array([[0]], np.uint8))
    put("download/kit/set/classes.txt", "sky")
    assert recognise(tmp_path / "download").folder == tmp_path / "download/kit/set"
    assert open_dataset(tmp_path / "download").name == "set"


def test_a_broken_broden_is_no_collection_of_classes(put, gray, broden):
    put("small/images/ade/1.jpg", gray)
    put("small/images/dtd/1.jpg", gray)
    (broden / "index.csv").unlink()
    with pytest.raises(DataError, match=r"index\.csv: the file is missing"):
        open_dataset(broden)


def test_what_is_not_there_is_said_with_what_is(put, tmp_path, masks):
    with pytest.raises(DataError, match=r"feilds: no such dataset.*did you mean fields\?"):
        open_dataset(tmp_path / "feilds")
    with pytest.raises(DataError, match=r"did you mean diorama\?"):
        open_dataset("dioramma")
    with pytest.raises(DataError, match="this is a file; a dataset is 'diorama' or a folder"):
        open_dataset(put("list.txt", ""))
    empty = put("empty/readme.txt", "").parent
    with pytest.raises(DataError, match=r"recognised; it holds no images; known are .*class/image"):
        open_dataset(empty)


@pytest.mark.parametrize(
    ("masks", "held"),
    [
        (("1.jpg", "2.jpg"), ".jpg files"),
        (("1.npy", "notes.txt"), ".npy and .txt files"),
        ((), "no pictures"),
    ],
)
def test_masks_of_another_kind_are_named(put, gray, tmp_path, masks, held):
    for name in ("1.jpg", "2.jpg"):
        put(f"set/images/{name}", gray)
    (tmp_path / "set/masks").mkdir()
    for name in masks:
        put(f"set/masks/{name}", gray if name.endswith(".jpg") else "")
    (tmp_path / "set/classes.txt").write_text("void\ncat")
    for folder in (tmp_path, tmp_path / "set"):
        with pytest.raises(DataError, match=rf"set/masks: holds {held}; masks are read from PNG$"):
            open_dataset(folder)


def test_images_and_masks_are_no_two_classes(put, gray, tmp_path):
    for name in ("imgs/1.jpg", "masks/1.jpg"):
        put(f"set/{name}", gray)
    with pytest.raises(DataError, match=r"set/masks: holds \.jpg files; masks are read from PNG\)"):
        open_dataset(tmp_path / "set")
    # Classes within `images` are some, whatever lies beside them, and notes are no masks.
    put("classes/images/cat/1.jpg", gray)
    put("classes/images/dog/1.jpg", gray)
    put("classes/masks/1.jpg", gray)
    assert open_dataset(tmp_path / "classes").labels == ("", "cat", "dog")
    put("noted/imgs/cat/1.jpg", gray)
    put("noted/imgs/dog/1.jpg", gray)
    put("noted/labels/1.txt", "")
    assert len(open_dataset(tmp_path / "noted").labels) == 3


def test_a_folder_of_datasets_is_not_taken_for_classes(masks, folders, broden, tmp_path):
    with pytest.raises(DataError, match=r"holds datasets; name them each: fields, small$"):
        open_dataset(tmp_path)


def test_categories_can_be_said_where_they_are_open(masks, folders, broden):
    assert open_dataset(masks, category="thing").categories == ("thing",)
    assert open_dataset(folders, category="scene").labels == ("", "auto-s", "zebra-s")
    for source in (broden, "diorama"):
        with pytest.raises(DataError, match="has categories of its own"):
            open_dataset(source, category="thing")


def test_several_are_joined_merged_thinned_and_coloured(masks, folders, put):
    synonyms = put("synonyms.txt", "car = auto")
    dataset = open_datasets(
        [masks, folders], synonyms=synonyms, ignore=["sky", "black-c"], colors=True
    )
    assert dataset.name == "fields+zoo"
    assert dataset.images[0] == "fields/train/1.png"
    assert dataset.categories == ("object", "color")
    assert not {"sky", "auto", "black-c"} & set(dataset.labels)
    car, red = dataset.labels.index("car"), dataset.labels.index("red-c")
    things, colors = dataset.annotation(0).planes
    assert things.labels.tolist() == [[0] * 3, [car] * 3]
    assert colors.labels[2:].tolist() == [[red] * 6] * 2
    assert dataset.annotation(2).image_labels == (("object", car),)


def test_synonyms_must_be_there(masks, put):
    synonyms = put("synonyms.txt", "auto = car\nheaven = ski")
    with pytest.raises(DataError, match=r"no label 'ski' to replace \(.*txt\); did you mean sky"):
        open_datasets([masks], synonyms=synonyms)


def test_a_label_may_be_called_void(masks, put):
    dataset = open_datasets([masks], synonyms=put("synonyms.txt", "background = sky"))
    assert dataset.labels == ("", "car")


def test_what_may_not_be_read_is_said(masks, monkeypatch):
    def list_all_but_masks(place, listed=os.scandir):
        if Path(place).name == "trainannot":
            raise PermissionError(13, "Permission denied", str(place))
        return listed(place)

    monkeypatch.setattr("os.scandir", list_all_but_masks)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)$"):
        open_dataset(masks)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)$"):
        find_faults(masks)


def test_a_category_is_for_the_sources_that_leave_it_open(broden, masks, folders):
    dataset = open_datasets([broden, masks, folders], category="scene")
    assert dataset.categories == ("object", "scene")
    assert {"car", "sky", "zebra-s"} <= set(dataset.labels)
    with pytest.raises(DataError, match="every source has categories of its own"):
        open_datasets([broden, "diorama"], category="scene")


def test_the_same_twice_and_unknown_labels_are_refused(masks, broden):
    with pytest.raises(DataError, match="fields: the same dataset is given twice"):
        open_datasets([masks, masks])
    with pytest.raises(DataError, match="no label 'cat' to ignore; did you mean car"):
        open_datasets([broden], ignore=["cat"])


def test_a_folder_whose_name_is_no_utf_8_is_refused(tmp_path):
    """Settings and results, which name it, are written in UTF-8."""
    folder = tmp_path / os.fsdecode(b"fran\xe7ais")
    folder.mkdir()
    with pytest.raises(DataError, match="its name is not UTF-8; rename it"):
        open_dataset(folder)


def test_links_may_be_allowed(masks, tmp_path, gray, put, monkeypatch):
    put("elsewhere/1.png", gray)
    (masks / "val/1.png").unlink()
    (masks / "val/1.png").symlink_to(tmp_path / "elsewhere/1.png")
    with pytest.raises(DataError, match=r"a link out of the dataset, to .*NET2VEC_FOLLOW_LINKS=1"):
        open_dataset(masks)
    monkeypatch.setenv("NET2VEC_FOLLOW_LINKS", "1")
    assert open_dataset(masks).image(1).size == (6, 4)


def test_a_link_is_refused_before_it_is_opened(broden, tmp_path, put, gray, monkeypatch):
    """A digest reads the file, converting copies it."""
    secret = put("secret.jpg", gray)
    (broden / "images").mkdir()
    (broden / "images/x.jpg").symlink_to(secret)
    dataset, opened, read_bytes = BrodenDataset(broden), [], Path.read_bytes

    def record(path):
        opened.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", record)
    monkeypatch.setattr("net2vec.data.images.open_image", lambda path: opened.append(path.name))
    with pytest.raises(DataError, match="a link out of the dataset"):
        dataset.image(0)
    assert len(dataset.digest) == 64
    assert "index.csv" in opened
    assert "x.jpg" not in opened
