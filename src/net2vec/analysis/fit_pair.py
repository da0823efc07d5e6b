"""Two fits of a run, and the tables that compare the second with the first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import pandas as pd

from net2vec.analysis.fit_subsets import BY_WEIGHT, compare_rules, drops, fit_curves
from net2vec.analysis.fits import compare_fits, pair_fits, sharing_of_fits
from net2vec.analysis.sufficiency import ALL, PATH
from net2vec.results import LAYER_TASK, SCORE_GROUP, RunTable, TableInput


@dataclass(frozen=True)
class FitPair:
    """Two fits of a run, with the tables that compare them.

    Attributes:
        first: the name of a fit.
        second: the name of the fit that is compared with it.
        scores: rows of `scores.csv` of both.
        vectors: the tables of `pair_vectors`, with `network, layer, task`.
    """

    first: str
    second: str
    scores: pd.DataFrame
    vectors: pd.DataFrame

    @cached_property
    def concepts(self) -> pd.DataFrame:
        """The columns of `pair_fits` and of `pair_vectors`, a row a concept."""
        pairs = pair_fits(self.scores, self.first, self.second)
        return pairs.merge(self.vectors, on=[*SCORE_GROUP, "concept"], validate="one_to_one")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """See `fit_curves`."""
        return fit_curves(self.scores, (self.first, self.second))

    @cached_property
    def drops(self) -> pd.DataFrame:
        """See `drops` of `net2vec.analysis.fit_subsets`."""
        return drops(self.scores, (self.first, self.second))

    @cached_property
    def rules(self) -> pd.DataFrame:
        """See `compare_rules`; of the second fit."""
        return compare_rules(self.scores, self.second)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A table with a row for each layer and task.

        The columns of `compare_fits` and `sharing_of_fits`; `drop_FIRST`, `drop_SECOND`,
        `drop_path` (see `drops`; over all concepts, the last by the second fit's order of entry);
        `path_gain`, the mean over sizes of what that path adds to the choice by weight. The last
        four are missing where no subsets were fitted.
        """
        names = (self.first, self.second)
        shared = sharing_of_fits(self.concepts, *names)
        table = compare_fits(self.concepts, *names).merge(shared, on=SCORE_GROUP)
        overall = self.drops[self.drops["category"] == ALL]
        for name, fit, rule in (
            (f"drop_{self.first}", self.first, BY_WEIGHT),
            (f"drop_{self.second}", self.second, BY_WEIGHT),
            ("drop_path", self.second, PATH),
        ):
            one = overall[(overall["fit"] == fit) & (overall["rule"] == rule)]
            one = one[[*SCORE_GROUP, "drop"]].rename(columns={"drop": name})
            table = table.merge(one, on=SCORE_GROUP, how="left")
        gain = self.rules.groupby(SCORE_GROUP, sort=False)["difference"].mean().rename("path_gain")
        return table.merge(gain.reset_index(), on=SCORE_GROUP, how="left")


# In columns and values, {first} and {second} stand for the names of the fits. Values are those that
# depend on the first fit; the second is the same with each of its seeds.
FITS = RunTable(
    name="fits",
    title="Scores, failures and vectors of two fits, in numbers",
    columns=(
        *LAYER_TASK, "{first}", "{second}", "ratio", "as_good", "trained", "worse",
        "single_{first}", "single_{second}", "percent_{first}", "percent_{second}",
        "failures_{first}", "failures_{second}", "failures_both", "n",
        "shared_{first}", "shared_{second}", "shared_by_chance", "shared_limit", "same_filter",
        "neighbours", "neighbours_by_chance", "cosine",
        "category_{first}", "category_{second}", "category_by_chance",
        "drop_{first}", "drop_{second}", "drop_path", "path_gain",
    ),
    keys=LAYER_TASK,
    made_of=TableInput.FIT_PAIR,
    make=attrgetter("summary"),
    values=(
        "{first}", "ratio", "as_good", "worse", "single_{first}", "percent_{first}",
        "failures_{first}", "failures_{second}", "failures_both", "shared_{first}",
        "same_filter", "neighbours", "cosine", "category_{first}", "drop_{first}",
    ),
)  # fmt: skip
FITS_BY_CONCEPT = RunTable(
    name="fits_by_concept",
    title="Scores and vectors of every concept with both fits",
    columns=(
        *LAYER_TASK, "concept", "category", "n_train", "concept_size", "n_balanced", "baseline",
        "single_{first}", "single_{second}", "combined_{first}", "combined_{second}", "filters",
        "filter_{first}", "filter_{second}", "nearest_{first}", "nearest_{second}",
        "cosine", "overlap",
    ),
    keys=(*LAYER_TASK, "concept"),
    made_of=TableInput.FIT_PAIR,
    make=attrgetter("concepts"),
    values=("single_{first}", "combined_{first}", "cosine", "overlap"),
)  # fmt: skip
FITS_SUBSETS = RunTable(
    name="fits_subsets",
    title="Mean score against the number of filters, with both fits",
    source="Fig. 3",
    columns=(
        *LAYER_TASK,
        "category",
        "fit",
        "rule",
        "filters",
        "mean",
        "stderr",
        "n",
        "baseline",
    ),
    keys=(*LAYER_TASK, "category", "fit", "rule", "filters"),
    made_of=TableInput.FIT_PAIR,
    make=attrgetter("curves"),
    values=("mean",),
)
FITS_DROPS = RunTable(
    name="fits_drops",
    title="What is lost after the best number of filters, with both fits",
    source="Fig. 3",
    columns=(
        *LAYER_TASK, "category", "fit", "rule", "filters", "peak", "full", "drop", "stderr", "n",
    ),
    keys=(*LAYER_TASK, "category", "fit", "rule"),
    made_of=TableInput.FIT_PAIR,
    make=attrgetter("drops"),
    values=("filters", "peak", "full", "drop"),
)  # fmt: skip
FITS_RULES = RunTable(
    name="fits_rules",
    title="As many filters, chosen by their weight, by order of entry or by elimination",
    source="Fig. 3",
    columns=(
        *LAYER_TASK, "filters", "weight", "path", "backward", "difference", "stderr", "better",
        "worse", "n",
    ),
    keys=(*LAYER_TASK, "filters"),
    made_of=TableInput.FIT_PAIR,
    make=attrgetter("rules"),
)  # fmt: skip
