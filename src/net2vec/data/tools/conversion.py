"""Converts datasets to Broden's layout without their rare labels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.data.protocol import ProbeDataset
from net2vec.data.tools.broden_writer import check_writable, write_broden
from net2vec.data.views import without_labels
from net2vec.errors import DataError

MIN_FREQUENCY = 10
MIN_COVERAGE = 0.5


@dataclass(frozen=True)
class Converted:
    """A converted dataset.

    Attributes:
        folder: its folder.
        labels: number of labels kept.
        left_out: names of the labels that were too rare.
    """

    folder: Path
    labels: int
    left_out: tuple[str, ...]


def convert_dataset(
    dataset: ProbeDataset,
    out: Path | str,
    *,
    size: int = 224,
    mask_size: int | None = None,
    min_frequency: int = MIN_FREQUENCY,
    min_coverage: float = MIN_COVERAGE,
    workers: int = 2,
    progress: Callable[[int], object] = lambda images: None,
) -> Converted:
    """Writes a dataset in Broden's layout without its rare labels.

    Bau et al. (2017) keep labels that occur in at least ten images and cover at least half an image
    in total. Both are counted on the masks as written, over all planes and categories.

    Args:
        dataset: the dataset.
        out: the folder to make.
        size: side of the images in pixels.
        mask_size: side of the masks in pixels, by default half of `size`.
        min_frequency: least number of images with the label.
        min_coverage: least sum of the label's shares of its images.
        workers: number of threads.
        progress: called with the number of images done since the last call; if labels may be
            dropped, every image is counted twice.

    Raises:
        DataError: as `write_broden`; also if no label is frequent enough.
    """
    side = size // 2 if mask_size is None else mask_size
    check_writable(dataset, Path(out), size, side)  # the counting can take hours
    rare: list[str] = []
    if min_frequency > 0 or min_coverage > 0:
        with tempfile.TemporaryDirectory(prefix="net2vec-") as store:
            annotations = compile_annotations(
                dataset, (side, side), Path(store), workers=workers, progress=progress
            )
            rare = rare_labels(annotations, min_frequency, min_coverage)
            del annotations  # its masks are mapped from the store
        if len(rare) == len(dataset.labels) - 1:
            raise DataError(
                f"{dataset.name}: no label is in {min_frequency} images and covers "
                f"{min_coverage:g} of one; ask for less"
            )
        dataset = without_labels(dataset, rare)
    folder = write_broden(
        dataset, out, size=size, mask_size=side, workers=workers, progress=progress
    )
    return Converted(folder, len(dataset.labels) - 1, tuple(rare))


def rare_labels(annotations: Annotations, min_frequency: int, min_coverage: float) -> list[str]:
    """Names of the labels in too few images or of too little total coverage."""
    pixels = annotations.size[0] * annotations.size[1]
    rare = []
    for label, name in enumerate(annotations.names):
        pairs = annotations.pairs(label)
        coverage = annotations.area[pairs].sum() / pixels
        if label and (len(pairs) < min_frequency or coverage < min_coverage):
            rare.append(name)
    return rare
