import itertools
import re

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import by_category, subset_curve
from net2vec.report.figures.scores import draw_by_category, draw_subset_curve
from net2vec.report.figures.style import DARK, LIGHT, repaint_svg, svg_of
from texts import texts_overlap


def categories_table(categories, layers, networks=("net",)):
    rows = itertools.product(networks, layers, ["single", "combined"], categories)
    table = pd.DataFrame(rows, columns=["network", "layer", "method", "category"])
    rng = np.random.default_rng(0)
    mean = rng.uniform(0, 1, len(table))
    return table.assign(task="segment", mean=mean, stderr=0.05, n=7)


def lines_of(axes):
    return {
        container.get_label(): container.lines[0].get_ydata().tolist()
        for container in axes.containers
    }


def test_by_category_draws_the_means_of_the_table(runs):
    table = by_category(runs[0].scores)
    figure = draw_by_category(table, LIGHT, task="classify", layers=runs[0].layers)
    panels = {axes.get_title(loc="left"): lines_of(axes) for axes in figure.axes if axes.axison}
    assert set(panels) == {
        "color (n = 2)", "object (n = 5)", "part (n = 2)", "material (n = 3)", "scene (n = 2)"
    }  # fmt: skip
    rows = table[(table["task"] == "classify") & (table["category"] == "part")]
    for method, label in (("combined", "all filters"), ("single", "best single filter")):
        means = rows[rows["method"] == method].set_index("layer")["mean"]
        assert panels["part (n = 2)"][label] == [means[layer] for layer in runs[0].layers]


def test_a_layer_that_a_network_lacks_is_a_gap():
    table = categories_table(["object"], ["a", "b"], ["one", "two"])
    table = table[(table["method"] == "combined")]
    table = table[~((table["network"] == "two") & (table["layer"] == "a"))]
    figure = draw_by_category(table, LIGHT, task="segment", layers=["a", "b"], series="network")
    lines = lines_of(figure.axes[0])
    assert not np.isnan(lines["one"]).any()
    assert np.isnan(lines["two"]).tolist() == [True, False]


@pytest.mark.parametrize("categories", [1, 2, 5, 6])
@pytest.mark.parametrize("layers", [1, 5, 16])
def test_no_text_covers_another_or_is_cut(categories, layers):
    names = ["color", "object", "part", "material", "scene", "texture"][:categories]
    depths = [f"features.{index}.block.conv_pointwise" for index in range(layers)]
    table = categories_table(names, depths)
    for theme in (LIGHT, DARK):
        figure = draw_by_category(table, theme, task="segment", layers=depths)
        assert texts_overlap(figure) == []


def test_subset_curve_has_a_line_for_each_category(runs):
    table = subset_curve(runs[0].scores)
    figure = draw_subset_curve(table, DARK, task="segment")
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    rows = table[(table["task"] == "segment") & (table["category"] == "object")]
    assert drawn["object (5)"] == rows[["filters", "mean"]].values.tolist()
    assert len(drawn) == 4
    assert texts_overlap(figure) == []


def test_ticks_of_many_sizes_do_not_touch():
    sizes = [1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 80, 100, 128, 256]
    table = pd.DataFrame(
        {"task": "classify", "category": "object", "filters": sizes, "mean": 0.5, "stderr": 0.01}
    ).assign(n=3, baseline=0.5)
    assert texts_overlap(draw_subset_curve(table, LIGHT, task="classify")) == []


def test_a_figure_has_the_same_bytes_every_time(runs):
    table = subset_curve(runs[0].scores)
    one, again = (svg_of(draw_subset_curve(table, LIGHT, task="segment"), LIGHT) for _ in range(2))
    assert one == again
    assert one.startswith(b"<?xml")


def test_a_repainted_figure_is_the_figure_drawn_in_the_other_theme(runs):
    table = by_category(runs[0].scores)
    light, dark = (
        svg_of(draw_by_category(table, theme, task="segment", layers=runs[0].layers), theme)
        for theme in (LIGHT, DARK)
    )
    # The names of shapes in an SVG are digests of how they look.
    light, dark = (re.sub(rb"\bm[0-9a-f]{10}\b", b"m", svg) for svg in (light, dark))
    assert light != dark
    assert repaint_svg(light, LIGHT, DARK) == dark
    assert repaint_svg(light, LIGHT, LIGHT) == light
