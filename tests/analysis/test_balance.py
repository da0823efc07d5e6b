"""Concepts whose accuracy is of few images, and scores beside that of the whole image, by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from net2vec.analysis import (
    by_category,
    by_concept,
    combined_vs_single,
    compare_fits,
    compare_methods,
    drops,
    entering,
    failures,
    fit_curves,
    is_small,
    negative_subsets,
    pair_fits,
    subset_curve,
)

KEY = {"network": "net", "layer": "a", "category": "object", "best_filter": 0, "fit": "paper"}


def row(task, concept, method, filters, val, n_balanced, fit="paper"):
    more = {"task": task, "concept": concept, "method": method, "filters": filters, "val": val}
    sizes = {"n_train": 50, "concept_size": 0.2, "n_balanced": n_balanced, "baseline": 0.5}
    return {**KEY, **more, **sizes, "fit": fit}


def table(rows):
    frame = pd.DataFrame(rows)
    return frame.assign(n_balanced=pd.array(frame["n_balanced"], dtype="Int64"))


SCORES = table(
    [
        row("classify", concept, method, filters, val, images, fit)
        for fit in ("paper", "converged")
        for concept, images, vals in (
            ("dog", 6, (0.6, 0.7, 0.9)),
            ("cat", 40, (0.8, 0.7, 0.6)),
            ("black-c", 2, (1.0, 0.5, 0.0)),
        )
        for method, filters, val in zip(
            ("single", "subset", "combined"), (1, 2, 8), vals, strict=True
        )
    ]
)
PAPER = SCORES[SCORES["fit"] == "paper"]


def test_the_least_size_is_six_images():
    rows = table([row("classify", str(n), "single", 1, 1.0, n) for n in (4, 6)])
    assert is_small(rows).tolist() == [True, False]
    assert entering(rows)["concept"].tolist() == ["6"]


def test_segmentation_and_older_runs_have_no_such_size():
    rows = table([row("segment", "dog", "single", 1, 1.0, None)])
    assert not is_small(rows).any()
    assert not is_small(rows.drop(columns="n_balanced")).any()
    assert len(entering(rows)) == 1


def test_where_all_are_small_all_enter():
    rows = table(
        [
            row("classify", "dog", "single", 1, 1.0, 4),
            row("classify", "cat", "single", 1, 1.0, 2),
            row("segment", "cat", "single", 1, 1.0, None),
        ]
    )
    assert len(entering(rows)) == 3
    assert is_small(rows).tolist() == [True, True, False]


def test_a_small_one_is_in_no_mean():
    concepts = by_concept(PAPER)
    assert concepts["concept"].tolist() == ["dog", "cat", "black-c"]
    assert concepts["n_balanced"].tolist() == [6, 40, 2]
    assert failures(concepts)["n_balanced"].tolist() == [2, 40, 6]
    means = by_category(PAPER).set_index("method")["mean"]
    assert means.to_dict() == pytest.approx({"single": 0.7, "combined": 0.75})
    (wins,) = combined_vs_single(concepts).to_dict("records")
    assert (wins["percent"], wins["n"]) == (50, 2)
    compared = compare_methods(concepts).set_index("statistic")["value"]
    assert compared["difference"] == pytest.approx(0.05)
    curve = subset_curve(PAPER).set_index("filters")["mean"]
    assert curve.to_dict() == pytest.approx({1: 0.7, 2: 0.7, 8: 0.75})


def test_a_small_one_is_in_no_mean_of_two_fits():
    fits = ("paper", "converged")
    pairs = pair_fits(SCORES, *fits)
    assert len(pairs) == 3
    (row,) = compare_fits(pairs, *fits).to_dict("records")
    assert (row["n"], row["failures_paper"], row["percent_converged"]) == (2, 1, 50)
    assert row["converged"] == pytest.approx(0.75)
    assert set(fit_curves(SCORES, fits)["n"]) == {2}
    assert set(drops(SCORES, fits)["n"]) == {2}


def test_curves_stand_beside_the_whole_image():
    rows = PAPER.assign(task="segment", n_balanced=pd.NA)
    rows.loc[rows["concept"] == "cat", "baseline"] = 0.2
    assert subset_curve(rows)["baseline"].tolist() == pytest.approx([(0.5 + 0.2 + 0.5) / 3] * 2)
    assert subset_curve(rows.drop(columns="baseline"))["baseline"].isna().all()


def test_single_filters_with_a_negative_weight_are_named():
    weight = np.zeros((2, 3, 4), np.float32)
    weight[0, :, 2] = [-0.5, 0.3, -0.1]
    weight[1, :, 1:3] = [-1, -2]  # of two filters, which may well be of use
    segment = xr.Dataset(
        {
            "subset_weight": (("subset_size", "concept", "filter"), weight),
            "subset_score": (("split", "subset_size", "concept"), np.arange(12).reshape(2, 2, 3)),
        },
        {
            "subset_size": [1, 2], "concept": ["dog", "cat", "cow"], "split": ["train", "val"],
            "baseline": ("concept", [0.1, 0.2, 0.3]),
        },
    )  # fmt: skip
    found = negative_subsets(segment)
    assert found["concept"].tolist() == ["dog", "cow"]
    assert found["rule"].tolist() == ["weight"] * 2
    assert found["filter"].tolist() == [2, 2]
    assert found["weight"].tolist() == pytest.approx([-0.5, -0.1])
    assert found["score"].tolist() == [6, 8]
    assert found["baseline"].tolist() == [0.1, 0.3]
    assert negative_subsets(segment.isel(subset_size=[1])).empty
