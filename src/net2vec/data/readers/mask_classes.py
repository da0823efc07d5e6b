"""Classes by pixel value or colour of a mask, and the files beside a dataset that name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from net2vec.data.color_lists import Color, ColorTable, read_color_list, show
from net2vec.data.description import DATASET_FILE, Description
from net2vec.data.files import inner_folders, refuse_links_out
from net2vec.data.image_files import ImageSource
from net2vec.data.images import check_mask, read_mask, read_palette
from net2vec.data.labels import concept_name, first_synonym, number_names, read_class_names
from net2vec.data.protocol import TRAIN
from net2vec.data.readers.base import label_table, look_up
from net2vec.data.splits import split_in_path
from net2vec.errors import DataError

VOID_VALUES = (255, 65535)
"""Pixel values that mean "not annotated", as 0 does, unless they have a name."""

NAME_FILES = (
    *("classes.txt", "class_names.txt", "labels.txt", "names.txt", "objectInfo150.txt"),
    "id2label.json",  # Hugging Face
    "_classes.csv",  # Roboflow, in the folders of the splits
)
"""Files of class names; the first one that exists is read."""

COLOR_FILES = (
    *("labelmap.txt", "label_colors.txt", "class_dict.csv", "class_dict_seg.csv"),
    *("colors.txt", "colormap.txt"),
)
"""Files of colours by class; the first one that exists is read."""

_BLACK = (0, 0, 0)


class MaskClasses:
    """Class names by pixel value, by colour or both.

    Args:
        names: class names by pixel value.
        colors: colours by class name.
        void: pixel values that mean "not annotated"; by default 0 and `VOID_VALUES`, unless they
            have a name.
        source: where the names are from, for messages.

    Attributes:
        names: class names by pixel value, empty for void.
        labels: names by label number; the first is the empty string.
        source: as given.
        settings: all that decides what a mask means, for digests.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        colors: Mapping[str, Color],
        void: Sequence[int] | None,
        source: str,
    ) -> None:
        self.source = source
        self.names = {value: concept_name(name) for value, name in names.items()}
        self.labels, numbers = number_names([*self.names.values(), *map(concept_name, colors)])
        values = {value: numbers[name] for value, name in self.names.items()}
        if void is None:
            self._table = label_table(dict.fromkeys((0, *VOID_VALUES), 0) | values)
        else:
            self._table = label_table({0: -1} | values | dict.fromkeys(void, 0))
        by_color = {color: numbers[concept_name(name)] for name, color in colors.items()}
        by_color = {_BLACK: 0} | by_color
        self._color_table = ColorTable(by_color) if colors else None
        # `labels` does not say which pixel value has which name.
        self.settings: tuple[object, ...] = (
            self._table.tobytes(),
            *([by_color] if colors else []),
        )

    @classmethod
    def from_description(
        cls,
        folder: Path,
        description: Description,
        published: tuple[str, Sequence[str]] | None = None,
        otherwise: str = "",
        within: Path | None = None,
    ) -> MaskClasses:
        """The classes that the user states, or that files beside a dataset name.

        Args:
            folder: the dataset's.
            description: statements of the user about it.
            published: a name of masks whose class names are published, and these, for folders
                without such a file.
            otherwise: another remedy where nothing names the classes, for the message.
            within: the folder that links must not leave, by default the dataset's.

        Raises:
            DataError: if nothing names them, or a file of them is invalid.
        """
        names, colors = description.classes, description.colors
        if names is None and colors is None:
            names, colors = names_beside(folder, within)
            _refuse_disagreeing(*_lists_beside(folder, within))
        source = " and ".join(
            one.name if isinstance(one, Path) else DATASET_FILE for one in (names, colors) if one
        )
        listed = _read_colors(colors) if isinstance(colors, Path) else colors or {}
        if isinstance(names, Path):
            names = read_class_names(names)
        if names is None and not listed:
            if published is None:
                raise DataError(
                    f"{folder}: pixel values have no names; write {NAME_FILES[0]}, a name a line "
                    f"from 0, or a number and a name as in `255 cat`{otherwise}"
                )
            source, names = f"the published names of {published[0]}", dict(enumerate(published[1]))
        return cls(names or {}, listed, description.void, source)

    @property
    def kind(self) -> str:
        """Name of the content of masks."""
        return "colours" if self._color_table and not self.names else "class numbers"

    @property
    def void_values(self) -> list[int]:
        """Pixel values that mean nothing."""
        void: list[int] = np.flatnonzero(self._table == 0).tolist()
        return void

    def label_map(
        self,
        file: ImageSource,
        image_size: Callable[[], tuple[int, int]],
        palette: UInt8[np.ndarray, "value 3"] | None = None,
    ) -> Integer[np.ndarray, "y x"]:
        """The label number of each pixel of a mask.

        Args:
            file: the mask.
            image_size: reads (height, width) of its image, once the mask itself is sound.
            palette: colours by pixel value of another mask, which must agree.

        Raises:
            DataError: if the mask cannot be read, has another shape than its image or holds a value
                or colour that has no name, or a value that has another colour in `palette`.
        """
        mask = read_mask(file, palettes=self._color_table is not None and not self.names)
        if mask.ndim == 2:
            if palette is not None and (own := read_palette(file)) is not None:
                _check_palette(file, mask, own, palette)
            labels, value = look_up(self._table, mask)
            unknown = None if value is None else f"value {value}"
        elif self._color_table is not None:
            labels, color = self._color_table.look_up(mask)
            unknown = None if color is None else f"colour {show(color)}"
        else:
            raise DataError(
                f"{file}: pixels of kind RGB; a mask of class numbers is a palette or greyscale "
                f"image; for one of colours write {COLOR_FILES[0]}, a name and a colour a line, as "
                f"in `road 128 64 128`"
            )
        if unknown is not None:
            raise DataError(f"{file}: the {unknown} has no name in {self.source}")
        check_mask(file, mask, image_size())
        return labels


