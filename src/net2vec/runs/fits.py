"""The tables that hold the two fits of a run against each other, from `results.zarr` alone."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from net2vec import analysis
from net2vec.runs.run import Run

FIT_TABLES: Mapping[str, tuple[str, str]] = {
    "fits": ("The paper’s fit and the converged one: what both say, in numbers", ""),
    "fits_by_concept": ("Scores and vectors of every concept with both fits", ""),
    "fits_subsets": ("Mean score against the number of filters, with both fits", "Fig. 3"),
    "fits_drops": ("What is lost after the best number of filters, with both fits", "Fig. 3"),
    "fits_rules": ("As many filters, chosen by an L1 path or by their weight", "Fig. 3"),
}
"""Title and place in the paper, by the names of their files."""

_FIT = ["network", "layer", "task"]


def fit_tables(run: Run) -> dict[str, pd.DataFrame]:
    """The tables of `FIT_TABLES` for a run with two fits; none for a run, or view, with one.

    `fits` has one row a layer and task: the columns of `analysis.compare_fits` and
    `analysis.sharing_of_fits`; `drop_paper`, `drop_converged`, `drop_path` (see `analysis.drops`;
    over all concepts, the last along the converged fit's L1 path); `path_gain`, the mean over sizes
    of what that path adds to the choice by weight. The last four are missing where no subsets were
    fitted.
    """
    if len(run.fits) < 2:
        return {}
    views = {fit: run.at(fit=fit) for fit in run.fits}
    scores = pd.concat([view.scores for view in views.values()], ignore_index=True)
    concepts = analysis.pair_fits(scores)
    vectors = pd.concat(
        [
            analysis.pair_vectors(
                *(views[fit].arrays(layer, task=task) for fit in ("paper", "converged"))
            ).assign(network=run.network, layer=layer, task=task)
            for layer in run.layers
            for task in run.tasks(layer)
        ],
        ignore_index=True,
    )
    vectors = concepts.merge(vectors, on=[*_FIT, "concept"], validate="one_to_one")
    lost, rules = analysis.drops(scores), analysis.compare_rules(scores)
    overall = lost[lost["category"] == analysis.ALL]
    table = analysis.compare_fits(concepts).merge(analysis.sharing_of_fits(vectors), on=_FIT)
    for name, fit, rule in (
        ("drop_paper", "paper", "weight"),
        ("drop_converged", "converged", "weight"),
        ("drop_path", "converged", "path"),
    ):
        one = overall[(overall["fit"] == fit) & (overall["rule"] == rule)]
        one = one[[*_FIT, "drop"]].rename(columns={"drop": name})
        table = table.merge(one, on=_FIT, how="left")
    gain = rules.groupby(_FIT, sort=False)["difference"].mean().rename("path_gain")
    return {
        "fits": table.merge(gain.reset_index(), on=_FIT, how="left"),
        "fits_by_concept": vectors,
        "fits_subsets": analysis.fit_curves(scores),
        "fits_drops": lost,
        "fits_rules": rules,
    }
