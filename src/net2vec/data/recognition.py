"""Decides which reader reads a folder: the one module that does.

Every reader says what it found in a folder for and against itself. A folder that one of them reads
whole is read by it; one that two could read, or none reads whole, is refused with the readings. A
user decides by naming a reader or by a `dataset.toml`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from net2vec.data.description import DATASET_FILE, Description
from net2vec.data.files import JUNK_FOLDERS, holds_file, list_files, refuse_links_out
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.readers import Evidence, Reader
from net2vec.data.readers.folders import IMAGES
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.readers.registry import known_readers, reader_of
from net2vec.data.splits import split_in_path
from net2vec.errors import DataError

_HOW = "choose by --reader NAME, or by dataset.toml, which `net2vec data describe` begins"


_UNREAD_FILES = (
    ((".zip", ".tgz", ".gz", ".rar", ".7z"), "must be unpacked first"),
    ((".csv", ".tsv"), "may name classes of images: sort the images into a folder a class"),
    ((".json",), "may hold annotations: wanted is COCO's form, images and annotations in one file"),
    ((".xml",), "may hold boxes, which are not read; wanted are masks or polygons"),
)
"""Files that may hold what is missed where no layout is recognised."""


@dataclass(frozen=True)
class Finding:
    """Evidence of a reader in a folder, which may lie within the one that the user named."""

    reader: type[Reader]
    folder: Path
    evidence: Evidence

    def __str__(self) -> str:
        found, against = ", ".join(self.evidence.found), "; ".join(self.evidence.against)
        return f"{self.reader.layout} ({found}{f'; but {against}' if against else ''})"


@dataclass(frozen=True)
class Recognised:
    """The reader of a folder.

    Attributes:
        reader: the reader.
        folder: the folder that has its layout: the named one, or one within it.
        description: statements of the user about the dataset.
        because: why it was chosen.
        other_readings: those that were passed over.
        origin: where the folder was fetched from, as pairs of `Reader.reading`.
    """

    reader: type[Reader]
    folder: Path
    description: Description
    because: str
    other_readings: tuple[str, ...] = ()
    origin: tuple[tuple[str, str], ...] = ()

    def open(self, *, for_check: bool = False) -> Reader:
        """Opens the dataset; with `for_check` one with faults too where possible.

        Raises:
            DataError: if it cannot be opened, or its reader takes nothing of what is stated.
        """
        check_taken(self.reader, self.description, self.folder)
        if for_check:
            dataset = self.reader.open_for_check(self.folder, self.description)
        elif self.reader.takes:
            dataset = self.reader(self.folder, self.description)
        else:  # other packages' readers need no such argument
            dataset = self.reader(self.folder)
        dataset.reading = [
            *self.origin,
            ("folder", str(self.folder)),
            ("read as", f"{self.reader.layout}: {self.because}"),
            *(("not read as", other) for other in self.other_readings),
        ]
        return dataset


def recognise(
    folder: Path, description: Description | None = None, reader: str | None = None
) -> Recognised:
    """The reader of a folder, and the folder within it that has the reader's layout.

    Args:
        folder: the folder that the user names.
        description: statements of the user; by default the `dataset.toml` in the folder, if any.
        reader: name of the reader, which takes precedence over that in the description.

    Raises:
        DataError: if no reader is stated and none, or more than one, reads the folder whole, or if
            the folder contains several datasets.
    """
    source, named_description = "as stated", description
    if description is None:
        description, folder = _described(folder)
        source = f"as {DATASET_FILE} states"
    name = reader or description.reader
    if name is None and description.masks and not _holds_table(folder):
        name = MaskDataset.layout
    if name is None:
        chosen, others = _decide(folder)
        if chosen.evidence.found == (DATASET_FILE,):
            return recognise(chosen.folder, named_description)
        because = ", ".join(chosen.evidence.found)
        return Recognised(
            chosen.reader, chosen.folder, description, because, tuple(map(str, others))
        )
    chosen_reader = reader_of(name)
    finding = next(_findings([chosen_reader], _levels(folder)), None)
    inner = (
        finding.folder if finding and finding.evidence.found and not description.masks else folder
    )
    return Recognised(chosen_reader, inner, description, "as stated" if reader else source)


def examine(folder: Path) -> list[Finding]:
    """Evidence of every reader, in a folder or in the one within it that stands for it."""
    return list(_findings([*known_readers()], _levels(folder)))


def check_taken(reader: type[Reader], description: Description, folder: Path) -> None:
    """Checks that a reader takes all that is stated, but for splits, which a view can change.

    Raises:
        DataError: if it does not.
    """
    for name in sorted(description.stated_names() - reader.takes - {"splits"}):
        if name == "category":
            raise DataError(
                f"{folder}: it has categories of its own; leave out {description.category!r}"
            )
        takes = ", ".join(sorted(reader.takes)) or "nothing"
        raise DataError(
            f"{folder}: is read as {reader.layout}, which takes {takes}, but {name} is stated"
        )


def _holds_table(folder: Path) -> bool:
    """Whether what is stated as masks may be a column, not folders."""
    tables = [reader for reader in known_readers() if "label" in reader.takes]
    return any(finding.evidence.found for finding in _findings(tables, _levels(folder)))


def _described(folder: Path) -> tuple[Description, Path]:
    """The description in a folder or in the only one within it, and that folder."""
    for path in _levels(folder):
        if (path / DATASET_FILE).exists():
            refuse_links_out(folder, path / DATASET_FILE)
            return Description.read(path / DATASET_FILE), path
    return Description(), folder


def _decide(folder: Path) -> tuple[Finding, list[Finding]]:
    """The finding that is right, and those that were passed over."""
    levels = _levels(folder)
    readers = known_readers()
    specific = [reader for reader in readers if not reader.is_fallback]
    findings = [finding for finding in _findings(specific, levels) if finding.evidence.found]
    # Other packages know special cases of built-in layouts.
    for is_builtin in (False, True):
        rank = [finding for finding in findings if readers[finding.reader] is is_builtin]
        whole = [finding for finding in rank if finding.evidence.is_whole]
        if len(whole) > 1:
            raise _unclear(folder, whole)
        if whole:
            return whole[0], [finding for finding in findings if finding is not whole[0]]
    # Class folders resemble nearly anything, and telling takes a look into images.
    last = [reader for reader in readers if reader.is_fallback]
    fallbacks = [finding for finding in _findings(last, levels) if finding.evidence.found]
    if findings:
        raise _unclear(folder, [*findings, *fallbacks])
    inner = _inner_datasets(fallbacks[0].folder if fallbacks else levels[-1])
    if inner:
        return _only_dataset(inner, folder), fallbacks
    if fallbacks:
        if len(fallbacks) > 1 or not fallbacks[0].evidence.is_whole:
            raise _unclear(folder, fallbacks)
        return fallbacks[0], []
    raise _nothing(folder, levels, [*readers])


def _findings(readers: Sequence[type[Reader]], levels: Sequence[Path]) -> Iterator[Finding]:
    """Evidence of each reader at the innermost, or outermost, level where there is any."""
    for reader in readers:
        # A class folder within an outer folder is not named after the latter.
        places = levels[-1:] if reader.is_fallback else levels[:: 1 if reader.is_outermost else -1]
        against = []
        for path in places:
            finding = Finding(reader, path, reader.examine(path))
            if finding.evidence.found:
                yield finding
                break
            against += [finding] if finding.evidence.against else []
        else:
            yield from against[:1]


def _levels(folder: Path) -> list[Path]:
    """The folder, the only folder in it that holds images, and so on; not of a split or `images`.

    Notes beside the only folder do not count.
    """
    levels = [folder]
    while True:
        with os.scandir(levels[-1]) as entries:
            visible = [e for e in entries if e.name[0] != "." and e.name not in JUNK_FOLDERS]
        if any(Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in visible):
            return levels
        folders = [levels[-1] / entry.name for entry in visible if entry.is_dir()]
        if len(folders) > 1:
            folders = [path for path in folders if holds_file(path, IMAGE_SUFFIXES)]
        if len(folders) != 1 or split_in_path(folders[0].name) or folders[0].name.lower() == IMAGES:
            return levels
        if any(folders[0].samefile(path) for path in levels):  # a link to a folder around it
            return levels
        refuse_links_out(folder, folders[0])
        levels += folders


def _inner_datasets(folder: Path) -> list[Finding]:
    """Datasets in the folders of a folder, by their layout or by a description of their own."""
    readers = [reader for reader in known_readers() if not reader.is_fallback]
    datasets = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in JUNK_FOLDERS:
            try:
                refuse_links_out(folder, path)
                if (path / DATASET_FILE).is_file():
                    datasets.append(Finding(MaskDataset, path, Evidence((DATASET_FILE,))))
                    continue
                whole = [f for f in _findings(readers, _levels(path)) if f.evidence.is_whole]
            except DataError:  # such as a link to a folder around it
                continue
            datasets += whole[:1]
    return datasets


def _only_dataset(inner: list[Finding], folder: Path) -> Finding:
    """The only dataset in a folder.

    Raises:
        DataError: if there are several, or images beside it.
    """
    around = inner[0].folder.parent
    names = [str(finding.folder.relative_to(folder)) for finding in inner]
    if len(inner) > 1:
        raise DataError(f"{folder}: holds datasets; name them each: {', '.join(names)}")
    for path in sorted(around.iterdir()):
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        if path == inner[0].folder or path.name.startswith(".") or not (path.is_dir() or is_image):
            continue
        if is_image or list_files(path, IMAGE_SUFFIXES, within=around):
            raise DataError(
                f"{folder}: holds a dataset, {names[0]}, and images beside it, {path.name}; name "
                f"the dataset"
            )
    return inner[0]


def _unclear(folder: Path, findings: Sequence[Finding]) -> DataError:
    return DataError(f"{folder}: could be {' or '.join(map(str, findings))}; {_HOW}")


def _nothing(folder: Path, levels: list[Path], readers: Sequence[type[Reader]]) -> DataError:
    against = [reason for f in _findings(readers, levels) for reason in f.evidence.against]
    if against:
        return DataError("; ".join(against))
    known = "; ".join(f"{reader.layout} ({reader.marks})" for reader in readers)
    return DataError(f"{folder}: no layout recognised{_hint(folder)}; known are {known}; {_HOW}")


def _hint(folder: Path) -> str:
    """A likely reason why no reader reads a folder."""
    for suffixes, meaning in _UNREAD_FILES:
        if files := list_files(folder, suffixes, within=folder):
            return f"; {files[0]}{f' and {len(files) - 1} more' * (len(files) > 1)} {meaning}"
    images = list_files(folder, IMAGE_SUFFIXES, within=folder)
    inner = sorted({PurePosixPath(image).parent.name for image in images} - {""})
    if not images:
        return "; it holds no images"
    if len(inner) == 1:
        return f"; classes are at least two folders of images, and there is one, {inner[0]}"
    return ""
