"""Reading everything in a dataset to find its faults before a long run does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.checked import annotation_of, image_of
from net2vec.data.files import in_threads
from net2vec.data.left_out import LeftOut, left_out_of
from net2vec.data.opening import DIORAMA, open_dataset, readable, recognise
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.broden import BrodenDataset, BrodenTables, one_line
from net2vec.errors import DataError


@dataclass(frozen=True)
class Checked:
    """What reading all of a dataset has shown.

    Attributes:
        faults: each as `file: reason`, none twice.
        left_out: what is no part of the dataset, and why; no fault by itself.
    """

    faults: list[str]
    left_out: Sequence[LeftOut] = ()


def check_dataset(
    source: str | Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], object] = lambda images, total: None,
) -> Checked:
    """Reads every image and mask of a dataset.

    What a reader refuses, it refuses here as well, and what readers pass over although it cannot be
    meant so is a fault here, as is a dataset without any concept; in Broden's layout every row and
    file is looked at even after a fault.

    Args:
        source: as `open_dataset` takes it.
        workers: threads.
        progress: called with the number of images read since the last call, and of all images.

    Raises:
        DataError: there is no such dataset, or its layout is not recognised.
    """
    if str(source) == DIORAMA:
        return Checked(_faults_of(open_dataset(source), [], workers, progress))
    folder = Path(source).expanduser()
    if not folder.is_dir():
        open_dataset(folder)  # says what is there instead
    with readable(folder):
        layout, folder = recognise(folder)
    try:
        with readable(folder):
            if layout.reader is BrodenDataset:
                tables = BrodenTables.read(folder)
                dataset: ProbeDataset = BrodenDataset(folder, tables)
                known = tables.faults()
            else:
                dataset = layout.reader(folder)
                passed_over: Callable[[], Iterator[str]] = getattr(dataset, "faults", _none)
                known = list(passed_over())
    except DataError as fault:
        return Checked([one_line(str(fault))])
    faults = _faults_of(dataset, known, workers, progress)
    if not any(_may_hold_concept(dataset, index) for index in range(len(dataset.images))):
        why: Callable[[], str] = getattr(dataset, "why_empty", str)
        reason = "; ".join(filter(None, ("no concept has any annotated pixel or image", why())))
        faults.append(one_line(f"{folder}: {reason}"))
    return Checked(faults, left_out_of(dataset))


def find_faults(
    source: str | Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], object] = lambda images, total: None,
) -> list[str]:
    """The faults that `check_dataset` finds, with the same arguments and errors."""
    return check_dataset(source, workers=workers, progress=progress).faults


def _none() -> Iterator[str]:
    return iter(())


def _faults_of(
    dataset: ProbeDataset,
    faults: list[str],
    workers: int,
    progress: Callable[[int, int], object],
) -> list[str]:
    image_faults: Callable[[int], Iterator[str]] = getattr(
        dataset, "image_faults", lambda index: _image_faults(dataset, index)
    )
    total = len(dataset.images)
    for found in in_threads(lambda index: list(image_faults(index)), range(total), workers):
        faults += found
        progress(1, total)
    return list(dict.fromkeys(map(one_line, faults)))


def _image_faults(dataset: ProbeDataset, index: int) -> Iterator[str]:
    for read in (image_of, annotation_of):
        try:
            read(dataset, index)
        except DataError as fault:
            yield str(fault)


def _may_hold_concept(dataset: ProbeDataset, index: int) -> bool:
    try:
        annotation = annotation_of(dataset, index)
    except DataError:
        return True  # a fault already
    whole = any(label for _, label in annotation.image_labels)
    return whole or any(plane.labels.any() for plane in annotation.planes)
