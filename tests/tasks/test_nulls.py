"""Shuffled annotations: what stays, what moves, and what the draws depend on."""

from __future__ import annotations

from collections import Counter
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from net2vec.data.annotations import Annotations
from net2vec.tasks.nulls import shuffle_images, shuffle_masks

from builders_data import annotate

IMAGES, SIZE = 12, (5, 7)
IS_TRAIN = np.arange(IMAGES) % 3 != 1
KEY = {"seed": 0, "dataset": "d"}
CONCEPTS = ("first", "second", "scene")


@pytest.fixture(scope="module")
def annotations(tmp_path_factory) -> Annotations:
    """Every mask has a size of its own; one concept holds for whole images, partly."""
    rng = np.random.default_rng(0)
    masks = {name: np.zeros((IMAGES, *SIZE), dtype=bool) for name in CONCEPTS}
    for name in CONCEPTS:
        for index in rng.choice(IMAGES, 9, replace=False):
            masks[name][index].flat[: 1 + index + 12 * (name == "second")] = True
    whole = {"whole": np.arange(IMAGES) % 2 == 0}
    return annotate(tmp_path_factory.mktemp("store"), masks, list(IS_TRAIN), whole)


def label(annotations, name):
    return list(annotations.names).index(name)


def content(annotations, number, train):
    """What the pairs of a label hold in one split, whatever their images."""
    pairs = annotations.pairs(number, train=train)
    return sorted(
        zip(annotations.row[pairs].tolist(), annotations.area[pairs].tolist(), strict=True)
    )


@pytest.mark.parametrize("shuffle", [shuffle_masks, shuffle_images])
@given(draw=st.integers(0, 1000), chosen=st.sets(st.integers(1, 4)))
def test_masks_stay_with_their_label_and_split(annotations, shuffle, draw, chosen):
    shuffled = shuffle(annotations, sorted(chosen), **KEY, draw=draw)
    for number in range(1, 5):
        pairs = annotations.pairs(number)
        assert np.array_equal(pairs, shuffled.pairs(number))
        assert (np.diff(shuffled.image[pairs]) > 0).all()  # ascending, and no image twice
        for train in (True, False):
            assert content(shuffled, number, train) == content(annotations, number, train)
        assert shuffled.concept_size(number) == pytest.approx(annotations.concept_size(number))
        if number not in chosen:
            for kept in ("image", "row", "area"):
                same = getattr(shuffled, kept)[pairs] == getattr(annotations, kept)[pairs]
                assert same.all()
    # An area is that of its mask still.
    pairs = np.concatenate([shuffled.pairs(number) for number in range(1, 5)])
    assert np.array_equal(shuffled.masks_of(pairs).sum((1, 2)), shuffled.area[pairs])


def test_masks_move_and_images_stay(annotations):
    before = {name: getattr(annotations, name).copy() for name in ("image", "row", "area")}
    shuffled = shuffle_masks(annotations, range(1, 5), **KEY, draw=0)
    assert np.array_equal(shuffled.image, annotations.image)
    assert not np.array_equal(shuffled.row, annotations.row)
    for name, values in before.items():  # what was given is not changed
        assert np.array_equal(getattr(annotations, name), values)
    assert shuffled.masks is annotations.masks


def test_images_are_drawn_from_all_of_the_split(annotations):
    number = label(annotations, "whole")
    seen: Counter[int] = Counter()
    for draw in range(200):
        shuffled = shuffle_images(annotations, [number], **KEY, draw=draw)
        seen.update(shuffled.image[shuffled.pairs(number)].tolist())
    inside = len(annotations.pairs(number, train=True)), len(annotations.pairs(number, train=False))
    for image in range(IMAGES):
        has, of = (inside[0], IS_TRAIN.sum()) if IS_TRAIN[image] else (inside[1], (~IS_TRAIN).sum())
        share = has / of
        assert abs(seen[image] / 200 - share) < 4 * np.sqrt(share * (1 - share) / 200) + 1e-9


def test_every_order_of_masks_is_as_likely(annotations):
    """Uniform, and so including the order as it is: what the p-value rests on."""
    number = label(annotations, "first")
    pairs = annotations.pairs(number, train=False)
    draws = 200 * factorial(len(pairs))
    orders = Counter(
        tuple(shuffle_masks(annotations, [number], **KEY, draw=draw).row[pairs].tolist())
        for draw in range(draws)
    )
    assert len(orders) == factorial(len(pairs))
    assert tuple(annotations.row[pairs].tolist()) in orders
    expected = draws / len(orders)
    assert all(abs(found - expected) < 4.5 * np.sqrt(expected) for found in orders.values())


@pytest.mark.parametrize("shuffle", [shuffle_masks, shuffle_images])
def test_a_draw_depends_on_its_key_alone(annotations, shuffle):
    number = label(annotations, "first")
    pairs = annotations.pairs(number)

    def drawn(labels, **key):
        shuffled = shuffle(annotations, labels, **{**KEY, "draw": 0, **key})
        return shuffled.image[pairs].tolist(), shuffled.row[pairs].tolist()

    alone = drawn([number])
    assert drawn([4, 3, 2, number]) == alone
    assert drawn([number], draw=1) != alone
    assert drawn([number], seed=1) != alone
    assert drawn([number], dataset="other") != alone
