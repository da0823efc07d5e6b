"""Distinguishes class folders from images and masks in folders of unknown names.

Read as class folders, images and masks would give two concepts named after the two folders. Names
of files do not suffice to tell: many collections have a `1.jpg` in every class folder. The rule
therefore uses the content of the images, together with their names and with lists of names or
splits next to the folders.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import combinations, product
from pathlib import Path, PurePosixPath

from net2vec.data.files import inner_folders, list_files, read_lines
from net2vec.data.images import (
    IMAGE_SUFFIXES,
    INDEX_MODES,
    count_values,
    read_image_size,
    same_shape,
)
from net2vec.data.readers.mask_classes import NAME_FILES
from net2vec.data.readers.mask_folders import IMAGE_FOLDERS, MASK_FOLDERS, MASK_SUFFIXES
from net2vec.data.readers.split_lists import IMAGE_SETS
from net2vec.data.splits import split_in_path
from net2vec.errors import DataError

_FEW_VALUES, _MANY_VALUES = 16, 64  # photographs have more, also as greyscale or palette images
_MAX_FILES_OF_CASE = 20
_SAMPLE_IMAGES = 8  # images of a folder that are read


class _Content(IntEnum):
    """Content of an image; that of a folder is the maximum over its images."""

    FEW_NUMBERS = 0
    NUMBERS = 1
    FLAT = 2
    GREY = 3
    PHOTOGRAPHS = 4


_MASKS_OF = {
    _Content.PHOTOGRAPHS: (_Content.FEW_NUMBERS, _Content.NUMBERS, _Content.FLAT),
    # Scanned digits are grey too, and a class of thin digits has fewer values than others.
    _Content.GREY: (_Content.FEW_NUMBERS, _Content.FLAT),
    _Content.FLAT: (_Content.FEW_NUMBERS, _Content.NUMBERS),
}
"""Possible content of masks by content of their images."""


def why_not_classes(folder: Path, root: Path) -> str | None:
    """The reason why class folders are rather images and masks; None if they are classes.

    They are images and masks if images of few values occur beside photographs and either have the
    same names, or a list of classes lies next to the folders, or there are no other folders; also
    if there is `ImageSets`. They are classes if a list of classes contains the folders' names.

    Args:
        folder: the dataset's.
        root: the folder that contains the classes: `folder` or one in it.

    Raises:
        OSError: if a folder cannot be listed.
    """
    splits = [path for name, path in inner_folders(root).items() if split_in_path(name)]
    for parent, siblings in _siblings(folder).items():
        outside = parent == folder != root
        if not (outside or parent == root or root in parent.parents):
            continue
        beside = _Beside.read((parent, folder), siblings)
        outermost = parent == root or parent in splits
        for images, masks in _pairs(siblings, outermost and beside.counts(siblings)):
            if outside and root not in (images.path, masks.path):
                continue
            if reason := beside.against(images, masks, siblings, outermost=outermost):
                where = "" if parent == folder else f"in {parent.relative_to(folder)}: "
                return (
                    f"{where}{images.path.name} and {masks.path.name} are hardly two classes, for "
                    f"{reason}"
                )
        if outermost and (names := _masks_of_cases(siblings)):
            return (
                f"{siblings[0].path.name} and {siblings[1].path.name} are hardly two classes, for "
                f"every folder has an image {names[0]} and a mask {names[1]}"
            )
    return None


class _Sibling:
    """A folder with images, next to others."""

    def __init__(self, path: Path, files: list[str]) -> None:
        self.path = path
        self._files = files

    @cached_property
    def content(self) -> _Content:
        # Masks are never stored lossily, so that most class folders need not be read.
        if any(PurePosixPath(file).suffix.lower() not in MASK_SUFFIXES for file in self._files):
            return _Content.PHOTOGRAPHS
        greatest = _Content.FEW_NUMBERS
        for file in _spread(self._files):
            greatest = max(greatest, _content_of(self.path / file))
            if greatest is _Content.PHOTOGRAPHS:
                break
        return greatest

    @cached_property
    def _by_stem(self) -> dict[str, str]:
        return {str(PurePosixPath(file).with_suffix("")): file for file in self._files}

    def is_named(self, names: Collection[str]) -> bool:
        return self.path.name.lower() in names

    @property
    def files(self) -> list[str]:
        """Paths of its images within it."""
        return self._files

    def matches(self, other: _Sibling) -> bool:
        """Whether half of the smaller folder's images have a namesake of equal aspect."""
        both = sorted(self._by_stem.keys() & other._by_stem.keys())
        if not both or 2 * len(both) < min(len(self._by_stem), len(other._by_stem)):
            return False
        sample = _spread(both)
        return 2 * sum(self._fits(other, stem) for stem in sample) > len(sample)

    def _fits(self, other: _Sibling, stem: str) -> bool:
        try:
            size = read_image_size(self.path / self._by_stem[stem])
            return same_shape(size, read_image_size(other.path / other._by_stem[stem]))
        except DataError:
            return False


