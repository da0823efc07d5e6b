"""Where the images lie that COCO's JSON files name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from pathlib import Path, PurePosixPath

from net2vec.data.files import list_files, split_in_path
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.errors import DataError


class Locator:
    """Finds the images that JSON files name, wherever they lie in the folder.

    Args:
        folder: the dataset's.
        masks: files that are no images, relative to the folder.
    """

    def __init__(self, folder: Path, masks: Container[str] = ()) -> None:
        self._folder = folder
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for file in list_files(folder, IMAGE_SUFFIXES):
            if file not in masks:
                self._by_name[PurePosixPath(file).name].append(file)

    def __call__(self, file_name: str, document: Path) -> str:
        """The path relative to the folder; the name itself where there is no such file.

        Of several that fit, one beside the JSON file is taken, else the one in a folder of the JSON
        file's split, else the one in a folder that shares a word with its name.

        Raises:
            DataError: several fit equally well.
        """
        named = self._by_name.get(PurePosixPath(file_name.replace("\\", "/")).name, [])
        # Where none fits, the folders on the way are those of another machine.
        found = [path for path in named if f"/{path}".endswith(f"/{file_name}")] or named
        beside = (document.parent.relative_to(self._folder) / file_name).as_posix()
        split, words = split_of(document), _words(document.stem)
        for fits in (
            lambda path: path == beside,
            lambda path: split is not None and split == split_in_path(without_year(path)),
            lambda path: any(words & _words(part) for part in PurePosixPath(path).parent.parts),
        ):
            found = [path for path in found if fits(path)] or found
        if len(found) > 1:
            raise DataError(
                f"{document}: {file_name} may be {found[0]} or {found[1]}; write the folder into "
                "its file_name"
            )
        return found[0] if found else file_name


def split_of(document: Path) -> str | None:
    """The split that a JSON file or its folder is named after."""
    words = without_year(document.stem).split("_")
    return split_in_path("/".join([*words, without_year(document.parent.name)]))


def without_year(name: str) -> str:
    """`val` for `val2017`, in every part of a path or name."""
    return "".join(letter for letter in name if not letter.isdecimal())


def _words(name: str) -> set[str]:
    return set(without_year(name).split("_")) - {""}
