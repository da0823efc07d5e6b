"""Opens the datasets that a user names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from net2vec.core.messages import did_you_mean
from net2vec.data import hub
from net2vec.data.description import Description
from net2vec.data.files import refuse_undecoded
from net2vec.data.labels import concept_name, read_synonyms
from net2vec.data.left_out import LeftOut
from net2vec.data.optional import left_out_of
from net2vec.data.protocol import TRAIN, VAL, ProbeDataset
from net2vec.data.readers.parquet import ParquetDataset
from net2vec.data.recognition import Recognised, recognise
from net2vec.data.splits import SplitRule
from net2vec.data.views import (
    JoinedDataset,
    RelabelledDataset,
    ResplitDataset,
    check_label,
    with_colors,
    without_labels,
    without_missing,
)
from net2vec.errors import DataError

if TYPE_CHECKING:
    from net2vec.data.diorama import Diorama

DIORAMA = "diorama"


def open_dataset(
    source: str | Path,
    *,
    category: str | None = None,
    reader: str | None = None,
    dataset: Description | Path | str | None = None,
    split: str | None = None,
) -> ProbeDataset:
    """Opens `diorama`, a folder or a dataset of the hub, without reading its images.

    A folder's layout is recognised or stated. A folder that contains only one other folder stands
    for that one, as archives are unpacked.

    Args:
        source: `diorama`, a folder, or `hf:ORG/NAME`, which is fetched (`net2vec.data.hub`).
        category: category of the classes of indexed masks or class folders ("material", "scene",
            ...), if the layout does not determine it.
        reader: name of the layout ("masks", "classes", "COCO", ...), where it is not clear.
        dataset: a description of the dataset, or the file of one; by default `dataset.toml` in the
            folder, if there is one. The other arguments override it.
        split: the folder whose images validate, or "draw" (`net2vec.data.splits.SplitRule.parse`).

    Raises:
        DataError: if there is no such folder, no reader or more than one reads it whole, its index
            or its description is invalid, or its layout leaves nothing open of what is given.
    """
    return open_datasets([source], category=category, reader=reader, dataset=dataset, split=split)


def open_datasets(
    sources: Sequence[str | Path],
    *,
    category: str | None = None,
    reader: str | None = None,
    dataset: Description | Path | str | None = None,
    split: str | None = None,
    skip_missing: bool = False,
    synonyms: Path | None = None,
    ignore: Collection[str] = (),
    colors: bool = False,
    cached_only: bool = False,
) -> ProbeDataset:
    """Opens one dataset, or several joined to one.

    Args:
        sources: each as for `open_dataset`.
        category: as for `open_dataset`; applies to all sources that do not determine it.
        reader: as for `open_dataset`, for one source alone.
        dataset: likewise.
        split: as for `open_dataset`, for every source.
        skip_missing: whether to leave out images that an index names and that are not there.
        synonyms: a file of labels to merge (`net2vec.data.labels.read_synonyms`).
        ignore: labels to leave out, by their names after merging.
        colors: whether to add the colour category to sources without it.
        cached_only: whether datasets of the hub are read from this machine's cache alone.

    Raises:
        DataError: if a source cannot be opened, all sources determine what is given, or a label to
            replace or to ignore does not exist.
    """
    if (reader is not None or dataset is not None) and len(sources) > 1:
        raise DataError("a reader or description is for one dataset; put a dataset.toml in each")
    rule = SplitRule() if split is None else SplitRule.parse(split)
    opened, open_fields = [], set[str]()
    for source in sources:
        rendered = diorama_of(source)
        if rendered is not None:
            if reader is not None or dataset is not None:
                raise DataError(f"{DIORAMA} is rendered; leave out the reader and description")
            one: ProbeDataset = ResplitDataset(rendered, rule) if rule else rendered
        else:
            recognised = recognise_source(
                source,
                category=category,
                reader=reader,
                dataset=dataset,
                split=split,
                cached_only=cached_only,
            )
            open_fields |= recognised.reader.takes
            with readable(recognised.folder):
                one = recognised.open()
            if recognised.description.splits and "splits" not in recognised.reader.takes:
                one = ResplitDataset(one, recognised.description.splits)
        one = without_missing(one) if skip_missing else one
        opened.append(with_colors(one) if colors else one)
    if category is not None and "category" not in open_fields:
        where = f"{sources[0]}: it" if len(sources) == 1 else "every source"
        raise DataError(f"{where} has categories of its own; leave out {category!r}")
    joined = opened[0] if len(opened) == 1 else JoinedDataset(opened)
    if synonyms is not None:
        joined = with_synonyms(joined, synonyms)
    return without_labels(joined, ignore)


def diorama_of(source: str | Path) -> Diorama | None:
    """The rendered dataset that a name stands for; None for other names.

    Args:
        source: `diorama`, or `diorama:N` for N pictures.

    Raises:
        DataError: N is no number of pictures.
    """
    name, colon, size = str(source).partition(":")
    if name != DIORAMA:
        return None
    from net2vec.data.diorama import Diorama

    if not colon:
        return Diorama()
    if not size.isdecimal() or int(size) < 1:
        raise DataError(f"{source}: wanted is {DIORAMA} or {DIORAMA}:N, with N pictures")
    return Diorama(int(size))


def recognise_source(
    source: str | Path,
    *,
    category: str | None = None,
    reader: str | None = None,
    dataset: Description | Path | str | None = None,
    split: str | None = None,
    cached_only: bool = False,
) -> Recognised:
    """The reader of a folder with all that is stated of it.

    Args:
        source: the folder, or a dataset of the hub.
        category: as for `open_dataset`; not used if the layout determines it.
        reader: as for `open_dataset`.
        dataset: likewise.
        split: as for `open_dataset`.
        cached_only: as for `open_datasets`.

    Raises:
        DataError: as `open_dataset`.
    """
    if hub.is_on_hub(source):
        return _recognise_on_hub(
            str(source), category, reader, dataset, split, cached_only=cached_only
        )
    folder = existing_folder(source)
    with readable(folder):
        if isinstance(dataset, Path | str):
            dataset = Description.read(Path(dataset).expanduser(), folder)
        return _with_options(recognise(folder, dataset, reader), category, split)


def _recognise_on_hub(
    source: str,
    category: str | None,
    reader: str | None,
    dataset: Description | Path | str | None,
    split: str | None,
    *,
    cached_only: bool,
) -> Recognised:
    description = dataset if isinstance(dataset, Description) else Description()
    if isinstance(dataset, Path | str):
        description = Description.read(Path(dataset).expanduser())
    if split is not None:
        description = replace(description, splits=SplitRule.parse(split))
    snapshot = hub.fetch(source, description, cached_only=cached_only)
    description = replace(description, subset=snapshot.subset or description.subset)
    recognised = recognise(
        snapshot.folder, description, reader or description.reader or ParquetDataset.layout
    )
    return _with_options(replace(recognised, origin=snapshot.reading), category, split)


def _with_options(recognised: Recognised, category: str | None, split: str | None) -> Recognised:
    """A recognised folder, with options of the command line in place of the description's."""
    description = recognised.description
    if category is not None and "category" in recognised.reader.takes:
        description = replace(description, category=category)
    if split is not None:
        description = replace(description, splits=SplitRule.parse(split))
    return replace(recognised, description=description)


