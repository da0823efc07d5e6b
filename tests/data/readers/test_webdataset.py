"""Shards of WebDataset: tar files that are read without being unpacked."""

import gzip
import json
import pickle

import numpy as np
import pytest

from net2vec.data import open_dataset
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.webdataset import WebDataset
from net2vec.data.tools import find_faults
from net2vec.errors import DataError

from builders_tables import NAMES, encoded, mask, photograph, write_shard


def samples(numbers, ending="seg.png"):
    files = {}
    for n in numbers:
        files[f"{n:06}.jpg"] = encoded(photograph(n), "PNG")  # by content, not by name
        files[f"{n:06}.{ending}"] = encoded(mask(n))
        files[f"{n:06}.json"] = json.dumps({"caption": "a plant"}).encode()
    return files


@pytest.fixture
def plants(tmp_path):
    write_shard(tmp_path / "plants-train-000000.tar", samples(range(6)))
    write_shard(tmp_path / "plants-train-000001.tar", samples(range(6, 8)))
    write_shard(tmp_path / "plants-val-000000.tar", samples(range(8, 11)))
    (tmp_path / "id2label.json").write_text(json.dumps(NAMES))
    return tmp_path


def test_images_and_masks_lie_in_the_shards(plants):
    dataset = open_dataset(plants)
    assert isinstance(dataset, ProbeDataset)
    assert (dataset.layout, dataset.labels) == ("WebDataset", ("", "leaf", "stem"))
    assert dataset.splits == ("train",) * 8 + ("val",) * 3
    for index in (10, 0, 7):
        assert np.array_equal(np.asarray(dataset.image(index)), photograph(index))
        assert np.array_equal(dataset.annotation(index).planes[0].labels, mask(index))
    assert find_faults(plants) == []
    assert pickle.loads(pickle.dumps(dataset)).digest == dataset.digest
    assert not [path for path in plants.rglob("*") if path.is_dir()]


@pytest.mark.parametrize("ending", ["png", "mask.png", "label.png"])
def test_masks_under_other_endings(tmp_path, ending):
    write_shard(tmp_path / "0.tar", samples(range(12), ending))
    (tmp_path / "classes.txt").write_text("void\nleaf\nstem")
    dataset = open_dataset(tmp_path)
    assert set(dataset.splits) == {"train", "val"}
    assert np.array_equal(dataset.annotation(3).planes[0].labels, mask(3))


def test_classes_of_whole_images(tmp_path):
    by_number = {}
    for n, kind in enumerate([b"1", b" 0\n", b"-1"]):
        by_number |= {f"{n}.png": encoded(photograph(n)), f"{n}.cls": kind}
    write_shard(tmp_path / "a" / "train.tar", by_number)
    (tmp_path / "a" / "classes.txt").write_text("cat\ndog")
    dataset = open_dataset(tmp_path / "a")
    assert [dataset.annotation(n).image_labels for n in (0, 1)] == [
        (("object", 2),),
        (("object", 1),),
    ]
    assert [(item.reason, item.count) for item in dataset.left_out] == [("no class", 1)]
    named = {"0.jpg": encoded(photograph(0)), "0.json": b'{"label": ["cat", "dog"], "url": "x"}'}
    write_shard(tmp_path / "b" / "train.tar", named)
    dataset = open_dataset(tmp_path / "b", category="scene")
    assert dataset.labels == ("", "cat-s", "dog-s")
    assert dict(dataset.taken)["classes"] == "label of *.json (2 concepts)"
    two = {"0.jpg": encoded(photograph(0)), "0.json": b'{"label": 1, "class": 2}'}
    write_shard(tmp_path / "c" / "train.tar", two)
    with pytest.raises(
        DataError, match=r"label, class may be its class; name one in a dataset.toml"
    ):
        open_dataset(tmp_path / "c")


def test_links_are_passed_over_and_counted(plants):
    write_shard(
        plants / "plants-train-000000.tar",
        samples(range(2)),
        [("000009.jpg", "/etc/passwd"), ("000009.seg.png", "000000.seg.png")],
    )
    dataset = WebDataset(plants)
    assert dataset.splits.count("train") == 4
    (left,) = dataset.left_out
    assert (left.what, left.reason, left.count) == ("members", "a link or device in a shard", 2)


def test_a_damaged_member_or_value_is_named(plants):
    files = samples(range(2))
    files["000000.jpg"] = b"%!PS-Adobe-3.0 EPSF-3.0\n"
    files["000001.seg.png"] = encoded(np.full((6, 8), 9, np.uint8))
    write_shard(plants / "plants-train-000000.tar", files)
    faults = find_faults(plants)
    assert len(faults) == 2
    assert "plants-train-000000.tar, train/000000.jpg: not an image" in faults[0]
    assert "train/000001.seg.png: the value 9 has no name in id2label.json" in faults[1]


def test_what_cannot_be_read_is_refused_in_one_line(plants):
    first = plants / "plants-train-000000.tar"
    whole = first.read_bytes()
    (plants / "plants-train-000002.tar").write_bytes(gzip.compress(whole))
    with pytest.raises(DataError, match=r"000002.tar: no tar file, or cut short.+gunzip$"):
        open_dataset(plants)
    write_shard(plants / "plants-train-000002.tar", samples([3]))
    with pytest.raises(DataError, match=r"000002.tar: has two files '000003.jpg' of one sample"):
        open_dataset(plants)
    (plants / "plants-train-000002.tar").unlink()
    first.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"plants-train-000000.tar: no tar file, or cut short"):
        WebDataset(plants)


def test_two_pictures_of_no_usual_name_are_stated(tmp_path):
    files = samples(range(8), "depth.png")
    files |= {f"{n:06}.kinds.png": encoded(mask(n)) for n in range(8)}
    write_shard(tmp_path / "train.tar", files)
    (tmp_path / "classes.txt").write_text("void\nleaf\nstem")
    with pytest.raises(
        DataError, match=r"files of a sample end in depth.png, jpg, json, kinds.png;"
    ):
        open_dataset(tmp_path)
    (tmp_path / "dataset.toml").write_text('masks = "kinds.png"\nimages = "jpg"')
    assert dict(open_dataset(tmp_path).taken)["masks"] == "*.kinds.png (class numbers)"


def test_the_digest_is_of_content(plants):
    before = WebDataset(plants).digest
    files = samples(range(8, 11))
    files["000008.seg.png"] = encoded(np.zeros((6, 8), np.uint8))
    write_shard(plants / "plants-val-000000.tar", files)
    assert WebDataset(plants).digest != before


def test_archives_of_other_things_are_no_dataset(tmp_path):
    write_shard(tmp_path / "code.tar", {"a/main.py": b"print()", "b.txt": b"x"})
    assert not WebDataset.examine(tmp_path).found
    with pytest.raises(DataError, match=r"code.tar: does not begin with samples of images"):
        open_dataset(tmp_path)
