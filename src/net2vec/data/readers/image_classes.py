"""Classes of whole images that a table gives as numbers or names, one or several an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from net2vec.data.labels import concept_name, number_names
from net2vec.data.readers.folders import SCENE
from net2vec.errors import DataError

_UNKNOWN = (None, -1)
"""Of a class that is not known; -1 as the hub's splits for testing have it."""


def listed_classes(value: Any) -> list[Any]:
    """The classes of an image, one or several, without unknown ones."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if one not in _UNKNOWN]


def name_classes(
    values: Sequence[Sequence[Any]], names: Mapping[int, str] | None, category: str, where: str
) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
    """The labels of a dataset and those of each image.

    Args:
        values: of each image its classes, numbers or names.
        names: by number; None where classes are names themselves.
        category: of the classes; names of scenes end in `-s`, as in Broden.
        where: the column, for messages.

    Raises:
        DataError: if a number has no name, or a class is neither a number nor a text.
    """
    for value in (value for row in values for value in row):
        if not isinstance(value, str | int) or (names is not None and value not in names):
            raise DataError(f"{where}: the class {str(value)[:40]!r} has no name")
    present = sorted({value for row in values for value in row}, key=str)
    named = dict(names) if names is not None else {value: value for value in present}
    suffix = "-s" if category == SCENE else ""
    concepts = {value: concept_name(str(name)) for value, name in named.items()}
    concepts = {value: name and name + suffix for value, name in concepts.items()}
    labels, numbers = number_names(concepts.values())
    image_labels = [
        tuple(dict.fromkeys(numbers[concepts[value]] for value in row if concepts[value]))
        for row in values
    ]
    return labels, image_labels
