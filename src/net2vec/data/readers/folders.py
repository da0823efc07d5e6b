"""Images sorted into folders by class (`class/image.jpg`): concepts of whole images only.

DTD (Cimpoi et al. 2014), Places and ImageNet have this layout.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from net2vec.data.files import digest_files, hashed_split, list_files, read_lines, split_in_path
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.labels import concept_name, first_synonym, number_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import SPLITS, Annotation
from net2vec.data.readers.base import Reader
from net2vec.errors import DataError

SCENE = "scene"
_DTD_LABELS = Path("labels", "labels_joint_anno.txt")
_CLASSLESS = "in no folder of a class"
_VOID = "of a class that is called void"
_TESTING = "of a split for testing"
_SYNSET_FILES = ("LOC_synset_mapping.txt", "words.txt")


def class_root(folder: Path) -> Path:
    """The folder that contains the classes or splits: `images`, if it exists."""
    return folder / "images" if (folder / "images").is_dir() else folder


class FolderDataset(Reader):
    """Images in class folders.

    The split is that of a folder on the path (`train/dog/1.jpg`), else it is drawn by a hash of the
    image's name; a test split is left out. Folders within a class folder are part of the class name
    (`inn/outdoor` is `inn-outdoor`), except for the single letters by which Places is sorted.
    ImageNet's synsets are named by their first synonym if `LOC_synset_mapping.txt` or `words.txt`
    exists. DTD's list of all attributes of an image (`labels/labels_joint_anno.txt`) is read.

    Args:
        folder: the folder that contains the classes, the splits, or `images` with them.
        category: category of the classes; by default "texture" for DTD and "object" for others.
            Names of scenes end in `-s`, as in Broden.

    Raises:
        DataError: if there are no images in class folders.
    """

    layout = "classes"
    marks = "class/image.jpg"
    takes_category = True
    is_fallback = True

    def __init__(self, folder: Path | str, category: str | None = None) -> None:
        super().__init__(folder)
        self.root = class_root(self.folder)
        joint = self.folder / _DTD_LABELS
        several = _joint_labels(joint) if joint.is_file() else {}
        self.categories = (category or ("texture" if joint.is_file() else "object"),)
        suffix = "-s" if category == SCENE else ""
        synonyms = _synsets(self.folder)
        self._unused: dict[str, list[str]] = {_CLASSLESS: [], _VOID: [], _TESTING: []}
        splits: dict[str, str] = {}
        classes: dict[str, list[str]] = {}
        for image in list_files(self.root, IMAGE_SUFFIXES):
            split, name = _split_and_class(image)
            names = (concept_name(synonyms.get(n, n)) for n in several.get(image, [name]))
            named = [name + suffix for name in names if name]
            if split in SPLITS and named:
                splits[image], classes[image] = split, named
            else:
                reason = _TESTING if split not in SPLITS else _VOID if name else _CLASSLESS
                self._unused[reason].append(image)
        if not classes:
            raise DataError(f"{self.folder}: no images in folders named after classes")
        self.images = tuple(classes)
        self.splits = tuple(splits.values())
        self.labels, numbers = number_names(sorted({n for ns in classes.values() for n in ns}))
        self._image_labels = [tuple(numbers[name] for name in names) for names in classes.values()]

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether at least two class folders contain images."""
        root = class_root(folder)
        classes = set()
        for path, _, files in os.walk(root, followlinks=True):
            if any(Path(file).suffix.lower() in IMAGE_SUFFIXES for file in files):
                classes.add(_split_and_class(f"{Path(path).relative_to(root).as_posix()}/image")[1])
            if len(classes - {""}) > 1:
                return True
        return False

    @cached_property
    def digest(self) -> str:
        """Digest of the labels of all images, and of the images."""
        settings = (self.categories, self.labels, self.splits, self._image_labels)
        return digest_files(self.root, (), self.images, settings)

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Images in no class folder, of void classes or of a test split."""
        return [*count_left_out("images", self._unused)]

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        (category,) = self.categories
        pairs = ((category, number) for number in self._image_labels[index])
        return Annotation(image_labels=tuple(dict.fromkeys(pairs)))


def _split_and_class(image: str) -> tuple[str, str]:
    """The split and the class of an image, from its folders; an empty class if there are none."""
    parts = PurePosixPath(image).parent.parts
    # A folder `train` that directly contains images is a class: trains.
    split = split_in_path(parts[0]) if len(parts) > 1 else None
    if split is not None:
        parts = parts[1:]
    if len(parts) > 1 and len(parts[0]) == 1:
        parts = parts[1:]
    return split or hashed_split(image), "-".join(parts)


def _synsets(folder: Path) -> dict[str, str]:
    """First synonym by WordNet id (`n02084071`), from a file with an id and names a line."""
    path = next((folder / name for name in _SYNSET_FILES if (folder / name).is_file()), None)
    if path is None:
        return {}
    pairs = (line.split(None, 1) for line in read_lines(path))
    return {pair[0]: first_synonym(pair[1]) for pair in pairs if len(pair) == 2}


def _joint_labels(path: Path) -> dict[str, list[str]]:
    """All labels of an image by its path: `banded/banded_0002.jpg banded striped`."""
    rows = (line.split() for line in read_lines(path))
    return {row[0]: row[1:] for row in rows if len(row) > 1}
