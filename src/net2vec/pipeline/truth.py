"""Masks by people of some images of a dataset whose masks a model made: which belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Int
from PIL import Image

from net2vec.data import ProbeDataset, open_datasets
from net2vec.data.checked import image_of
from net2vec.data.optional import annotators_of
from net2vec.errors import DataError
from net2vec.vocabulary import SPLITS

_THUMBNAIL = (16, 16)
# Grey values of 255, on average. Resizing and storing as JPEG again changes thumbnails by 1 to 3.
_UNLIKE = 16


@dataclass(frozen=True)
class Truth:
    """A dataset with masks by people, beside the one that is probed.

    Attributes:
        dataset: the dataset.
        probed: indices in the probe dataset of the images that have such masks, ascending.
        indices: their indices in `dataset`.
        validating: how many of them validate.
        unknown: concepts of the probe dataset that `dataset` does not know.
    """

    dataset: ProbeDataset
    probed: Int[np.ndarray, "image"]
    indices: Int[np.ndarray, "image"]
    validating: int
    unknown: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """A line for the user on the images found."""
        lacking = f"; it has no {', '.join(self.unknown)}" if self.unknown else ""
        return (
            f"{self.dataset.name} has masks by people: {len(self.indices)} of its "
            f"{len(self.dataset.images)} images are probed, {self.validating} of these "
            f"validate{lacking}"
        )


def open_truth(source: str, probed: ProbeDataset) -> Truth:
    """Open a dataset with masks by people, and find its images in the probe dataset.

    Images belong together if their paths are the same, or else the stems of their names where no
    other image has that stem.

    Args:
        source: as for `open_datasets`.
        probed: the probe dataset.

    Raises:
        DataError: if it cannot be opened or has made masks itself; if it has no image or no concept
            of the probe dataset, or images of one name differ; if none of them validates.
    """
    dataset = open_datasets([source])
    if records := annotators_of(dataset):
        raise DataError(
            f"{source} has masks by {records[0].model}: the truth must have masks by people"
        )
    matched = _matched(probed.images, dataset.images)
    if not matched:
        raise DataError(
            f"{source} has no image of {probed.name}: an image there is {dataset.images[0]}, here "
            f"{probed.images[0]}; wanted the same names, or the same stems"
        )
    if not set(filter(None, dataset.labels)) & set(probed.labels):
        raise DataError(
            f"{source} has no concept of {probed.name}: one there is {dataset.labels[-1]!r}, here "
            f"{probed.labels[-1]!r}; they belong together by their names"
        )
    validating = sum(probed.splits[index] == SPLITS[1] for index in matched)
    if not validating:
        raise DataError(
            f"{source} has {len(matched)} images of {probed.name}, none of which validates; scores "
            f"are of validation images, so masks by people of some are needed"
        )
    for index, own in matched.items():
        _check_same(probed, index, dataset, own)
    unknown = tuple(name for name in probed.labels if name and name not in dataset.labels)
    return Truth(
        dataset, np.array(list(matched)), np.array(list(matched.values())), validating, unknown
    )


def _matched(probed: Sequence[str], true: Sequence[str]) -> dict[int, int]:
    """By index of a probed image, ascending, that of the image with a true mask."""
    by_path = {name: place for place, name in enumerate(true)}
    by_stem = _unique_stems(true)
    here = _unique_stems(probed)
    matched = {}
    for index, name in enumerate(probed):
        stem = PurePosixPath(name).stem
        if name in by_path:
            matched[index] = by_path[name]
        elif stem in by_stem and stem in here:
            matched[index] = by_stem[stem]
    return matched


def _unique_stems(names: Sequence[str]) -> Mapping[str, int]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(PurePosixPath(name).stem, []).append(place)
    return {stem: indices[0] for stem, indices in places.items() if len(indices) == 1}


def _check_same(probed: ProbeDataset, index: int, true: ProbeDataset, own: int) -> None:
    """Check that two images are one picture, whatever their sizes.

    Raises:
        DataError: if they are not.
    """
    one, other = (
        np.asarray(image_of(*each).convert("L").resize(_THUMBNAIL, Image.Resampling.BOX), float)
        for each in ((probed, index), (true, own))
    )
    difference = float(np.abs(one - other).mean())
    if difference > _UNLIKE:
        raise DataError(
            f"{true.name}, {true.images[own]}: not the picture that {probed.name} has as "
            f"{probed.images[index]} (thumbnails differ by {difference:.0f} of 255); images of the "
            f"truth must be those that were annotated, under their own names"
        )
