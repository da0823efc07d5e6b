"""Figures show what their tables hold, and no text covers another, with few and many concepts."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle

from net2vec.analysis import individual_ious, weights_and_ious
from net2vec.report.figures import (
    draw_category_distances,
    draw_contribution,
    draw_distances,
    draw_failures,
    draw_filters_needed,
    draw_individual,
    draw_map,
    draw_sharing,
    draw_significance,
    draw_weights,
)
from net2vec.report.figures.style import DARK, LIGHT, svg_of
from net2vec.runs import make_tables
from texts import texts_overlap

from builders import CONCEPTS


@pytest.fixture(scope="module")
def tables(runs):
    return make_tables(runs[0])


def last(table):
    return table[table["layer"] == "blocks.6"]


def test_failures_are_told_apart_by_their_sign(tables):
    rows = last(tables["failures"])
    rows = rows[rows["task"] == "segment"]
    rows = rows.assign(difference=rows["difference"] - rows["difference"].median())
    figure = draw_failures(rows, LIGHT, task="segment")
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines[:2]}
    assert [label.split()[0] for label in drawn] == ["gains", "loses"]
    gains, loses = drawn.values()
    assert sorted([*gains, *loses]) == sorted(rows["difference"])
    assert min(gains) > 0 > max(loses)
    assert texts_overlap(figure) == []


def test_a_tie_is_neither_a_gain_nor_a_failure(tables):
    rows = last(tables["failures"]).query("task == 'segment'").reset_index(drop=True)
    rows["difference"] = [0.1, 0.0, 0.0, *[-0.1] * (len(rows) - 3)]
    figure = draw_failures(rows, LIGHT, task="segment")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["gains (1)", "neither (2)", f"loses ({len(rows) - 3})"]
    assert texts_overlap(figure) == []


def test_filters_needed_grows_to_all_concepts(tables):
    rows = last(tables["filters_needed"])
    figure = draw_filters_needed(rows, DARK, task="classify")
    mine = rows[(rows["task"] == "classify") & (rows["fraction"] == 0.9)]
    line = next(line for line in figure.axes[0].lines if "90%" in line.get_label())
    for size, share in line.get_xydata():
        assert share == pytest.approx(100 * (mine["filters"] <= size).mean())
    assert line.get_ydata()[-1] == 100
    assert texts_overlap(figure) == []


def test_what_scores_0_is_a_concept_that_never_reaches_a_fraction(tables):
    rows = last(tables["filters_needed"]).query("task == 'classify'").reset_index(drop=True)
    lost = rows["concept"].isin(["dog", "wood"])
    half = rows.assign(filters=rows["filters"].mask(lost))
    figure = draw_filters_needed(half, DARK, task="classify")
    total = rows["concept"].nunique()
    for line in figure.axes[0].lines:
        assert line.get_ydata()[-1] == pytest.approx(100 * (1 - 2 / total))
    # Nobody reaches anything: no warning, which is an error here.
    nothing = rows.assign(filters=rows["filters"].mask(rows["filters"] > 0))
    assert draw_filters_needed(nothing, DARK, task="classify").legends


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_individual_ious_add_up_to_all_images(runs, count):
    ious = individual_ious(runs[0].arrays())
    concepts = list(CONCEPTS)[:count]
    figure = draw_individual(ious, LIGHT, concepts=concepts)
    for axes, concept in zip(figure.axes, concepts, strict=False):
        mine = ious[(ious["concept"] == concept) & (ious["method"] == "single")]["iou"]
        (step,) = (patch for patch in axes.patches if patch.get_label() == "best single filter")
        _, missed = (bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle))
        assert missed == pytest.approx(100 * (mine == 0).mean())
        assert step.get_data().values.sum() + missed == pytest.approx(100)
    assert texts_overlap(figure) == []


def test_individual_ious_have_the_mean_and_spread_of_those_that_are_found():
    """Of .2, .4 and .6 the mean is .4 and the standard deviation .2; images missed do not count."""
    found = {"single": [0.0, 0.0, 0.5, 0.0], "combined": [0.2, 0.4, 0.6, 0.0]}
    ious = pd.concat(
        pd.DataFrame({"method": method, "concept": "dog", "image": list("abcd"), "iou": iou})
        for method, iou in found.items()
    )
    (axes,) = draw_individual(ious, LIGHT, concepts=["dog"]).axes
    shown = {}
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            (bars,) = container.lines[2]
            shown[round(float(container.lines[0].get_xdata()[0]), 9)] = np.ptp(
                bars.get_segments()[0][:, 0]
            )
    assert shown == pytest.approx({0.4: 0.4, 0.5: 0.0})


@pytest.mark.parametrize("layers", [1, 3, 16])
def test_sharing_counts_filters(layers):
    names = [f"features.{index}.block.conv" for index in range(layers)]
    table = pd.DataFrame(
        {"layer": name, "task": "segment", "filter": index, "concepts": concepts}
        for name in names
        for index, concepts in enumerate([0, 0, 0, 1, 1, 3, 25, 12])
    )
    figure = draw_sharing(table, LIGHT, task="segment", layers=names)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == [3, 2, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert texts_overlap(figure) == []


def test_significance_is_a_line_for_each_network(tables):
    shares = tables["significant_correlation"]
    both = pd.concat([shares, shares.assign(network="other", percent=[0.0, 100.0])])
    figure = draw_significance(both, LIGHT, layers=["stem/relu", "blocks.6"])
    lines = [container.lines[0].get_ydata().tolist() for container in figure.axes[0].containers]
    assert lines == [shares["percent"].tolist(), [0, 100]]
    assert texts_overlap(figure) == []


def test_weights_below_zero_are_drawn_at_zero(runs):
    table = weights_and_ious(runs[0].arrays(), ["dog", "wood", "null"])
    figure = draw_weights(table, LIGHT)
    rows = table[table["concept"] == "dog"]
    (line,) = figure.axes[0].lines
    assert line.get_ydata().min() == 0
    np.testing.assert_allclose(line.get_xdata(), rows["iou"])
    assert figure.axes[0].get_title(loc="left") == f"dog (r = {rows['r'].iloc[0]:.2f})"
    assert texts_overlap(figure) == []


def test_contribution_is_the_mean_by_rank(tables):
    rows = last(tables["contribution"])
    figure = draw_contribution(rows, LIGHT)
    first = rows.groupby("concept", sort=False)["weight_share"].first().mean()
    assert figure.axes[0].containers[0].lines[0].get_ydata()[0] == pytest.approx(100 * first)
    assert texts_overlap(figure) == []


@pytest.mark.parametrize("count", [1, 10, 1200])
def test_names_on_the_map_have_room(count):
    rng = np.random.default_rng(0)
    names = [f"concept {index}" for index in range(count)]
    table = pd.DataFrame(rng.normal(size=(count, 2)), columns=["x", "y"]).assign(concept=names)
    kinds = ["color", "object", "part", "material", "scene", "texture"]
    categories = {name: kinds[index % 6] for index, name in enumerate(names)}
    figure = draw_map(table, LIGHT, categories=categories, first=names[-1:])
    written = [text.get_text() for text in figure.axes[0].texts]
    if count <= 10:  # among 1,200 there may be no room
        assert names[-1] in written
    assert len(written) >= min(count, 8)
    points = np.concatenate([line.get_xydata() for line in figure.axes[0].lines])
    assert sorted(map(tuple, points)) == sorted(map(tuple, table[["x", "y"]].to_numpy()))
    assert texts_overlap(figure) == []


def test_names_that_the_font_lacks_are_drawn_without_a_word():
    """A warning is an error here."""
    names = ["犬 🐶", "кот", "a$b_c^d", "line\nbreak"]
    table = pd.DataFrame({"x": [0, 1, 2, 3], "y": [0, 2, 1, 3], "concept": names}).astype(
        {"x": float, "y": float}
    )
    figure = draw_map(table, LIGHT, categories=dict.fromkeys(names, "物"))
    assert {text.get_text() for text in figure.axes[0].texts} == set(names)
    assert svg_of(figure, LIGHT).endswith(b"</svg>\n")


@pytest.mark.parametrize("count", [2, 6, 24])
def test_distances_are_a_symmetric_matrix(count):
    names = [f"network {index} features.{index}.block segment" for index in range(count)]
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    table = pd.DataFrame(
        {"space": names[a], "other": names[b], "distance": 1000.0 * (a + 1) / (b + 1), "n": 5}
        for a, b in pairs
    )
    figure = draw_distances(table, LIGHT)
    matrix = figure.axes[0].images[0].get_array()
    # D = 500 over the 5 * 4 pairs of different concepts.
    assert matrix[0, 1] == matrix[1, 0] == 5
    assert np.ma.is_masked(matrix[0, 0]) or np.isnan(matrix[0, 0])
    assert texts_overlap(figure) == []


def test_category_distances_are_from_one_space(tables):
    table = tables["distances_by_category"]
    figure = draw_category_distances(table, DARK, space="blocks.6 classify", n=12)
    matrix = figure.axes[0].images[0].get_array()
    assert matrix.shape == (3, 4)
    rows = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    columns = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    wanted = table[table["other"] == "blocks.6 classify"].set_index(["space", "category"])["mean"]
    found = matrix[rows.index("stem/relu segment"), columns.index("part")]
    assert found == pytest.approx((wanted["stem/relu segment", "part"] / 11) ** 0.5)
    assert texts_overlap(figure) == []
