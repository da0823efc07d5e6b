"""From what a user names to a dataset: recognises a folder by its layout."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.broden import INDEX, LABELS, BrodenDataset
from net2vec.errors import DataError

DIORAMA = "diorama"


@dataclass(frozen=True)
class Layout:
    """A way in which annotated images lie in a folder.

    Attributes:
        name: what people call it.
        marks: what in a folder gives it away, for messages.
        recognises: whether a folder looks like it, from names alone.
        open: the reader.
    """

    name: str
    marks: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path], ProbeDataset]


# The first layout that recognises a folder reads it, so the most telling marks come first.
LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "Broden",
        f"{INDEX} and {LABELS}",
        lambda folder: (folder / INDEX).is_file() and (folder / LABELS).is_file(),
        BrodenDataset,
    ),
)


def open_dataset(source: str | Path) -> ProbeDataset:
    """Opens `diorama`, or a folder whose layout is recognised, without reading its images.

    Raises:
        DataError: there is no such folder, its layout is none of `LAYOUTS`, or its index is at
            fault.
    """
    if str(source) == DIORAMA:
        from net2vec.data.diorama import Diorama

        return Diorama()
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise DataError(_no_such_folder(folder))
    for layout in LAYOUTS:
        if layout.recognises(folder):
            return layout.open(folder)
    known = "; ".join(f"{layout.name} ({layout.marks})" for layout in LAYOUTS)
    raise DataError(f"{folder}: no layout recognised; known are {known}")


def _no_such_folder(folder: Path) -> str:
    if folder.is_file():
        return f"{folder}: this is a file; a dataset is '{DIORAMA}' or a folder"
    siblings = [path.name for path in folder.parent.glob("*") if path.is_dir()]
    close = difflib.get_close_matches(folder.name, [DIORAMA, *siblings], n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{folder}: no such dataset; name '{DIORAMA}' or a folder{hint}"
