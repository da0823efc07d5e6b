"""Annotations without signal: what a score would be if a layer knew nothing of a concept.

A null draw is the whole procedure once more on shuffled annotations: the same selection of a
filter, the same learning, the same judging on validation images. Under the null hypothesis the
annotations as they are and R shuffled ones are exchangeable, so that
p = (1 + number of null scores at least as good) / (1 + R) is at most a with a probability of at
most a, whatever R. That needs shuffles that are uniform: one that happens to leave everything in
place is a legal draw.

Draws are keyed by seed, dataset, concept and number of the draw alone. They are the same for all
layers and networks, and no concept's draws depend on which others are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from net2vec.core.chance import generator
from net2vec.data.annotations import Annotations


def shuffle_masks(
    annotations: Annotations, labels: Iterable[int], *, seed: int, dataset: str, draw: int
) -> Annotations:
    """Pair the masks of each label with images of the same label at random, within each split.

    This is the null of segmentation: which images contain a concept, where in the image it tends
    to be and how large it is all stay, and what is lost is that a mask belongs to its image.

    Args:
        annotations: as they are; they are not changed, and the packed masks are shared.
        labels: whose masks to shuffle. Others stay as they are.
        seed: the run's seed.
        dataset: the dataset's digest.
        draw: the number of the draw.

    Returns:
        The same pairs with other `row` and `area`. A label that holds for the whole image in some
        of its images (row -1) has those shuffled with its masks.
    """
    area, row = annotations.area.copy(), annotations.row.copy()
    for label in labels:
        chance = generator(seed, "shuffled masks", dataset, annotations.names[label], draw)
        for train in (True, False):
            pairs = annotations.pairs(label, train=train)
            shuffled = chance.permutation(pairs)
            area[pairs], row[pairs] = annotations.area[shuffled], annotations.row[shuffled]
    return replace(annotations, area=area, row=row)


def shuffle_images(
    annotations: Annotations, labels: Iterable[int], *, seed: int, dataset: str, draw: int
) -> Annotations:
    """Give each label as many random images of each split as it has: labels permuted.

    This is the null of classification: how many images contain a concept stays, and what is lost
    is which.

    Args:
        annotations: as they are; they are not changed, and the packed masks are shared.
        labels: whose images to draw. Others stay as they are.
        seed: the run's seed.
        dataset: the dataset's digest.
        draw: the number of the draw.

    Returns:
        Pairs with other images, each label's in ascending order. Masks move to the new images of
        their split, so that a concept keeps its size.
    """
    image, area, row = annotations.image.copy(), annotations.area.copy(), annotations.row.copy()
    splits = [np.flatnonzero(annotations.is_train == train) for train in (True, False)]
    for label in labels:
        chance = generator(seed, "shuffled images", dataset, annotations.names[label], draw)
        old = [annotations.pairs(label, train=train) for train in (True, False)]
        new = np.concatenate(
            [
                _draw_images(split, len(pairs), chance)
                for split, pairs in zip(splits, old, strict=True)
            ]
        )
        order = np.argsort(new)
        pairs, moved = annotations.pairs(label), np.concatenate(old)[order]
        image[pairs] = new[order]
        area[pairs], row[pairs] = annotations.area[moved], annotations.row[moved]
    return replace(annotations, image=image, area=area, row=row)


def _draw_images(
    images: Int[np.ndarray, "image"], size: int, chance: np.random.Generator
) -> Int[np.ndarray, "drawn"]:
    return np.sort(chance.choice(images, size, replace=False))
