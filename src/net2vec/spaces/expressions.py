"""Parsing of `2 traffic light + blue - green`: names of several words between operators."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

SUFFIXES = ("-c", "-s")
"""Endings that Broden appends to the names of colours and of scenes."""


class UnknownNameError(ValueError):
    """No known name is meant by `name`."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


# Of all names, how many are shown where none is like the one that was asked for.
_SHOWN = 8
_SIGNS = {"+": 1.0, "-": -1.0}


def resolve_name(name: str, names: Collection[str]) -> str:
    """The known name that is meant by `name`, which may lack its `-c` or `-s`.

    Raises:
        UnknownNameError: if no known name is meant; the message has no full stop.
        ValueError: if more than one is meant.
    """
    if name in names:
        return name
    full = [name + suffix for suffix in SUFFIXES if name + suffix in names]
    if len(full) == 1:
        return full[0]
    if full:
        raise ValueError(f"{name!r} may mean {' or '.join(full)}; write one of them")
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    if close:
        raise UnknownNameError(f"no concept {name!r} (close: {', '.join(close)})", name)
    more = ", ..." if len(names) > _SHOWN else ""
    known = ", ".join(list(names)[:_SHOWN])
    raise UnknownNameError(f"no concept {name!r} (there are {known}{more})", name)


def found_elsewhere(error: ValueError, elsewhere: Mapping[str, Collection[str]]) -> str:
    """For a message: where else a name is known that `resolve_name` did not know; or nothing.

    Args:
        error: raised by `resolve_name`.
        elsewhere: names by the place where they are known.
    """
    if not isinstance(error, UnknownNameError):
        return ""
    full = [error.name, *(error.name + suffix for suffix in SUFFIXES)]
    places = [place for place, names in elsewhere.items() if any(name in names for name in full)]
    return f"; {' and '.join(places)} has it" if places else ""


def parse_expression(expression: str, names: Collection[str]) -> list[tuple[float, str]]:
    """The terms of an expression as (factor, known name).

    Between operators stands a name, after a number if it is to be scaled. Where the words allow
    several known names, the longest wins, so that `traffic light` is not `traffic`; an operator
    within a longer known name belongs to the name. A name may stand in double quotes.

    Raises:
        ValueError: if the expression is empty or cannot be read, or a name is not known.
    """
    words = expression.split()
    if not words:
        raise ValueError("an empty expression; write for instance 'grass + blue - green'")
    terms: list[tuple[float, str]] = []
    at = 0
    while at < len(words):
        factor = 1.0
        if words[at] in _SIGNS:
            factor = _SIGNS[words[at]]
            at += 1
        elif terms:
            raise ValueError(f"a + or - is missing before {words[at]!r} in {expression!r}")
        name, end = _longest_name(words, at, names)
        if name is None and at < len(words) and (number := _number(words[at])) is not None:
            factor *= number
            at += 1
            name, end = _longest_name(words, at, names)
        if name is None and (quoted := _quoted(words, at)) is not None:
            name, end = resolve_name(quoted[0], names), quoted[1]
        if name is None:
            unknown = _up_to_operator(words, at)
            if not unknown:
                raise ValueError(f"a name is missing after {' '.join(words[:at])!r}")
            if any(part in names for part in re.split(r"\s*[-+*]\s*", unknown)[1:]):
                raise ValueError(
                    f"no concept {unknown!r}; write operators between spaces, and a factor before "
                    f"its name, as in 'grass + 2 blue - green'"
                )
            name, end = resolve_name(unknown, names), at + len(unknown.split())
        terms.append((factor, name))
        at = end
    return terms


def _longest_name(words: list[str], start: int, names: Collection[str]) -> tuple[str | None, int]:
    """The longest known name that starts at a word and ends before an operator or the end."""
    for end in range(len(words), start, -1):
        if end < len(words) and words[end] not in _SIGNS:
            continue
        candidate = " ".join(words[start:end])
        if candidate in names or any(candidate + suffix in names for suffix in SUFFIXES):
            return resolve_name(candidate, names), end
    return None, start


def _quoted(words: list[str], start: int) -> tuple[str, int] | None:
    """The name in double quotes that starts at a word, and the word after it."""
    if start == len(words) or not words[start].startswith('"'):
        return None
    for end in range(start, len(words)):
        name = " ".join(words[start : end + 1])
        if name.endswith('"') and len(name) > 2:
            return name[1:-1], end + 1
    return None


def _up_to_operator(words: list[str], start: int) -> str:
    end = next((at for at in range(start, len(words)) if words[at] in _SIGNS), len(words))
    return " ".join(words[start:end])


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
