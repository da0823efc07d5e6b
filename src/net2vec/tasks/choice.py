"""Which concepts a task can learn, which subset sizes make sense, and why the others are left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from net2vec.data.annotations import Annotations
from net2vec.errors import ConfigError


@dataclass(frozen=True)
class Skipped:
    """A concept (`filters` None) or a subset size (`concept` empty) that is left out."""

    concept: str
    filters: int | None
    reason: str


@dataclass(frozen=True)
class Choice:
    """The concepts of a task.

    Attributes:
        labels: label numbers, ascending.
        skipped: all others, with the reason.
    """

    labels: list[int]
    skipped: list[Skipped]


def choose_concepts(
    annotations: Annotations,
    task: str,
    *,
    min_train: int = 1,
    names: Collection[str] | None = None,
) -> Choice:
    """The concepts that can be learned.

    Each needs training and validation images; segmentation needs masks, classification needs
    images without the concept as well.

    Args:
        annotations: which image contains what.
        task: `segment` or `classify`.
        min_train: training images that a concept must be in.
        names: names that are asked for; None for all. Others are not even listed as skipped.
    """
    labels, skipped = [], []
    train_images = int(annotations.is_train.sum())
    val_images = len(annotations.is_train) - train_images
    for label, name in enumerate(annotations.names):
        if label == 0 or (names is not None and name not in names):
            continue
        n_train = len(annotations.pairs(label, train=True))
        n_val = len(annotations.pairs(label, train=False))
        reason = None
        if n_train + n_val == 0:
            size = f"the masks' size of {annotations.size[0]} x {annotations.size[1]}"
            nowhere = "in no image" if len(annotations.image) else "no concept is in any image"
            reason = f"{nowhere} at {size}"
        elif task == "segment" and not annotations.has_pixels[label]:
            reason = "annotated for whole images only: no masks"
        elif n_train < min_train:
            images = "image" if n_train == 1 else "images"
            reason = f"{n_train} training {images}, fewer than {min_train}"
        elif n_val == 0:
            reason = "no validation image"
        elif task == "classify" and name in annotations.unverified:
            reason = "not looked for in all images: those without it are not known"
        elif task == "classify" and n_train == train_images:
            reason = "in every training image: nothing to tell it from"
        elif task == "classify" and n_val == val_images:
            reason = "in every validation image: nothing to tell it from"
        if reason is None:
            labels.append(label)
        else:
            skipped.append(Skipped(name, None, reason))
    return Choice(labels, skipped)


def choose_subset_layers(layers: Sequence[str], names: Sequence[str], count: int) -> list[str]:
    """The layers on which subsets of filters are learned.

    Args:
        layers: those that a task is learned on, in the network's order.
        names: names or globs of them, `last` or `all`; none for the last `count`.
        count: see `Task.subset_layers`.

    Raises:
        ConfigError: if no layer has a name that is wanted.
    """
    if not names:
        return list(layers[-count:])
    sets = {"last": list(layers[-1:]), "all": list(layers)}
    chosen = set()
    for name in names:
        matched = sets.get(name) or [layer for layer in layers if fnmatchcase(layer, name)]
        if not matched:
            raise ConfigError(
                f"no layer {name!r} to learn subsets on; wanted are last, all, or names or globs "
                f"of {', '.join(layers)}"
            )
        chosen.update(matched)
    return [layer for layer in layers if layer in chosen]


def split_sizes(sizes: Sequence[int], filters: int) -> tuple[list[int], list[Skipped]]:
    """Subset sizes below the number of filters, ascending, and those that are not."""
    fitting = [int(size) for size in np.unique(np.asarray(sizes, dtype=int)) if size < filters]
    skipped = [
        Skipped("", int(size), f"the layer's filters are {filters}: all of them is the full fit")
        for size in sorted(set(sizes))
        if size >= filters
    ]
    return fitting, skipped
