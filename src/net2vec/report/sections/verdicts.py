"""Which of the paper's findings hold with two fits: a rule for each, from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from net2vec.analysis import ALL, share_interval
from net2vec.report.formats import percent
from net2vec.report.labels import RULE_TITLE, Verdict

_CLEAR = 2.0
"""A difference is clear beyond so many standard errors."""
LEAST_FAILURES = 5
"""Concepts that must lose for the share of those that still do to be judged."""
_SLACK = 0.01
"""A mean score that is lower by more than this is lower."""
_PERCENT = "\N{NO-BREAK SPACE}%"


def verdicts(fits: pd.Series, drops: pd.DataFrame, reference: str, other: str) -> pd.DataFrame:
    """The findings of a layer and task, with what both fits say of each.

    Args:
        fits: a row of `fits`.
        drops: rows of `fits_drops` of that layer and task; may be empty. Of several rules to choose
            filters the one with the higher peak is judged: subsets that are chosen badly do not
            drop.
        reference: the name of the fit that findings are of.
        other: the name of the fit that is held against it.

    Returns:
        `finding, category, reference, spread, other, chance, verdict`, all of them text: `finding`
        is a key of `labels.FINDING_TITLE`, `category` is empty for most findings, and `spread` is
        the standard deviation over seeds of what `reference` says, empty where that has none.
    """
    pair = (reference, other)
    rows = [
        _better(fits, pair),
        *_failures(fits, pair),
        *_drops(drops, pair),
        _sharing(fits, pair),
        _neighbours(fits, pair),
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


Row = tuple[str, str, str, str, str, str, str]
Pair = tuple[str, str]
_COLUMNS = ("finding", "category", "reference", "spread", "other", "chance", "verdict")


def _spread(row: pd.Series, name: str, form: str, unit: str = "") -> str:
    spread = row.get(f"{name}_sd", math.nan)
    text = f"{spread:{form}}"
    return f"{text}{unit}" if float(text) > 0 else ""


def _better(fits: pd.Series, pair: Pair) -> Row:
    """Table 1: most concepts are encoded better by all filters, than by the single filter of the
    same fit (see `as_good` of `net2vec.analysis.sufficiency`).
    """
    reference, other = pair
    first, second = float(fits[f"percent_{reference}"]), float(fits[f"percent_{other}"])
    if not (_decided(first, int(fits["n"])) and _decided(second, int(fits["n"]))):
        verdict = Verdict.OPEN
    elif first <= 50:
        verdict = Verdict.ONLY if second > 50 else Verdict.NEITHER
    else:
        verdict = Verdict.HOLDS if second > 50 else Verdict.RESTS
    spread = _spread(fits, f"percent_{reference}", ".1f", _PERCENT)
    return ("better", "", f"{first:.1f} %", spread, f"{second:.1f} %", "", verdict)


def _decided(percent: float, n: int) -> bool:
    """Whether the interval of a share of `n` concepts is all on one side of one half."""
    low, high = share_interval(round(n * percent / 100), n)
    return low > 0.5 or high < 0.5


def _failures(fits: pd.Series, pair: Pair) -> Iterator[Row]:
    """Sec. 4.1: some concepts lose by the combination. How many of them still do?"""
    reference, other = pair
    n, first, second, kept = (
        int(fits[name])
        for name in ("n", f"failures_{reference}", f"failures_{other}", "failures_both")
    )
    verdict = Verdict.PARTLY if 4 * kept <= 3 * first else Verdict.HOLDS
    if 4 * kept <= first:
        verdict = Verdict.RESTS
    if first < LEAST_FAILURES:
        verdict = Verdict.OPEN
    spread = _spread(fits, f"failures_{reference}", ".1f")
    yield ("failures", "", f"{first} of {n}", spread, f"{second} of {n}", "", verdict)
    if first:
        yield ("remaining", "", f"{first}", "", f"{kept} of {first}", "", "")


def _drops(drops: pd.DataFrame, pair: Pair) -> Iterator[Row]:
    """Fig. 3: the mean score falls after its optimum, over all concepts and by category."""
    for category in dict.fromkeys(drops["category"]):
        rows = drops[drops["category"] == category]
        fits = [rows[rows["fit"] == fit] for fit in pair]
        if not all(map(len, fits)):
            continue
        first, second = (of_fit.iloc[int(of_fit["peak"].argmax())] for of_fit in fits)
        if category != ALL and first["drop"] <= 0 and second["drop"] <= 0:
            continue
        spread = _spread(first, "drop", ".3f")
        verdict = _drop_verdict(first, second)
        yield ("drop", category, _drop(first), spread, _drop(second), "", verdict)


def _drop(row: pd.Series) -> str:
    if row["drop"] <= 0:
        return "no drop"
    error = f" ± {row['stderr']:.3f}" if math.isfinite(row["stderr"]) else ""
    rule = "" if row["rule"] == "weight" else f", {RULE_TITLE[row['rule']]}"
    return f"{row['drop']:.3f}{error} after {int(row['filters'])}{rule}"


def _drop_verdict(first: pd.Series, second: pd.Series) -> Verdict:
    if not (math.isfinite(first["stderr"]) and math.isfinite(second["stderr"])):
        return Verdict.OPEN
    if not is_clear(first):
        return Verdict.ONLY if is_clear(second) else Verdict.NO_DROP
    smaller = second["drop"] < first["drop"] / 2
    if is_clear(second):
        return Verdict.PARTLY if smaller else Verdict.HOLDS
    return Verdict.RESTS if smaller else Verdict.OPEN


def is_clear(row: pd.Series) -> bool:
    """Whether a drop is beyond what the choice of concepts explains."""
    return bool(row["drop"] > _CLEAR * row["stderr"])


def _sharing(fits: pd.Series, pair: Pair) -> Row:
    """Sec. 4.2: one filter serves several concepts, more of them than by chance."""
    chance, limit = float(fits["shared_by_chance"]), float(fits["shared_limit"])
    first, second = (float(fits[f"shared_{fit}"]) for fit in pair)
    # Where the filter of the largest weight serves worse, weights are large for another reason:
    # that of a filter which hardly varies must be large to matter at all.
    marks = fits[f"single_{pair[1]}"] >= fits[f"single_{pair[0]}"] - _SLACK
    return (
        "sharing",
        "",
        f"{first:.2f}",
        _spread(fits, f"shared_{pair[0]}", ".2f"),
        f"{second:.2f}",
        f"{chance:.2f}, rarely above {limit:.2f}",
        above_chance(first, second, chance, limit) if marks else Verdict.OPEN,
    )


def _neighbours(fits: pd.Series, pair: Pair) -> Row:
    """Sec. 5.3: what is near is alike; the category is what can be counted."""
    chance = float(fits["category_by_chance"])
    limit = chance + 100 * _CLEAR * (chance / 100 * (1 - chance / 100) / fits["n"]) ** 0.5
    first, second = (float(fits[f"category_{fit}"]) for fit in pair)
    # Of one category, or of one each, the nearest concept could not be of another.
    decides = 0 < chance < 100
    by_chance = percent(chance / 100)
    return (
        "neighbours",
        "",
        percent(first / 100),
        _spread(fits, f"category_{pair[0]}", ".1f", _PERCENT),
        percent(second / 100),
        f"{by_chance}, rarely above {percent(min(limit, 100) / 100)}" if decides else by_chance,
        above_chance(first, second, chance, limit) if decides else Verdict.OPEN,
    )


def above_chance(first: float, second: float, chance: float, limit: float) -> Verdict:
    """The verdict on a number that is a finding where it is above what chance explains.

    Args:
        first: the number with the reference fit.
        second: with the other one.
        chance: what it would be by chance.
        limit: what it would hardly exceed by chance.
    """
    if not all(map(math.isfinite, (first, second, chance, limit))):
        return Verdict.OPEN
    if max(first, second) < 2 * chance - limit:
        return Verdict.LESS
    if first <= limit:
        return Verdict.ONLY if second > limit else Verdict.NEITHER
    if second > limit:
        return Verdict.HOLDS
    return Verdict.RESTS if second - chance < (first - chance) / 2 else Verdict.OPEN
