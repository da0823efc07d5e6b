"""Which of the paper's findings hold with a converged fit: a rule for each, from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from net2vec.analysis import ALL
from net2vec.report.wording import percent

HOLDS = "holds"
RESTS = "rests on the training"
PARTLY = "rests partly on the training"
OPEN = "cannot be judged"
ONLY = "only with the converged fit"
NEITHER = "not seen with either"
LESS = "less than by chance with both"
_CLEAR = 2.0
"""A difference is clear beyond so many standard errors."""
_SLACK = 0.01
"""A mean score that is lower by more than this is lower."""
_PERCENT = "\N{NO-BREAK SPACE}%"


def verdicts(fits: pd.Series, lost: pd.DataFrame) -> pd.DataFrame:
    """The findings of a layer and task, with what both fits say of each.

    Args:
        fits: a row of `fits`.
        lost: rows of `fits_drops` of that layer and task; may be empty. Of the converged fit's two
            rules the one with the higher peak is judged: subsets that are chosen badly do not drop.

    Returns:
        `finding, paper, spread, converged, chance, verdict`, all of them text; `spread` is the
        standard deviation over seeds of what `paper` says, empty where that has none.
    """
    rows = [_better(fits), _failures(fits), *_drops(lost), _sharing(fits), _neighbours(fits)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


Row = tuple[str, str, str, str, str, str]
_COLUMNS = ("finding", "paper", "spread", "converged", "chance", "verdict")


def _spread(row: pd.Series, name: str, form: str, unit: str = "") -> str:
    spread = row.get(f"{name}_sd", math.nan)
    return "" if pd.isna(spread) else f"{spread:{form}}{unit}"


def _better(fits: pd.Series) -> Row:
    """Table 1: most concepts are encoded better by all filters."""
    n, failures = int(fits["n"]), int(fits["failures_converged"])
    paper, converged = float(fits["percent_paper"]), 100 * (1 - failures / n)
    if paper <= 50:
        verdict = ONLY if converged > 50 else NEITHER
    else:
        verdict = HOLDS if converged > 50 else RESTS
    return (
        "All filters encode most concepts at least as well as the best one (Table 1)",
        f"{paper:.1f} %",
        _spread(fits, "percent_paper", ".1f", _PERCENT),
        f"{converged:.1f} %",
        "",
        verdict,
    )


def _failures(fits: pd.Series) -> Row:
    """Sec. 4.1: some concepts lose by the combination. How many of them still do?"""
    n, paper, kept = (int(fits[name]) for name in ("n", "failures_paper", "failures_both"))
    verdict = PARTLY if 4 * kept <= 3 * paper else HOLDS
    if 4 * kept <= paper:
        verdict = RESTS if paper else OPEN
    remain = f"; {kept} of the {paper} {'remains' if 1 in (kept, paper) else 'remain'}"
    return (
        "Some concepts lose by the combination (failures, sec. 4.1)",
        f"{paper} of {n}",
        _spread(fits, "failures_paper", ".1f"),
        f"{int(fits['failures_converged'])} of {n}{remain if paper else ''}",
        "",
        verdict,
    )


def _drops(lost: pd.DataFrame) -> Iterator[Row]:
    """Fig. 3: the mean score falls after its optimum, over all concepts and by category."""
    for category in dict.fromkeys(lost["category"]):
        rows = lost[lost["category"] == category]
        fits = [rows[rows["fit"] == fit] for fit in ("paper", "converged")]
        if not all(map(len, fits)):
            continue
        paper, converged = (of_fit.iloc[int(of_fit["peak"].argmax())] for of_fit in fits)
        if category != ALL and paper["drop"] <= 0 and converged["drop"] <= 0:
            continue
        yield (
            f"The mean score drops after its optimum (Fig. 3): {category}",
            _drop(paper),
            _spread(paper, "drop", ".3f"),
            _drop(converged),
            "",
            _drop_verdict(paper, converged),
        )


def _drop(row: pd.Series) -> str:
    if row["drop"] <= 0:
        return "no drop"
    error = f" ± {row['stderr']:.3f}" if math.isfinite(row["stderr"]) else ""
    path = ", L1 path" if row["rule"] == "path" else ""
    return f"{row['drop']:.3f}{error} after {int(row['filters'])}{path}"


def _drop_verdict(paper: pd.Series, converged: pd.Series) -> str:
    if not (math.isfinite(paper["stderr"]) and math.isfinite(converged["stderr"])):
        return OPEN
    if not is_clear(paper):
        return ONLY if is_clear(converged) else "no clear drop"
    smaller = converged["drop"] < paper["drop"] / 2
    if is_clear(converged):
        return PARTLY if smaller else HOLDS
    return RESTS if smaller else OPEN


def is_clear(row: pd.Series) -> bool:
    """Whether a drop is beyond what the choice of concepts explains."""
    return bool(row["drop"] > _CLEAR * row["stderr"])


def _sharing(fits: pd.Series) -> Row:
    """Sec. 4.2: one filter serves several concepts, more of them than by chance."""
    chance, limit = float(fits["shared_by_chance"]), float(fits["shared_limit"])
    paper, converged = float(fits["shared_paper"]), float(fits["shared_converged"])
    # Where the filter of the largest weight serves worse, weights are large for another reason:
    # that of a filter which hardly varies must be large to matter at all.
    marks = fits["single_converged"] >= fits["single_paper"] - _SLACK
    return (
        "Filters are shared: concepts for each filter with a largest weight (Fig. 5)",
        f"{paper:.2f}",
        _spread(fits, "shared_paper", ".2f"),
        f"{converged:.2f}",
        f"{chance:.2f}, rarely above {limit:.2f}",
        above_chance(paper, converged, chance, limit) if marks else OPEN,
    )


def _neighbours(fits: pd.Series) -> Row:
    """Sec. 5.3: what is near is alike; the category is what can be counted."""
    chance = float(fits["category_by_chance"])
    limit = chance + 100 * _CLEAR * (chance / 100 * (1 - chance / 100) / fits["n"]) ** 0.5
    paper, converged = float(fits["category_paper"]), float(fits["category_converged"])
    # Of one category, or of one each, the nearest concept could not be of another.
    decides = 0 < chance < 100
    by_chance = _share(chance)
    return (
        "The nearest concept is of the same category (Table 2)",
        _share(paper),
        _spread(fits, "category_paper", ".1f", _PERCENT),
        _share(converged),
        f"{by_chance}, rarely above {_share(min(limit, 100))}" if decides else by_chance,
        above_chance(paper, converged, chance, limit) if decides else OPEN,
    )


def _share(value: float) -> str:
    return percent(value / 100) if math.isfinite(value) else "–"


def above_chance(paper: float, converged: float, chance: float, limit: float) -> str:
    """The verdict on a number that is a finding where it is above what chance explains.

    Args:
        paper: the number with the paper's fit.
        converged: with the converged one.
        chance: what it would be by chance.
        limit: what it would hardly exceed by chance.
    """
    if not all(map(math.isfinite, (paper, converged, chance, limit))):
        return OPEN
    if max(paper, converged) < 2 * chance - limit:
        return LESS
    if paper <= limit:
        return ONLY if converged > limit else NEITHER
    if converged > limit:
        return HOLDS
    return RESTS if converged - chance < (paper - chance) / 2 else OPEN
