"""Precision, recall and average precision of pixels, as means over concepts."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis.sufficiency import COMBINED, SINGLES
from net2vec.results import RunTable, TableInput


def precision_recall(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean precision and recall of the pixels at the cut, and average precision over all cuts.

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, method, set_iou, precision, recall, average_precision, n`, of
        segmentation with the best single filter, with it at its own threshold and with all
        filters. Means are over `n` concepts; concepts of which no pixel is predicted have no
        precision, and at the paper's threshold a single filter has no average precision.
    """
    rows = scores[scores["task"].eq("segment") & scores["method"].isin([*SINGLES, COMBINED])]
    if not {"precision", "recall", "average_precision"} <= set(rows):
        return pd.DataFrame()  # read from a file of an earlier version
    keys = ["network", "layer", "method"]
    groups = rows.rename(columns={"val": "set_iou"}).groupby(keys, sort=False)
    means = groups[["set_iou", "precision", "recall", "average_precision"]].mean()
    return means.assign(n=groups.size()).reset_index()


PRECISION_RECALL = RunTable(
    name="precision_recall",
    title="Mean precision, recall and average precision of pixels",
    columns=("layer", "method", "set_iou", "precision", "recall", "average_precision", "n"),
    keys=("layer", "method"),
    made_of=TableInput.SCORES,
    make=precision_recall,
    every_fit=True,
)
