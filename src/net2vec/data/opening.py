"""From what a user names to a dataset: recognises a folder by its layout."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.files import split_in_path
from net2vec.data.labels import concept_name, read_synonyms
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers.ade20k import Ade20kDataset, is_ade20k
from net2vec.data.readers.broden import INDEX, LABELS, BrodenDataset, is_broden
from net2vec.data.readers.coco import CocoDataset, is_coco
from net2vec.data.readers.folders import FolderDataset, class_root, has_class_folders
from net2vec.data.readers.mask_folders import has_mask_folders, unread_masks
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.readers.masks_among_classes import why_not_classes
from net2vec.data.views import (
    JoinedDataset,
    RelabelledDataset,
    check_label,
    with_colors,
    without_labels,
)
from net2vec.errors import DataError

DIORAMA = "diorama"


@dataclass(frozen=True)
class Layout:
    """A way in which annotated images lie in a folder.

    Attributes:
        name: what people call it.
        marks: what in a folder gives it away, for messages.
        recognises: whether a folder looks like it, from names and, of tables, the ends.
        reader: opens such a folder.
        takes_category: whether the reader leaves it to the user what the classes are.
    """

    name: str
    marks: str
    recognises: Callable[[Path], bool]
    reader: Callable[..., ProbeDataset]
    takes_category: bool = False


# The first layout that recognises a folder reads it, so the most telling marks come first.
LAYOUTS: tuple[Layout, ...] = (
    Layout("Broden", f"{INDEX}, {LABELS}", is_broden, BrodenDataset),
    Layout("ADE20K", "training/*/*/*_seg.png", is_ade20k, Ade20kDataset),
    Layout("COCO", "*.json of instances, stuff or panoptic", is_coco, CocoDataset),
    Layout("masks", "folders images and masks", has_mask_folders, MaskDataset, True),
    Layout("classes", "class/image.jpg", has_class_folders, FolderDataset, True),
)


def open_dataset(source: str | Path, *, category: str | None = None) -> ProbeDataset:
    """Opens `diorama`, or a folder whose layout is recognised, without reading its images.

    A folder that holds nothing but one other folder stands for that one, as archives unpack.

    Args:
        source: `diorama` or a folder.
        category: what the classes of indexed masks or class folders are ("material", "scene", ...),
            where the layout leaves it open.

    Raises:
        DataError: there is no such folder, its layout is none of `LAYOUTS`, its index is at fault,
            or it has categories of its own and `category` is given.
    """
    dataset, took_category = _open(source, category)
    if category is not None and not took_category:
        raise DataError(f"{source}: it has categories of its own; leave out {category!r}")
    return dataset


def open_datasets(
    sources: Sequence[str | Path],
    *,
    category: str | None = None,
    synonyms: Path | None = None,
    ignore: Collection[str] = (),
    colors: bool = False,
) -> ProbeDataset:
    """Opens one dataset, or several joined to one.

    Args:
        sources: each as `open_dataset` takes it.
        category: as for `open_dataset`, for all sources that leave it open.
        synonyms: a file of names that mean the same (`net2vec.data.labels.read_synonyms`).
        ignore: labels to leave out, by the names they have after merging.
        colors: whether to add the colour category to sources that lack it.

    Raises:
        DataError: a source cannot be opened, no source leaves the category open, or a label to
            replace or to ignore is not there.
    """
    opened = [_open(source, category) for source in sources]
    if category is not None and not any(took_category for _, took_category in opened):
        raise DataError(f"every source has categories of its own; leave out {category!r}")
    datasets = [dataset for dataset, _ in opened]
    if colors:
        datasets = [with_colors(dataset) for dataset in datasets]
    dataset = datasets[0] if len(datasets) == 1 else JoinedDataset(datasets)
    if synonyms is not None:
        dataset = with_synonyms(dataset, synonyms)
    return without_labels(dataset, ignore)


def with_synonyms(dataset: ProbeDataset, path: Path) -> ProbeDataset:
    """The dataset with the names that a file of synonyms keeps; labels called void are dropped.

    Raises:
        DataError: the file does not say what it should, or the dataset lacks a name in it.
    """
    kept_names = read_synonyms(path)
    for name in kept_names:
        check_label(dataset, name, f"replace ({path})")
    changes = {name: concept_name(kept) or None for name, kept in kept_names.items()}
    return RelabelledDataset(dataset, changes)


def _open(source: str | Path, category: str | None) -> tuple[ProbeDataset, bool]:
    """A dataset, and whether it is of the category, which its layout may leave open."""
    if str(source) == DIORAMA:
        from net2vec.data.diorama import Diorama

        return Diorama(), False
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise DataError(_no_such_folder(folder))
    with readable(folder):
        layout, folder = recognise(folder)
        if category is None or not layout.takes_category:
            return layout.reader(folder), False
        return layout.reader(folder, category=category), True


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turns a folder or file within that may not be read into a `DataError`."""
    try:
        yield
    except OSError as fault:
        place = fault.filename or folder
        raise DataError(f"{place}: cannot be read ({fault.strerror or fault})") from None


def recognise(folder: Path) -> tuple[Layout, Path]:
    """The layout of a folder, and the folder inside it that has this layout.

    Raises:
        DataError: the layout is none of `LAYOUTS`, or the folder holds several datasets.
    """
    found = _find_layout(folder, LAYOUTS)
    if found is None or found[0].reader is FolderDataset:
        # Nearly any collection of images looks like classes in folders.
        place = found[1] if found else folder
        inner = [path for path in sorted(place.iterdir()) if path.is_dir()]
        datasets = [path.name for path in inner if _find_layout(path, LAYOUTS[:-1])]
        if datasets:
            raise DataError(f"{place}: holds datasets; name them each: {', '.join(datasets)}")
        if nearly := _unread_masks(folder, found):
            raise DataError(nearly)
        if found and (other := why_not_classes(found[1], class_root(found[1]))):
            raise DataError(other)
    if found is None:
        known = "; ".join(f"{layout.name} ({layout.marks})" for layout in LAYOUTS)
        raise DataError(f"{folder}: no layout recognised; known are {known}")
    return found


def _unread_masks(folder: Path, found: tuple[Layout, Path] | None) -> str | None:
    if found is not None and class_root(found[1]) != found[1]:
        return None  # the classes lie within
    # Of two folders of pictures either would be taken for a class.
    pictures = found is not None
    reasons = (unread_masks(place, pictures=pictures) for place in _only_folders(folder))
    return next(filter(None, reasons), None)


def _find_layout(folder: Path, layouts: Sequence[Layout]) -> tuple[Layout, Path] | None:
    for layout in layouts:
        # From the inside: classes in a folder of their own are not called after that folder.
        for place in reversed(_only_folders(folder)):
            if layout.recognises(place):
                return layout, place
    return None


def _only_folders(folder: Path) -> list[Path]:
    """The folder, the one folder that it holds and nothing else, and so on; no split's folder."""
    places = [folder]
    while True:
        visible = [path for path in places[-1].iterdir() if not path.name.startswith(".")]
        if len(visible) != 1 or not visible[0].is_dir() or split_in_path(visible[0].name):
            return places
        places += visible


def _no_such_folder(folder: Path) -> str:
    if folder.is_file():
        return f"{folder}: this is a file; a dataset is '{DIORAMA}' or a folder"
    siblings = [path.name for path in folder.parent.glob("*") if path.is_dir()]
    close = difflib.get_close_matches(folder.name, [DIORAMA, *siblings], n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{folder}: no such dataset; name '{DIORAMA}' or a folder{hint}"
