"""Images beside masks of class numbers: PASCAL VOC, CamVid, Cityscapes, ADE20K scene parsing, ...

An image and a mask of the same stem belong together. They are in two folders (`images` and `masks`,
or other names in `net2vec.data.readers.mask_folders`), with or without folders of the splits around
or inside them; or in `train` and `trainannot`. A text file names the pixel values
(`net2vec.data.labels`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from net2vec.data.files import TEST, digest_files, hashed_split, list_files, split_in_path
from net2vec.data.images import IMAGE_SUFFIXES, check_mask, read_indexed_mask
from net2vec.data.labels import concept_name, number_names, read_class_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import SPLITS, Annotation, Plane
from net2vec.data.readers.base import Reader, label_table, look_up
from net2vec.data.readers.mask_folders import CITYSCAPES_IMAGE, folder_pairs, mask_files
from net2vec.data.readers.split_lists import SplitLists
from net2vec.errors import DataError

VOID_VALUES = (255, 65535)
"""Pixel values that mean "not annotated", as 0 does, unless they have a name."""

NAME_FILES = ("classes.txt", "class_names.txt", "labels.txt", "names.txt", "objectInfo150.txt")
"""Files of class names; the first one that exists is read."""

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
"""Class names of datasets without such a file, by their folder of masks in lower case."""


class MaskDataset(Reader):
    """Images and masks of class numbers, all in one category.

    Images without a mask and images of a test split are left out. The split is that of a folder on
    the image's path; else that of the lists in `ImageSets` (images in none of them are left out);
    else it is drawn by a hash of the image's name.

    Args:
        folder: the folder that contains the folders of images and masks.
        category: category of the classes; "object" by default.

    Raises:
        DataError: if no image has a mask, or the class names are unknown.
    """

    layout = "masks"
    marks = "folders images and masks"
    takes_category = True

    def __init__(self, folder: Path | str, category: str | None = None) -> None:
        super().__init__(folder)
        self.categories = (category or "object",)
        self._masks: dict[str, str] = {}
        self._lone_images: list[str] = []
        self._lone_masks: list[str] = []
        self._folders = folder_pairs(self.folder)
        for pair in self._folders:
            self._pair(pair.images, pair.masks)
        files = (*self._masks, *self._lone_images, *self._lone_masks)
        self._stems = {Path(file).stem for file in files}
        self._lists = SplitLists.read(self.folder, self._stems)
        splits = {image: self._split(image) for image in self._masks}
        self.images = tuple(image for image in sorted(splits) if splits[image] in SPLITS)
        if not self.images:
            raise DataError(f"{self.folder}: {self._why_none()}")
        self.splits = tuple(splits[image] or "" for image in self.images)
        named = (self.folder / name for name in NAME_FILES)
        self._names_file = next((path for path in named if path.is_file()), None)
        self._names = self._class_names()
        self.labels, numbers = number_names(self._names.values())
        # 0 and the void values mean "not annotated" unless they have a name.
        void = dict.fromkeys((0, *VOID_VALUES), 0)
        self._table = label_table(void | {v: numbers[name] for v, name in self._names.items()})

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether the folder has images and masks in folders of known names."""
        return bool(folder_pairs(folder))

    @cached_property
    def digest(self) -> str:
        """Digest of class names, category, splits, images and masks."""
        files = (file for image in self.images for file in (image, self._masks[image]))
        # `labels` does not say which pixel value has which name.
        settings = (self.categories, self.labels, self.splits, self._table.tobytes())
        return digest_files(self.folder, (), files, settings)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        path = self.folder / self._masks[self.images[index]]
        values = read_indexed_mask(path)
        labels, unknown = look_up(self._table, values)
        if unknown is not None:
            source = self._names_file.name if self._names_file else "the published names"
            raise DataError(f"{path}: the value {unknown} has no name in {source}")
        check_mask(path, values, self.image_size(index))
        return Annotation((Plane(self.categories[0], labels),))

    def faults(self) -> Iterator[str]:
        """Images and masks without partner in the splits used, and lists with errors."""
        for files, partner in ((self._lone_images, "mask"), (self._lone_masks, "image")):
            for file in files:
                if self._split(file) in SPLITS:
                    yield f"{self.folder / file}: has no {partner} of the same name"
        yield from self._lists.faults(self._stems)

    def why_empty(self) -> str:
        """That all masks are 0, or that a void value could be given a name; else empty."""
        masks = (read_indexed_mask(self.folder / self._masks[image]) for image in self.images)
        present = {int(value) for values in masks for value in np.unique(values)}
        for value in VOID_VALUES:
            if value in present and value not in self._names:
                file = self._names_file.name if self._names_file else NAME_FILES[0]
                return (
                    f"value {value} counts as void; name it in {file} to make it a concept, "
                    f"each line with its number, as in `{value} cat`"
                )
        return "all masks are 0" if present == {0} else ""

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Images without mask, of a test split or on no list; merged classes; unread folders."""
        images = sorted([*self._masks, *self._lone_images])
        split = {image: self._split(image) for image in images}
        names = [name for name in self._names.values() if name]
        repeated = [name for place, name in enumerate(names) if name in names[:place]]
        reasons = {
            "no mask of the same name": [
                i for i in sorted(self._lone_images) if split[i] in SPLITS
            ],
            "of a split for testing": [i for i in images if split[i] == TEST],
            "on no list in ImageSets": [i for i in images if split[i] is None],
        }
        # VOC, for example, comes with and without the additional masks of SBD.
        other_folders = {
            f"masks are read from {self._relative(pair.masks)}": map(
                self._relative, pair.other_masks
            )
            for pair in self._folders
        }
        return [
            *count_left_out("images", reasons),
            *count_left_out("classes", {"merged with another of the same name": repeated}),
            *count_left_out("folders", other_folders),
        ]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _why_none(self) -> str:
        """Why there is no image to use, with examples of names that do not match."""
        if self._masks:
            none = "no image that has a mask is for training or validation"
            listed = next((name for names in self._lists.names.values() for name in names), None)
            example = f"; a list in ImageSets has {listed!r}, an image is {next(iter(self._masks))}"
            return none + (example if listed else "")
        lone = [*self._lone_images[:1], *self._lone_masks[:1]]
        return f"no image has a mask of the same name; there are {' and '.join(lone)}"

    def _split(self, file: str) -> str | None:
        """The split of an image or mask; None if there are lists but none of them contains it."""
        drawn = hashed_split(file) if not self._lists else None
        return split_in_path(file) or self._lists.splits.get(Path(file).stem, drawn)

    def _pair(self, images: Path, masks: Path) -> None:
        mask_of = mask_files(masks)
        for file in list_files(images, IMAGE_SUFFIXES):
            key = str(Path(file).with_suffix("")).removesuffix(CITYSCAPES_IMAGE)
            if mask := mask_of.pop(key, None):
                self._masks[self._relative(images / file)] = self._relative(masks / mask)
            else:
                self._lone_images.append(self._relative(images / file))
        self._lone_masks += [self._relative(masks / mask) for mask in mask_of.values()]

    def _class_names(self) -> dict[int, str]:
        """Class name by pixel value; empty for void."""
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
