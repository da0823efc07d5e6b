"""Writes a folder of images as a dataset whose masks an annotator makes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from net2vec.annotators.base import Annotator, Masks
from net2vec.core.cache import ItemCache, digest_of
from net2vec.core.storage import Say, log, remove, writing_into
from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.files import inside, list_files, read_regular, refuse_filled
from net2vec.data.images import IMAGE_SUFFIXES, read_image, resize_labels
from net2vec.data.labels import number_names
from net2vec.data.opening import existing_folder, recognise_source
from net2vec.data.protocol import SPLITS, Annotation, Plane
from net2vec.data.splits import SplitRule
from net2vec.data.tools.broden_writer import write_broden
from net2vec.errors import DataError

Stage = Callable[[str, int], Callable[[int], object]]

_UNFINISHED = ".unfinished"
"""Ending of the name of the folder that keeps masks until all are made."""
_CLASS_FOLDERS = "classes"


@dataclass(frozen=True)
class Annotated:
    """An annotated dataset.

    Attributes:
        folder: its folder.
        record: of the annotator, as it is kept there.
        concepts: number of concepts that were found.
        empty: number of images in which nothing was found.
        void: share of the pixels of all images that are void in every plane.
    """

    folder: Path
    record: AnnotatorRecord
    concepts: int
    empty: int
    void: float


@dataclass(frozen=True)
class _Item:
    """The masks of an image at the size that they are written with; see `Masks`."""

    names: np.ndarray
    planes: UInt16[np.ndarray, "plane y x"]
    judged: bool


def annotate_images(
    images: Path | str,
    annotator: Annotator,
    out: Path | str,
    *,
    size: int = 224,
    mask_size: int | None = None,
    category: str = "object",
    split: str | None = None,
    workers: int = 2,
    stage: Stage = lambda title, images: lambda done: None,
    say: Say = log,
) -> Annotated:
    """Write a dataset in Broden's layout whose masks an annotator makes.

    Masks that were made are kept beside `out` until all are there: after an interruption the same
    call goes on where it was. The dataset is whole or does not exist.

    Args:
        images: a folder of images, at any depth.
        annotator: makes the masks, at the images' own sizes.
        out: the folder to make.
        size: side of the images written, in pixels.
        mask_size: side of the masks, by default half of `size`.
        category: of all concepts.
        split: which images validate, as `SplitRule.parse` reads it; by default folders named
            train, val, ... decide, and images in none are drawn.
        workers: threads that write.
        stage: called with the title of a stage and the number of its images; what it returns is
            called with the number of images done since the last call.
        say: reports cached masks that cannot be used.

    Raises:
        DataError: if `out` is not empty, there are no images or these have masks, one cannot be
            read, the annotator fails, or it finds nothing in any image.
    """
    out = Path(out)
    side = size // 2 if mask_size is None else mask_size
    if size < 1 or side < 1:
        raise DataError(f"size {size} with masks of {side}: both must be at least one pixel")
    refuse_filled(out)
    folder = existing_folder(images)
    _refuse_annotated(folder)
    splits = _splits(folder, SplitRule() if split is None else SplitRule.parse(split))
    unfinished = out.with_name(f"{out.name}{_UNFINISHED}")
    digest = digest_of(annotator=annotator.record.as_json(weights=False), side=side)
    cache = ItemCache(unfinished, digest, say)
    items: list[_Item] = []
    try:
        with writing_into(unfinished):
            advance = stage(f"masks by {annotator.record.model}", len(splits))
            for name in splits:
                items.append(_item(inside(folder, name, folder), annotator, cache, side))
                advance(1)
            dataset = _MadeDataset(folder, splits, items, category, annotator.record)
            if len(dataset.labels) == 1:
                raise DataError(
                    f"{annotator.record.model} finds nothing in {len(items)} images of {folder}; a "
                    f"lower --confidence finds more"
                )
            advance = stage("writing", len(splits))
            write_broden(dataset, out, size=size, mask_size=side, workers=workers, progress=advance)
    finally:
        with suppress(OSError):  # it holds masks
            unfinished.rmdir()
    remove(unfinished)
    present = [item.planes.any(axis=0) for item in items]
    return Annotated(
        folder=out,
        record=dataset.annotators[0],
        concepts=len(dataset.labels) - 1,
        empty=sum(not mask.any() for mask in present),
        void=1 - float(np.mean([mask.mean() for mask in present])),
    )


class _MadeDataset:
    """The images of a folder with made masks, as a probe dataset (`ProbeDataset`)."""

    def __init__(
        self,
        folder: Path,
        splits: dict[str, str],
        items: Sequence[_Item],
        category: str,
        record: AnnotatorRecord,
    ) -> None:
        self._folder, self._items = folder, items
        self.name = folder.name
        self.images, self.splits = tuple(splits), tuple(splits.values())
        self.categories = (category,)
        concepts = {name for item in items for name in _concepts_in(item)}
        # In the annotator's own order, which all images share unless names come with the masks.
        known = dict.fromkeys(name for item in items for name in item.names.tolist())
        shared = all(len(item.names) == len(known) for item in items)
        listed = [name for name in (known if shared else sorted(known)) if name in concepts]
        self.labels, self._numbers = number_names(listed)
        judged = all(item.judged for item in items)
        self.annotators = (record if judged else replace(record, confidence=None),)
        self.digest = digest_of(images=splits, annotator=record.digest)

    def image(self, index: int) -> Image.Image:
        """The image at `index`."""
        return read_image(inside(self._folder, self.images[index], self._folder))

    def annotation(self, index: int) -> Annotation:
        """The masks of the image at `index`."""
        item = self._items[index]
        numbers = [0, *(self._numbers.get(name, 0) for name in item.names.tolist())]
        table = np.array(numbers, dtype=np.int32)
        return Annotation(tuple(Plane(self.categories[0], table[plane]) for plane in item.planes))


def _item(path: Path, annotator: Annotator, cache: ItemCache, side: int) -> _Item:
    """The masks of an image, made unless they were kept."""
    key = hashlib.sha256(read_regular(path)).hexdigest()
    cached = cache.get(key, _Item)
    if cached is not None:
        return cached
    masks = _at_side(annotator.annotate(read_image(path)), side)
    cache.put(key, masks)
    return masks


def _concepts_in(item: _Item) -> set[str]:
    numbers = np.unique(item.planes)
    return {str(item.names[number - 1]) for number in numbers[numbers > 0].tolist()}


def _at_side(masks: Masks, side: int) -> _Item:
    planes = [resize_labels(plane, (side, side)) for plane in masks.planes]
    stacked = np.stack(planes) if planes else np.zeros((0, side, side))
    return _Item(np.array(masks.names, dtype=str), stacked.astype(np.uint16), masks.judged)


def _splits(folder: Path, rule: SplitRule) -> dict[str, str]:
    """The split of every image, in order; those of test splits are left out.

    Raises:
        DataError: if there is none, or the rule names a folder without images.
    """
    names = list_files(folder, IMAGE_SUFFIXES, within=folder)
    rule.check_used(names, str(folder))
    splits = {name: rule.split_of(name) or rule.draw(name) for name in names}
    splits = {name: split for name, split in splits.items() if split in SPLITS}
    if not splits:
        raise DataError(f"{folder}: no image in this folder; wanted {', '.join(_SUFFIXES)}")
    return splits


def _refuse_annotated(folder: Path) -> None:
    """Refuse a folder of images that have masks, which would be taken for images.

    Raises:
        DataError: if a reader of masks recognises it.
    """
    try:
        layout = recognise_source(folder).reader.layout
    except DataError:  # no reader knows it, as is to be
        return
    if layout != _CLASS_FOLDERS:
        raise DataError(
            f"{folder} is a dataset with masks (layout {layout}) already; name its folder of images"
        )


_SUFFIXES = sorted(IMAGE_SUFFIXES)
