"""Images beside masks of class numbers: PASCAL VOC, CamVid, Cityscapes, ADE20K scene parsing, ...

An image and a mask of the same stem belong together. They are in two folders (`images` and `masks`,
or other names in `net2vec.data.readers.mask_folders`), with or without folders of the splits around
or inside them; in `train` and `trainannot`; or in one folder, as `0.jpg` and `0_mask.png`. A text
file names the pixel values or colours (`net2vec.data.readers.mask_classes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path, PurePosixPath

from net2vec.data.description import DATASET_FILE, Description
from net2vec.data.files import digest_files, refuse_links_out
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import SPLITS
from net2vec.data.readers.base import Evidence
from net2vec.data.readers.mask_classes import MaskClasses
from net2vec.data.readers.mask_folders import unread_masks
from net2vec.data.readers.one_category import OneCategoryReader
from net2vec.data.readers.pairing import normal_stem, pair_described, pair_found, why_no_pair
from net2vec.data.readers.split_lists import SplitLists
from net2vec.data.splits import TEST
from net2vec.errors import DataError

_VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
)
_CITYSCAPES = (
    "void,void,void,void,static,dynamic,ground,road,sidewalk,parking,rail track,building,wall,"
    "fence,guard rail,bridge,tunnel,pole,polegroup,traffic light,traffic sign,vegetation,terrain,"
    "sky,person,rider,car,truck,bus,caravan,trailer,train,motorcycle,bicycle"
)
_LABEL_IDS = "_labelIds"  # Cityscapes' other masks have other numbers
_PUBLISHED_NAMES = {
    "segmentationclass": _VOC.split(),
    "segmentationclassaug": _VOC.split(),
    "segmentationclass_aug": _VOC.split(),
    "gtfine": _CITYSCAPES.split(","),
}
"""Class names of datasets without such a file, by their folder of masks in lower case."""


class MaskDataset(OneCategoryReader):
    """Images and masks of class numbers or colours, all in one category.

    Images without a mask and images of a test split are left out. The split is that of a folder on
    the image's path; else that of the lists in `ImageSets` (images in none of them are left out);
    else it is drawn by a hash of the image's name.

    Args:
        folder: the folder that contains the folders of images and masks.
        stated: its category ("object" by default), images and masks, names or colours of classes,
            void values and splits.

    Raises:
        DataError: if no image has a mask, the class names are unknown, or no image is in a split
            that is stated.
    """

    mask_classes: MaskClasses

    layout = "masks"
    marks = "folders images and masks"
    takes = frozenset(entry.name for entry in fields(Description)) - {"reader", "subset", "label"}

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        super().__init__(folder, description)
        self.categories = (self.description.category or "object",)
        self._rule = self.description.splits
        if bool(self.description.images) != bool(self.description.masks):
            raise DataError(f"{self.folder}: states only one of images and masks; wanted both")
        if self.description.images:
            pairing = pair_described(self.folder, self.description)
        else:
            pairing = pair_found(self.folder)
        self._pairing, self._masks = pairing, pairing.masks
        self._stems = {
            PurePosixPath(normal_stem(file)).name
            for file in (*self._masks, *pairing.lone_images, *pairing.lone_masks)
        }
        self._lists = SplitLists.read(self.folder, self._stems, self._rule)
        splits = {image: self._split(image) for image in self._masks}
        self.images = tuple(image for image in sorted(splits) if splits[image] in SPLITS)
        if not self.images:
            raise DataError(f"{self.folder}: {self._why_none()}")
        self._rule.check_used((*self._masks, *self._list_names()), str(self.folder))
        self.splits = tuple(splits[image] or "" for image in self.images)
        self.mask_classes = MaskClasses.from_description(
            self.folder,
            self.description,
            self._published(),
            f", or have `net2vec data describe` begin a {DATASET_FILE}",
        )
        self.labels = self.mask_classes.labels

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """Images and masks in folders of known names, or beside each other."""
        pairing = pair_found(folder)
        signs = [f"{images} with {masks}" for images, masks in pairing.folders]
        if not signs:
            unread = unread_masks(folder, only_images=False)
            return Evidence(against=(unread,) if unread else ())
        return Evidence(tuple(signs), tuple(pairing.against))

    @cached_property
    def digest(self) -> str:
        """Digest of class names, category, splits, images and masks."""
        files = (file for image in self.images for file in (image, self._masks[image]))
        settings = (self.categories, self.labels, self.splits, *self.mask_classes.settings)
        return digest_files(self.folder, (), files, settings)

    def _mask_source(self, index: int) -> Path:
        path = self.folder / self._masks[self.images[index]]
        refuse_links_out(self.folder, path)
        return path

    def faults(self) -> Iterator[str]:
        """Images and masks without partner in the splits used, and lists with errors."""
        lone = ((self._pairing.lone_images, "mask"), (self._pairing.lone_masks, "image"))
        for files, partner in lone:
            for file in files:
                if self._split(file) in SPLITS:
                    yield f"{self.folder / file}: has no {partner} of the same name"
        if not self._rule:
            yield from self._lists.faults(self._stems)

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Images without mask, of a test split or on no list; merged classes; unread folders."""
        lone = sorted(self._pairing.lone_images)
        images = sorted([*self._masks, *lone])
        split = {image: self._split(image) for image in images}
        names = list(filter(None, self.mask_classes.names.values()))
        repeated = [name for place, name in enumerate(names) if name in names[:place]]
        reasons = {
            "no mask of the same name": [image for image in lone if split[image] in SPLITS],
            "of a split for testing": [i for i in images if split[i] == TEST],
            "on no list in ImageSets": [i for i in images if split[i] is None],
            "of a format that is not read": self._pairing.unread,
        }
        # VOC, for example, comes with and without the additional masks of SBD.
        other_folders = {
            f"masks are read from {masks}": others
            for masks, others in self._pairing.unread_mask_folders.items()
        }
        return [
            *count_left_out("images", reasons),
            *count_left_out("classes", {"merged with another of the same name": repeated}),
            *count_left_out("folders", other_folders),
        ]

    @cached_property
    def taken(self) -> Sequence[tuple[str, str]]:
        """Folders of images and masks, names, void values and lists of splits."""
        pairs = zip(*self._pairing.folders, strict=True)
        images, masks = (", ".join(dict.fromkeys(names)) for names in pairs)
        lists = [path.relative_to(self.folder).as_posix() for path in self._lists.names]
        drawn = (
            0 if self._lists else sum(self._rule.split_of(image) is None for image in self.images)
        )
        return [
            ("images", images),
            *self.classes_taken(masks, ""),
            *([("lists", ", ".join(lists))] if lists and not self._rule.listed else []),
            self.split_taken(drawn),
        ]

    def _published(self) -> tuple[str, Sequence[str]] | None:
        published = published_names(self._pairing.folders)
        if published is not None and published[0].lower() == "gtfine":
            stems = map(normal_stem, self._masks.values())
            return published if all(stem.endswith(_LABEL_IDS) for stem in stems) else None
        return published

    def _why_none(self) -> str:
        """The error that no image has a mask, with examples of names that do not match."""
        if self._masks:
            none = "no image that has a mask is for training or validation"
            listed = next((name for names in self._lists.names.values() for name in names), None)
            example = f"; a list in ImageSets has {listed!r}, an image is {next(iter(self._masks))}"
            return none + (example if listed else "")
        if not self._pairing.folders:
            return f"no folders of images and masks are known; state both in a {DATASET_FILE}"
        return why_no_pair(self._pairing)

    def _list_names(self) -> list[str]:
        return [
            f"{path.stem}/{name}" for path, names in self._lists.names.items() for name in names
        ]

    def _split(self, file: str) -> str | None:
        """The split of an image or mask; None if there are lists but none of them contains it."""
        if self._lists and not self._rule.listed and not self._rule.split_of(file):
            listed = self._lists.lists.get(PurePosixPath(normal_stem(file)).name)
            if listed is None:
                return None
            return self._rule.split_of(f"{listed}/") or self._rule.draw(file)
        return self._rule.split_of(file) or self._rule.draw(file)


def published_names(folders: Sequence[tuple[str, str]]) -> tuple[str, Sequence[str]] | None:
    """Name of a published folder of masks, and its class names; None if there is none.

    Args:
        folders: of images and masks.
    """
    for _, masks in folders:
        name = PurePosixPath(masks).name
        if name.lower() in _PUBLISHED_NAMES:
            return name, _PUBLISHED_NAMES[name.lower()]
    return None
