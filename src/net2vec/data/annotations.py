"""Annotations compiled once: which image contains which label, and packed masks.

One pass over a dataset's annotations brings every mask to H x W, unites each label's pixels over
planes and categories and packs them to bits. A *pair* is an image and a label that it contains. The
store is a folder of plain NumPy files, keyed by the dataset's digest and the size of the masks, and
is shared by every network and run that asks for the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from net2vec.core.executors import AnyExecutor, ThreadExecutor, map_items
from net2vec.core.locks import locked_folder
from net2vec.core.storage import (
    Say,
    load_arrays,
    log,
    map_array,
    read_cached,
    remove_leftovers,
    replacing_cached,
    save_arrays,
)
from net2vec.data.annotation_shards import AnnotationShard, ShardCompiler
from net2vec.data.checked import check_index
from net2vec.data.optional import unverified_of
from net2vec.data.protocol import TRAIN, ProbeDataset
from net2vec.errors import DataError

_FORMAT = 3  # 3: masks whose numbers would be misread are refused
_SHARD = 256
_PAIRS = "pairs.npz"
_MASKS = "masks.npy"


@dataclass(frozen=True)
class Annotations:
    """The images that contain each label, over a whole dataset.

    Attributes:
        size: rows and columns of the masks (H, W).
        names: label names by label number; number 0 is nothing.
        category: the category of each label: the one in which it covers most, the later on a tie.
        has_pixels: whether a label has a pixel annotation anywhere, also where it holds for the
            whole image.
        is_train: whether each image is a training image; the others are validation images.
        starts, image, area, row: pairs sorted by label, then image. The pairs of a label begin at
            `starts[label]`; `area` counts the mask's pixels; `row` is the mask's row in `masks`, or
            -1 where the label holds for the whole image.
        masks: packed masks, eight pixels a byte in row order, the first in the lowest bit. On disk.
        unverified: names of labels that may be in images that are not annotated with them.
    """

    size: tuple[int, int]
    names: Sequence[str]
    category: Sequence[str]
    has_pixels: Bool[np.ndarray, "label"]
    is_train: Bool[np.ndarray, "image"]
    starts: Int[np.ndarray, "label_and_end"]
    image: Int[np.ndarray, "pair"]
    area: Int[np.ndarray, "pair"]
    row: Int[np.ndarray, "pair"]
    masks: UInt8[np.ndarray, "row byte"]
    unverified: frozenset[str] = frozenset()

    def pairs(self, label: int, *, train: bool | None = None) -> Int[np.ndarray, "pair"]:
        """The pairs of a label, images ascending, of one split or of both."""
        pairs = np.arange(self.starts[label], self.starts[label + 1])
        return pairs if train is None else pairs[self.is_train[self.image[pairs]] == train]

    def packed_of(self, pairs: Int[np.ndarray, "pair"]) -> UInt8[np.ndarray, "pair byte"]:
        """The masks of some pairs (L_c) as they are kept: eight pixels a byte, in row order."""
        rows = self.row[pairs]
        if bool((rows >= 0).all()):
            stored: UInt8[np.ndarray, "pair byte"] = np.asarray(self.masks[rows])
            return stored
        full_mask = np.packbits(np.ones(self.size[0] * self.size[1], dtype=bool), bitorder="little")
        masks = np.tile(full_mask, (len(pairs), 1))
        partial = np.flatnonzero(rows >= 0)
        masks[partial] = self.masks[rows[partial]]
        return masks

    def masks_of(self, pairs: Int[np.ndarray, "pair"]) -> Bool[np.ndarray, "pair y x"]:
        """The masks of some pairs (L_c)."""
        pixels = self.size[0] * self.size[1]
        bits = np.unpackbits(self.packed_of(pairs), axis=1, count=pixels, bitorder="little")
        return bits.reshape(-1, *self.size).view(bool)

    def concept_size(self, label: int, *, train: bool = True) -> float:
        """Mean share of the mask over the images of a split that contain the label."""
        areas = self.area[self.pairs(label, train=train)]
        return float(areas.mean() / (self.size[0] * self.size[1])) if len(areas) else 0.0


def compile_annotations(
    dataset: ProbeDataset,
    size: tuple[int, int],
    store: Path,
    *,
    workers: int = 2,
    progress: Callable[[int], object] = lambda images: None,
    say: Say = log,
    executor: AnyExecutor | None = None,
) -> Annotations:
    """Compile a dataset's annotations, or load them from `store`.

    Args:
        dataset: the dataset.
        size: rows and columns of the masks.
        store: a folder shared by all runs; holds one folder a dataset and size.
        workers: threads that decode, unless there is an executor.
        progress: called with the number of images done since the last call.
        say: called with a line about each damaged file in `store`; it is compiled again.
        executor: maps over shards of images, to which the dataset is sent; it must see `store`. The
            result does not depend on it.

    Raises:
        DataError: an annotation cannot be read, or the dataset is not what `ProbeDataset` promises.
    """
    check_index(dataset)
    folder = store / annotations_digest(dataset, size)
    # Damage is reported once, by the process that compiles again.
    loaded = _load(dataset, size, folder, log)
    if loaded is not None:
        return loaded
    with locked_folder(folder) as place:
        # The previous holder of the lock may have compiled everything.
        loaded = _load(dataset, size, folder, say)
        if loaded is None:
            if place == folder:  # locked: nobody else writes here
                remove_leftovers(folder)
            _compile(dataset, size, place, executor or ThreadExecutor(workers), progress, say)
            for name in (_MASKS, _PAIRS):  # in this order: with the pairs it is complete
                (place / name).replace(folder / name)
            loaded = _load(dataset, size, folder, say)
    if loaded is None:
        raise DataError(f"{folder}: what was written here cannot be read back; is the disk sound?")
    return loaded


def annotations_digest(dataset: ProbeDataset, size: tuple[int, int]) -> str:
    """Names what compiling the dataset at a size gives."""
    text = f"annotations {_FORMAT} {dataset.digest} {size[0]}x{size[1]}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _compile(
    dataset: ProbeDataset,
    size: tuple[int, int],
    folder: Path,
    executor: AnyExecutor,
    progress: Callable[[int], object],
    say: Say,
) -> None:
    everything = range(len(dataset.images))
    shards = [everything[first : first + _SHARD] for first in everything[::_SHARD]]
    compiler = ShardCompiler(dataset, size, folder)
    with closing(map_items(executor, compiler, {shard: len(shard) for shard in shards})) as done:
        for shard, damaged in done:
            progress(len(shard))
            for line in damaged:
                say(line)

    def read(shard: range) -> AnnotationShard:
        found = compiler.read(shard, say)
        if found is None:  # damaged since
            compiler(shard)
            found = compiler.read(shard, say)
        if found is None:
            raise DataError(
                f"{compiler.path(shard)}: what was written here cannot be read back; is the disk "
                f"sound?"
            )
        return found

    # Read from disk once more, whenever asked for.
    _merge(partial(map, read, shards), folder, size, len(dataset.labels), len(dataset.categories))
    for shard in shards:
        compiler.path(shard).unlink(missing_ok=True)


def _merge(
    shards: Callable[[], Iterator[AnnotationShard]],
    folder: Path,
    size: tuple[int, int],
    labels: int,
    categories: int,
) -> None:
    """Merge the shards into one store: masks in the order of images, pairs by label."""
    parts: dict[str, list[Int[np.ndarray, "pair"]]] = {
        "image": [], "label": [], "area": [], "whole": []
    }  # fmt: skip
    coverage = np.zeros((labels, categories), dtype=np.int64)
    has_pixels = np.zeros(labels, dtype=bool)
    for shard in shards():
        for key, values in parts.items():
            values.append(getattr(shard, key))
        coverage += shard.coverage
        has_pixels |= shard.has_pixels
    image, label, area, whole = (
        np.concatenate(values) if values else np.zeros(0, dtype=np.int32)
        for values in parts.values()
    )
    whole = whole.astype(bool)
    rows = int((~whole).sum())
    row = np.where(whole, -1, np.cumsum(~whole) - 1)
    with replacing_cached(folder / _MASKS) as temporary:
        shape = (rows, -(-size[0] * size[1] // 8))
        masks = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        done = 0
        for shard in shards():
            masks[done : done + len(shard.masks)] = shard.masks
            done += len(shard.masks)
        masks.flush()
        del masks  # a file that is open cannot be renamed everywhere
    order = np.argsort(label, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=labels))])
    # On a tie the later category: the first maximum, counted from the end.
    best = categories - 1 - np.argmax(coverage[:, ::-1], axis=1)
    save_arrays(
        folder / _PAIRS,
        image=image[order],
        area=area[order],
        row=row[order].astype(np.int64),
        starts=starts.astype(np.int64),
        has_pixels=has_pixels,
        category=best,
    )


def _load(
    dataset: ProbeDataset, size: tuple[int, int], folder: Path, say: Say
) -> Annotations | None:
    """The compiled annotations in a folder; None if they are incomplete or damaged."""

    def make(pairs: dict[str, np.ndarray]) -> Annotations | None:
        masks = read_cached(folder / _MASKS, map_array, say)
        if masks is None:
            return None
        return Annotations(
            size=size,
            names=dataset.labels,
            category=[dataset.categories[number] for number in pairs["category"]],
            has_pixels=pairs["has_pixels"],
            is_train=np.array([split == TRAIN for split in dataset.splits], dtype=bool),
            starts=pairs["starts"],
            image=pairs["image"],
            area=pairs["area"],
            row=pairs["row"],
            masks=masks,
            unverified=unverified_of(dataset),
        )

    return load_arrays(folder / _PAIRS, make, say)