@dataclass(frozen=True)
class _Beside:
    """Lists next to image folders.

    Attributes:
        image_sets: whether there are lists of splits.
        classes: the list of classes, if one exists that names none of the folders.
        names: number of names in this list.
        named: the folders that are named in a list of classes.
    """

    image_sets: bool
    classes: str | None
    names: int
    named: frozenset[Path]

    @classmethod
    def read(cls, folders: tuple[Path, ...], siblings: list[_Sibling]) -> _Beside:
        paths = [folder / name for folder in folders for name in NAME_FILES]
        lists = {path.name: _lines(path) for path in paths if path.is_file()}
        text = f" {' '.join(line for lines in lists.values() for line in lines)} "
        named = frozenset(s.path for s in siblings if f" {_normalised(s.path.name)} " in text)
        classes = next(iter(lists), None) if not named else None
        return cls(
            any(IMAGE_SETS.lower() in inner_folders(folder) for folder in folders),
            classes,
            len(lists[classes]) if classes else 0,
            named,
        )

    def counts(self, siblings: list[_Sibling]) -> bool:
        """Whether the lists are evidence against class folders of any content."""
        return self.image_sets or (len(siblings) == 2 and self.classes is not None)

    def against(
        self, images: _Sibling, masks: _Sibling, siblings: list[_Sibling], *, outermost: bool
    ) -> str | None:
        """Evidence that two folders are not two classes; None if there is none.

        Args:
            images: the folder of greater content.
            masks: the other.
            siblings: all folders next to them.
            outermost: whether they are at the level of the classes, which the lists refer to.
        """
        if self.named >= {images.path, masks.path} or (_is_split(images) and _is_split(masks)):
            return None
        like_masks = masks.content in _MASKS_OF.get(images.content, ())
        indexed = like_masks and masks.content is not _Content.FLAT
        two = outermost and len(siblings) == 2
        # Two names for two folders may be translations of the folders' names.
        foreign = two and self.names not in (0, 2) and masks.content >= _Content.FLAT
        held = f"{masks.path.name} holds images"
        if like_masks and masks.is_named(MASK_FOLDERS) and images.is_named(IMAGE_FOLDERS):
            return f"they hold images and masks, as their names and {masks.path.name} say"
        if like_masks:
            held += f" of few {'values' if indexed else 'colours'}"
        if (like_masks or foreign or (outermost and self.image_sets)) and masks.matches(images):
            return f"{held}{',' * like_masks} named as those in {images.path.name} are"
        listed = IMAGE_SETS if self.image_sets else self.classes
        if indexed and outermost and listed:
            return f"{held} and {listed} lies beside it"
        if indexed and two:
            return f"{held}, unlike {images.path.name}"
        if outermost and self.image_sets:
            return f"{IMAGE_SETS} lies beside them"
        return None


def _masks_of_cases(siblings: list[_Sibling]) -> tuple[str, str] | None:
    """Names of an image and its mask that are in every folder, as `image.png` and `label.png`."""
    files = siblings[0].files
    if not 1 < len(files) <= _MAX_FILES_OF_CASE or any(s.files != files for s in siblings):
        return None
    cases = _spread([str(sibling.path) for sibling in siblings])
    content = {name: [_content_of(Path(case, name)) for case in cases] for name in files}
    images = [name for name, found in content.items() if min(found) is _Content.PHOTOGRAPHS]
    masks = [
        name
        for name, found in content.items()
        if max(found) <= _Content.FLAT and PurePosixPath(name).suffix.lower() in MASK_SUFFIXES
    ]
    return (images[0], masks[0]) if images and masks else None


def _pairs(siblings: list[_Sibling], every: bool) -> Iterator[tuple[_Sibling, _Sibling]]:
    """Candidates for images and masks by content; very few even of a thousand classes."""
    by_content: dict[_Content, list[_Sibling]] = defaultdict(list)
    for sibling in siblings:
        by_content[sibling.content].append(sibling)
    for content, of_masks in _MASKS_OF.items():
        for kind in of_masks:
            yield from product(by_content[content], by_content[kind])
    if every:
        for pair in combinations(siblings, 2):
            images, masks = sorted(pair, key=lambda sibling: -sibling.content)
            yield images, masks


def _siblings(folder: Path) -> dict[Path, list[_Sibling]]:
    """Folders that contain images at any depth, by parent folder with several of them."""
    files: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in list_files(folder, IMAGE_SUFFIXES, within=folder):
        start = 0
        while (end := file.find("/", start)) >= 0:
            files[file[:start]][file[start:end]].append(file[end + 1 :])
            start = end + 1
    return {
        folder / path: [_Sibling(folder / path / name, inner) for name, inner in children.items()]
        for path, children in files.items()
        if len(children) > 1
    }


def _content_of(path: Path) -> _Content:
    try:
        mode, count = count_values(path, _MANY_VALUES)
    except DataError:
        return _Content.PHOTOGRAPHS  # reading the dataset reports the fault
    if mode not in INDEX_MODES:
        return _Content.PHOTOGRAPHS if count is None else _Content.FLAT
    if count is None:
        return _Content.GREY
    return _Content.FEW_NUMBERS if count <= _FEW_VALUES else _Content.NUMBERS


def _is_split(sibling: _Sibling) -> bool:
    return split_in_path(sibling.path.name) is not None


def _spread(names: list[str]) -> list[str]:
    return names[:: -(-len(names) // _SAMPLE_IMAGES)]


def _lines(path: Path) -> list[str]:
    try:
        return [words for line in read_lines(path) if (words := _normalised(line))]
    except DataError:
        return []


def _normalised(text: str) -> str:
    return " ".join(re.split(r"[\W_]+", text.lower())).strip()
