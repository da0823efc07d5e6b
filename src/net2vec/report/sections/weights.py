"""Do the learned weights agree with what single filters can do? (sec. 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from net2vec.report.content import Drawing, Table, as_shares, columns
from net2vec.report.figures import draw_contribution, draw_significance, draw_weights
from net2vec.report.study import Study


@dataclass(frozen=True)
class WeightsFacts:
    """Correlations of weights with IoUs, and what filters contribute."""

    layer: str
    significant: Table
    contributed: Mapping[str, float] | None
    correlation: Drawing | None
    contribution: Drawing
    points: Drawing | None


def weights_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> WeightsFacts | None:
    """Correlation of weights with IoUs, and contributions. None without segmentation."""
    if "segment" not in study.tasks:
        return None
    layer = study.layer_of["segment"]
    shares = _defined(study)
    of_subject = shares[shares["network"] == study.label]
    contribution = study.rows_shown(study.tables["contribution"])
    several = study.run.layer(layer).sizes["filter"] > 1
    weights = tables["weight_iou"]
    return WeightsFacts(
        layer=layer,
        significant=Table(
            as_shares(of_subject, "percent"),
            columns("layer", percent=("percent", "significant correlation"), n="count"),
            "significant_correlation",
        ),
        contributed=weight_shares(contribution) if several else None,
        correlation=None
        if shares.empty
        else Drawing(
            "significant_correlation",
            partial(draw_significance, shares, layers=study.run.layers),
        ),
        contribution=Drawing("contribution", partial(draw_contribution, contribution)),
        points=Drawing("weight_iou", partial(draw_weights, weights)) if len(weights) else None,
    )


def _defined(study: Study) -> pd.DataFrame:
    """Shares of significant correlations where any is defined; elsewhere 0 would be no finding."""
    key = ["network", "layer"]
    correlations = study.tables["weight_iou_correlation"]
    defined = correlations.loc[correlations["p"].notna(), key].drop_duplicates()
    return study.tables["significant_correlation"].merge(defined, on=key)


def weight_shares(contribution: pd.DataFrame) -> Mapping[str, float] | None:
    """The mean shares of all weights of a concept's largest one, and of its ten largest.

    Args:
        contribution: rows of `contribution` of one layer.

    Returns:
        `first` and `ten`; None where no concept has a weight.
    """
    shares = contribution.dropna(subset="weight_share").groupby("concept", sort=False)
    if not len(shares):
        return None
    weights = shares["weight_share"]
    return {"first": float(weights.first().mean()), "ten": float(weights.sum().mean())}
