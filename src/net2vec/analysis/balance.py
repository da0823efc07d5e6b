"""Which concepts enter means: in classification those whose accuracy is of enough images.

A concept that is in nearly every image, or in hardly any, is judged on as few images as there are
of the rarer kind, twice: with two of them an accuracy is 0, 0.5 or 1.
"""

from __future__ import annotations

import pandas as pd

from net2vec.results import SCORE_GROUP

LEAST_BALANCED = 6
"""Images that a balanced validation set must have for the accuracy to enter means: three with the
concept and three without. Below, an accuracy has five values at the most, and ties with that of the
single filter, which count as wins in Table 1, are the rule."""


def is_small(rows: pd.DataFrame) -> pd.Series:
    """Whether the balanced validation set of a row's concept has too few images.

    Args:
        rows: with the column `n_balanced`; false where it is missing, as in segmentation.
    """
    if "n_balanced" not in rows:
        return pd.Series(False, index=rows.index)
    return rows["n_balanced"].lt(LEAST_BALANCED).fillna(False).astype(bool)


def entering(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose scores enter means, Table 1, curves and rankings.

    Where all concepts of a network, layer and task are judged on too few images, all of them do:
    the report says so.

    Args:
        rows: of `scores.csv`, or any with `network, layer, task` and `n_balanced`.
    """
    small = is_small(rows)
    if not small.any():
        return rows
    alone = small.groupby([rows[name] for name in SCORE_GROUP]).transform("all")
    return rows[~small | alone]
