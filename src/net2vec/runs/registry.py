"""All tables of a run, in the order in which they are written; a new one is a line here."""

from __future__ import annotations

from collections.abc import Mapping

from net2vec.analysis import (
    corrected,
    evidence,
    fit_pair,
    individual,
    intervals,
    precision,
    sharing,
    steadiness,
    subsets,
    sufficiency,
    weights,
)
from net2vec.results import RunTable, TableInput
from net2vec.spaces import comparison
from net2vec.spaces import tables as spaces

_DECLARED = (
    sufficiency.BY_CATEGORY,
    sufficiency.COMBINED_VS_SINGLE,
    sufficiency.METHOD_COMPARISON,
    sufficiency.GAIN_BY_CATEGORY,
    precision.PRECISION_RECALL,
    subsets.SUBSET_CURVE,
    subsets.FILTERS_NEEDED,
    subsets.NEGATIVE_SUBSETS,
    sufficiency.FAILURES,
    sufficiency.IMPROVEMENT,
    sharing.FILTER_SHARING,
    weights.CORRELATION,
    weights.SIGNIFICANT,
    weights.CONTRIBUTION,
    individual.INDIVIDUAL_IOU,
    sufficiency.BY_CONCEPT,
    spaces.NEAREST,
    spaces.ARITHMETIC,
    spaces.CLUSTERS,
    comparison.DISTANCES,
    comparison.DISTANCES_BY_CATEGORY,
    intervals.INTERVALS,
    corrected.CORRECTED,
    evidence.EVIDENCE,
    evidence.EVIDENCE_SUMMARY,
    steadiness.STEADINESS,
    fit_pair.FITS,
    fit_pair.FITS_BY_CONCEPT,
    fit_pair.FITS_SUBSETS,
    fit_pair.FITS_DROPS,
    fit_pair.FITS_RULES,
)

TABLES: Mapping[str, RunTable] = {
    table.name: table for table in _DECLARED if table.made_of is not TableInput.FIT_PAIR
}
"""The tables of a run, by name."""

FIT_TABLES: Mapping[str, RunTable] = {
    table.name: table for table in _DECLARED if table.made_of is TableInput.FIT_PAIR
}
"""The tables that compare two fits of a run, by name."""
