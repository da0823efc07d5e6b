"""Do the learned weights agree with what single filters can do? (sec. 5.2)."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import weights_and_ious
from net2vec.report.content import Block, Drawing, FigureRow, Paragraph, Section
from net2vec.report.figures import draw_contribution, draw_significance, draw_weights
from net2vec.report.study import Study
from net2vec.report.wording import listing, percent

_SHOWN = 4
_FIRST = 10
"""Filters of a concept in the table of contributions."""


def weights_table(study: Study) -> pd.DataFrame:
    """Weights and IoUs, filter by filter, of some concepts on the last layer (Fig. 9).

    Returns:
        `network, layer, concept, filter, weight, iou, r, p`; empty without segmentation.
    """
    if "segment" not in study.tasks:
        return pd.DataFrame()
    layer = study.layer_of["segment"]
    table = weights_and_ious(study.run.arrays(layer), study.featured[:_SHOWN])
    table.insert(0, "network", study.label)
    table.insert(1, "layer", layer)
    return table


def weights_section(study: Study, weights: pd.DataFrame) -> Section | None:
    """Correlation of weights with IoUs, and contributions. None without segmentation."""
    if "segment" not in study.tasks:
        return None
    layer = study.layer_of["segment"]
    shares = _defined(study)
    contribution = study.last(study.tables["contribution"])
    filters = study.run.layer(layer).sizes["filter"]
    said = (_significant(study, shares), _contributed(contribution, layer, filters))
    blocks: list[Block] = [
        Paragraph(" ".join(filter(None, said))),
        _figures(study, shares, contribution),
    ]
    if len(weights):
        blocks.append(
            FigureRow(
                (
                    Drawing(
                        "weight_iou",
                        "Learned weights against the set IoU of each filter alone",
                        partial(draw_weights, weights),
                    ),
                ),
                "Each point is a filter: what it can do alone, and what the combination makes of"
                f" it, on {layer}. r is Pearson’s correlation.",
                "weight_iou",
            )
        )
    return Section("weights", "Do combinations agree with single filters?", blocks)


def _figures(study: Study, shares: pd.DataFrame, contribution: pd.DataFrame) -> FigureRow:
    """What follows what, by layer, where it can be said, and what the first filters contribute."""
    first = Drawing(
        "significant_correlation",
        "Share of concepts with a significant correlation by layer",
        partial(draw_significance, shares, layers=study.run.layers),
        "Weights follow scores",
    )
    then = Drawing(
        "contribution",
        "Mean contribution of the first ten filters of a concept",
        partial(draw_contribution, contribution),
        f"What the first filters contribute on {study.layer_of['segment']}",
    )
    caption = (
        "hat the filters with the largest weights of a concept contribute, in the mean over"
        " concepts with its standard error: by their share of all weights, and by their set IoU"
        " over that of all filters."
    )
    if shares.empty:
        return FigureRow((then,), f"W{caption}", "contribution")
    return FigureRow(
        (first, then),
        "First, for how many concepts the learned weights, cut at 0, correlate with the set IoU of"
        " each filter alone (Pearson, p < 0.01, over the filters of the layer); bars are binomial"
        f" standard errors. Then, w{caption}",
        "significant_correlation",
    )


def _defined(study: Study) -> pd.DataFrame:
    """Shares of significant correlations where any is defined; elsewhere 0 would be no finding."""
    key = ["network", "layer"]
    correlations = study.tables["weight_iou_correlation"]
    defined = correlations.loc[correlations["p"].notna(), key].drop_duplicates()
    return study.tables["significant_correlation"].merge(defined, on=key)


def _significant(study: Study, shares: pd.DataFrame) -> str:
    mine = shares[shares["network"] == study.label].set_index("layer")["percent"]
    layers = [layer for layer in study.run.layers if layer in mine.index]
    if not layers:
        return (
            "Whether weights follow the scores of single filters cannot be said: a correlation"
            " takes three filters, and weights and scores that vary."
        )
    said = [
        f"{percent(mine[layer] / 100)}{' of the concepts' if layer == layers[0] else ''} on {layer}"
        for layer in layers
    ]
    return (
        "A filter that finds a concept alone should weigh much in the combination. The two are"
        f" significantly correlated for {listing(said, len(layers))}."
    )


def _contributed(contribution: pd.DataFrame, layer: str, filters: int) -> str:
    """What the largest weights carry; nothing where there is one filter, or no weight."""
    shares = contribution.dropna(subset="weight_share").groupby("concept", sort=False)
    first = shares["weight_share"].agg(["first", "sum"])
    if filters < 2 or first.empty:
        return ""
    ten = f", the first ten {percent(first['sum'].mean())}" if filters > _FIRST else ""
    yet = "Yet no filter is the combination: on" if first["first"].mean() < 0.5 else "On"
    return (
        f"{yet} {layer} the filter with the largest weight carries"
        f" {percent(first['first'].mean())} of all weights in the mean{ten}."
    )
