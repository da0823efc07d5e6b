"""Reads a whole dataset and lists its faults before a long run meets them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from net2vec.data.checked import annotation_of
from net2vec.data.files import in_threads, inside, is_there, read_regular
from net2vec.data.left_out import LeftOut
from net2vec.data.opening import diorama_of, readable, recognise_source
from net2vec.data.protocol import TRAIN, ProbeDataset
from net2vec.data.readers.base import Reader, image_faults
from net2vec.data.readers.broden import one_line
from net2vec.errors import DataError


@dataclass(frozen=True)
class Checked:
    """Result of reading a whole dataset.

    Attributes:
        faults: each as `file: reason`, without repetition.
        left_out: items that are not part of the dataset; not faults in themselves.
        notes: readings that may surprise, as pairs of a subject and a sentence.
    """

    faults: list[str]
    left_out: Sequence[LeftOut] = ()
    notes: Sequence[tuple[str, str]] = ()


def check_dataset(
    source: str | Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], object] = lambda images, total: None,
    **stated: Any,
) -> Checked:
    """Reads every image and mask of a dataset.

    Faults are everything that makes a reader fail, items that a reader ignores but probably not on
    purpose, and the lack of any concept. In Broden's layout, rows and files after a fault are
    checked as well.

    Args:
        source: as for `open_dataset`.
        workers: number of threads.
        progress: called with the number of images read since the last call, and of all images.
        stated: `category`, `reader`, `dataset` and `split`, as for `open_dataset`.

    Raises:
        DataError: if there is no such dataset, or its layout is not recognised.
    """
    diorama = diorama_of(source)
    if diorama is not None:
        found = _read_all(diorama, lambda index: image_faults(diorama, index), workers, progress)
        return Checked(_one_line_each(found))
    recognised = recognise_source(source, **stated)
    folder = recognised.folder
    try:
        with readable(folder):
            dataset = recognised.open(for_check=True)
            faults = [*dataset.faults()]
    except DataError as error:
        return Checked([one_line(str(error))])
    faults += _read_all(dataset, dataset.image_faults, workers, progress)
    if not any(_may_hold_concept(dataset, index) for index in range(len(dataset.images))):
        reasons = filter(None, ("no concept has any annotated pixel or image", dataset.why_empty()))
        faults.append(f"{folder}: {'; '.join(reasons)}")
    notes = [*dataset.notes, *_in_both_splits(dataset)]
    return Checked(_one_line_each(faults), dataset.left_out, notes)


def find_faults(source: str | Path, **options: Any) -> list[str]:
    """The faults that `check_dataset` finds, with the same arguments and errors."""
    return check_dataset(source, **options).faults


def _read_all(
    dataset: ProbeDataset,
    faults_of: Callable[[int], Iterator[str]],
    workers: int,
    progress: Callable[[int, int], object],
) -> Iterator[str]:
    total = len(dataset.images)
    for faults in in_threads(lambda index: list(faults_of(index)), range(total), workers):
        yield from faults
        progress(1, total)


def _in_both_splits(dataset: Reader) -> Iterator[tuple[str, str]]:
    """Image files of equal content that train and validate."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, image in enumerate(dataset.images):
        if is_there(dataset.root, image):
            by_size[(dataset.root / image).stat().st_size].append(index)
    trains: dict[bytes, str] = {}
    both: list[tuple[str, str]] = []
    for indices in by_size.values():
        if len({dataset.splits[index] for index in indices}) < 2:
            continue
        for index in sorted(indices, key=lambda index: dataset.splits[index] != TRAIN):
            image = dataset.images[index]
            content = hashlib.sha256(read_regular(inside(dataset.root, image, dataset.folder)))
            if dataset.splits[index] == TRAIN:
                trains.setdefault(content.digest(), image)
            elif content.digest() in trains:
                both.append((image, trains[content.digest()]))
    if both:
        yield "in both splits", f"{len(both)} images, as {both[0][0]}, which is {both[0][1]}"


def _one_line_each(faults: Iterator[str] | list[str]) -> list[str]:
    return list(dict.fromkeys(map(one_line, faults)))


def _may_hold_concept(dataset: ProbeDataset, index: int) -> bool:
    try:
        annotation = annotation_of(dataset, index)
    except DataError:
        return True  # listed as a fault already
    has_image_label = any(label for _, label in annotation.image_labels)
    return has_image_label or any(plane.labels.any() for plane in annotation.planes)
