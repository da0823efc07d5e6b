"""Images beside masks of class numbers: PASCAL VOC, CamVid, Cityscapes, ADE20K scene parsing, ...

Images and masks of equal stem belong together. They lie in two folders (`images` and `masks`, or
what `net2vec.data.readers.mask_folders` knows), with folders for the splits outside, inside or not
at all; or in `train` and `trainannot`. Pixel values are named by a text file
(`net2vec.data.labels`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from net2vec.data.files import (
    TEST,
    digest_files,
    hashed_split,
    list_files,
    split_in_path,
)
from net2vec.data.images import (
    IMAGE_SUFFIXES,
    check_mask,
    read_image,
    read_image_size,
    read_indexed_mask,
)
from net2vec.data.labels import concept_name, number_names, read_class_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import SPLITS, Annotation, Plane
from net2vec.data.readers.mask_folders import CITYSCAPES_IMAGE, folder_pairs, mask_files
from net2vec.data.readers.split_lists import SplitLists
from net2vec.errors import DataError

VOID_VALUES = (255, 65535)
"""Pixel values that mean that nothing is annotated, unless they have a name, as 0 does too."""

NAME_FILES = ("classes.txt", "class_names.txt", "labels.txt", "names.txt", "objectInfo150.txt")
"""Lists of class names, the first that is there is read."""

_VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
)
_CITYSCAPES = (
    "void,void,void,void,static,dynamic,ground,road,sidewalk,parking,rail track,building,wall,"
    "fence,guard rail,bridge,tunnel,pole,polegroup,traffic light,traffic sign,vegetation,terrain,"
    "sky,person,rider,car,truck,bus,caravan,trailer,train,motorcycle,bicycle"
)
_PUBLISHED_NAMES = {
    "segmentationclass": _VOC.split(),
    "segmentationclassaug": _VOC.split(),
    "segmentationclass_aug": _VOC.split(),
    "gtfine": _CITYSCAPES.split(","),
}
"""Class names of datasets that come without a list, by their folder of masks in lower case."""


class MaskDataset:
    """Images beside masks of class numbers, all in one category.

    An image without a mask is no part of the dataset, nor is a test split. The split is that of a
    folder on the image's path; else of the lists under `ImageSets` (images in none of them are left
    out); else it is drawn by a hash of the image's name.

    Args:
        folder: what holds the folders of images and masks.
        category: what the classes are.

    Raises:
        DataError: there are no pairs of image and mask, or the class names cannot be had.
    """

    def __init__(self, folder: Path | str, category: str = "object") -> None:
        self.folder = Path(folder)
        self.categories = (category,)
        self.name = self.folder.resolve().name
        self._masks: dict[str, str] = {}
        self._lone_images: list[str] = []
        self._lone_masks: list[str] = []
        self._folders = folder_pairs(self.folder)
        for pair in self._folders:
            self._pair(pair.images, pair.masks)
        self._lists = SplitLists.read(self.folder)
        splits = {image: self._split(image) for image in self._masks}
        self.images = tuple(image for image in sorted(splits) if splits[image] in SPLITS)
        if not self.images:
            raise DataError(f"{self.folder}: {self._why_none()}")
        self.splits = tuple(splits[image] or "" for image in self.images)
        self._names_file = _names_file(self.folder)
        self._values = self._class_names()
        self.labels, numbers = number_names(self._values.values())
        self._label_at = np.full(max(*self._values, *VOID_VALUES) + 1, -1, np.int32)
        self._label_at[[0, *VOID_VALUES]] = 0  # 0 unless it has a name
        for value, name in self._values.items():
            self._label_at[value] = numbers[name]

    @cached_property
    def digest(self) -> str:
        """Digest of class names, category, splits, images and masks."""
        files = (file for image in self.images for file in (image, self._masks[image]))
        # The numbers that the names belong to are not in `labels`.
        settings = (self.categories, self.labels, self.splits, self._label_at.tobytes())
        return digest_files(self.folder, (), files, settings)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return read_image(self.folder / self.images[index])

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from its header."""
        return read_image_size(self.folder / self.images[index])

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        path = self.folder / self._masks[self.images[index]]
        values = read_indexed_mask(path)
        known = (values >= 0) & (values < len(self._label_at))
        labels = self._label_at[np.where(known, values, 0)]
        if not known.all() or labels.min() < 0:
            value = values[~known | (labels < 0)].min()
            source = self._names_file.name if self._names_file else "the published names"
            raise DataError(f"{path}: the value {value} has no name in {source}")
        check_mask(path, values, self.image_size(index))
        return Annotation((Plane(self.categories[0], labels),))

    def faults(self) -> Iterator[str]:
        """What is passed over although it cannot be meant so, as `file: reason`.

        That is images and masks without their partner, of splits that are used, and names on lists
        that contradict each other or name nothing.
        """
        for files, partner in ((self._lone_images, "mask"), (self._lone_masks, "image")):
            for file in files:
                if self._split(file) in SPLITS:
                    yield f"{self.folder / file}: has no {partner} of the same name"
        known = {*self._masks, *self._lone_images, *self._lone_masks}
        yield from self._lists.faults({Path(file).stem for file in known})

    def why_empty(self) -> str:
        """What may be the reason where no pixel of any mask is a concept's; nothing if unclear."""
        masks = (read_indexed_mask(self.folder / self._masks[image]) for image in self.images)
        held = {int(value) for values in masks for value in np.unique(values)}
        for value in VOID_VALUES:
            if value in held and value not in self._values:
                file = self._names_file.name if self._names_file else NAME_FILES[0]
                return (
                    f"value {value} counts as void; name it in {file} to make it a concept, "
                    f"each line with its number, as in `{value} cat`"
                )
        return "all masks are 0" if held == {0} else ""

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Images without a mask, for testing or on no list, classes of one name, other masks."""
        images = sorted([*self._masks, *self._lone_images])
        split = {image: self._split(image) for image in images}
        lone = [image for image in sorted(self._lone_images) if split[image] in SPLITS]
        return [
            *count_left_out("images", "no mask of the same name", lone),
            *count_left_out(
                "images", "of a split for testing", [i for i in images if split[i] == TEST]
            ),
            *count_left_out(
                "images", "on no list in ImageSets", [i for i in images if split[i] is None]
            ),
            *count_left_out("classes", "merged with another of the same name", self._merged()),
            *self._unread_folders(),
        ]

    def _unread_folders(self) -> Iterator[LeftOut]:
        """Folders of masks beside those that are read: VOC comes with and without SBD's masks."""
        for pair in self._folders:
            others = [path.relative_to(self.folder).as_posix() for path in pair.other_masks]
            reason = f"masks are read from {pair.masks.relative_to(self.folder).as_posix()}"
            yield from count_left_out("folders", reason, others)

    def _merged(self) -> list[str]:
        names = [name for name in self._values.values() if name]
        return [name for place, name in enumerate(names) if name in names[:place]]

    def _why_none(self) -> str:
        """Why there is no image to use, with the names that do not fit each other."""
        if self._masks:
            return "no image that has a mask is for training or validation"
        lone = [*self._lone_images[:1], *self._lone_masks[:1]]
        return f"no image has a mask of the same name; there are {' and '.join(lone)}"

    def _split(self, file: str) -> str | None:
        """The split of an image or mask; None where there are lists and none names it."""
        drawn = hashed_split(file) if not self._lists else None
        return split_in_path(file) or self._lists.splits.get(Path(file).stem, drawn)

    def _pair(self, images: Path, masks: Path) -> None:
        mask_of = mask_files(masks)
        for file in list_files(images, IMAGE_SUFFIXES):
            key = str(Path(file).with_suffix("")).removesuffix(CITYSCAPES_IMAGE)
            name = (images / file).relative_to(self.folder).as_posix()
            mask = mask_of.pop(key, None)
            if mask is not None:
                self._masks[name] = (masks / mask).relative_to(self.folder).as_posix()
            else:
                self._lone_images.append(name)
        self._lone_masks += [
            (masks / mask).relative_to(self.folder).as_posix() for mask in mask_of.values()
        ]

    def _class_names(self) -> dict[int, str]:
        if self._names_file is not None:
            names = read_class_names(self._names_file)
            return {value: concept_name(name) for value, name in names.items()}
        for pair in self._folders:
            if published := _PUBLISHED_NAMES.get(pair.masks.name.lower()):
                return {value: concept_name(name) for value, name in enumerate(published)}
        raise DataError(
            f"{self.folder}: pixel values have no names; write classes.txt, a name a line from 0, "
            f"or a number and a name as in `255 cat`"
        )


def _names_file(folder: Path) -> Path | None:
    return next((folder / name for name in NAME_FILES if (folder / name).is_file()), None)
