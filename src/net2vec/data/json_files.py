"""Errors in JSON files of datasets, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JSON_FAULTS = (
    *(OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError),
)
"""Errors of reading a file and taking its values for what they should be."""


def whole_number(value: Any, name: str) -> int:
    """A whole number, given as such or as text.

    Raises:
        ValueError: if it is anything else; the message names it as `name`.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            if (number := int(value)) == value or isinstance(value, str):
                return number
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"{name} is {str(value)[:40]!r}; wanted a whole number")


def number_at(entry: Mapping[str, Any], key: str, kind: str) -> int:
    """The whole number under a key of an entry of some kind.

    Raises:
        KeyError: if there is none.
        ValueError: if it is no whole number.
    """
    return whole_number(entry[key], f"the {key} of {kind}")


def reason_of(fault: Exception) -> str:
    """The reason why a JSON file could not be read, for messages."""
    match fault:
        case RecursionError():
            return "nested too deeply"
        case KeyError():
            return f"{str(fault.args[0])!r} is missing"
        case OSError():
            return str(fault.strerror or fault)
        case ValueError():
            return str(fault)
    return "a number, a text, a list or a table stands where another of these should"
