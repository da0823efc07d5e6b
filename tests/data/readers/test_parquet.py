"""Tables of images in Parquet files."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from net2vec.data import open_dataset
from net2vec.data.description import Description
from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.parquet import ParquetDataset
from net2vec.data.readers.parquet.arrangement import absent_shards, arrange, choose, read_card
from net2vec.data.tools import find_faults
from net2vec.errors import DataError

pytest.importorskip("datasets")

from builders_tables import (
    encoded,
    images,
    mask,
    photograph,
    write_masks,
    write_table,
)

CLASSES = {"label": {"_type": "ClassLabel", "names": ["cat", "dog", "ignore"]}}


@pytest.fixture
def plants(tmp_path):
    return write_masks(tmp_path / "plants", train=10, validation=5, test=2)


def labelled(folder, labels, features=CLASSES, **more):
    pictures = images([photograph(n) for n in range(len(labels))])
    write_table(folder / "train-00000-of-00001.parquet", {"img": pictures, "label": labels, **more},
                features)  # fmt: skip
    return folder


def test_images_and_masks_of_each_row(plants):
    dataset = open_dataset(plants)
    assert isinstance(dataset, ProbeDataset)
    assert (dataset.layout, dataset.labels) == ("parquet", ("", "leaf", "stem"))
    assert dataset.splits == ("train",) * 10 + ("val",) * 5
    assert dataset.images[11] == "validation/validation-00000-of-00001/000001"
    for index in (14, 0, 7):  # in any order
        assert np.array_equal(np.asarray(dataset.image(index)), photograph(index))
        assert np.array_equal(dataset.annotation(index).planes[0].labels, mask(index))
        assert dataset.image_size(index) == (6, 8)
    assert list(dataset.left_out) == [
        LeftOut("images", "of a split for testing", 2, "test/test-00000-of-00001/000000")
    ]
    assert find_faults(plants) == []


def test_a_walk_reads_every_row_group_once(plants, monkeypatch):
    dataset = ParquetDataset(plants)
    read = []
    inner = type(dataset._shards)._read
    monkeypatch.setattr(
        type(dataset._shards),
        "_read",
        lambda self, *place: read.append(place) or inner(self, *place),
    )
    for index in range(15):
        dataset.image(index)
    # The third file is that of the images for testing.
    groups = [(1, "image.bytes", group) for group in (0, 1, 2)]
    assert read == groups + [(2, "image.bytes", group) for group in (0, 1)]
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(np.asarray(copy.image(12)), photograph(12))
    assert copy.digest == dataset.digest


def test_the_digest_is_of_content_and_meaning(plants, tmp_path):
    digest = ParquetDataset(plants).digest
    assert ParquetDataset(write_masks(tmp_path / "x", train=10, validation=5)).digest == digest
    changed = mask(3)
    changed[0, 0] = 2 - changed[0, 0] // 2
    write_table(
        tmp_path / "x" / "data" / "train-00000-of-00001.parquet",
        {
            "image": images([photograph(n) for n in range(10)]),
            "mask": images([mask(n) if n != 3 else changed for n in range(10)]),
        },
    )
    assert ParquetDataset(tmp_path / "x").digest != digest
    (plants / "id2label.json").write_text(json.dumps({"1": "stem", "2": "leaf"}))
    assert ParquetDataset(plants).digest != digest


def test_classes_of_whole_images(tmp_path):
    folder = labelled(tmp_path, [0, 1, 2, -1, None, 1])
    dataset = open_dataset(folder, split="draw", category="scene")
    assert dataset.labels == ("", "cat-s", "dog-s")
    shown = [dataset.annotation(n).image_labels for n in range(len(dataset.images))]
    assert shown == [(("scene", 1),), (("scene", 2),), (), (("scene", 2),)]
    (left,) = dataset.left_out
    assert (left.reason, left.count) == ("no class", 2)


def test_several_classes_of_an_image_and_names_as_text(tmp_path):
    feature = {"label": {"_type": "List", "feature": CLASSES["label"]}}
    several = ParquetDataset(labelled(tmp_path / "a", [[0, 1], [1]], feature))
    assert several.annotation(0).image_labels == (("object", 1), ("object", 2))
    text = {"label": {"_type": "Value", "dtype": "string"}}
    named = ParquetDataset(labelled(tmp_path / "b", ["b", "a", "b"], text))
    assert named.labels == ("", "a", "b")
    numbers = labelled(tmp_path / "c", [3, 4], {})
    with pytest.raises(DataError, match="pixel values have no names"):
        ParquetDataset(numbers)
    (numbers / "id2label.json").write_text('{"3": "x", "4": "y"}')
    assert ParquetDataset(numbers).labels == ("", "x", "y")


def test_names_are_those_of_files_where_each_has_one(tmp_path):
    pictures = [photograph(0), photograph(1)]
    for paths, name in ((["a/1.jpg", "2.jpg"], "train/1.jpg"), (["1.jpg", "1.jpg"], None)):
        write_table(
            tmp_path / "train.parquet", {"image": images(pictures, paths), "label": [0, 1]}, CLASSES
        )
        assert ParquetDataset(tmp_path).images[0] == (name or "train/train/000000")


def test_rows_without_a_mask_are_left_out_and_a_faulty_row_is_named(plants, tmp_path):
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 8\nshowpage\n"
    columns = {
        "image": images([photograph(0), eps, photograph(2), photograph(3)]),
        "mask": images([mask(0), mask(1), None, np.full((6, 8), 7, np.uint8)]),
    }
    write_table(plants / "data" / "train-00000-of-00001.parquet", columns)
    dataset = ParquetDataset(plants)
    assert dataset.splits.count("train") == 3
    assert ("no mask", 1) in [(item.reason, item.count) for item in dataset.left_out]
    faults = find_faults(plants)
    assert len(faults) == 2  # said once of image and annotation
    assert (
        "train-00000-of-00001.parquet, row 1, image: not an image that can be decoded" in faults[0]
    )
    assert "row 3, mask: the value 7 has no name in id2label.json" in faults[1]


def test_a_table_that_is_not_clear_is_refused_or_stated(tmp_path):
    pictures = images([photograph(0), photograph(1)])
    masks = images([mask(0), mask(1)])
    columns = {"left": pictures, "right": pictures, "seg": masks}
    write_table(tmp_path / "train.parquet", columns)
    (tmp_path / "classes.txt").write_text("void\nleaf\nstem")
    with pytest.raises(DataError, match="columns left, right, seg may be the images; name one in"):
        open_dataset(tmp_path)
    (tmp_path / "dataset.toml").write_text(
        'images = "right"\nmasks = "seg"\nsplits = {share = 0.5}'
    )
    dataset = open_dataset(tmp_path)
    assert dataset.labels == ("", "leaf", "stem")
    (tmp_path / "dataset.toml").write_text('images = "up"\nmasks = "seg"')
    with pytest.raises(DataError, match="images is stated as up; wanted one of the columns left,"):
        open_dataset(tmp_path)
    write_table(tmp_path / "train.parquet", {"image": pictures, "depth": pictures})
    (tmp_path / "dataset.toml").unlink()
    with pytest.raises(DataError, match="no column holds masks or classes of the images"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("content", [b"PAR1", b"", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_damaged_file_is_one_line(plants, content):
    (plants / "data" / "train-00000-of-00001.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"train-0.*parquet: cannot be read as Parquet \(.+\)$"):
        open_dataset(plants)


def test_shards_of_other_columns_and_absent_ones_are_told(plants):
    data = plants / "data"
    (data / "train-00000-of-00001.parquet").rename(data / "train-00000-of-00002.parquet")
    dataset = ParquetDataset(plants)
    assert ("incomplete", "1 of the shards that names count are not here") in dataset.notes
    write_table(data / "train-00001-of-00002.parquet", {"image": images([photograph(0)])})
    with pytest.raises(DataError, match="its columns are not those of data/test-00000-of-00001"):
        ParquetDataset(plants)


def test_bytes_and_sixteen_bits(tmp_path):
    """A column of plain bytes is one of images by its name; masks may have 16 bits."""
    numbers = np.full((6, 8), 300, np.uint16)
    rows = {
        "jpg": [encoded(photograph(0), "JPEG")] * 2,
        "png": [encoded(numbers)] * 2,
    }
    types = {name: {"_type": "Value", "dtype": "binary"} for name in rows}
    write_table(tmp_path / "train.parquet", rows, types)
    (tmp_path / "classes.txt").write_text("300 leaf")
    annotation = ParquetDataset(tmp_path).annotation(1)
    assert annotation.planes[0].labels.tolist() == [[1] * 8] * 6
    assert Image.fromarray(photograph(0)).size == ParquetDataset(tmp_path).image(0).size


FILES = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
         "data/dev-00000-of-00001.parquet"]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "card", "arranged"),
    [
        (FILES, "", {"default": {"train": FILES[:2], "dev": FILES[2:]}}),
        (["a.parquet"], "", {"default": {"data": ["a.parquet"]}}),
        (["train.parquet"], "", {"default": {"train": ["train.parquet"]}}),
        (["validation/0.parquet"], "", {"default": {"validation": ["validation/0.parquet"]}}),
        (
            ["one/train/0000.parquet", "two/test/0000.parquet"],
            "",
            {
                "one": {"train": ["one/train/0000.parquet"]},
                "two": {"test": ["two/test/0000.parquet"]},
            },
        ),
        (
            FILES,
            "configs: [{config_name: x, data_files: [{split: a, path: 'data/train-*'},"
            " {split: b, path: [nowhere]}]}, {config_name: y, data_files: data/dev-*}]",
            {"x": {"a": FILES[:2], "b": []}, "y": {"data": FILES[2:]}},
        ),
    ],
)
def test_files_are_arranged_by_their_card_or_their_names(tmp_path, files, card, arranged):
    (tmp_path / "README.md").write_text(f"---\nlicense: mit\n{card}\n---\n# Text")
    assert arrange(files, read_card(tmp_path / "README.md")) == arranged


def test_a_part_is_chosen_by_name():
    arrangement = {"one": {"train": ["a"], "dev": ["b"]}, "two": {"train": ["c"]}}
    assert choose(arrangement, "two", "d") == {"train": ["c"]}
    assert choose(arrangement, "one/dev", "d") == {"dev": ["b"]}
    for subset, told in {
        "": "has 2 configurations, one, two; name one behind a colon",
        "dev": "has 2 configurations",
        "three/dev": "no configuration 'three'; there are one, two",
        "two/dev": "no split 'dev'; there are train; configurations are one, two",
    }.items():
        with pytest.raises(DataError, match=told):
            choose(arrangement, subset, "d")
    assert choose({"default": {"train": ["a"]}, "two": {}}, "train", "d") == {"train": ["a"]}
    assert absent_shards([*FILES, "x-00001-of-00003-0123456789abcdef.parquet"]) == 2


def test_a_subset_is_stated(plants):
    dataset = ParquetDataset(plants, Description(subset="validation"))
    assert len(dataset.images) == 5
    (plants / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - {split: train, path: data/train-*}\n  - {split: other, path: data/o-*}\n---\n"
    )
    with pytest.raises(DataError, match="its card names a split 'other', of which no file is here"):
        ParquetDataset(plants)
    assert set(ParquetDataset(plants, Description(subset="train")).splits) == {"train", "val"}
