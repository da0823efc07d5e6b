from __future__ import annotations

import numpy as np
import pytest

from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.broden import BrodenDataset
from net2vec.data.tools import convert_dataset
from net2vec.errors import DataError


def names(converted):
    return BrodenDataset(converted.folder).labels[1:]


def test_rare_and_small_labels_are_dropped(street, tmp_path):
    common = {"size": 8, "min_coverage": 0.0}
    every = convert_dataset(street, tmp_path / "0", min_frequency=0, **common)
    assert names(every) == ("car", "null", "wheel", "grass", "street-s", "nowhere")
    seen = convert_dataset(street, tmp_path / "1", min_frequency=1, **common)
    assert names(seen) == ("car", "null", "wheel", "grass", "street-s")
    twice = convert_dataset(street, tmp_path / "2", min_frequency=2, **common)
    assert names(twice) == ("null", "grass", "street-s")
    # grass covers 4/16 of one image and 8/16 of another, car 4/16, wheel 2/16.
    large = convert_dataset(street, tmp_path / "3", size=8, min_frequency=0, min_coverage=0.75)
    assert names(large) == ("null", "grass", "street-s")
    larger = convert_dataset(street, tmp_path / "4", size=8, min_frequency=0, min_coverage=0.76)
    assert names(larger) == ("null", "street-s")
    assert larger.left_out == ("car", "wheel", "grass", "nowhere")
    assert (larger.labels, every.labels, every.left_out) == (2, 6, ())


def test_the_labels_that_stay_keep_their_pixels(street, tmp_path):
    out = convert_dataset(street, tmp_path / "out", size=8, min_frequency=2, min_coverage=0.0)
    dataset = BrodenDataset(out.folder)
    for index in range(3):
        kept = [
            [plane.category, street.labels[number], (plane.labels == number).tolist()]
            for plane in street.annotation(index).planes
            for number in np.unique(plane.labels)
            if street.labels[number] in dataset.labels[1:]
        ]
        found = [
            [plane.category, dataset.labels[number], (plane.labels == number).tolist()]
            for plane in dataset.annotation(index).planes
            for number in np.unique(plane.labels)
            if number
        ]
        assert found == kept


def test_a_label_is_counted_once_an_image_over_planes_and_categories(street, tmp_path):
    both = np.array([[1, 1], [0, 0]], np.int32)
    street.annotations = [Annotation((Plane("object", both), Plane("part", both)))] * 3
    # Three images, half of each: six halves if planes counted for themselves.
    with pytest.raises(DataError, match=r"no label is in 3 images and covers 1\.6 of one"):
        convert_dataset(street, tmp_path / "out", size=4, min_frequency=3, min_coverage=1.6)
    out = convert_dataset(street, tmp_path / "out", size=4, min_frequency=3, min_coverage=1.5)
    assert names(out) == ("car",)


def test_what_cannot_be_written_is_refused_before_anything_is_read(street, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    done = []
    with pytest.raises(DataError, match="something is here already"):
        convert_dataset(street, tmp_path / "out", size=8, progress=done.append)
    with pytest.raises(DataError, match="at least one pixel"):
        convert_dataset(street, tmp_path / "new", size=1, progress=done.append)
    assert done == []


def test_progress_counts_both_passes(street, tmp_path):
    done = []
    convert_dataset(
        street, tmp_path / "a", size=8, min_frequency=1, min_coverage=0.0, progress=done.append
    )
    assert sum(done) == 6
