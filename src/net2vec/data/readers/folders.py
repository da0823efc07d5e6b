"""Images sorted into folders by class (`class/image.jpg`): concepts of whole images only.

DTD (Cimpoi et al. 2014), Places and ImageNet have this layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from net2vec.data.description import Description
from net2vec.data.files import digest_files, list_files, read_lines, refuse_links_out
from net2vec.data.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from net2vec.data.labels import concept_name, first_synonym, number_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import TRAIN, Annotation
from net2vec.data.readers.base import Evidence, Reader
from net2vec.data.readers.mask_folders import unread_masks
from net2vec.data.readers.masks_among_classes import why_not_classes
from net2vec.data.readers.split_lists import PathLists
from net2vec.data.splits import OF_TEST, SplitChoice, SplitRule, split_in_path
from net2vec.errors import DataError

SCENE = "scene"
IMAGES = "images"
_DTD_LABELS = Path("labels", "labels_joint_anno.txt")
_CLASSLESS = "in no folder of a class"
_VOID = "of a class that is called void"
_UNLISTED = "on no list of a split"
_REPEATED = "a link to a folder that is read already"
_UNREAD = "of a format that is not read"
_OF_ANY_CLASS = frozenset({"images", "image", "imgs", "img"})
_SYNSET_FILES = ("LOC_synset_mapping.txt", "words.txt")


def class_root(folder: Path) -> Path:
    """The folder that contains the classes or splits: `images`, if it exists."""
    return folder / IMAGES if (folder / IMAGES).is_dir() else folder


class FolderDataset(Reader):
    """Images in class folders.

    The split is that of a folder on the path (`train/dog/1.jpg`), else it is drawn by a hash of the
    image's name; a test split is left out. Folders within a class folder are part of the class name
    (`inn/outdoor` is `inn-outdoor`), except for the single letters by which Places is sorted.
    ImageNet's synsets are named by their first synonym if `LOC_synset_mapping.txt` or `words.txt`
    exists. DTD's list of all attributes of an image (`labels/labels_joint_anno.txt`) is read.

    Args:
        folder: the folder that contains the classes, the splits, or `images` with them.
        stated: its category, by default "texture" for DTD and "object" for others, and splits.
            Names of scenes end in `-s`, as in Broden.

    Raises:
        DataError: if there are no images in class folders, or none of a split that is stated.
    """

    layout = "classes"
    marks = "class/image.jpg"
    takes = frozenset({"category", "splits"})
    is_fallback = True

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        super().__init__(folder, description)
        self.root = class_root(self.folder)
        joint = self.folder / _DTD_LABELS
        refuse_links_out(self.folder, joint)
        several = _joint_labels(joint) if joint.is_file() else {}
        category, rule = self.description.category, self.description.splits
        self.categories = (category or ("texture" if joint.is_file() else "object"),)
        suffix = "-s" if category == SCENE else ""
        synonyms = _synsets(self.folder)
        suffixes = IMAGE_SUFFIXES | UNREAD_SUFFIXES
        self._repeated: list[str] = []
        found = list_files(self.root, suffixes, within=self.folder, repeated=self._repeated)
        files = [file for file in found if PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES]
        self._unread = sorted(set(found) - set(files))
        self._lists = PathLists.find(self.folder, files)
        listed = self._lists.splits
        if rule.listed or any(split for _, split, _ in _splits_and_classes(files, SplitRule())):
            listed = {}  # folders of splits, and lists that the user names, take precedence
        self._listed = bool(listed)
        # In the order in which they are told.
        self._choice = SplitChoice(rule, unused={_CLASSLESS: [], _VOID: [], OF_TEST: []})
        classes: list[list[str]] = []
        for image, split, name in _splits_and_classes(files, rule):
            names = (concept_name(synonyms.get(n, n)) for n in several.get(image, [name]))
            named = [name + suffix for name in names if name]
            reason = None if named else _VOID if name else _CLASSLESS
            if listed and not rule.stated_split(image):
                split = rule.split_of(listed.get(image, TRAIN))
                if image not in listed and self._lists.has_train:
                    reason = _UNLISTED
            if self._choice.add(image, split, reason):
                classes.append(named)
        if not classes:
            raise DataError(f"{self.folder}: no images in folders named after classes")
        rule.check_used([*files, *(f"{name}/" for name in listed.values())], str(self.folder))
        self.images, self.splits = zip(*self._choice.splits.items(), strict=True)
        self.labels, numbers = number_names(sorted({n for ns in classes for n in ns}))
        self._image_labels = [tuple(numbers[name] for name in names) for names in classes]

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """At least two class folders that contain images, and signs that they are no classes."""
        root = class_root(folder)
        images = list_files(root, IMAGE_SUFFIXES, within=folder)
        found = _splits_and_classes(images, SplitRule())
        classes = sorted({name for _, _, name in found if name})
        if len(classes) < 2:
            return Evidence()
        more = ", ..." if len(classes) > 3 else ""
        against = [why_not_classes(folder, root), unread_masks(folder) if root == folder else None]
        if all(map(split_in_path, classes)):  # split folders of images without classes
            return Evidence((), tuple(filter(None, against)))
        folders = f"{len(classes)} class folders: {', '.join(classes[:3])}{more}"
        return Evidence((folders,), tuple(filter(None, against)))

    @cached_property
    def digest(self) -> str:
        """Digest of the labels of all images, and of the images."""
        settings = (self.categories, self.labels, self.splits, self._image_labels)
        return digest_files(self.root, (), self.images, settings, self.folder)

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Images in no class folder, of void classes, of a test split or of an unread format."""
        unread, repeated = {_UNREAD: self._unread}, {_REPEATED: self._repeated}
        return [
            *count_left_out("images", self._choice.unused),
            *count_left_out("images", unread),
            *count_left_out("folders", repeated),
        ]

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """The folder of the classes, lists, and where the splits are from."""
        return [
            ("classes", f"{len(self.labels) - 1} folders in {self.root.name}"),
            *([("lists", ", ".join(self._lists.read))] if self._listed else []),
            self.split_taken(self._choice.drawn),
        ]

    @property
    def notes(self) -> Sequence[tuple[str, str]]:
        """Lists of splits that are not read."""
        unread = (*(() if self._listed else self._lists.read), *self._lists.unread)
        if not unread or self.description.splits.listed:
            return super().notes
        more = f" and {len(unread) - 1} more" if unread[1:] else ""
        return [*super().notes, ("lists not read", f"{unread[0]}{more}")]

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        (category,) = self.categories
        pairs = ((category, number) for number in self._image_labels[index])
        return Annotation(image_labels=tuple(dict.fromkeys(pairs)))


