"""Shards of images whose annotations are compiled one by one, each into a file.

Masks are brought to H x W, united over planes and categories for every label, and packed to bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from net2vec.core.storage import Say, load_arrays, save_arrays
from net2vec.data.checked import annotation_of
from net2vec.data.images import resize_labels
from net2vec.data.protocol import Annotation, ProbeDataset


@dataclass(frozen=True)
class AnnotationShard:
    """Labels and masks of some consecutive images."""

    image: Int[np.ndarray, "pair"]
    label: Int[np.ndarray, "pair"]
    area: Int[np.ndarray, "pair"]
    whole: Bool[np.ndarray, "pair"]
    masks: UInt8[np.ndarray, "row byte"]
    has_pixels: Bool[np.ndarray, "label"]
    coverage: Int[np.ndarray, "label category"]


@dataclass(frozen=True)
class ShardCompiler:
    """Compiles a shard of images into a file; can be pickled if the dataset can."""

    dataset: ProbeDataset
    size: tuple[int, int]
    folder: Path

    def path(self, images: range) -> Path:
        """The file of a shard."""
        return self.folder / f"shard-{images.start:08d}.npz"

    def read(self, images: range, say: Say) -> AnnotationShard | None:
        """The shard in the file, as an interrupted pass may have left it; None if unusable."""
        return load_arrays(self.path(images), lambda arrays: AnnotationShard(**arrays), say)

    def __call__(self, images: range) -> list[str]:
        """Write the file, unless it can be read; return a line about a damaged one."""
        damaged: list[str] = []
        if self.read(images, damaged.append) is None:
            save_arrays(self.path(images), **vars(_read_shard(self.dataset, self.size, images)))
        return damaged


def _read_shard(dataset: ProbeDataset, size: tuple[int, int], shard: range) -> AnnotationShard:
    categories = {name: number for number, name in enumerate(dataset.categories)}
    coverage = np.zeros((len(dataset.labels), len(categories)), dtype=np.int64)
    has_pixels = np.zeros(len(dataset.labels), dtype=bool)
    images: list[int] = []
    labels: list[int] = []
    areas: list[int] = []
    whole_image: list[bool] = []
    packed: list[UInt8[np.ndarray, "byte"]] = []
    pixels = size[0] * size[1]
    for index in shard:
        masks = unite(annotation_of(dataset, index), size, categories, coverage, has_pixels)
        for label in sorted(masks):
            mask = masks[label]
            images.append(index)
            labels.append(label)
            whole_image.append(mask is None)
            areas.append(pixels if mask is None else int(mask.sum()))
            if mask is not None:
                packed.append(np.packbits(mask.ravel(), bitorder="little"))
    return AnnotationShard(
        np.array(images, dtype=np.int32),
        np.array(labels, dtype=np.int32),
        np.array(areas, dtype=np.int32),
        np.array(whole_image, dtype=bool),
        np.stack(packed) if packed else np.zeros((0, -(-pixels // 8)), dtype=np.uint8),
        has_pixels,
        coverage,
    )


def unite(
    annotation: Annotation,
    size: tuple[int, int],
    categories: dict[str, int],
    coverage: Int[np.ndarray, "label category"],
    has_pixels: Bool[np.ndarray, "label"],
) -> dict[int, Bool[np.ndarray, "y x"] | None]:
    """The mask of every label in an image; None where it holds for the whole image.

    Adds to `coverage` the pixels of each label in each category: those of all its planes together,
    all pixels for an image-level label. Marks in `has_pixels` the labels of planes.
    """
    seen: dict[tuple[int, int], Bool[np.ndarray, "y x"]] = {}
    for plane in annotation.planes:
        labels = resize_labels(plane.labels, size)
        category = categories[plane.category]
        present: list[int] = (np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1).tolist()
        has_pixels[present] = True
        for label in present:
            here = labels == label
            known = seen.get((label, category))
            seen[label, category] = here if known is None else known | here
    whole = {(label, categories[name]) for name, label in annotation.image_labels}
    masks: dict[int, Bool[np.ndarray, "y x"] | None] = {}
    for (label, category), mask in seen.items():
        if (label, category) not in whole:
            coverage[label, category] += int(mask.sum())
        known = masks.get(label)
        masks[label] = mask if known is None else known | mask
    for label, category in whole:
        coverage[label, category] += size[0] * size[1]
        masks[label] = None
    return masks
