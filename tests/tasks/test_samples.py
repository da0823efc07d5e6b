"""Concepts that are segmented on some of their images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from net2vec.data.annotations import Annotations
from net2vec.tasks.samples import limit_images

from builders_data import annotate

IMAGES, KEY = 60, {"seed": 4, "dataset": "d"}
IS_TRAIN = np.arange(IMAGES) % 3 > 0


@pytest.fixture(scope="module")
def annotations(tmp_path_factory) -> Annotations:
    generator = np.random.default_rng(0)
    masks = {name: generator.random((IMAGES, 4, 4)) < 0.5 for name in ("often", "seldom")}
    masks["seldom"][9:] = False
    scene = {"scene": np.arange(IMAGES) % 2 == 0}
    return annotate(tmp_path_factory.mktemp("store"), masks, list(IS_TRAIN), scene)


def images_of(annotations: Annotations, label: int, train: bool) -> list[int]:
    return annotations.image[annotations.pairs(label, train=train)].tolist()


def test_no_split_of_a_concept_has_more_and_those_with_less_keep_all(annotations):
    limited = limit_images(annotations, 5, **KEY)
    for label in (1, 2, 3):
        for train in (True, False):
            before, after = (images_of(one, label, train) for one in (annotations, limited))
            assert len(after) == min(5, len(before))
            assert after == sorted(set(after) & set(before))
    for label in (1, 2, 3):
        mask_of = dict(
            zip(
                annotations.image[annotations.pairs(label)].tolist(),
                annotations.masks_of(annotations.pairs(label)),
                strict=True,
            )
        )
        pairs = limited.pairs(label)
        for image, mask, area in zip(
            limited.image[pairs].tolist(), limited.masks_of(pairs), limited.area[pairs], strict=True
        ):
            np.testing.assert_array_equal(mask, mask_of[image])
            assert area == mask.sum()


def test_what_is_drawn_hangs_on_seed_and_concept_alone(annotations):
    def drawn(of: Annotations, **key) -> list[int]:
        return images_of(limit_images(of, 5, **{**KEY, **key}), 1, train=True)

    other = replace(annotations, names=["", "often", "another", "scene"])
    assert drawn(annotations) == drawn(other)
    assert drawn(annotations) != drawn(annotations, seed=5)
    assert drawn(annotations) != drawn(annotations, dataset="e")


def test_a_limit_that_nothing_reaches_changes_nothing(annotations):
    limited = limit_images(annotations, IMAGES, **KEY)
    for name in ("starts", "image", "area", "row"):
        np.testing.assert_array_equal(getattr(limited, name), getattr(annotations, name))
