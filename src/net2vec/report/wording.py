"""Numbers and names as sentences and captions say them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd


def listing(names: Iterable[str], most: int = 8) -> str:
    """`a, b and c`; beyond `most` names the rest is counted."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`, `1,400 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def part(number: int, total: int, noun: str, verb: str, verbs: str) -> str:
    """`1 of 2 filters is`, `0 of 3 filters are`, with `verb` for one and `verbs` for more."""
    return f"{number:,} of {count(total, noun)} {verb if 1 in (number, total) else verbs}"


def with_spread(row: pd.Series, name: str, form: str) -> str:
    """A number of a row, as `0.30 ± 0.02` where its standard deviation over seeds is not 0.00."""
    number, spread = (f"{row.get(key, math.nan):{form}}" for key in (name, f"{name}_sd"))
    return f"{number} ± {spread}" if float(spread) > 0 else number


def score_text(score: float) -> str:
    """A score with two decimals, or three where two would say 0 of what is not."""
    if not 0 < score < 0.01:
        return f"{score:.2f}"
    return f"{score:.3f}" if score >= 0.0005 else "<0.001"


def percent(share: float) -> str:
    """A share between 0 and 1 as a percentage without decimals, but never a false 0 or 100."""
    value = 100 * share
    if 0 < value < 1:
        return "less than 1 %"
    if 99 < value < 100:
        return "more than 99 %"
    return f"{value:.0f} %"
