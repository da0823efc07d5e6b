"""Parts of error messages, which are one line each."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def first_line(error: Exception) -> str:
    """The first line of an error's message; its class where it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def class_and_line(error: Exception) -> str:
    """The class of an error and the first line of its message."""
    return f"{type(error).__name__}: {first_line(error)}"


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A question that offers up to three known names close to an unknown one, in any case.

    Args:
        name: the unknown name.
        known: the names that exist.
        otherwise: what to say where none is close.
    """
    spelt = {one.lower(): one for one in known}
    close = [spelt[one] for one in get_close_matches(name.lower(), spelt, n=3)]
    return f"did you mean {' or '.join(close)}?" if close else otherwise
