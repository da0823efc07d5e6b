from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from net2vec.data.images import resize_labels
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.broden import BrodenDataset
from net2vec.data.tools import convert_dataset, find_faults, write_broden
from net2vec.errors import DataError


def read(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_what_is_written_reads_back(street, tmp_path):
    done = []
    out = write_broden(street, tmp_path / "out", size=8, progress=done.append)
    dataset = BrodenDataset(out)
    assert dataset.labels == street.labels
    assert dataset.categories == street.categories
    assert dataset.splits == street.splits
    assert dataset.images == ("a/one.jpg", "two.png", "three.tif.jpg")
    assert sum(done) == 3
    for index in range(3):
        found, wanted = dataset.annotation(index), street.annotation(index)
        assert found.image_labels == tuple(sorted(wanted.image_labels, key=_rank(street)))
        assert [plane.category for plane in found.planes] == [p.category for p in wanted.planes]
        for plane, original in zip(found.planes, wanted.planes, strict=True):
            assert plane.labels.tolist() == original.labels.tolist()
        assert dataset.image(index).size == (8, 8)
    assert find_faults(out) == []


def _rank(dataset):
    return lambda pair: dataset.categories.index(pair[0])


def test_tables_count_images_and_shares(street, tmp_path):
    out = write_broden(street, tmp_path / "out", size=9, mask_size=4)
    label = read(out / "label.csv").set_index("name")
    assert label.loc["car", "category"] == "object(1)"
    assert label.loc["null", "category"] == "material(1);object(1)"
    assert label.loc["null", "frequency"] == "2"
    assert float(label.loc["null", "coverage"]) == 1 + 4 / 16
    # Two planes of one category count once: one image, two pixels of sixteen.
    assert label.loc["wheel", "category"] == "part(1)"
    assert float(label.loc["wheel", "coverage"]) == 2 / 16
    assert label.loc["nowhere", "frequency"] == "0"
    category = read(out / "category.csv")
    assert category.to_numpy().tolist() == [
        ["object", "1", "4", "3", "3"],
        ["part", "3", "3", "1", "1"],
        ["material", "2", "4", "2", "2"],
        ["scene", "5", "5", "1", "2"],
    ]
    coding = read(out / "c_object.csv")
    assert coding["code"].tolist() == ["1", "2", "3"]
    assert coding["name"].tolist() == ["grass", "car", "null"]
    index = read(out / "index.csv")
    assert index.columns.tolist()[:6] == ["image", "split", "ih", "iw", "sh", "sw"]
    assert index.loc[0, "part"] == "a/one_part_1.png;a/one_part_2.png"
    assert index.loc[2, ["ih", "iw", "sh", "sw", "scene"]].tolist() == ["9", "9", "4", "4", "5"]


def test_png_images_lose_nothing_and_jpeg_little(street, tmp_path):
    rng = np.random.default_rng(0)
    street.pictures = [
        np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    ] * 3
    dataset = BrodenDataset(write_broden(street, tmp_path / "out", size=16))
    assert (np.asarray(dataset.image(1)) == street.pictures[1]).all()
    difference = np.abs(np.asarray(dataset.image(0)).astype(int) - street.pictures[0])
    assert 0 < difference.mean() < 4


def test_awkward_names_and_categories(street, tmp_path):
    awkward = replace(
        street,
        categories=("a/b;c", "part", "material", "scene"),
        images=("x;y.jpg", "x;y.png", "x;y.bmp"),
        annotations=[
            Annotation((Plane("a/b;c", np.full((2, 2), n, np.int32)),)) for n in (1, 2, 3)
        ],
    )
    dataset = BrodenDataset(write_broden(awkward, tmp_path / "out", size=4))
    assert [dataset.annotation(index).planes[0].labels[0, 0] for index in range(3)] == [1, 2, 3]
    assert dataset.annotation(0).planes[0].category == "a/b;c"


def test_no_file_takes_the_place_of_another(street, tmp_path):
    """Categories and images whose masks would all be called alike."""
    categories = ("a/b", "a:b", "a-b-", "1", "a_1")
    images = ("x.jpg", "x_a.jpg", "x_1_1.png", "x_1_2.png", "x_a-b_1.png")
    planes = [
        Plane(category, np.full((2, 2), number, np.int32))
        for number, category in enumerate(categories, start=1)
    ]
    many = replace(
        street,
        categories=categories,
        images=images,
        splits=("train",) * 5,
        annotations=[Annotation((*planes, planes[0]))] * 5,
    )
    out = write_broden(many, tmp_path / "out", size=4)
    dataset = BrodenDataset(out)
    for index in range(5):
        found = [(p.category, p.labels[0, 0]) for p in dataset.annotation(index).planes]
        assert found == [("a/b", 1), ("a/b", 1), ("a:b", 2), ("a-b-", 3), ("1", 4), ("a_1", 5)]
        assert dataset.image(index).size == (4, 4)
    assert len(list((out / "images").iterdir())) == 5 + 5 * 6
    assert [len(read(path)) for path in out.glob("c_*.csv")] == [1] * 5


@pytest.mark.parametrize("name", ["image", "ih", ""])
def test_a_category_cannot_be_called_as_another_column(street, tmp_path, name):
    odd = replace(street, categories=(name, "part", "material", "scene"), annotations=[])
    for write in (write_broden, convert_dataset):
        with pytest.raises(DataError, match=f"the category '{name}' cannot be a column"):
            write(odd, tmp_path / "out", size=8)


def test_nothing_is_left_of_a_failure(street, tmp_path):
    street.annotations[2] = Annotation((Plane("no category", np.ones((2, 2), np.int32)),))

    def fail(index):
        raise DataError(f"{street.images[index]}: broken")

    street.image = fail
    with pytest.raises(DataError, match=r"a/one\.jpg: broken"):
        write_broden(street, tmp_path / "out", size=8)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_be_are_refused(street, tmp_path):
    with pytest.raises(DataError, match="at least one pixel"):
        write_broden(street, tmp_path / "out", size=1)
    twins = replace(street, images=("a.tif", "a.tif.jpg", "b.jpg"))
    with pytest.raises(DataError, match=r"two images would be written as a\.tif\.jpg"):
        write_broden(twins, tmp_path / "out", size=8)
    many = replace(street, labels=("", *(str(number) for number in range(65536))))
    with pytest.raises(DataError, match="65536 labels; Broden's masks can number 65535"):
        write_broden(many, tmp_path / "out", size=8)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(DataError, match="something is here already"):
        write_broden(street, tmp_path / "full", size=8)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 400))
def test_masks_of_any_size_come_back_at_the_masks_size(
    tmp_path_factory, street, seed, side, labels
):
    rng = np.random.default_rng(seed)
    planes = tuple(
        Plane("object", rng.integers(0, labels + 1, rng.integers(1, 20, 2), dtype=np.int32))
        for _ in range(2)
    )
    dataset = replace(
        street,
        labels=("", *(f"label {number}" for number in range(1, labels + 1))),
        images=("x.png",),
        splits=("train",),
        annotations=[Annotation(planes)],
    )
    out = tmp_path_factory.mktemp("law") / "out"
    found = BrodenDataset(write_broden(dataset, out, size=5, mask_size=side)).annotation(0).planes
    wanted = [resize_labels(plane.labels, (side, side)) for plane in planes]
    assert [p.labels.tolist() for p in found] == [w.tolist() for w in wanted if w.any()]
