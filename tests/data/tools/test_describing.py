"""First descriptions of datasets."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from net2vec.cli import main
from net2vec.data import open_dataset
from net2vec.data.readers.coco import CocoDataset
from net2vec.data.readers.folders import FolderDataset
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.tools import describe_folder, write_description
from net2vec.errors import DataError

from builders_coco import document

MASK = np.array([[0, 1, 2], [2, 1, 255]], np.uint8)


@pytest.fixture
def camvid(put, gray):
    for split in ("train", "val"):
        for number in range(2):
            put(f"set/{split}/{number}.png", gray)
            put(f"set/{split}annot/{number}_L.png", MASK)
    return put("set/classes.txt", "void\nleaf\nstem").parent


def test_a_clear_folder_is_read_alike_with_its_description(camvid):
    before = open_dataset(camvid)
    file = write_description(camvid)
    values = tomllib.loads(file.read_text())
    assert values == {
        "reader": "masks",
        "category": "object",
        "images": ["train", "val"],
        "masks": ["trainannot", "valannot"],
        "mask_suffix": "_L",
        "classes": "classes.txt",
    }
    described = open_dataset(camvid)
    assert type(described) is MaskDataset
    assert (described.images, described.splits) == (before.images, before.splits)
    assert described.digest == before.digest
    assert described.reading[1] == ("read as", "masks: as dataset.toml states")
    with pytest.raises(DataError, match=r"dataset\.toml: is there already"):
        write_description(camvid)


def test_an_unclear_folder_gets_a_guess_with_the_values_seen(put, gray, tmp_path):
    for number in range(3):
        put(f"shots/{number}.jpg", gray)
        put(f"seg/{number}.png", MASK)
    with pytest.raises(DataError, match=r"choose by --reader NAME, or by dataset\.toml"):
        open_dataset(tmp_path)
    folder, text = describe_folder(tmp_path)
    assert folder == tmp_path
    assert "a guess, for the folder is not clear" in text
    assert "#   classes (2 class folders: seg, shots; but shots and seg are hardly two" in text
    assert "Values seen in 3 masks: 0, 1, 2, 255" in text
    put("dataset.toml", text)
    dataset = open_dataset(tmp_path)
    assert dataset.labels == ("", "class 1", "class 2")
    assert dataset.images == ("shots/0.jpg", "shots/1.jpg", "shots/2.jpg")


def test_colours_are_listed(put, gray, tmp_path):
    put("images/1.png", gray)
    put("masks/1.png", np.array([[[0] * 3] * 3, [[200, 0, 0]] * 3], np.uint8))
    put("dataset.toml", describe_folder(tmp_path)[1])
    assert open_dataset(tmp_path).annotation(0).planes[0].labels.max() == 1


def test_published_names_stay(put, gray, tmp_path):
    put("JPEGImages/1.png", gray)
    put("SegmentationClass/1.png", MASK)
    put("dataset.toml", describe_folder(tmp_path)[1])
    assert "bicycle" in open_dataset(tmp_path).labels


@pytest.mark.parametrize("layout", ["classes", "COCO", "beside"])
def test_other_layouts(put, gray, tmp_path, layout):
    readers = {"classes": FolderDataset, "COCO": CocoDataset, "beside": MaskDataset}
    for name in ("cat", "dog"):
        put(f"{name}/1.png", gray)
        if layout == "beside":
            put(f"{name}/1_mask.png", MASK)
    if layout == "COCO":
        put("instances.json", document([], "cat/1.png"))
    write_description(tmp_path)
    assert type(open_dataset(tmp_path)) is readers[layout]


def test_a_folder_without_images_is_refused(put, tmp_path):
    put("readme.txt", "")
    with pytest.raises(DataError, match="holds no images that are read"):
        describe_folder(tmp_path)


def test_the_command_writes_or_prints(camvid, capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["data", "describe", str(camvid), *arguments])
        return exit_.value.code, *capsys.readouterr()

    code, printed, _ = call("-")
    assert code == 0
    assert not (camvid / "dataset.toml").exists()
    code, told, _ = call()
    assert (code, Path(told.strip()).read_text()) == (0, printed)
    assert call("elsewhere")[0] == 2
    code, _, error = call()
    assert code == 2
    assert error.count("\n") == 1


def test_a_description_may_be_elsewhere(camvid, tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text('category = "part"\nclasses = "mine.txt"\n')
    (tmp_path / "mine.txt").write_text("void\nbranch\ntwig")
    assert open_dataset(camvid, dataset=file).labels == ("", "branch", "twig")
    assert open_dataset(camvid, dataset=file, category="thing").categories == ("thing",)
    with pytest.raises(SystemExit) as exit_:
        main(["data", "check", str(camvid), "--dataset", str(tmp_path / "no.toml")])
    assert exit_.value.code == 2
    assert "no such file; `net2vec data describe` writes one" in capsys.readouterr().err
