"""Figures, each drawn from tables alone and returned, never saved."""

from net2vec.report.figures.chance import draw_evidence
from net2vec.report.figures.concepts import draw_failures, draw_filters_needed, draw_individual
from net2vec.report.figures.filters import (
    draw_contribution,
    draw_sharing,
    draw_significance,
    draw_weights,
)
from net2vec.report.figures.fits import (
    draw_fit_curves,
    draw_fit_sharing,
    draw_fits_by_category,
)
from net2vec.report.figures.scores import draw_by_category, draw_subset_curve
from net2vec.report.figures.space import draw_category_distances, draw_distances, draw_map

__all__ = [
    "draw_by_category",
    "draw_category_distances",
    "draw_contribution",
    "draw_distances",
    "draw_evidence",
    "draw_failures",
    "draw_filters_needed",
    "draw_fit_curves",
    "draw_fit_sharing",
    "draw_fits_by_category",
    "draw_individual",
    "draw_map",
    "draw_sharing",
    "draw_significance",
    "draw_subset_curve",
    "draw_weights",
]
