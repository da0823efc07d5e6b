"""Names of labels: void names, numbering, and files of class names and synonyms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from net2vec.data.files import read_lines
from net2vec.errors import DataError

VOID_NAMES = frozenset(
    {"", "-", "unlabelled", "unlabeled", "void", "background", "ignore"}
    | {"_background_", "__background__"}
)
"""Names, in lower case, that datasets use for pixels without annotation."""

_NUMBERED = re.compile(r"(\d+)[\s:,;=]+(\S.*)")


def concept_name(name: str) -> str:
    """The name without control characters; empty if it is one of `VOID_NAMES`."""
    name = printable(name)
    return "" if name.lower() in VOID_NAMES else name


def printable(name: str) -> str:
    """The text with control characters and runs of spaces replaced by single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def number_names(names: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Numbers names from 1 in order of first appearance; the empty name is 0.

    Returns:
        The names by number, and the number of every name.
    """
    numbers = {"": 0}
    for name in names:
        numbers.setdefault(name, len(numbers))
    return tuple(numbers), numbers


def first_synonym(names: str) -> str:
    """The first of several names separated by commas, as in "car, auto, automobile"."""
    return names.split(",")[0].strip()


def read_class_names(path: Path) -> dict[int, str]:
    """Reads class names by pixel value of indexed masks.

    Three forms are accepted: a name a line, counted from 0; a number and a name a line (`7 road`,
    `7: road`); and the tab-separated table of ADE20K scene parsing (`objectInfo150.txt`), with the
    first synonym of each name.

    Raises:
        DataError: if the file cannot be read, is empty, names a value twice, or has numbers on most
            but not all lines.
    """
    lines = read_lines(path)
    if not lines:
        raise DataError(f"{path}: empty; wanted the name of a class on every line")
    if lines[0].split("\t")[0] == "Idx":
        rows = [line.split("\t") for line in lines[1:]]
        return {int(row[0]): first_synonym(row[-1]) for row in rows if row[0].strip().isdecimal()}
    lines = [line.strip() for line in lines]
    matches = [match for line in lines if (match := _NUMBERED.fullmatch(line))]
    if 2 * len(matches) <= len(lines):
        return dict(enumerate(lines))
    for number, line in enumerate(lines, start=1):
        if not _NUMBERED.fullmatch(line):
            raise DataError(
                f"{path}, line {number}: wanted a number and a name as on most lines, got {line!r}"
            )
    names: dict[int, str] = {}
    for match in matches:
        if (value := int(match[1])) in names:
            raise DataError(f"{path}: the value {value} is named twice")
        names[value] = match[2]
    return names


def read_synonyms(path: Path) -> dict[str, str]:
    """Reads names to merge: `kept = other, other` a line; `#` starts a comment.

    Returns:
        The kept name by other name.

    Raises:
        DataError: if the file cannot be read, a line has another form, a name has two kept names,
            or a kept name is itself replaced.
    """
    kept_names: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        kept, equals, others = (part.strip() for part in text.partition("="))
        synonyms = [name.strip() for name in others.split(",") if name.strip()]
        if not (kept and equals and synonyms):
            raise DataError(f"{path}, line {number}: wanted `name = other, other`, got {text!r}")
        for name in synonyms:
            if kept_names.setdefault(name, kept) != kept:
                raise DataError(
                    f"{path}, line {number}: {name!r} already stands for {kept_names[name]!r}"
                )
    chained = sorted(set(kept_names) & set(kept_names.values()))
    if chained:
        raise DataError(f"{path}: {chained[0]!r} is both a name to keep and one to replace")
    return kept_names
