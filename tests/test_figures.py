"""Figures of a run on axes of one's own: their numbers are those of its tables."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from net2vec import figures
from net2vec.errors import ResultsError

EVERY = {
    "concept_map": {},
    "concept_scores": {"n": 3},
    "filter_sharing": {},
    "individual_iou": {"concept": "dog"},
    "scores_by_layer": {},
    "subset_curve": {},
}


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run()


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


@pytest.mark.parametrize("name", figures.__all__)
def test_every_figure_is_drawn_where_it_is_told_to(run, ax, name):
    drawn = getattr(figures, name)(run, **EVERY[name], ax=ax)
    assert drawn is ax
    assert ax.has_data()
    ax.figure.canvas.draw()


def test_without_axes_there_is_a_new_figure(run):
    plt.switch_backend("agg")
    before = plt.get_fignums()
    drawn = figures.filter_sharing(run)
    assert isinstance(drawn, Axes)
    assert plt.get_fignums() == [*before, drawn.figure.number]
    plt.close(drawn.figure)


def lines(ax):
    return {label: line for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}


def test_means_by_layer_are_those_of_the_scores(run, ax):
    figures.scores_by_layer(run, category="color", ax=ax)
    rows = run.tables["by_category"].query("task == 'segment' and category == 'color'")
    means = rows.query("method == 'combined'").set_index("layer")["mean"].reindex(run.layers)
    drawn = lines(ax)["all filters"].lines[0].get_ydata().astype(float)
    np.testing.assert_allclose(drawn, means)


def test_concepts_stand_in_the_order_asked_for_with_their_intervals(run, ax):
    figures.concept_scores(run, concepts=["wood", "dog"], ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["wood", "dog"]
    rows = run.tables["intervals"].query(
        "layer == 'blocks.6' and task == 'segment' and method == 'combined'"
    )
    values = rows.set_index("concept").loc[["wood", "dog"], "value"]
    np.testing.assert_allclose(lines(ax)["all filters"].lines[0].get_xdata().astype(float), values)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda run: figures.scores_by_layer(run, category="cat"), "no category 'cat'.*color"),
        (lambda run: figures.subset_curve(run, "stem/relu"), "no layer 'stem/relu'.*blocks.6"),
        (lambda run: figures.concept_scores(run, concepts=["cat"]), "no concept 'cat'"),
        (lambda run: figures.individual_iou(run, "cat"), "no concept 'cat'"),
        (lambda run: figures.concept_map(run, fit="lda"), "fit 'lda' is not in this run"),
    ],
)
def test_what_a_run_lacks_is_said(run, draw, message):
    with pytest.raises(ResultsError, match=message):
        draw(run)
