"""Images beside masks of class numbers: PASCAL VOC, CamVid, Cityscapes, ADE20K scene parsing, ...

An image and a mask of the same stem belong together. They are in two folders (`images` and `masks`,
or other names in `net2vec.data.readers.mask_folders`), with or without folders of the splits around
or inside them; in `train` and `trainannot`; or in one folder, as `0.jpg` and `0_mask.png`. A text
file names the pixel values (`net2vec.data.labels`) or colours (`net2vec.data.color_lists`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from net2vec.data.color_lists import Color, ColorTable, read_color_list, show
from net2vec.data.description import DATASET_FILE, Description
from net2vec.data.files import digest_files, inner_folders, refuse_links_out
from net2vec.data.images import check_mask, read_mask
from net2vec.data.labels import concept_name, number_names, read_class_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import SPLITS, TRAIN, Annotation, Plane
from net2vec.data.readers.base import Evidence, Reader, label_table, look_up
from net2vec.data.readers.mask_folders import unread_masks
from net2vec.data.readers.pairing import normal_stem, pair_found, pair_stated, why_no_pair
from net2vec.data.readers.split_lists import SplitLists
from net2vec.data.splits import TEST, split_in_path
from net2vec.errors import DataError

VOID_VALUES = (255, 65535)
"""Pixel values that mean "not annotated", as 0 does, unless they have a name."""

NAME_FILES = (
    *("classes.txt", "class_names.txt", "labels.txt", "names.txt", "objectInfo150.txt"),
    "_classes.csv",  # Roboflow, in the folders of the splits
)
"""Files of class names; the first one that exists is read."""

COLOR_FILES = (
    *("labelmap.txt", "label_colors.txt", "class_dict.csv", "class_dict_seg.csv"),
    *("colors.txt", "colormap.txt"),
)
"""Files of colours by class; the first one that exists is read."""

_BLACK = (0, 0, 0)

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

    layout = "masks"
    marks = "folders images and masks"
    takes = frozenset(entry.name for entry in fields(Description)) - {"reader"}

    def __init__(self, folder: Path | str, stated: Description | None = None) -> None:
        super().__init__(folder, stated)
        self.categories = (self.stated.category or "object",)
        self._rule = self.stated.splits
        if self.stated.images:
            pairing = pair_stated(self.folder, self.stated)
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
        self._source = ""
        self._names, colors = self._read_names()
        self.labels, numbers = number_names([*self._names.values(), *map(concept_name, colors)])
        # 0 and the void values mean "not annotated" unless they have a name.
        usual, named = dict.fromkeys((0, *VOID_VALUES), 0), self._names.items()
        values = {value: numbers[name] for value, name in named}
        if self.stated.void is None:
            self._table = label_table(usual | values)
        else:
            self._table = label_table({0: -1} | values | dict.fromkeys(self.stated.void, 0))
        labels = {color: numbers[concept_name(name)] for name, color in colors.items()}
        self._colors: dict[Color, int] = {_BLACK: 0} | labels
        self._color_table = ColorTable(self._colors) if colors else None

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """Images and masks in folders of known names, or beside each other."""
        pairing = pair_found(folder)
        found = [f"{images} with {masks}" for images, masks in pairing.folders]
        if not found:
            unread = unread_masks(folder, only_images=False)
            return Evidence(against=(unread,) if unread else ())
        return Evidence(tuple(found), tuple(pairing.against))

    @cached_property
    def digest(self) -> str:
        """Digest of class names, category, splits, images and masks."""
        files = (file for image in self.images for file in (image, self._masks[image]))
        # `labels` does not say which pixel value has which name.
        settings = (self.categories, self.labels, self.splits, self._table.tobytes())
        colored = (*settings, self._colors) if self._color_table else settings
        return digest_files(self.folder, (), files, colored)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        path = self.folder / self._masks[self.images[index]]
        refuse_links_out(self.folder, path)
        mask = read_mask(path, palettes=self._color_table is not None and not self._names)
        if mask.ndim == 2:
            labels, value = look_up(self._table, mask)
            unknown = None if value is None else f"value {value}"
        elif self._color_table is not None:
            labels, color = self._color_table.look_up(mask)
            unknown = None if color is None else f"colour {show(color)}"
        else:
            raise DataError(
                f"{path}: pixels of kind RGB; a mask of class numbers is a palette or greyscale "
                f"image; for one of colours write {COLOR_FILES[0]}, a name and a colour a line, as "
                f"in `road 128 64 128`"
            )
        if unknown is not None:
            raise DataError(f"{path}: the {unknown} has no name in {self._source}")
        check_mask(path, mask, self.image_size(index))
        return Annotation((Plane(self.categories[0], labels),))

    def faults(self) -> Iterator[str]:
        """Images and masks without partner in the splits used, and lists with errors."""
        lone = ((self._pairing.lone_images, "mask"), (self._pairing.lone_masks, "image"))
        for files, partner in lone:
            for file in files:
                if self._split(file) in SPLITS:
                    yield f"{self.folder / file}: has no {partner} of the same name"
        if not self._rule:
            yield from self._lists.faults(self._stems)

    def why_empty(self) -> str:
        """That all masks are 0, or that a void value could be given a name; else empty."""
        present: set[int] = set()
        for image in self.images:
            mask = read_mask(self.folder / self._masks[image], palettes=False)
            present.update(np.unique(mask).tolist() if mask.ndim == 2 else ())
        for value in VOID_VALUES:
            if value in present and value not in self._names:
                is_file = self._names_file is not None
                return (
                    f"value {value} counts as void; name it in "
                    f"{self._source if is_file else NAME_FILES[0]} to make it a concept, each line "
                    f"with its number, as in `{value} cat`"
                )
        return "all masks are 0" if present == {0} else ""

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Images without mask, of a test split or on no list; merged classes; unread folders."""
        lone = sorted(self._pairing.lone_images)
        images = sorted([*self._masks, *lone])
        split = {image: self._split(image) for image in images}
        names = [name for name in self._names.values() if name]
        repeated = [name for place, name in enumerate(names) if name in names[:place]]
        reasons = {
            "no mask of the same name": [image for image in lone if split[image] in SPLITS],
            "of a split for testing": [i for i in images if split[i] == TEST],
            "on no list in ImageSets": [i for i in images if split[i] is None],
            "of a format that is not read": self._pairing.unread,
        }
        # VOC, for example, comes with and without the additional masks of SBD.
        other_folders = {
            f"masks are read from {masks}": others for masks, others in self._pairing.others.items()
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
        kind = "colours" if self._color_table and not self._names else "class numbers"
        void = np.flatnonzero(self._table == 0).tolist()
        lists = [path.relative_to(self.folder).as_posix() for path in self._lists.names]
        drawn = 0 if self._lists else sum(self._rule.of(image) is None for image in self.images)
        return [
            ("images", images),
            ("masks", f"{masks} ({kind})"),
            ("names", f"{self._source} ({len(self.labels) - 1} concepts)"),
            *([("void values", ", ".join(map(str, void)))] if kind == "class numbers" else []),
            *([("lists", ", ".join(lists))] if lists and not self._rule.listed else []),
            self.split_taken(drawn),
        ]

    def _why_none(self) -> str:
        """Why there is no image to use, with examples of names that do not match."""
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
        if self._lists and not self._rule.listed and not self._rule.of(file):
            listed = self._lists.lists.get(PurePosixPath(normal_stem(file)).name)
            if listed is None:
                return None
            return self._rule.of(f"{listed}/") or self._rule.draw(file)
        return self._rule.of(file) or self._rule.draw(file)

    def _read_names(self) -> tuple[dict[int, str], Mapping[str, Color]]:
        """Class names by pixel value (empty for void), and colours by class name."""
        stated, colors = self.stated, self.stated.colors
        names = stated.classes
        if names is None and colors is None:
            names, colors = names_beside(self.folder)
        self._source = " and ".join(
            one.name if isinstance(one, Path) else DATASET_FILE for one in (names, colors) if one
        )
        listed = self._read_colors(colors) if isinstance(colors, Path) else colors or {}
        self._names_file = names if isinstance(names, Path) else None
        if isinstance(names, Path):
            names = read_class_names(names)
        if names is None and not listed:
            published = published_names(self._pairing.folders)
            if published is None:
                raise DataError(
                    f"{self.folder}: pixel values have no names; write classes.txt, a name a line "
                    f"from 0, or a number and a name as in `255 cat`, or have `net2vec data "
                    f"describe` begin a {DATASET_FILE}"
                )
            self._source, names = (
                f"the published names of {published[0]}",
                dict(enumerate(published[1])),
            )
        return {value: concept_name(name) for value, name in (names or {}).items()}, listed

    def _read_colors(self, path: Path) -> Mapping[str, Color]:
        if listed := read_color_list(path):
            return listed
        raise DataError(
            f"{path}: wanted a name and a colour a line, as in `road 128 64 128` or `road #804080`"
        )


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


def names_beside(folder: Path) -> tuple[Path | None, Path | None]:
    """The files of names and of colours in a dataset's folder or that of its training images.

    Raises:
        DataError: if one is a link out of the dataset.
    """
    splits = (path for name, path in inner_folders(folder).items() if split_in_path(name) == TRAIN)
    places = (folder, *splits)
    names, colors = (
        next((p / name for p in places for name in files if (p / name).is_file()), None)
        for files in (NAME_FILES, COLOR_FILES)
    )
    for file in filter(None, (names, colors)):
        refuse_links_out(folder, file)
    # A list of classes may be one of colours.
    if names is not None and colors is None and read_color_list(names):
        return None, names
    return names, colors
