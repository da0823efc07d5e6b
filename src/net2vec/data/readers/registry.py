"""All readers: those of this package, and those of others through entry points."""

from __future__ import annotations

from net2vec.core.plugins import Registry
from net2vec.data.readers.base import Reader
from net2vec.errors import DataError

_HERE = "net2vec.data.readers"
READERS: Registry[Reader] = Registry(
    "reader",
    f"{_HERE}.base:Reader",
    {
        "Broden": f"{_HERE}.broden:BrodenDataset",
        "ADE20K": f"{_HERE}.ade20k:Ade20kDataset",
        "COCO": f"{_HERE}.coco:CocoDataset",
        "masks": f"{_HERE}.masks:MaskDataset",
        "Label Studio": f"{_HERE}.label_studio:LabelStudioDataset",
        "parquet": f"{_HERE}.parquet:ParquetDataset",
        "WebDataset": f"{_HERE}.webdataset:WebDataset",
        "classes": f"{_HERE}.folders:FolderDataset",
    },
    DataError,
    group="net2vec.readers",
)
"""Readers by the names of their layouts."""


def known_readers() -> dict[type[Reader], bool]:
    """All readers in the order in which they are tried, and whether they are built in.

    Those of installed packages come first, since their layouts may be special cases of built-in
    ones, and fallbacks last.
    """
    readers = {plugin: name in READERS.builtin for name, plugin in READERS.classes().items()}
    return dict(sorted(readers.items(), key=lambda item: (item[0].is_fallback, item[1])))


def reader_of(layout: str) -> type[Reader]:
    """The reader of a layout by its name, in any case.

    Raises:
        DataError: if there is none, or it is broken.
    """
    readers = {reader.layout.lower(): reader for reader in known_readers()}
    return readers.get(layout.lower()) or READERS.load(layout)