def _splits_and_classes(
    images: Sequence[str], rule: SplitRule
) -> Iterator[tuple[str, str | None, str]]:
    """Each image with its split (None if it is in none) and its class (empty if it is in none)."""
    around = [PurePosixPath(image).parent.parts for image in images]
    # As in `cat/train/1.jpg`; a single folder `train` is a class.
    within = len({parts[-1] for parts in around if parts}) > 1 and all(
        len(parts) > 1 and split_in_path(parts[-1]) for parts in around
    )
    pairs = [_split_and_folders(image, rule, -1 if within else 0) for image in images]
    classes = [folders for _, folders in pairs if folders]
    # A folder around all classes is no part of their names, whatever images lie beside it.
    depth = 0
    while classes and all(len(c) > depth + 1 and c[depth] == classes[0][depth] for c in classes):
        depth += 1
    for image, (split, folders) in zip(images, pairs, strict=True):
        parts = folders[depth:]
        if len(parts) > 1 and len(parts[0]) == 1:
            parts = parts[1:]
        yield image, split, "-".join(parts)


def _split_and_folders(
    image: str, rule: SplitRule, place: int
) -> tuple[str | None, tuple[str, ...]]:
    """The split and the folders of the class of an image; that at `place` may be of a split."""
    parts = PurePosixPath(image).parent.parts
    # A folder `train` that directly contains images is a class: trains.
    of_split = parts[place] if len(parts) > 1 and split_in_path(parts[place]) else None
    stated = None if rule.listed else rule.stated_split(image)
    split = rule.split_of(image if stated or rule.listed else of_split or "")
    if of_split is not None:
        parts = parts[1:] if place == 0 else parts[:-1]
    # As in Tiny ImageNet's `train/n01443537/images`, and in its `val/images`, which has no classes.
    if parts and parts[-1].lower() in _OF_ANY_CLASS and (len(parts) > 1 or of_split):
        parts = parts[:-1]
    if stated:  # a stated folder is none of a class, wherever it is
        named = {part.lower() for folder in (*rule.val, *rule.train) for part in folder.split("/")}
        parts = tuple(part for part in parts if part.lower() not in named)
    return split, parts


def _synsets(folder: Path) -> dict[str, str]:
    """First synonym by WordNet id (`n02084071`), from a file with an id and names a line."""
    path = next((folder / name for name in _SYNSET_FILES if (folder / name).is_file()), None)
    if path is None:
        return {}
    refuse_links_out(folder, path)
    pairs = (line.split(None, 1) for line in read_lines(path))
    return {pair[0]: first_synonym(pair[1]) for pair in pairs if len(pair) == 2}


def _joint_labels(path: Path) -> dict[str, list[str]]:
    """All labels of an image by its path: `banded/banded_0002.jpg banded striped`."""
    rows = (line.split() for line in read_lines(path))
    return {row[0]: row[1:] for row in rows if len(row) > 1}