def split_fault(dataset: ProbeDataset) -> str:
    """The fault and its remedy if no image trains or none validates; else empty."""
    counts = {split: list(dataset.splits).count(split) for split in (TRAIN, VAL)}
    if all(counts.values()) or not any(counts.values()):
        return ""
    out: list[LeftOut] = [item for item in left_out_of(dataset) if "testing" in item.reason]
    left = "".join(f"; {i.count} are left out, {i.reason}, such as {i.example}" for i in out)
    remedy = "--split FOLDER names the folder whose images validate"
    if counts[TRAIN]:
        remedy += ", --split draw draws them from those that train"
        return f"no image validates, all {counts[TRAIN]} train{left}; {remedy}"
    return f"no image trains, all {counts[VAL]} validate{left}; {remedy}"


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


def existing_folder(source: str | Path) -> Path:
    """The folder of a dataset.

    Raises:
        DataError: if there is none of this name; similar names are given. Also if its name is not
            UTF-8, in which settings and results are written.
    """
    folder = Path(source).expanduser()
    refuse_undecoded(str(folder))
    if not folder.is_dir():
        raise DataError(_no_such_folder(folder))
    return folder


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turns the error of a folder or a file in it that cannot be read into a `DataError`."""
    try:
        yield
    except OSError as error:
        path = error.filename or folder
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _no_such_folder(folder: Path) -> str:
    if folder.is_file():
        return f"{folder}: this is a file; a dataset is '{DIORAMA}' or a folder"
    siblings = [path.name for path in folder.parent.glob("*") if path.is_dir()]
    hint = did_you_mean(folder.name, [DIORAMA, *siblings])
    known = f"name '{DIORAMA}', a folder or hf:ORG/NAME{'; ' * bool(hint)}{hint}"
    return f"{folder}: no such dataset; {known}"
