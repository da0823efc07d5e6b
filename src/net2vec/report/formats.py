"""Numbers as pages and tables show them."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

MISSING = "–"
_NBSP = "\N{NO-BREAK SPACE}"


def score_text(score: float) -> str:
    """A score with two decimals, or three where two would say 0 of what is not."""
    if not math.isfinite(score):
        return MISSING
    if not 0 < score < 0.01:
        return f"{score:.2f}"
    return f"{score:.3f}" if score >= 0.0005 else "<0.001"


def cosine_text(cosine: float) -> str:
    """A number between -1 and 1 with two decimals and a minus sign, never `-0.00`."""
    return f"{round(cosine, 2) + 0.0:.2f}".replace("-", "−")


def percent(share: float) -> str:
    """A share between 0 and 1 as a percentage without decimals, but never a false 0 or 100."""
    if not math.isfinite(share):
        return MISSING
    value = 100 * share
    if 0 < value < 1:
        return f"<1{_NBSP}%"
    if 99 < value < 100:
        return f">99{_NBSP}%"
    return f"{value:.0f}{_NBSP}%"


def fraction(number: int, total: int) -> str:
    """`3 of 1,200 (<1 %)`; without the share where `total` is 0."""
    share = f" ({percent(number / total)})" if total else ""
    return f"{number:,} of {total:,}{share}"


def format_cell(value: Any, form: str) -> str | Markup:
    """A value of a table as it is shown; see `content.Column.form`."""
    if form == "text":
        return "" if is_missing(value) else str(value)
    if is_missing(value):
        return MISSING
    number = float(value)
    if form == "count":
        return f"{number:,.0f}"
    if form == "percent":
        return f"{100 * number:.1f} %"
    if form == "signed":
        return f"{number:+.3f}".replace("-", "−")
    if form == "seconds":
        return f"{number:,.1f} s"
    if form == "score":
        return Markup("<span class='bar' style='--share:{share:.3f}'>{number:.2f}</span>").format(
            share=min(max(number, 0), 1), number=number
        )
    return f"{number:.3f}"


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, NA or NaN."""
    return bool(
        value is None
        or type(value).__name__ == "NAType"
        or (isinstance(value, float) and math.isnan(value))
    )
