"""Random probes: recordings and annotations of any size without images or a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from net2vec.data.annotations import Annotations
from net2vec.kernels.quantile import rank_of
from net2vec.recording import LayerRecording

QUANTILE = 0.005
CONV5 = (256, (13, 13))
MASK = (113, 113)


def random_recording(
    images: int, *, filters: int = CONV5[0], grid: tuple[int, int] = CONV5[1], seed: int = 0
) -> LayerRecording:
    """Every filter is on at the paper's share of all positions, anywhere with equal chance.

    Real filters are on in clusters and leave more pixels that nobody reaches: this is the harder
    case for the learning.
    """
    rng = np.random.default_rng(seed)
    cells = grid[0] * grid[1]
    active = rank_of(QUANTILE, images * cells)
    key = np.empty(filters * active, dtype=np.int64)
    for k in range(filters):
        position = rng.choice(images * cells, active, replace=False, shuffle=False)
        image, cell = np.divmod(position, cells)
        key[k * active : (k + 1) * active] = (image * filters + k) * cells + cell
    key.sort()
    image, key = np.divmod(key, filters * cells)
    starts = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=images))])
    return LayerRecording(
        layer="conv5",
        grid=grid,
        threshold=np.ones(filters, dtype=np.float32),
        starts=starts.astype(np.int64),
        filter=(key // cells).astype(np.uint16),
        cell=(key % cells).astype(np.uint16),
        means=rng.gamma(2.0, 0.1, (images, filters)).astype(np.float32),
        top_image=np.zeros((filters, 0), dtype=np.int64),
        top_activation=np.zeros((filters, 0), dtype=np.float32),
    )


@dataclass(frozen=True)
class Labels:
    """How many concepts, how many of them an image has, and how unequal they are."""

    pixel: int = 682
    whole: int = 507
    an_image: int = 8
    tail: float = 1.0

    def shares(self, count: int) -> np.ndarray:
        weight = 1 / (5 + np.arange(count)) ** self.tail
        return weight / weight.sum()


def random_annotations(
    images: int, labels: Labels | None = None, *, size: tuple[int, int] = MASK, seed: int = 1
) -> Annotations:
    """Ellipses of all sizes, and labels of whole images; every label is in both splits."""
    labels = labels or Labels()
    rng = np.random.default_rng(seed)
    is_train = np.arange(images) % 10 < 7
    pixel = _spread(rng, images, labels.pixel, labels.an_image, labels.shares(labels.pixel))
    whole = _spread(rng, images, labels.whole, 1, labels.shares(labels.whole))
    masks = random_masks(rng, len(pixel), size)
    area = np.bitwise_count(masks).sum(1, dtype=np.int64)
    image = np.concatenate([pixel[:, 0], whole[:, 0]])
    label = np.concatenate([pixel[:, 1], labels.pixel + whole[:, 1]]) + 1
    row = np.concatenate([np.arange(len(pixel)), np.full(len(whole), -1)])
    area = np.concatenate([area, np.full(len(whole), size[0] * size[1])])
    order = np.lexsort((image, label))
    count = 1 + labels.pixel + labels.whole
    return Annotations(
        size=size,
        names=["", *(f"concept {number}" for number in range(1, count))],
        category=["object"] * count,
        has_pixels=(np.arange(count) > 0) & (np.arange(count) <= labels.pixel),
        is_train=is_train,
        starts=np.concatenate([[0], np.cumsum(np.bincount(label, minlength=count))]),
        image=image[order].astype(np.int32),
        area=area[order].astype(np.int32),
        row=row[order],
        masks=masks,
    )


def save_annotations(annotations: Annotations, folder: Path) -> None:
    """Write annotations that were drawn."""
    arrays = {key: np.asarray(value) for key, value in vars(annotations).items()}
    np.save(folder / "masks.npy", arrays.pop("masks"))
    del arrays["unverified"]
    np.savez(folder / "pairs.npz", **arrays)


def load_annotations(folder: Path) -> Annotations:
    """Annotations of `save_annotations`, masks mapped."""
    with np.load(folder / "pairs.npz") as pairs:
        arrays = {key: pairs[key] for key in pairs.files}
    masks = np.load(folder / "masks.npy", mmap_mode="r")
    size = tuple(arrays.pop("size").tolist())
    return Annotations(size=size, masks=masks, **arrays)


def _spread(
    rng: np.random.Generator, images: int, labels: int, an_image: int, shares: np.ndarray
) -> np.ndarray:
    """(image, label) pairs, images ascending: so many labels an image, drawn by their shares."""
    if labels == 0:
        return np.zeros((0, 2), dtype=np.int64)
    drawn = rng.choice(labels, (images, an_image), p=shares)
    image = np.repeat(np.arange(images), an_image)
    # Each label also gets a training and a validation image of its own: image 0 and 9 of a decade.
    decade = 10 * (np.arange(labels) % max(images // 10, 1))
    pairs = np.stack([image, drawn.ravel()], 1)
    sure = [np.stack([decade + last, np.arange(labels)], 1) for last in (0, 9)]
    return np.unique(np.concatenate([pairs, *sure]), axis=0)


def random_masks(rng: np.random.Generator, count: int, size: tuple[int, int]) -> np.ndarray:
    """Packed masks of ellipses, a long tail of sizes: the median covers some 3 %."""
    height, width = size
    packed = np.empty((count, -(-height * width // 8)), dtype=np.uint8)
    y, x = np.arange(height)[:, None], np.arange(width)
    for first in range(0, count, 512):
        n = min(512, count - first)
        side = np.clip(0.1 * np.exp(0.7 * rng.standard_normal((n, 2))), 0.03, 0.6)
        middle = rng.random((n, 2))
        down = ((y / height - middle[:, 0, None, None]) / side[:, 0, None, None]) ** 2
        along = ((x / width - middle[:, 1, None, None]) / side[:, 1, None, None]) ** 2
        inside = (down + along < 1).reshape(n, -1)
        inside[:, rng.integers(height * width)] = True  # never empty
        packed[first : first + n] = np.packbits(inside, axis=1, bitorder="little")
    return packed
