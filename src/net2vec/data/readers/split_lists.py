"""Lists of the images of each split: of stems in PASCAL VOC's `ImageSets`, or of paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from net2vec.data.files import composed, inner_folders, read_lines, refuse_links_out
from net2vec.data.protocol import SPLITS, TRAIN
from net2vec.data.splits import SplitRule, split_in_path

IMAGE_SETS = "ImageSets"
"""The folder of the lists."""

_PLACES_OF_LISTS = ("meta", "labels", "splits")


@dataclass(frozen=True)
class SplitLists:
    """The files `train.txt`, `val.txt` and `test.txt` of one folder; false if there are none.

    Attributes:
        names: the stems in each file, in order.
        lists: the name of the list of every stem; if several contain it, that of the first by name.
    """

    names: dict[Path, list[str]]
    lists: dict[str, str]

    @classmethod
    def read(cls, folder: Path, image_stems: Collection[str], rule: SplitRule) -> SplitLists:
        """Reads the lists of one folder in `ImageSets`, preferably of `Segmentation`.

        Args:
            folder: the dataset's.
            image_stems: stems of its images and masks; they decide what of a line is the stem.
            rule: lists that it names take precedence over those of the usual names.

        Raises:
            DataError: if a list cannot be read, or is a link out of the dataset.
        """
        sets = inner_folders(folder).get(IMAGE_SETS.lower())
        texts = sets.glob("**/*.txt") if sets is not None else ()
        lists = sorted(
            (path for path in texts if split_in_path(path.stem) or rule.stated_split(path.stem)),
            key=lambda path: (
                "Segmentation" not in path.parts,
                path.parent,
                not rule.stated_split(path.stem),
                path,
            ),
        )
        for path in lists:
            refuse_links_out(folder, path)
        names = {
            path: [_stem(line.strip(), image_stems) for line in read_lines(path) if line.strip()]
            for path in lists
            if path.parent == lists[0].parent
        }
        splits: dict[str, str] = {}
        for path, stems in names.items():
            for stem in stems:
                splits.setdefault(stem, path.stem)
        return cls(names, splits)

    def __bool__(self) -> bool:
        return bool(self.lists)

    def faults(self, image_stems: Collection[str]) -> Iterator[str]:
        """Stems that are not in `image_stems` or in several lists, as `list: reason`."""
        seen: dict[str, Path] = {}
        for path, stems in self.names.items():
            for stem in dict.fromkeys(stems):
                other = seen.setdefault(stem, path)
                if other != path:
                    yield f"{path}: {stem} is in {other.name} as well, and counted there"
                elif split_in_path(path.stem) in SPLITS and stem not in image_stems:
                    yield f"{path}: {stem} has neither image nor mask"


def _stem(line: str, stems: Collection[str]) -> str:
    """The stem that a line names: `a`, `a.jpg` or `dir/a.jpg`, alone or before other words.

    Stems may hold spaces and dots, so that the longest form that names a file is meant; of a line
    that names none, all of it.
    """
    line = composed(line)
    for text in (line, line.split()[0]):
        name = PurePosixPath(text).name
        for stem in (name, PurePosixPath(name).stem):
            if stem in stems:
                return stem
    return line


@dataclass(frozen=True)
class PathLists:
    """Lists of images in class folders, such as Food-101's `meta/train.txt`: `apple_pie/1005649`.

    Attributes:
        splits: name of the list by image, of those that are on one; empty without lists.
        read: paths of the lists.
        unread: paths of files named after splits that are not read: they are no lists of images, or
            put one image into two splits, as the ten partitions of DTD do.
    """

    splits: dict[str, str]
    read: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def has_train(self) -> bool:
        """Whether a list is of training images; otherwise images on no list train."""
        return TRAIN in map(split_in_path, self.splits.values())

    @classmethod
    def find(cls, folder: Path, images: Collection[str]) -> PathLists:
        """Looks for lists in a dataset's folder and in `meta`, `labels` and `splits` in it.

        Args:
            folder: the dataset's.
            images: paths of its images, whose ends the lines of a list are.

        Raises:
            DataError: if a list cannot be read, or is a link out of the dataset.
        """
        inner = inner_folders(folder)
        places = (folder, *(inner[name] for name in _PLACES_OF_LISTS if name in inner))
        lists = sorted(path for p in places for path in p.glob("*.txt") if split_in_path(path.stem))
        ends: dict[str, list[str]] = defaultdict(list)
        for image in images if lists else ():
            ends[_end(image)].append(image)
        splits: dict[str, str] = {}
        read: list[Path] = []
        unread: list[Path] = []
        agree = True
        for path in lists:
            refuse_links_out(folder, path)
            lines = [composed(line.strip()) for line in read_lines(path) if line.strip()]
            named = [_named_by(line, ends) for line in lines]
            known = [image for image in named if image is not None]
            (read if 2 * len(known) > len(lines) else unread).append(path)
            for image in known if path in read else ():
                other = splits.setdefault(image, path.stem)
                agree &= split_in_path(other) == split_in_path(path.stem)
        if not agree:
            splits, read, unread = {}, [], lists
        names = [tuple(p.relative_to(folder).as_posix() for p in paths) for paths in (read, unread)]
        return cls(splits, *names)


def _end(path: str) -> str:
    """The last folder of a path and its name without extension."""
    return "/".join(composed(path).rpartition(".")[0].split("/")[-2:])


def _named_by(line: str, ends: Mapping[str, Sequence[str]]) -> str | None:
    """The image that a line names: `cat/1`, `cat/1.jpg` or `/images/cat/1.jpg 0`."""
    for text in (line, line.split()[0]):
        name = text.strip("/")
        for stem in (name, name.rpartition(".")[0]):
            candidates = [image for image in ends.get(_end(f"{stem}."), ()) if _is_end(stem, image)]
            if "/" in stem and len(candidates) == 1:
                return candidates[0]
    return None


def _is_end(stem: str, image: str) -> bool:
    """Whether a path without extension and an image's are the same as far as both go."""
    shorter, longer = sorted((f"/{stem}", f"/{composed(image).rpartition('.')[0]}"), key=len)
    return longer.endswith(shorter)
