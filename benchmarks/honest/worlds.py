"""Small worlds in which it is known what a layer knows: nothing, or every concept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from net2vec.data.annotations import Annotations
from net2vec.recording import LayerRecording

GRID, SIZE = (6, 6), (24, 24)


@dataclass(frozen=True)
class Scale:
    """How large a world is: images, of which 6 in 10 are for training, filters and concepts."""

    images: int = 100
    filters: int = 16
    concepts: int = 4


@dataclass(frozen=True)
class World:
    """A recording, annotations and the concepts to ask for.

    Attributes:
        activations: of all cells [image, cell, filter]; above 1 where a filter is on.
    """

    recording: LayerRecording
    annotations: Annotations
    labels: list[int]
    activations: np.ndarray


def noise(rng: np.random.Generator, scale: Scale) -> World:
    """A network replaced by noise, and masks of ellipses anywhere."""
    present, masks = _concepts(rng, scale, spread=0.3)
    active = rng.random((scale.images, scale.filters, *GRID)) < 0.08
    means = rng.gamma(2.0, 0.1, active.shape[:2])
    return _world(rng, active, means, present, masks)


def places(rng: np.random.Generator, scale: Scale) -> World:
    """Filters and concepts that each prefer a place in the image and know nothing of each other.

    A filter that lives where a concept lives has a high IoU with it in any image.
    """
    present, masks = _concepts(rng, scale, spread=0.08)
    active = _preferring(rng, scale)
    means = rng.gamma(2.0, 0.1, active.shape[:2]) * (1 + active.mean((2, 3)))
    return _world(rng, active, means, present, masks)


def planted(rng: np.random.Generator, scale: Scale) -> World:
    """Two filters follow each concept, not without errors; the others prefer places."""
    present, masks = _concepts(rng, scale, spread=0.3)
    active = _preferring(rng, scale)
    means = rng.gamma(2.0, 0.1, active.shape[:2])
    for concept in range(scale.concepts):
        for k in (2 * concept, 2 * concept + 1):
            k %= scale.filters
            cells = _shrunk(masks[:, concept] & present[:, concept, None, None])
            active[:, k] |= cells & (rng.random(cells.shape) < 0.7)
            means[:, k] += 0.4 * present[:, concept]
    return _world(rng, active, means, present, masks)


def _concepts(
    rng: np.random.Generator, scale: Scale, *, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Who contains what [image, concept], and masks of ellipses [image, concept, y, x]."""
    shape = (scale.images, scale.concepts)
    present = rng.random(shape) < rng.uniform(0.25, 0.5, scale.concepts)
    home = rng.uniform(0.2, 0.8, (scale.concepts, 2))
    middle = (home + rng.normal(0, spread, (*shape, 2)))[..., None, None]
    side = np.clip(0.15 * np.exp(0.4 * rng.standard_normal((*shape, 2))), 0.06, 0.5)
    side = side[..., None, None]
    y, x = (np.arange(length) / length for length in SIZE)
    down = (y[:, None] - middle[:, :, 0] % 1) / side[:, :, 0]
    along = (x - middle[:, :, 1] % 1) / side[:, :, 1]
    masks = down**2 + along**2 < 1
    return present & masks.any((2, 3)), masks


def _preferring(rng: np.random.Generator, scale: Scale) -> np.ndarray:
    """Filters that are on in a place of their own, in some images more than in others."""
    y, x = np.arange(GRID[0])[:, None] / GRID[0], np.arange(GRID[1]) / GRID[1]
    home = rng.uniform(0, 1, (scale.filters, 2, 1, 1))
    near = np.exp(-((y - home[:, 0]) ** 2 + (x - home[:, 1]) ** 2) / 0.05)
    mood = rng.uniform(0.2, 1, (scale.images, scale.filters, 1, 1))
    return rng.random((scale.images, scale.filters, *GRID)) < 0.02 + 0.5 * mood * near


def _shrunk(masks: np.ndarray) -> np.ndarray:
    """Cells of the grid that a mask covers by half."""
    blocks = masks.reshape(-1, GRID[0], SIZE[0] // GRID[0], GRID[1], SIZE[1] // GRID[1])
    return blocks.mean((2, 4)) > 0.5


def _world(
    rng: np.random.Generator,
    active: np.ndarray,
    means: np.ndarray,
    present: np.ndarray,
    masks: np.ndarray,
) -> World:
    images, concepts = present.shape
    is_train = np.arange(images) % 10 < 6
    for split in (is_train, ~is_train):  # two images of each split at least
        rows = np.flatnonzero(split)[:2]
        present[rows] = masks[rows].any((2, 3))
    label, image = np.nonzero(present.T)
    drawn = masks[image, label]
    annotations = Annotations(
        size=SIZE,
        names=["", *(f"concept {number}" for number in range(concepts))],
        category=["object"] * (1 + concepts),
        has_pixels=np.arange(1 + concepts) > 0,
        is_train=is_train,
        starts=np.concatenate([[0, 0], np.cumsum(present.sum(0))]),
        image=image.astype(np.int32),
        area=drawn.sum((1, 2)).astype(np.int32),
        row=np.arange(len(image)),
        masks=np.packbits(drawn.reshape(len(image), -1), axis=1, bitorder="little"),
    )
    excess = rng.gamma(2.0, 0.3, active.shape)
    values = np.where(active, 1 + excess, 1 - excess).reshape(images, active.shape[1], -1)
    activations = values.transpose(0, 2, 1).astype(np.float16)
    labels = list(range(1, 1 + concepts))
    return World(_recording(active, means), annotations, labels, activations)


def _recording(active: np.ndarray, means: np.ndarray) -> LayerRecording:
    images, filters = active.shape[:2]
    image, k, cell = np.nonzero(active.reshape(images, filters, -1))
    starts = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=images))])
    return LayerRecording(
        layer="layer",
        grid=GRID,
        threshold=np.ones(filters, dtype=np.float32),
        starts=starts.astype(np.int64),
        filter=k.astype(np.uint16),
        cell=cell.astype(np.uint16),
        means=means.astype(np.float32),
        top_image=np.zeros((filters, 0), dtype=np.int64),
        top_activation=np.zeros((filters, 0), dtype=np.float32),
    )
