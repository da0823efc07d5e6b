"""The paper's questions, a file each: pure functions from results to tidy tables.

Every table has one row an observation. Those made of `scores.csv` begin with the column `network`;
those made of one layer's arrays know neither network nor layer. None of these functions draws,
saves or prints.
"""

from net2vec.analysis.balance import LEAST_BALANCED, entering, is_small
from net2vec.analysis.controls import paired_difference
from net2vec.analysis.evidence import LEAST_NULLS, evidence_summary, weigh_evidence
from net2vec.analysis.filters import FILTER_COLUMNS, concepts_of_filter
from net2vec.analysis.fit_pair import FitPair
from net2vec.analysis.fit_subsets import compare_rules, drops, fit_curves
from net2vec.analysis.fits import compare_fits, pair_fits, pair_vectors, sharing_of_fits
from net2vec.analysis.individual import (
    DECILES,
    choose_concepts,
    choose_deciles,
    individual_iou,
    individual_ious,
)
from net2vec.analysis.intervals import score_intervals
from net2vec.analysis.precision import precision_recall
from net2vec.analysis.sharing import choose_filters, filter_sharing
from net2vec.analysis.statistics import share_interval, shares_differ
from net2vec.analysis.steadiness import mean_steadiness, seed_steadiness
from net2vec.analysis.subsets import filters_needed, negative_subsets, subset_curve
from net2vec.analysis.sufficiency import (
    ALL,
    by_category,
    by_concept,
    combined_vs_single,
    compare_methods,
    failures,
    gain_by_category,
    improvement,
)
from net2vec.analysis.weights import (
    contribution,
    significant_share,
    weight_iou_correlation,
    weights_and_ious,
)

__all__ = [
    "ALL",
    "DECILES",
    "FILTER_COLUMNS",
    "LEAST_BALANCED",
    "LEAST_NULLS",
    "FitPair",
    "by_category",
    "by_concept",
    "choose_concepts",
    "choose_deciles",
    "choose_filters",
    "combined_vs_single",
    "compare_fits",
    "compare_methods",
    "compare_rules",
    "concepts_of_filter",
    "contribution",
    "drops",
    "entering",
    "evidence_summary",
    "failures",
    "filter_sharing",
    "filters_needed",
    "fit_curves",
    "gain_by_category",
    "improvement",
    "individual_iou",
    "individual_ious",
    "is_small",
    "mean_steadiness",
    "negative_subsets",
    "pair_fits",
    "pair_vectors",
    "paired_difference",
    "precision_recall",
    "score_intervals",
    "seed_steadiness",
    "share_interval",
    "shares_differ",
    "sharing_of_fits",
    "significant_share",
    "subset_curve",
    "weigh_evidence",
    "weight_iou_correlation",
    "weights_and_ious",
]
