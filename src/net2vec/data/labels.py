"""Names of labels: void names, numbering, and files of class names and synonyms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from net2vec.data.files import composed, read_lines, read_regular
from net2vec.errors import DataError

VOID_NAMES = frozenset(
    {"", "-", "unlabelled", "unlabeled", "void", "background", "ignore"}
    | {"_background_", "__background__"}
)
"""Names, in lower case, that datasets use for pixels without annotation."""

MAX_VALUE = 2**16 - 1
"""The largest pixel value of a mask."""

# In its lists of classes this first line stands for the value -1.
_LABELME_FIRST = "__ignore__"
_NUMBERED = re.compile(r"(\d+)[\s:,;=]+(\S.*)")
_COMMENT = re.compile(r"(^|\s+)#(\s.*)?$")
_QUOTED = re.compile(r"(['\"])(.*)\1")


def concept_name(name: str) -> str:
    """The name without control characters, composed; empty if it is one of `VOID_NAMES`.

    Else folders of one class could have two names that look the same.
    """
    name = composed(printable(name))
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

    Four forms are accepted: a name a line, counted from 0, or from -1 where the first one is
    labelme's `__ignore__`; a number and a name a line (`7 road`, `7: road`); and the tab-separated
    table of ADE20K scene parsing (`objectInfo150.txt`), with the first synonym of each name. Lines
    that begin with `#` are comments, and so is what follows ` # `; quotes around a name are no part
    of it. A JSON file (`id2label.json`) holds names by number.

    Raises:
        DataError: if the file cannot be read, is empty, names a value twice or one that no mask can
            hold, has numbers on most but not all lines, or a blank line where lines are counted.
    """
    if path.suffix == ".json":
        return _read_json_names(path)
    lines = {
        number: _COMMENT.sub("", line.strip())
        for number, line in enumerate(read_lines(path), start=1)
        if not line.lstrip().startswith("#")
    }
    names = list(lines.values())
    if not any(names):
        raise DataError(f"{path}: empty; wanted the name of a class on every line")
    if names[0].split("\t")[0] == "Idx":
        rows = [name.split("\t") for name in names[1:]]
        return {
            _value(path, row[0].strip()): first_synonym(row[-1])
            for row in rows
            if row[0].strip().isdecimal()
        }
    first, *rest = lines
    if (
        "," in lines[first]
        and rest
        and not _NUMBERED.fullmatch(lines[first])
        and all(_NUMBERED.fullmatch(lines[number]) for number in rest)
    ):
        del lines[first]  # a header, as in `Pixel Value, Class`
    matches = {number: _NUMBERED.fullmatch(line) for number, line in lines.items() if line}
    if 2 * sum(match is not None for match in matches.values()) <= len(matches):
        if blank := next((number for number, line in lines.items() if not line), None):
            raise DataError(
                f"{path}, line {blank}: blank, so that it is not clear how the lines are counted; "
                "remove it, or write void if its number has no class"
            )
        return dict(enumerate(map(_unquoted, names[names[0] == _LABELME_FIRST :])))
    found: dict[int, str] = {}
    for number, match in matches.items():
        if match is None:
            raise DataError(
                f"{path}, line {number}: wanted a number and a name as on most lines, got "
                f"{lines[number][:60]!r}"
            )
        if (value := _value(path, match[1])) in found:
            raise DataError(f"{path}: the value {value} is named twice")
        found[value] = _unquoted(match[2])
    return found


def _unquoted(name: str) -> str:
    match = _QUOTED.fullmatch(name)
    return match[2] if match else name


def _read_json_names(path: Path) -> dict[int, str]:
    try:
        content = json.loads(read_regular(path))
        content = content.get("id2label", content)
        return {_value(path, str(int(key))): str(name) for key, name in content.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        raise DataError(
            f'{path}: wanted a table of class names by number, as in {{"1": "road"}}'
        ) from None


def _value(path: Path, digits: str) -> int:
    value = int(digits) if len(digits) <= 9 else MAX_VALUE + 1  # int() refuses the longest
    if value > MAX_VALUE:
        raise DataError(
            f"{path}: names the value {digits[:20]}; pixels of masks are {MAX_VALUE} at most"
        )
    return value


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
