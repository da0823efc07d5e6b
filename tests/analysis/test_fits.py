"""Both fits of a run held against each other: hand-worked numbers, laws, and the oracle."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from net2vec.analysis import (
    ALL,
    combined_vs_single,
    compare_fits,
    compare_rules,
    drops,
    fit_curves,
    pair_fits,
    pair_vectors,
    sharing_of_fits,
)
from net2vec.analysis.fits import used_by_chance

import oracle

FITS = ("paper", "converged")
KEY = {"network": "net", "layer": "a", "task": "segment"}
TRAINED = {"dog": 200, "cat": 50, "cow": 49, "red-c": 80}


def row(concept, method, filters, val, fit):
    return {
        **KEY,
        "concept": concept,
        "category": "color" if concept.endswith("-c") else "object",
        "method": method,
        "filters": filters,
        "best_filter": 0,
        "train": 0.9,
        "val": val,
        "n_train": TRAINED[concept],
        "n_val": 3,
        "concept_size": 0.25,
        "fit": fit,
    }


def rows(fit, method, filters, *vals):
    return [row(name, method, filters, val, fit) for name, val in zip(TRAINED, vals, strict=True)]


SCORES = pd.DataFrame(
    [
        *rows("paper", "single", 1, 0.20, 0.30, 0.50, 0.10),
        *rows("paper", "subset", 2, 0.40, 0.30, 0.20, 0.30),
        *rows("paper", "subset", 4, 0.30, 0.30, 0.40, 0.20),
        *rows("paper", "combined", 8, 0.10, 0.20, 0.60, 0.30),
        # The converged fit's own single filter is worse; failures are told by the paper's.
        *rows("converged", "single", 1, 0.10, 0.10, 0.10, 0.10),
        *rows("converged", "subset", 2, 0.10, 0.20, 0.30, 0.40),
        *rows("converged", "path", 2, 0.30, 0.20, 0.20, 0.50),
        *rows("converged", "subset", 4, 0.10, 0.20, 0.30, 0.40),
        *rows("converged", "path", 4, 0.10, 0.20, 0.30, 0.40),
        *rows("converged", "combined", 8, 0.30, 0.18, 0.40, 0.32),
    ]
)


def test_concepts_are_paired_with_themselves():
    pairs = pair_fits(SCORES.sample(frac=1, random_state=3), *FITS).set_index("concept")
    assert set(pairs.index) == set(TRAINED)
    cat = pairs.loc["cat"]
    assert cat["single_paper"] == 0.30
    assert cat["single_converged"] == 0.10
    assert cat["combined_paper"] == 0.20
    assert cat["combined_converged"] == 0.18
    assert cat["n_train"] == 50
    assert pair_fits(SCORES[SCORES["fit"] == "paper"], *FITS).empty


def test_scores_and_failures_by_hand():
    (found,) = compare_fits(pair_fits(SCORES, *FITS), *FITS).to_dict("records")
    assert found["n"] == 4
    assert found["paper"] == pytest.approx(1.2 / 4)
    assert found["converged"] == pytest.approx(1.2 / 4)
    assert found["ratio"] == pytest.approx(1)
    assert found["as_good"] == 50  # dog and red
    assert found["trained"] == 3  # not cow, which loses most
    assert found["worse"] == pytest.approx(100 / 3)  # cat, by 0.02
    assert found["single_converged"] == pytest.approx(0.1)
    assert found["percent_paper"] == 50
    assert found["percent_converged"] == 100  # each beats the fit's own single filter
    # dog and cat fail with the paper's training; of these dog does not converged, but cow does.
    assert found["failures_paper"] == 2
    assert found["failures_converged"] == 2
    assert found["failures_both"] == 1


def test_a_score_that_is_missing_is_as_good_as_none():
    """By one definition of Table 1, wherever it is counted."""
    pairs = pair_fits(SCORES, *FITS).assign(combined_paper=np.nan)
    (found,) = compare_fits(pairs, *FITS).to_dict("records")
    alone = pairs.rename(columns={"combined_paper": "combined", "single_paper": "single"})
    alone["tuned"] = np.nan
    assert combined_vs_single(alone)["percent"].tolist() == [found["percent_paper"]] == [0]


def test_a_trifle_is_not_worse_and_few_images_excuse():
    pairs = pair_fits(SCORES, *FITS).assign(combined_paper=0.5, combined_converged=0.495)
    assert compare_fits(pairs, *FITS)["worse"].tolist() == [0]
    few = compare_fits(pairs.assign(n_train=49), *FITS)
    assert few["trained"].tolist() == [0]
    assert few["worse"].isna().all()


def test_curves_by_hand():
    curves = fit_curves(SCORES, FITS)
    every = curves[curves["category"] == ALL].set_index(["fit", "rule", "filters"])
    assert every["mean"].to_dict() == pytest.approx(
        {
            ("paper", "weight", 2): 0.3,
            ("paper", "weight", 4): 0.3,
            ("paper", "weight", 8): 0.3,
            ("converged", "weight", 2): 0.25,
            ("converged", "weight", 4): 0.25,
            ("converged", "weight", 8): 0.3,
            ("converged", "path", 2): 0.3,
            ("converged", "path", 4): 0.25,
            ("converged", "path", 8): 0.3,
        }
    )
    assert every["n"].eq(4).all()
    assert every["stderr"]["converged", "path", 4] == pytest.approx(
        np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2
    )
    red = curves[(curves["category"] == "color") & (curves["rule"] == "path")]
    assert red["mean"].tolist() == [0.50, 0.40, 0.32]


def test_backward_elimination_is_a_rule_of_its_own():
    left = SCORES[(SCORES["fit"] == "converged") & (SCORES["method"] == "path")]
    both = pd.concat([SCORES, left.assign(method="backward", val=left["val"] + 0.1)])
    curves = fit_curves(both, FITS).query("category == @ALL").set_index(["rule", "filters"])
    assert curves.loc["backward", "mean"].tolist() == pytest.approx([0.4, 0.35, 0.3])
    assert "backward" in set(drops(both, FITS)["rule"])
    compared = compare_rules(both, "converged")
    assert compared["backward"].tolist() == pytest.approx([0.4, 0.35])
    without = compare_rules(SCORES, "converged")
    assert without["backward"].isna().all()
    pd.testing.assert_frame_equal(
        compared.drop(columns="backward"), without.drop(columns="backward")
    )


def test_drops_are_of_the_same_concepts():
    lost = drops(SCORES, FITS).set_index(["category", "fit", "rule"])
    dog, cat, cow = 0.4 - 0.1, 0.3 - 0.2, 0.2 - 0.6
    paper = lost.loc["object", "paper", "weight"]
    assert paper["filters"] == 4  # 1.0 in sum, against 0.9 of two and of all
    assert paper["drop"] == pytest.approx(0.1 / 3)
    assert paper["stderr"] == pytest.approx(np.std([0.2, 0.1, -0.2], ddof=1) / 3**0.5)
    assert dog + cat + cow == pytest.approx(0)
    path = lost.loc["color", "converged", "path"]
    assert path["filters"] == 2
    assert path["drop"] == pytest.approx(0.18)
    assert np.isnan(path["stderr"])
    none = lost.loc["object", "converged", "weight"]
    assert none[["filters", "drop", "stderr"]].tolist() == [8, 0, 0]


def test_rules_are_compared_at_equal_numbers_of_filters():
    table = compare_rules(SCORES, "converged").set_index("filters")
    two = table.loc[2]
    assert two["weight"] == pytest.approx(0.25)
    assert two["path"] == pytest.approx(0.3)
    assert two["difference"] == pytest.approx(0.05)
    assert two["stderr"] == pytest.approx(np.std([0.2, 0, -0.1, 0.1], ddof=1) / 2)
    assert (two["better"], two["worse"], two["n"]) == (50, 25, 4)
    assert table.loc[4, "difference"] == 0
    without = compare_rules(SCORES[SCORES["method"] != "path"], "converged")
    assert without.empty
    assert list(without) == list(compare_rules(SCORES, "converged"))


def test_without_subsets_there_are_no_curves():
    few = SCORES[SCORES["method"].isin(["single", "combined"])]
    for table in (fit_curves(few, FITS), drops(few, FITS), compare_rules(few, "converged")):
        assert table.empty


# Vectors


def arrays(weight):
    weight = np.asarray(weight, dtype=np.float32)
    names = np.array([f"concept {number}" for number in range(len(weight))], dtype=object)
    return xr.Dataset({"weight": (("concept", "filter"), weight)}, coords={"concept": names})


def test_vectors_agree_with_the_oracle():
    rng = np.random.default_rng(4)
    paper, converged = rng.normal(size=(2, 9, 5))
    converged += paper
    # Concepts are paired by name, whatever their order.
    shuffled = arrays(converged).isel(concept=rng.permutation(9))
    table = pair_vectors(arrays(paper), shuffled, *FITS, neighbours=3)
    for index, found in table.iterrows():
        near = [[near for near, _ in oracle.nearest(w, {index: 1}, 3)] for w in (paper, converged)]
        assert found["overlap"] == pytest.approx(len(set(near[0]) & set(near[1])) / 3)
        assert found["nearest_paper"] == f"concept {near[0][0]}"
        assert found["nearest_converged"] == f"concept {near[1][0]}"
        both = paper[index] @ converged[index]
        length = np.linalg.norm(paper[index]) * np.linalg.norm(converged[index])
        assert found["cosine"] == pytest.approx(both / length, abs=1e-6)
        assert found["filter_paper"] == np.abs(paper[index]).argmax()
        assert found["filter_converged"] == np.abs(converged[index]).argmax()
    assert table["filters"].eq(5).all()


def test_a_vector_without_a_direction_has_no_neighbours():
    weight = np.random.default_rng(0).normal(size=(9, 4))
    broken = weight.copy()
    broken[2], broken[5] = 0, np.nan
    table = pair_vectors(arrays(weight), arrays(broken), *FITS, neighbours=3)
    missing = table["cosine"].isna()
    assert missing.tolist() == [index in {2, 5} for index in range(9)]
    assert table["nearest_converged"].isna().tolist() == missing.tolist()
    assert not set(table["nearest_converged"].dropna()) & {"concept 2", "concept 5"}


def test_sharing_by_hand():
    concepts = pd.DataFrame(
        {
            **KEY,
            "concept": list("abcd"),
            "category": ["object", "object", "object", "color"],
            "filters": 3,
            "filter_paper": [0, 0, 0, 0],
            "filter_converged": [0, 1, 2, 2],
            "nearest_paper": list("badc"),
            "nearest_converged": ["d", "d", "d", None],
            "cosine": [0.1, 0.2, 0.4, np.nan],
            "overlap": [0, 0.2, 0.4, 1.0],
        }
    )
    (found,) = sharing_of_fits(concepts, *FITS, neighbours=2).to_dict("records")
    assert found["shared_paper"] == 4
    assert found["shared_converged"] == pytest.approx(4 / 3)
    # Each of three filters is missed by all of four draws with probability (2/3)^4.
    assert found["shared_by_chance"] == pytest.approx(4 / (3 * (1 - (2 / 3) ** 4)))
    assert found["same_filter"] == 25
    assert found["neighbours"] == pytest.approx(0.3)
    assert found["neighbours_by_chance"] == pytest.approx(2 / 3)
    assert found["cosine"] == pytest.approx(0.2)
    assert found["category_paper"] == 50
    assert found["category_converged"] == 0
    assert found["category_by_chance"] == pytest.approx(100 * (3 * 2 / 3) / 4)


@given(st.integers(1, 6), st.integers(1, 5))
def test_what_chance_uses_is_counted_out(concepts, filters):
    draws = np.indices([filters] * concepts).reshape(concepts, -1)
    used = [len(set(draw)) for draw in draws.T.tolist()]
    mean, sd = used_by_chance(concepts, filters)
    assert mean == pytest.approx(np.mean(used))
    assert sd == pytest.approx(np.std(used), abs=1e-6)