def _check_palette(
    file: ImageSource,
    mask: Integer[np.ndarray, "y x"],
    own: UInt8[np.ndarray, "value 3"],
    other: UInt8[np.ndarray, "other_value 3"],
) -> None:
    """Checks the colours of the values that both palettes have.

    Programs that save a palette of the colours in use alone number them anew in every file.

    Raises:
        DataError: if a value of the mask has another colour.
    """
    used = np.unique(mask)
    used = used[used < min(len(own), len(other))]
    if (differ := used[(own[used] != other[used]).any(axis=1)]).size:
        value = int(differ[0])
        here, there = (show((int(r), int(g), int(b))) for r, g, b in (own[value], other[value]))
        raise DataError(
            f"{file}: the value {value} is {here}, in other masks {there}: are classes numbers or "
            f"colours? State `classes` or `colors` in a {DATASET_FILE}"
        )


def names_beside(folder: Path, within: Path | None = None) -> tuple[Path | None, Path | None]:
    """The files of names and of colours in a dataset's folder or that of its training images.

    Args:
        folder: the dataset's.
        within: the folder that links must not leave, by default the dataset's.

    Raises:
        DataError: if one is a link out of the dataset.
    """
    names, colors = (next(iter(files), None) for files in _lists_beside(folder, within))
    # A list of classes may be one of colours.
    if names is not None and colors is None and names.suffix != ".json" and read_color_list(names):
        return None, names
    return names, colors


def _read_colors(path: Path) -> Mapping[str, Color]:
    if listed := read_color_list(path):
        return listed
    raise DataError(
        f"{path}: wanted a name and a colour a line, as in `road 128 64 128` or `road #804080`"
    )


def _lists_beside(folder: Path, within: Path | None) -> tuple[list[Path], list[Path]]:
    """All files of names and of colours, in the order in which they are preferred.

    Raises:
        DataError: if one is a link out of the dataset.
    """
    splits = (path for name, path in inner_folders(folder).items() if split_in_path(name) == TRAIN)
    places = (folder, *splits)
    names, colors = (
        [path / name for path in places for name in files if (path / name).is_file()]
        for files in (NAME_FILES, COLOR_FILES)
    )
    for file in (*names, *colors):
        refuse_links_out(within or folder, file)
    return names, colors


def _refuse_disagreeing(names: Sequence[Path], colors: Sequence[Path]) -> None:
    """Checks that lists beside a dataset do not call a value or a colour by different names.

    Files that are no lists are disregarded, unless they are the preferred ones.

    Raises:
        DataError: if they do.
    """
    named: dict[str, tuple[str, Path]] = {}
    for file in (*names, *colors):
        try:
            listed = read_color_list(file) if file.suffix != ".json" else None
            if listed or file in colors:
                called = {f"colour {show(color)}": name for name, color in (listed or {}).items()}
            else:
                called = {f"value {value}": name for value, name in read_class_names(file).items()}
        except DataError:
            continue
        for key, name in called.items():
            known, source = named.setdefault(key, (name, file))
            if _comparable(name) != _comparable(known):
                raise DataError(
                    f"{file}: the {key} is {name!r}, in {source.name} {known!r}; remove one of the "
                    f"lists, or state `{'colors' if listed else 'classes'}` in a {DATASET_FILE}"
                )


def _comparable(name: str) -> str:
    return concept_name(first_synonym(name)).lower().replace("_", " ").replace("-", " ")
