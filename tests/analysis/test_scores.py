"""The tables made of `scores.csv`, on a table small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import (
    by_category,
    by_concept,
    combined_vs_single,
    paired_difference,
    subset_curve,
)


def row(concept, category, method, filters, val, *, task="segment", network="net", layer="a"):
    return {
        "network": network,
        "layer": layer,
        "task": task,
        "concept": concept,
        "category": category,
        "method": method,
        "filters": filters,
        "best_filter": 0,
        "train": 0.0,
        "val": val,
        "n_train": 7,
        "n_val": 3,
        "concept_size": 0.25,
    }


SCORES = pd.DataFrame(
    [
        row("dog", "object", "single", 1, 0.10),
        row("cat", "object", "single", 1, 0.30),
        row("cow", "object", "single", 1, 0.50),
        row("red-c", "color", "single", 1, 0.20),
        row("dog", "object", "combined", 8, 0.10),
        row("cat", "object", "combined", 8, 0.20),
        row("cow", "object", "combined", 8, 0.90),
        row("red-c", "color", "combined", 8, 0.40),
        row("dog", "object", "subset", 2, 0.05),
        row("cat", "object", "subset", 2, 0.15),
        row("dog", "object", "single", 1, 0.5, task="classify"),
        row("dog", "object", "subset", 2, 0.7, task="classify"),
        row("dog", "object", "combined", 8, 0.9, task="classify"),
        row("dog", "object", "single", 1, 0.5, task="classify", layer="b"),
        row("dog", "object", "combined", 8, 0.6, task="classify", layer="b"),
    ]
)


def test_by_category_has_the_mean_and_its_standard_error():
    table = by_category(SCORES).set_index(["layer", "task", "method", "category"])
    objects = table.loc[("a", "segment", "single", "object")]
    # 0.1, 0.3, 0.5: standard deviation 0.2 with ddof 1, over the root of 3.
    assert objects["mean"] == pytest.approx(0.3)
    assert objects["stderr"] == pytest.approx(0.2 / 3**0.5)
    assert objects["n"] == 3
    assert np.isnan(table.loc[("a", "segment", "single", "color"), "stderr"])
    assert list(by_category(SCORES).columns) == [
        "network", "layer", "task", "method", "category", "mean", "stderr", "n"
    ]  # fmt: skip


def test_combined_vs_single_counts_a_tie_as_a_win():
    table = combined_vs_single(by_concept(SCORES))
    # dog ties, cat loses, cow and red win.
    segment = table[table["task"] == "segment"].iloc[0]
    assert (segment["percent"], segment["n"]) == (75.0, 4)
    assert table["network"].eq("net").all()


def test_by_concept_pairs_the_two_methods():
    table = by_concept(SCORES).set_index(["layer", "task", "concept"])
    assert len(table) == 6
    assert table.loc[("a", "segment", "cow"), ["single", "combined"]].tolist() == [0.5, 0.9]
    assert table.loc[("b", "classify", "dog"), "n_train"] == 7


def test_subset_curve_ends_with_all_filters_and_begins_with_one_for_classification():
    table = subset_curve(SCORES)
    assert set(table["layer"]) == {"a"}
    classify = table[table["task"] == "classify"]
    assert classify[["filters", "mean"]].values.tolist() == [[1, 0.5], [2, 0.7], [8, 0.9]]
    objects = table[(table["task"] == "segment") & (table["category"] == "object")]
    assert objects["filters"].tolist() == [2, 8]
    np.testing.assert_allclose(objects["mean"], [0.1, 0.4])


def test_paired_difference_is_over_common_concepts():
    other = pd.DataFrame(
        [
            row(concept, "object", method, 1, val, network="random")
            for method in ("single", "combined")
            for concept, val in [("dog", 0.0), ("cow", 0.5), ("yak", 0.9)]
        ]
    )
    concepts = by_concept(pd.concat([SCORES, other], ignore_index=True))
    table = paired_difference(concepts, "net", "random")
    # dog 0.1 - 0.0, cow 0.9 - 0.5: differences 0.1 and 0.4, standard deviation 0.3 / sqrt(2).
    assert len(table) == 1
    only = table.iloc[0]
    assert (only["mean"], only["mean_other"]) == (pytest.approx(0.5), pytest.approx(0.25))
    assert only["difference"] == pytest.approx(0.25)
    assert only["stderr"] == pytest.approx(0.15)
    assert only["n"] == 2
