"""The tables made of `scores.csv`, on a table small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import (
    by_category,
    by_concept,
    choose_filters,
    combined_vs_single,
    compare_methods,
    failures,
    filter_sharing,
    filters_needed,
    gain_by_category,
    improvement,
    paired_difference,
    precision_recall,
    subset_curve,
)
from net2vec.analysis.statistics import bootstrap_mean, share_interval, shares_differ


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


def test_failures_begin_with_the_greatest_loss_of_each_fit():
    table = failures(by_concept(SCORES))
    segment = table[table["task"] == "segment"]
    assert segment["concept"].tolist() == ["cat", "dog", "red-c", "cow"]
    np.testing.assert_allclose(segment["difference"], [-0.1, 0.0, 0.2, 0.4])
    assert list(table.columns) == [
        "network", "layer", "task", "concept", "category", "single", "tuned", "combined",
        "difference", "difference_tuned", "n_train", "concept_size", "n_balanced",
    ]  # fmt: skip


# The thresholds of single filters are tuned: dog .2, cat .2, cow .4 and red-c .5.
TUNED = pd.concat(
    [
        SCORES,
        pd.DataFrame(
            [
                row("dog", "object", "tuned", 1, 0.20),
                row("cat", "object", "tuned", 1, 0.20),
                row("cow", "object", "tuned", 1, 0.40),
                row("red-c", "color", "tuned", 1, 0.50),
            ]
        ),
    ],
    ignore_index=True,
)


def test_all_filters_against_tuned_single_filters():
    concepts = by_concept(TUNED)
    segment = concepts[concepts["task"] == "segment"]
    assert segment["tuned"].tolist() == [0.2, 0.2, 0.4, 0.5]
    assert concepts.loc[concepts["task"] == "classify", "tuned"].isna().all()
    # As good for cat, which ties, and cow.
    table = combined_vs_single(concepts).set_index(["layer", "task"])
    assert table.loc[("a", "segment"), "percent_tuned"] == 50
    assert np.isnan(table.loc[("a", "classify"), "percent_tuned"])
    # Wilson's interval of 2 of 4, and the mean scores beside it.
    segment = table.loc[("a", "segment")]
    assert segment[["low_tuned", "high_tuned"]].tolist() == pytest.approx([15.0, 85.0], abs=0.01)
    assert segment["low"] < segment["percent"] == 75 < segment["high"]
    assert segment[["single", "tuned"]].tolist() == pytest.approx([0.275, 0.325])
    kinds = combined_vs_single(concepts, ["task", "category"]).set_index(["task", "category"])
    assert kinds.loc[("segment", "object"), "percent_tuned"] == pytest.approx(200 / 3)
    lines = by_category(TUNED).set_index(["task", "method", "category"])["mean"]
    assert lines["segment", "tuned", "object"] == pytest.approx(0.8 / 3)
    compared = compare_methods(concepts).query("task == 'segment'").set_index("statistic")["value"]
    assert compared["difference_tuned"] == pytest.approx((-0.1 + 0 + 0.5 - 0.1) / 4)
    assert compared["ratio_tuned"] == pytest.approx((0.5 + 1 + 2.25 + 0.8) / 4)
    lost = failures(concepts).query("task == 'segment'")
    np.testing.assert_allclose(lost["difference_tuned"], [0.0, -0.1, -0.1, 0.5], atol=1e-12)


def test_gains_by_category_begin_with_all_concepts():
    table = gain_by_category(by_concept(TUNED)).query("task == 'segment'")
    assert table["category"].tolist() == ["all concepts", "object", "color"]
    assert table["n"].tolist() == [4, 3, 1]
    np.testing.assert_allclose(table["difference_tuned"], [0.3 / 4, 0.4 / 3, -0.1])
    np.testing.assert_allclose(table["percent_tuned"], [50, 200 / 3, 0])
    assert (table["low_tuned"] <= table["difference_tuned"])[table["n"] > 1].all()
    without = gain_by_category(by_concept(SCORES))
    assert without["percent_tuned"].isna().all()
    assert "difference_tuned" not in set(compare_methods(by_concept(SCORES))["statistic"])


def test_mean_precision_and_recall():
    rows = TUNED.assign(precision=0.5, recall=0.25, average_precision=np.nan)
    rows.loc[rows["concept"] == "cow", "precision"] = 0.8
    rows.loc[rows["concept"] == "dog", "precision"] = np.nan  # no pixel is predicted
    table = precision_recall(rows).set_index("method")
    assert table.index.tolist() == ["single", "combined", "tuned"]
    assert table["precision"].tolist() == pytest.approx([0.6] * 3)
    assert table["n"].tolist() == [4] * 3
    assert table["average_precision"].isna().all()
    assert len(precision_recall(SCORES)) == 0  # of an earlier version


def test_improvement_leaves_out_what_the_single_filter_misses():
    missed = [row("yak", "object", "single", 1, 0.005), row("yak", "object", "combined", 8, 0.9)]
    scores = pd.concat([SCORES, pd.DataFrame(missed)])
    table = improvement(compare_methods(by_concept(scores)))
    segment = table[table["task"] == "segment"].iloc[0]
    # 0.1/0.1, 0.2/0.3, 0.9/0.5 and 0.4/0.2; 0.005 does not exceed 0.005.
    assert segment["mean_ratio"] == pytest.approx((1 + 2 / 3 + 1.8 + 2) / 4)
    assert segment["n"] == 4
    assert list(table.columns) == ["network", "layer", "task", "mean_ratio", "n"]


def test_the_methods_are_compared_with_an_interval_around_the_mean():
    table = compare_methods(by_concept(SCORES))
    segment = table[table["task"] == "segment"].set_index("statistic")
    # Differences 0, -0.1, 0.4, 0.2: mean 0.125, standard deviation 0.2217 with ddof 1.
    assert segment.loc["difference", "value"] == pytest.approx(0.125)
    assert segment.loc["difference", "stderr"] == pytest.approx(0.22173558 / 2)
    assert -0.1 <= segment.loc["difference", "low"] < 0.125 < segment.loc["difference", "high"]
    assert segment.loc["percent", "value"] == 75
    assert segment.loc["ratio", "n"] == 4
    alone = table[(table["task"] == "classify") & (table["layer"] == "a")]
    assert alone["stderr"].isna().all()
    means = alone[alone["statistic"] != "percent"]
    assert means[["low", "high"]].isna().all(axis=None)
    # Wilson's interval for 1 of 1 begins at 1 / (1 + z^2), with z = 1.96.
    (share,) = alone[alone["statistic"] == "percent"].to_dict("records")
    assert share["low"] == pytest.approx(100 / (1 + 1.959964**2))
    assert share["high"] == pytest.approx(100)


def test_a_share_of_few_is_not_certain():
    # The middle is (s + z^2/2) / (n + z^2), here with 4 of 5 and z = 1.96: 0.6696.
    low, high = share_interval(4, 5)
    assert (low + high) / 2 == pytest.approx((4 + 1.959964**2 / 2) / (5 + 1.959964**2))
    assert 0 < low < 0.8 < high < 1
    assert share_interval(5, 5)[0] < 0.6
    assert np.isnan(share_interval(0, 0)).all()


def test_shares_differ_by_fishers_exact_test():
    # 0 of 3 against 3 of 3: two of the 20 ways to choose three of six are as extreme.
    assert shares_differ((0, 3), (3, 3)) == pytest.approx(2 / 20)
    assert shares_differ((39, 40), (98, 100)) > 0.5
    assert shares_differ((10, 40), (90, 100)) < 0.001


def test_the_bootstrap_interval_is_about_two_standard_errors_wide():
    values = np.random.default_rng(3).normal(size=400)
    low, high = bootstrap_mean(values)
    error = values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert bootstrap_mean(values) == (low, high)


def test_filters_needed_is_the_smallest_subset_that_reaches_the_fraction():
    rows = [
        row(concept, "object", method, filters, val, task="classify")
        for concept, scores in {
            "cat": {1: 0.60, 2: 0.81, 4: 0.79, 8: 1.00},
            "cow": {1: 0.10, 2: 0.10, 4: 0.10, 8: 0.50},
            "yak": {1: 0.20, 2: 0.00, 4: 0.00, 8: 0.00},
        }.items()
        for filters, val in scores.items()
        for method in [{1: "single", 8: "combined"}.get(filters, "subset")]
    ]
    table = filters_needed(pd.DataFrame(rows)).set_index(["concept", "fraction"])["filters"]
    assert table["cat", 0.8] == 2
    assert table["cat", 0.9] == 8
    assert table["cow", 0.8] == 8
    assert table[["yak"]].isna().all()
    assert filters_needed(SCORES[SCORES["layer"] == "b"]).empty


def test_filter_sharing_counts_every_filter():
    rows = [
        {**row(concept, "object", method, filters, 0.5), "best_filter": best}
        for concept, best in {"cat": 2, "cow": 0, "dog": 2}.items()
        for method, filters in (("single", 1), ("subset", 2), ("combined", 4))
    ]
    table = filter_sharing(pd.DataFrame(rows))
    assert table["concepts"].tolist() == [1, 0, 2, 0]
    assert table["filter"].tolist() == [0, 1, 2, 3]
    assert choose_filters(table, 3) == [2, 0]
    assert choose_filters(table.assign(concepts=[1, 0, 1, 1]), 2) == [0, 2]
