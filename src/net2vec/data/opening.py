"""Opens the datasets that a user names; recognises the layout of folders."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from net2vec.data.files import split_in_path
from net2vec.data.labels import concept_name, read_synonyms
from net2vec.data.protocol import ProbeDataset
from net2vec.data.readers import Reader
from net2vec.data.readers.folders import class_root
from net2vec.data.readers.mask_folders import unread_masks
from net2vec.data.readers.masks_among_classes import why_not_classes
from net2vec.data.registry import known_readers
from net2vec.data.views import (
    JoinedDataset,
    RelabelledDataset,
    check_label,
    with_colors,
    without_labels,
)
from net2vec.errors import DataError

DIORAMA = "diorama"


def open_dataset(source: str | Path, *, category: str | None = None) -> ProbeDataset:
    """Opens `diorama`, or a folder whose layout is recognised, without reading its images.

    A folder that contains only one other folder stands for that one, as archives are unpacked.

    Args:
        source: `diorama` or a folder.
        category: category of the classes of indexed masks or class folders ("material", "scene",
            ...), if the layout does not determine it.

    Raises:
        DataError: if there is no such folder, no reader recognises it, its index is invalid, or its
            layout determines the categories and `category` is given.
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
        sources: each as for `open_dataset`.
        category: as for `open_dataset`; applies to all sources that do not determine it.
        synonyms: a file of labels to merge (`net2vec.data.labels.read_synonyms`).
        ignore: labels to leave out, by their names after merging.
        colors: whether to add the colour category to sources without it.

    Raises:
        DataError: if a source cannot be opened, all sources determine their categories and
            `category` is given, or a label to replace or to ignore does not exist.
    """
    opened = [_open(source, category) for source in sources]
    if category is not None and not any(took_category for _, took_category in opened):
        raise DataError(f"every source has categories of its own; leave out {category!r}")
    datasets = [with_colors(dataset) if colors else dataset for dataset, _ in opened]
    dataset = datasets[0] if len(datasets) == 1 else JoinedDataset(datasets)
    if synonyms is not None:
        dataset = with_synonyms(dataset, synonyms)
    return without_labels(dataset, ignore)


def with_synonyms(dataset: ProbeDataset, path: Path) -> ProbeDataset:
    """The dataset with labels merged according to a file; labels renamed to void are dropped.

    Raises:
        DataError: if the file is invalid, or the dataset has no label of a name in it.
    """
    kept_names = read_synonyms(path)
    for name in kept_names:
        check_label(dataset, name, f"replace ({path})")
    changes = {name: concept_name(kept) or None for name, kept in kept_names.items()}
    return RelabelledDataset(dataset, changes)


def _open(source: str | Path, category: str | None) -> tuple[ProbeDataset, bool]:
    """A dataset, and whether its layout left the category to the user and `category` was used."""
    if str(source) == DIORAMA:
        from net2vec.data.diorama import Diorama

        return Diorama(), False
    with readable(Path(source)):
        reader, folder = recognise(Path(source))
        if category is None or not reader.takes_category:
            return reader(folder), False
        return reader(folder, category), True


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turns the error of a folder or a file in it that cannot be read into a `DataError`."""
    try:
        yield
    except OSError as error:
        path = error.filename or folder
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def recognise(folder: Path) -> tuple[type[Reader], Path]:
    """The reader of a folder, and the folder within it that has the reader's layout.

    Raises:
        DataError: if there is no such folder, no reader recognises it, or it contains several
            datasets.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise DataError(_no_such_folder(folder))
    readers = known_readers()
    found = _find_reader(folder, readers)
    if found is not None and not found[0].is_fallback:
        return found
    # Class folders resemble nearly any collection of images, so other explanations come first.
    outer = found[1] if found else folder
    specific = [reader for reader in readers if not reader.is_fallback]
    inner = [path for path in sorted(outer.iterdir()) if path.is_dir()]
    datasets = [path.name for path in inner if _find_reader(path, specific)]
    if datasets:
        raise DataError(f"{outer}: holds datasets; name them each: {', '.join(datasets)}")
    if found is None or class_root(outer) == outer:
        for path in _only_folders(folder):
            if reason := unread_masks(path, only_images=found is not None):
                raise DataError(reason)
    if found is None:
        known = "; ".join(f"{reader.layout} ({reader.marks})" for reader in readers)
        raise DataError(f"{folder}: no layout recognised; known are {known}")
    if reason := why_not_classes(outer, class_root(outer)):
        raise DataError(reason)
    return found


def _find_reader(folder: Path, readers: Sequence[type[Reader]]) -> tuple[type[Reader], Path] | None:
    for reader in readers:
        # From the innermost: a class folder within an outer folder is not named after the latter.
        for path in reversed(_only_folders(folder)):
            if reader.recognises(path):
                return reader, path
    return None


def _only_folders(folder: Path) -> list[Path]:
    """The folder, the only entry in it if that is a folder but not of a split, and so on."""
    folders = [folder]
    while True:
        visible = [path for path in folders[-1].iterdir() if not path.name.startswith(".")]
        if len(visible) != 1 or not visible[0].is_dir() or split_in_path(visible[0].name):
            return folders
        folders += visible


def _no_such_folder(folder: Path) -> str:
    if folder.is_file():
        return f"{folder}: this is a file; a dataset is '{DIORAMA}' or a folder"
    siblings = [path.name for path in folder.parent.glob("*") if path.is_dir()]
    close = difflib.get_close_matches(folder.name, [DIORAMA, *siblings], n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{folder}: no such dataset; name '{DIORAMA}' or a folder{hint}"
