"""The tables that hold the two fits of a run against each other, from `results.zarr` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from net2vec import analysis
from net2vec.runs.run import Run
from net2vec.runs.spread import spread

FIT_TABLES: Mapping[str, tuple[str, str]] = {
    "fits": ("The paper’s fit and the converged one: what both say, in numbers", ""),
    "fits_by_concept": ("Scores and vectors of every concept with both fits", ""),
    "fits_subsets": ("Mean score against the number of filters, with both fits", "Fig. 3"),
    "fits_drops": ("What is lost after the best number of filters, with both fits", "Fig. 3"),
    "fits_rules": ("As many filters, chosen by an L1 path or by their weight", "Fig. 3"),
}
"""Title and place in the paper, by the names of their files."""

_FIT = ["network", "layer", "task"]
# What tells the rows of a layer and task apart, and what the paper's fit has a part in: the other
# is the same with every seed.
_DECIDED: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "fits": (
        (),
        (
            "paper", "ratio", "as_good", "worse", "single_paper", "percent_paper",
            "failures_paper", "failures_converged", "failures_both", "shared_paper",
            "same_filter", "neighbours", "cosine", "category_paper", "drop_paper",
        ),
    ),
    "fits_by_concept": (("concept",), ("single_paper", "combined_paper", "cosine", "overlap")),
    "fits_subsets": (("category", "fit", "rule", "filters"), ("mean",)),
    "fits_drops": (("category", "fit", "rule"), ("filters", "peak", "full", "drop")),
}  # fmt: skip


def fit_tables(run: Run) -> dict[str, pd.DataFrame]:
    """The tables of `FIT_TABLES` for a run with two fits; none for a run, or view, with one.

    `fits` has one row a layer and task: the columns of `analysis.compare_fits` and
    `analysis.sharing_of_fits`; `drop_paper`, `drop_converged`, `drop_path` (see `analysis.drops`;
    over all concepts, the last along the converged fit's L1 path); `path_gain`, the mean over sizes
    of what that path adds to the choice by weight. The last four are missing where no subsets were
    fitted.

    Where the paper's fit was made with several seeds, whatever it has a part in has its spread
    beside it, in a column `NAME_sd` (see `spread`), missing in rows of the converged fit.
    """
    if len(run.fits) < 2:
        return {}
    paper, converged = (run.at(fit=fit) for fit in ("paper", "converged"))
    tables = _tables(paper, converged)
    if not paper.seeds:
        return tables
    again = [_tables(paper.at(seed=seed), converged) for seed in paper.seeds]
    for name, (keys, values) in _DECIDED.items():
        seeds = [_of_paper(each[name]) for each in again]
        tables[name] = spread(tables[name], seeds, [*_FIT, *keys], values)
    return tables


def _of_paper(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the paper's fit has a part in."""
    return table[table["fit"] == "paper"] if "fit" in table else table


def _tables(paper: Run, converged: Run) -> dict[str, pd.DataFrame]:
    """The tables of two views, one of each fit."""
    scores = pd.concat([paper.scores, converged.scores], ignore_index=True)
    concepts = analysis.pair_fits(scores)
    vectors = pd.concat(
        [
            analysis.pair_vectors(
                *(view.arrays(layer, task=task) for view in (paper, converged))
            ).assign(network=paper.network, layer=layer, task=task)
            for layer in paper.layers
            for task in paper.tasks(layer)
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
