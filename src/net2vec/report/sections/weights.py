"""Do the learned weights agree with what single filters can do? (sec. 5.2)."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import weights_and_ious
from net2vec.report.content import Block, Drawing, FigureRow, Paragraph, Section
from net2vec.report.figures import draw_contribution, draw_significance, draw_weights
from net2vec.report.study import Study, listing

_SHOWN = 4


def weights_table(study: Study) -> pd.DataFrame:
    """Weights and IoUs, filter by filter, of some concepts on the last layer (Fig. 9).

    Returns:
        `network, layer, concept, filter, weight, iou, r, p`; empty without segmentation.
    """
    if "segment" not in study.tasks:
        return pd.DataFrame()
    table = weights_and_ious(study.run.arrays(study.layer), study.featured[:_SHOWN])
    table.insert(0, "network", study.label)
    table.insert(1, "layer", study.layer)
    return table


def weights_section(study: Study, weights: pd.DataFrame) -> Section | None:
    """Correlation of weights with IoUs, and contributions. None without segmentation."""
    if "segment" not in study.tasks:
        return None
    shares = study.tables["significant_correlation"]
    contribution = study.last(study.tables["contribution"])
    blocks: list[Block] = [
        Paragraph(f"{_significant(study, shares)} {_contributed(contribution)}"),
        FigureRow(
            (
                Drawing(
                    "significant_correlation",
                    "Share of concepts with a significant correlation by layer",
                    partial(draw_significance, shares, layers=study.run.layers),
                    "Weights follow scores",
                ),
                Drawing(
                    "contribution",
                    "Mean contribution of the first ten filters of a concept",
                    partial(draw_contribution, contribution),
                    f"What the first filters contribute on {study.layer}",
                ),
            ),
            "First, for how many concepts the learned weights, cut at 0, correlate with the set IoU"
            " of each filter alone (Pearson, p < 0.01, over the filters of the layer); bars are"
            " binomial standard errors. Then, what the filters with the largest weights of a"
            " concept contribute, in the mean over concepts with its standard error: by their"
            " share of all weights, and by their set IoU over that of all filters.",
            "significant_correlation",
        ),
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
                f" it, on {study.layer}. r is Pearson’s correlation.",
                "weight_iou",
            )
        )
    return Section("weights", "Do combinations agree with single filters?", blocks)


def _significant(study: Study, shares: pd.DataFrame) -> str:
    mine = shares[shares["network"] == study.label].set_index("layer")["percent"]
    layers = [layer for layer in study.run.layers if layer in mine.index]
    said = listing((f"{mine[layer]:.0f} % on {layer}" for layer in layers), len(layers))
    return (
        "A filter that finds a concept alone should weigh much in the combination. The two are"
        f" significantly correlated for {said} of the concepts."
    )


def _contributed(contribution: pd.DataFrame) -> str:
    first = contribution.groupby("concept", sort=False)["weight_share"].agg(["first", "sum"])
    return (
        f"Yet no filter is the combination: on the last layer the one with the largest weight"
        f" carries {100 * first['first'].mean():.1f} % of all weights in the mean, the first ten"
        f" {100 * first['sum'].mean():.1f} %."
    )
