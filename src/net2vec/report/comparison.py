"""Spaces held against each other, as files: two tables, one more by concept, and the figure."""

from __future__ import annotations

from pathlib import Path

from net2vec.report.figures import draw_category_distances, draw_distances
from net2vec.report.figures.style import LIGHT, svg_of
from net2vec.results import save_table, save_text
from net2vec.spaces import Comparison


def save_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write a comparison of spaces into a folder (Fig. 10).

    Args:
        comparison: what `compare_spaces` gave.
        folder: where to; files of these names are replaced, others are left alone.

    Returns:
        The files: `distances.csv`, `distances_by_category.csv`, `distances_by_concept.csv`,
        `distances.svg` and `distances_by_category.svg`.
    """
    tables = {
        "distances": comparison.distances,
        "distances_by_category": comparison.by_category,
        "distances_by_concept": comparison.by_concept,
    }
    written = []
    for name, table in tables.items():
        written.append(folder / f"{name}.csv")
        save_table(table, written[-1])
    figures = {
        "distances": draw_distances(comparison.distances, LIGHT),
        "distances_by_category": draw_category_distances(
            comparison.by_category,
            LIGHT,
            space=comparison.spaces[0],
            n=len(comparison.concepts),
        ),
    }
    for name, figure in figures.items():
        written.append(folder / f"{name}.svg")
        save_text(svg_of(figure, LIGHT).decode(), written[-1])
    return written
