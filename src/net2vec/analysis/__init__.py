"""The paper's questions, a file each: pure functions from results to tidy tables.

Every table has one row an observation and begins with the column `network`, except those of one
concept; none of these functions draws, saves or prints.
"""

from net2vec.analysis.controls import paired_difference
from net2vec.analysis.individual import choose_concepts, choose_deciles, individual_ious
from net2vec.analysis.subsets import subset_curve
from net2vec.analysis.sufficiency import by_category, by_concept, combined_vs_single

__all__ = [
    "by_category",
    "by_concept",
    "choose_concepts",
    "choose_deciles",
    "combined_vs_single",
    "individual_ious",
    "paired_difference",
    "subset_curve",
]
