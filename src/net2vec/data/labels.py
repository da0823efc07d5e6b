"""Names of labels: which are concepts, how they are numbered, where they are written down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from net2vec.data.files import read_lines
from net2vec.errors import DataError

VOID_NAMES = frozenset(
    {
        "",
        "-",
        "unlabelled",
        "unlabeled",
        "void",
        "background",
        "_background_",
        "__background__",
        "ignore",
    }
)
"""Names, in lower case, that datasets give to what nobody annotated."""

_NUMBERED = re.compile(r"(\d+)[\s:,;=]+(\S.*)")


def concept_name(name: str) -> str:
    """The name as it is shown; empty where it says that nothing is annotated."""
    name = printable(name)
    return "" if name.lower() in VOID_NAMES else name


def printable(name: str) -> str:
    """The name with single spaces for control characters, which would reach terminals and pages."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def number_names(names: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Numbers names from 1 in the order of their first appearance; the empty name is 0.

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
    """Reads the class names that belong to the pixel values of indexed masks.

    Three forms are understood: a name a line, counting from 0; a number and a name a line
    (`7 road`, `7: road`); and the tab-separated table of ADE20K scene parsing
    (`objectInfo150.txt`), of whose names the first synonym is taken.

    Raises:
        DataError: the file cannot be read, is empty, names a value twice, or numbers most of its
            lines but not all.
    """
    lines = read_lines(path)
    if not lines:
        raise DataError(f"{path}: empty; wanted the name of a class on every line")
    if lines[0].split("\t")[0] == "Idx":
        rows = [line.split("\t") for line in lines[1:]]
        return {int(row[0]): first_synonym(row[-1]) for row in rows if row[0].strip().isdecimal()}
    matches = [_NUMBERED.fullmatch(line.strip()) for line in lines]
    if not all(matches):
        if 2 * sum(match is not None for match in matches) > len(matches):
            number = 1 + matches.index(None)
            raise DataError(
                f"{path}, line {number}: wanted a number and a name as on most lines, got "
                f"{lines[number - 1].strip()!r}"
            )
        return {value: line.strip() for value, line in enumerate(lines)}
    names: dict[int, str] = {}
    for match in matches:
        if match is None:
            continue
        value = int(match[1])
        if value in names:
            raise DataError(f"{path}: the value {value} is named twice")
        names[value] = match[2].strip()
    return names


def read_synonyms(path: Path) -> dict[str, str]:
    """Reads which names mean the same: `kept = other, other` a line; `#` starts a comment.

    Returns:
        The kept name of every other name.

    Raises:
        DataError: the file cannot be read, a line has another form, or a name is given two kept
            names, or is itself replaced.
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
