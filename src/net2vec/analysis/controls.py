"""Effect of training: two networks compared concept by concept (sec. 4.3)."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis.balance import entering
from net2vec.analysis.statistics import summarize


def paired_difference(concepts: pd.DataFrame, network: str, other: str) -> pd.DataFrame:
    """Mean score of all filters in two networks, over the concepts and layers that both have.

    The standard error is that of the difference within concepts: both networks have the
    same concepts in the same images, so that most of the spread between concepts cancels.

    Args:
        concepts: the table of `by_concept` of both networks.
        network: the network of interest.
        other: the network it is compared with, such as its twin with random weights.

    Returns:
        `network, other, layer, task, category, mean, mean_other, difference, stderr, n`; the means
        are over the same `n` concepts.
    """
    concepts = entering(concepts)
    key = ["layer", "task", "concept", "category"]
    of_network = concepts.loc[concepts["network"] == network, [*key, "combined"]]
    theirs = concepts.loc[concepts["network"] == other, [*key[:3], "combined"]]
    paired = of_network.merge(theirs, on=key[:3], suffixes=("", "_other"), validate="one_to_one")
    paired["difference"] = paired["combined"] - paired["combined_other"]
    group = ["layer", "task", "category"]
    means = paired.groupby(group, sort=False)[["combined", "combined_other"]].mean()
    table = summarize(paired, group, "difference").rename(columns={"mean": "difference"})
    table.insert(3, "mean", means["combined"].to_numpy())
    table.insert(4, "mean_other", means["combined_other"].to_numpy())
    table.insert(0, "network", network)
    table.insert(1, "other", other)
    return table
