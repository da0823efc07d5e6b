"""Lists of the images of each split, in PASCAL VOC's folder `ImageSets`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from net2vec.data.files import composed, inner_folders, read_lines, refuse_links_out
from net2vec.data.protocol import SPLITS
from net2vec.data.splits import SplitRule, split_in_path

IMAGE_SETS = "ImageSets"
"""The folder of the lists."""


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
    def read(cls, folder: Path, known: Collection[str], rule: SplitRule) -> SplitLists:
        """Reads the lists of one folder in `ImageSets`, preferably of `Segmentation`.

        Args:
            folder: the dataset's.
            known: stems of its images and masks; they decide what of a line is the stem.
            rule: lists that it names take precedence over those of the usual names.

        Raises:
            DataError: if a list cannot be read, or is a link out of the dataset.
        """
        sets = inner_folders(folder).get(IMAGE_SETS.lower())
        texts = sets.glob("**/*.txt") if sets is not None else ()
        lists = sorted(
            (path for path in texts if split_in_path(path.stem) or rule.stated(path.stem)),
            key=lambda path: (
                "Segmentation" not in path.parts, path.parent, not rule.stated(path.stem), path
            ),
        )  # fmt: skip
        for path in lists:
            refuse_links_out(folder, path)
        names = {
            path: [_stem(line.strip(), known) for line in read_lines(path) if line.strip()]
            for path in lists
            if path.parent == lists[0].parent
        }
        found: dict[str, str] = {}
        for path, stems in names.items():
            for stem in stems:
                found.setdefault(stem, path.stem)
        return cls(names, found)

    def __bool__(self) -> bool:
        return bool(self.lists)

    def faults(self, known: Collection[str]) -> Iterator[str]:
        """Stems that are not in `known` or in several lists, as `list: reason`."""
        seen: dict[str, Path] = {}
        for path, stems in self.names.items():
            for stem in dict.fromkeys(stems):
                other = seen.setdefault(stem, path)
                if other != path:
                    yield f"{path}: {stem} is in {other.name} as well, and counted there"
                elif split_in_path(path.stem) in SPLITS and stem not in known:
                    yield f"{path}: {stem} has neither image nor mask"


def _stem(line: str, known: Collection[str]) -> str:
    """The stem that a line names: `a`, `a.jpg` or `dir/a.jpg`, alone or before other words.

    Stems may hold spaces and dots, so that the longest form that names a file is meant; of a line
    that names none, all of it.
    """
    line = composed(line)
    for text in (line, line.split()[0]):
        name = PurePosixPath(text).name
        for stem in (name, PurePosixPath(name).stem):
            if stem in known:
                return stem
    return line
