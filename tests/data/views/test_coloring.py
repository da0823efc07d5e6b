from __future__ import annotations

import numpy as np

from net2vec.data.colors import COLOR_NAMES
from net2vec.data.protocol import ProbeDataset
from net2vec.data.views import with_colors


def test_every_pixel_gets_its_colour_term(street):
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0] = [(220, 20, 20), (250, 250, 250), (30, 60, 220)]
    street.pictures = [picture] * 3
    dataset = with_colors(street)
    assert isinstance(dataset, ProbeDataset)
    assert dataset.categories == (*street.categories, "color")
    assert dataset.labels == (*street.labels, *(f"{name}-c" for name in COLOR_NAMES))
    plane = dataset.annotation(0).planes[-1]
    assert plane.category == "color"
    assert [[dataset.labels[label] for label in row] for row in plane.labels] == [
        ["red-c", "white-c", "blue-c"],
        ["black-c"] * 3,
    ]
    assert dataset.annotation(0).planes[:-1] == street.annotation(0).planes
    assert dataset.annotation(2).image_labels == street.annotation(2).image_labels
    assert dataset.digest != street.digest
    assert with_colors(dataset) is dataset


def test_labels_that_are_there_are_shared(street):
    street.labels = ("", "red-c", *street.labels[2:])
    street.pictures = [np.full((1, 1, 3), (220, 20, 20), np.uint8)]
    dataset = with_colors(street)
    assert dataset.labels.count("red-c") == 1
    assert dataset.annotation(0).planes[-1].labels.tolist() == [[1]]
