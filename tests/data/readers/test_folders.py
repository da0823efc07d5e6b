from __future__ import annotations

import numpy as np
import pytest

from net2vec.data.description import Description
from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.folders import FolderDataset
from net2vec.data.splits import hashed_split
from net2vec.errors import DataError


@pytest.fixture
def fill(put, gray, tmp_path):
    def write(*names):
        for name in names:
            put(name, gray)
        return tmp_path

    return write


def classes(dataset: FolderDataset) -> dict[str, list[tuple[str, str]]]:
    return {
        image: [(c, dataset.labels[n]) for c, n in dataset.annotation(index).image_labels]
        for index, image in enumerate(dataset.images)
    }


def test_classes_hold_for_whole_images(fill):
    folder = fill("dog/1.jpg", "dog/2.png", "cat/1.jpg", "background/1.jpg")
    dataset = FolderDataset(folder)
    assert isinstance(dataset, ProbeDataset)
    assert FolderDataset.examine(folder).is_whole
    assert classes(dataset) == {
        "cat/1.jpg": [("object", "cat")],
        "dog/1.jpg": [("object", "dog")],
        "dog/2.png": [("object", "dog")],
    }
    assert dataset.annotation(0).planes == ()
    assert dataset.splits == tuple(hashed_split(name) for name in dataset.images)
    assert dataset.image(0).size == (6, 4)
    assert dataset.image_size(0) == (4, 6)


def test_images_left_out_are_counted(fill):
    dataset = FolderDataset(
        fill("1.jpg", "2.jpg", "void/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "test/cat/2.jpg")
    )
    assert dataset.images == ("train/dog/1.jpg", "val/cat/1.jpg")
    assert list(dataset.left_out) == [
        LeftOut("images", "in no folder of a class", 2, "1.jpg"),
        LeftOut("images", "of a class that is called void", 1, "void/1.jpg"),
        LeftOut("images", "of a split for testing", 1, "test/cat/2.jpg"),
    ]


def test_split_folders_but_a_train_with_images_is_a_train(fill):
    split = FolderDataset(fill("a/train/dog/1.jpg", "a/val/cat/1.jpg", "a/test/cat/2.jpg") / "a")
    assert split.images == ("train/dog/1.jpg", "val/cat/1.jpg")
    assert split.splits == ("train", "val")
    rail = FolderDataset(fill("b/bus/1.jpg", "b/train/1.jpg", "b/train/2.jpg") / "b")
    assert rail.labels == ("", "bus", "train")
    both = FolderDataset(fill("c/val/train/1.jpg", "c/val/bus/1.jpg") / "c")
    assert (both.labels, both.splits) == (("", "bus", "train"), ("val", "val"))


def test_places_letters_kinds_and_scene_names(fill):
    folder = fill("b/beach/1.jpg", "i/inn/outdoor/1.jpg")
    dataset = FolderDataset(folder, Description(category="scene"))
    assert dataset.labels == ("", "beach-s", "inn-outdoor-s")
    assert dataset.categories == ("scene",)


def test_dtd_has_several_textures_an_image(fill, put):
    folder = fill("images/banded/banded_1.jpg", "images/lined/lined_1.jpg")
    put("labels/labels_joint_anno.txt", "banded/banded_1.jpg banded lined \n")
    dataset = FolderDataset(folder)
    assert classes(dataset) == {
        "banded/banded_1.jpg": [("texture", "banded"), ("texture", "lined")],
        "lined/lined_1.jpg": [("texture", "lined")],
    }


@pytest.mark.parametrize("name", ["LOC_synset_mapping.txt", "words.txt"])
def test_synsets_get_their_first_name(fill, put, name):
    folder = fill("train/n01/1.jpg", "val/n02/1.jpg", "val/n03/1.jpg")
    put(name, "n01 tench, Tinca tinca\nn02\tgoldfish, Carassius auratus\n")
    assert FolderDataset(folder).labels == ("", "goldfish", "n03", "tench")


def test_digest_follows_classes_category_and_files(fill, put):
    folder = fill("dog/1.jpg", "cat/1.jpg")
    digests = {
        FolderDataset(folder).digest,
        FolderDataset(folder, Description(category="scene")).digest,
    }
    put("dog/1.jpg", np.zeros((40, 40), np.uint8))
    digests.add(FolderDataset(folder).digest)
    (folder / "cat").rename(folder / "cow")
    digests.add(FolderDataset(folder).digest)
    assert len(digests) == 4


def test_images_without_folders_are_no_classes(fill):
    folder = fill("1.jpg", "train/dog/1.jpg")
    assert not FolderDataset.examine(folder).found
    with pytest.raises(DataError, match="no images in folders"):
        FolderDataset(fill("flat/1.jpg") / "flat")
