"""Tells images and masks under unknown names from class folders, which they look like.

Read as classes they would give two concepts called after the two folders. Names of files alone tell
nothing: `1.jpg` lies in every class folder of many collections. So what counts is what the pictures
hold, together with their names and with the lists that lie beside the folders.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import combinations, product
from pathlib import Path, PurePosixPath

from net2vec.data.files import inner_folders, list_files, read_lines, split_in_path
from net2vec.data.images import (
    IMAGE_SUFFIXES,
    INDEX_MODES,
    count_values,
    read_image_size,
    same_shape,
)
from net2vec.data.readers.mask_folders import MASK_SUFFIXES
from net2vec.data.readers.masks import NAME_FILES
from net2vec.data.readers.split_lists import IMAGE_SETS
from net2vec.errors import DataError

_FEW, _MANY = 16, 64  # values; photographs have more, greyscale and reduced to a palette too
_SAMPLE = 8  # pictures of a folder that are looked at


class _Content(IntEnum):
    """What a picture holds; a folder holds the greatest that a picture of it does."""

    FEW_NUMBERS = 0
    NUMBERS = 1
    FLAT = 2
    GREY = 3
    PHOTOGRAPHS = 4


_MASKS_OF = {
    _Content.PHOTOGRAPHS: (_Content.FEW_NUMBERS, _Content.NUMBERS, _Content.FLAT),
    # Scanned digits are grey as well, and a class of thin ones has less values than others.
    _Content.GREY: (_Content.FEW_NUMBERS, _Content.FLAT),
    _Content.FLAT: (_Content.FEW_NUMBERS, _Content.NUMBERS),
}
"""What masks of images hold, by what the images do."""


def why_not_classes(folder: Path, root: Path) -> str | None:
    """Why what lies like class folders is rather images and masks; None where it is not.

    It is where pictures of few values lie beside photographs, of the same names, with a list of
    classes beside them or with nothing else, and where there is `ImageSets`. A list of classes that
    names the folders says that they are classes.

    Args:
        folder: the dataset's.
        root: the folder that holds the classes: the same, or one in it.

    Raises:
        OSError: a folder cannot be listed.
    """
    splits = [path for name, path in inner_folders(root).items() if split_in_path(name)]
    for place, siblings in _siblings(folder).items():
        outside = place == folder != root
        if not (outside or place == root or root in place.parents):
            continue
        beside = _Beside.read((place, folder), siblings)
        outermost = place == root or place in splits
        for images, masks in _pairs(siblings, outermost and beside.counts(siblings)):
            if outside and root not in (images.path, masks.path):
                continue
            if reason := beside.against(images, masks, siblings, outermost=outermost):
                return (
                    f"{place}: {images.path.name} and {masks.path.name} are hardly two classes, "
                    f"for {reason}; call the folders images and masks to have them read as such, "
                    f"or name both in {NAME_FILES[0]} if they are classes"
                )
    return None


class _Sibling:
    """A folder with pictures, beside others."""

    def __init__(self, path: Path, files: list[str]) -> None:
        self.path = path
        self._files = files

    @cached_property
    def content(self) -> _Content:
        # Masks are never lossy: most class folders are told by that and need not be looked into.
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

    def matches(self, other: _Sibling) -> bool:
        """Whether half of the smaller folder's pictures have one of their name and shape."""
        both = sorted(self._by_stem.keys() & other._by_stem.keys())
        if not both or 2 * len(both) < min(len(self._by_stem), len(other._by_stem)):
            return False
        sample = _spread(both)
        return 2 * sum(self._fits(other, stem) for stem in sample) > len(sample)

    def _fits(self, other: _Sibling, stem: str) -> bool:
        try:
            mine = read_image_size(self.path / self._by_stem[stem])
            return same_shape(mine, read_image_size(other.path / other._by_stem[stem]))
        except DataError:
            return False


@dataclass(frozen=True)
class _Beside:
    """What lies beside folders of pictures.

    Attributes:
        image_sets: whether there are lists of splits.
        classes: the list of classes, if there is one that names none of the folders.
        names: how many names this list holds.
        named: the folders that a list of classes names.
    """

    image_sets: bool
    classes: str | None
    names: int
    named: frozenset[Path]

    @classmethod
    def read(cls, places: tuple[Path, ...], siblings: list[_Sibling]) -> _Beside:
        paths = [place / name for place in places for name in NAME_FILES]
        lists = {path.name: _lines(path) for path in paths if path.is_file()}
        text = f" {' '.join(line for lines in lists.values() for line in lines)} "
        named = frozenset(s.path for s in siblings if f" {_words(s.path.name)} " in text)
        classes = next(iter(lists), None) if not named else None
        return cls(
            any(IMAGE_SETS.lower() in inner_folders(place) for place in places),
            classes,
            len(lists[classes]) if classes else 0,
            named,
        )

    def counts(self, siblings: list[_Sibling]) -> bool:
        """Whether what lies beside can tell against folders, whatever they hold."""
        return self.image_sets or (len(siblings) == 2 and self.classes is not None)

    def against(
        self, images: _Sibling, masks: _Sibling, siblings: list[_Sibling], *, outermost: bool
    ) -> str | None:
        """What tells against two folders as two classes.

        Args:
            images: that which holds more.
            masks: the other.
            siblings: all folders there.
            outermost: whether they lie where the classes do, so that lists beside are about them.
        """
        if self.named >= {images.path, masks.path} or (_is_split(images) and _is_split(masks)):
            return None
        like_masks = masks.content in _MASKS_OF.get(images.content, ())
        indexed = like_masks and masks.content is not _Content.FLAT
        two = outermost and len(siblings) == 2
        # Two names for two folders may be theirs in another language.
        foreign = two and self.names not in (0, 2) and masks.content >= _Content.FLAT
        held = f"{masks.path.name} holds images"
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


def _pairs(siblings: list[_Sibling], every: bool) -> Iterator[tuple[_Sibling, _Sibling]]:
    """What may be images and masks, by what they hold; of a thousand classes hardly any."""
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
    """Folders with pictures in them or further within, by the folder that holds several."""
    files: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in list_files(folder, IMAGE_SUFFIXES):
        start = 0
        while (end := file.find("/", start)) >= 0:
            files[file[:start]][file[start:end]].append(file[end + 1 :])
            start = end + 1
    return {
        folder / place: [_Sibling(folder / place / name, inner) for name, inner in children.items()]
        for place, children in files.items()
        if len(children) > 1
    }


def _content_of(path: Path) -> _Content:
    try:
        mode, count = count_values(path, _MANY)
    except DataError:
        return _Content.PHOTOGRAPHS  # whoever reads it says what it is
    if mode not in INDEX_MODES:
        return _Content.PHOTOGRAPHS if count is None else _Content.FLAT
    if count is None:
        return _Content.GREY
    return _Content.FEW_NUMBERS if count <= _FEW else _Content.NUMBERS


def _is_split(sibling: _Sibling) -> bool:
    return split_in_path(sibling.path.name) is not None


def _spread(names: list[str]) -> list[str]:
    return names[:: -(-len(names) // _SAMPLE)]


def _lines(path: Path) -> list[str]:
    try:
        return [words for line in read_lines(path) if (words := _words(line))]
    except DataError:
        return []


def _words(text: str) -> str:
    return " ".join(re.split(r"[\W_]+", text.lower())).strip()
