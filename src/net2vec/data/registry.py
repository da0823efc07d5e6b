"""Readers by precedence: those of installed packages, then the built-in ones."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from net2vec.data.labels import printable
from net2vec.data.readers import READERS, Reader

READER_GROUP = "net2vec.readers"
"""Entry points in this group add readers of other packages; each loads a `Reader` class."""


def known_readers() -> tuple[type[Reader], ...]:
    """All readers in the order in which they are tried, fallbacks last.

    Readers of installed packages come before the built-in ones, since their layouts may be special
    cases of built-in layouts. Their packages are imported when a folder is first opened.
    """
    readers = (*_installed_readers(), *READERS)
    return tuple(sorted(readers, key=lambda reader: reader.is_fallback))


@cache
def _installed_readers() -> tuple[type[Reader], ...]:
    points = sorted(entry_points(group=READER_GROUP), key=lambda point: point.name)
    return tuple(reader for point in points if (reader := _load(point)) is not None)


def _load(point: EntryPoint) -> type[Reader] | None:
    """The reader of an entry point; None, after a warning, if it is broken."""
    try:
        reader: object = point.load()
    except Exception as error:  # the package may fail in any way
        fault = f"{type(error).__name__}: {error}"
    else:
        if isinstance(reader, type) and issubclass(reader, Reader):
            missing = [name for name in ("layout", "marks") if not hasattr(reader, name)]
            missing += sorted(reader.__abstractmethods__)
            if not missing:
                return reader
            fault = f"the class lacks {', '.join(missing)}"
        else:
            fault = f"got {reader!r}, wanted a subclass of net2vec.data.readers.Reader"
    line = f"the reader {point.name!r} ({point.value}) is skipped: {fault}"
    logging.getLogger("net2vec").warning(printable(line))
    return None
