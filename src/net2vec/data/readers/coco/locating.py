"""Finds the images that COCO's JSON files name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from pathlib import Path, PurePosixPath

from net2vec.data.files import composed, list_files
from net2vec.data.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from net2vec.data.splits import split_in_path
from net2vec.errors import DataError

_CITYSCAPES = ("_gtFine_leftImg8bit", "_leftImg8bit")


class Locator:
    """Finds images by name anywhere in a dataset's folder.

    Args:
        folder: the dataset's.
        masks: image files that are masks, relative to the folder.

    Attributes:
        elsewhere: by image that was found, a name of it that leads to another place.
    """

    def __init__(self, folder: Path, masks: Container[str] = ()) -> None:
        self._folder = folder
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self.elsewhere: dict[str, str] = {}
        for file in list_files(folder, IMAGE_SUFFIXES | UNREAD_SUFFIXES, within=folder):
            if file not in masks:
                self._by_name[composed(PurePosixPath(file).name)].append(file)

    def __call__(self, file_name: str, document: Path) -> str:
        """The path of an image relative to the folder; the name itself if there is no such file.

        Of several matches, one next to the JSON file is preferred, then one in a folder of the JSON
        file's split, then one in a folder that shares a word with the JSON file's name.

        Raises:
            DataError: if several files match equally well.
        """
        name = PurePosixPath(composed(file_name.replace("\\", "/"))).name
        # Cityscapes' panoptic files name `X_gtFine_leftImg8bit.png` for `X_leftImg8bit.png`.
        named = self._by_name.get(name) or self._by_name.get(name.replace(*_CITYSCAPES), [])
        # If none matches, the folders in `file_name` are those of another machine.
        ending = f"/{composed(file_name)}"
        candidates = [path for path in named if f"/{composed(path)}".endswith(ending)] or named
        beside = (document.parent.relative_to(self._folder) / file_name).as_posix()
        split, words = split_of(document), _name_parts(document.stem)
        for matches in (
            lambda path: path == beside,
            lambda path: split is not None and split == split_in_path(path),
            lambda path: any(
                words & _name_parts(part) for part in PurePosixPath(path).parent.parts
            ),
        ):
            candidates = [path for path in candidates if matches(path)] or candidates
        if len(candidates) > 1:
            raise DataError(
                f"{document}: {file_name} may be {candidates[0]} or {candidates[1]}; write the "
                "folder into its file_name"
            )
        if not candidates:
            return file_name
        usual = (beside, file_name, f"images/{file_name}")
        if composed(candidates[0]) not in map(composed, usual) and not split_in_path(candidates[0]):
            self.elsewhere.setdefault(candidates[0], file_name)
        return candidates[0]


def split_of(document: Path) -> str | None:
    """The split in the name of a JSON file or of its folder."""
    return split_in_path("/".join([*document.stem.split("_"), document.parent.name]))


def _name_parts(name: str) -> set[str]:
    without_digits = "".join(letter for letter in name if not letter.isdecimal())
    return set(without_digits.split("_")) - {""}
