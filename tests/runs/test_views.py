"""Views of a run: everything of one fit, or of one seed."""

import json

import numpy as np
import pandas as pd
import pytest

from net2vec import results
from net2vec.errors import ResultsError
from net2vec.runs import make_tables, open_run, spread

from builders import build_run

TASKS = ("segment", "classify")


@pytest.fixture(scope="module")
def run(shared_run):
    fits = ("paper", "converged")
    return shared_run(network="net", gain=0.05, nulls=39, seeds=3, fits=fits)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A run of a version that knew of neither fits nor seeds."""
    folder = build_run(tmp_path_factory.mktemp("runs") / "old")
    for path in [*folder.rglob(".zattrs"), *folder.rglob(".zmetadata")]:
        told = json.loads(path.read_text())
        for attributes in (told, *told.get("metadata", {}).values()):
            attributes.pop("fit", None)
        path.write_text(json.dumps(told))
    (folder / "results.zarr" / ".checksums").unlink()
    return open_run(folder)


def test_what_is_done_to_arrays_is_not_seen_by_others(run):
    for view in (run, run.at(seed=run.seeds[1])):
        for name in ("pair_iou", "weight"):
            if name not in view.arrays():
                continue
            before = view.arrays()[name].values.copy()
            mine = view.arrays()
            mine[name].values[...] = -7
            mine[name].attrs["more"] = 1
            assert "more" not in view.arrays()[name].attrs
            np.testing.assert_array_equal(view.arrays()[name].values, before)


def test_a_run_is_its_first_fit_and_is_used_by_its_best(run):
    assert run.fits == ("paper", "converged")
    assert (run.fit, run.best_fit, run.at().best_fit) == ("paper", "converged", "paper")
    assert run.seeds == (0, 1, 2)
    for task in TASKS:
        used = run.vectors(task=task)
        np.testing.assert_array_equal(used, run.vectors(task=task, fit="converged"))
        assert run.space(task=task).label.endswith(", converged")
    assert set(run.scores["fit"]) == {"paper"}
    assert run.at().fits == ("paper",)
    assert run.at().seeds == (0, 1, 2)
    assert run.at().scores.equals(run.scores)


def test_a_view_of_the_other_fit_has_its_numbers(run):
    view = run.at(fit="converged")
    assert (view.fit, view.fits, view.seeds) == ("converged", ("converged",), ())
    for task in TASKS:
        assert not np.allclose(view.vectors(task=task), run.vectors(task=task, fit="paper"))
        assert view.arrays(task=task).identical(run.arrays(task=task, fit="converged"))
        assert "seed" not in view.arrays(task=task).coords
    assert view.scores["fit"].eq("converged").all()
    combined = view.scores.query("task == 'segment' and method == 'combined'")
    last = combined[combined["layer"] == view.layers[-1]]
    np.testing.assert_array_equal(last["val"], view.arrays()["score"].sel(split="val"))
    unit = view.space().unit
    np.testing.assert_array_equal(unit, run.space(fit="converged").unit)
    assert not np.allclose(unit, run.space(fit="paper").unit)


def test_all_rows_are_in_the_table_of_scores(run):
    rows = results.scores_table(run.tree)
    assert tuple(rows.columns) == results.SCORE_COLUMNS
    assert len(rows) == len(run.scores) + len(run.at(fit="converged").scores)
    key = ["layer", "task", "concept", "method", "filters", "fit"]
    assert not rows.duplicated(key).any()


@pytest.mark.parametrize("task", TASKS)
def test_a_view_of_a_seed_has_what_was_learned_with_it(run, task):
    whole = run.arrays(task=task)
    view = run.at(seed=2)
    arrays = view.arrays(task=task)
    for name in ("weight", "score", "start_distance", "subset_score"):
        wanted = whole[f"seed_{name}"].sel(seed=2).transpose(*whole[name].dims)
        np.testing.assert_array_equal(arrays[name], wanted, err_msg=name)
        assert arrays[name].attrs == whole[name].attrs
    assert not [name for name in arrays.variables if "seed" in name or "null" in name]
    assert "subset_weight" not in arrays
    scores = view.scores.query("layer == 'blocks.6' and task == @task and method == 'combined'")
    np.testing.assert_array_equal(scores["val"], arrays["score"].sel(split="val"))


def test_single_filters_of_segmentation_are_the_same_with_every_seed(run):
    whole, arrays = run.arrays(), run.at(seed=1).arrays()
    np.testing.assert_array_equal(arrays["best_filter"], whole["best_filter"])
    np.testing.assert_array_equal(arrays["pair_iou"][0], whole["pair_iou"][0])
    np.testing.assert_array_equal(arrays["pair_iou"][1], whole["seed_pair_iou"].sel(seed=1))
    whole, arrays = run.arrays(task="classify"), run.at(seed=1).arrays(task="classify")
    np.testing.assert_array_equal(arrays["best_filter"], whole["seed_best_filter"].sel(seed=1))


def test_the_runs_own_seed_keeps_everything(run):
    arrays = run.at(seed=0).arrays()
    assert {"subset_weight", "pair_intersection", "null_score"} <= set(arrays.data_vars)
    np.testing.assert_array_equal(arrays["weight"], run.vectors(fit="paper"))


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        ({"fit": "best"}, "fit 'best' is not in this run; it has paper, converged"),
        ({"seed": 7}, r"seed 7 is not in this run; it has 0, 1, 2"),
        ({"fit": "converged", "seed": 1}, "seed 1 is not in this run; the fit was made once"),
    ],
)
def test_what_a_run_lacks_is_said(run, ask, wanted):
    with pytest.raises(ResultsError, match=wanted):
        run.at(**ask)


def test_views_are_told_apart(run):
    assert repr(run).endswith("blocks.6)")
    assert repr(run.at(fit="converged")).endswith(", converged)")
    assert "seed 2" in repr(run.at(seed=2))
    assert run.space(fit="converged").label != run.space(fit="paper").label


def test_a_run_of_an_older_version_opens_as_before(old):
    assert (old.fits, old.seeds, old.fit) == (("paper",), (), "paper")
    assert old.at().scores.equals(old.scores)
    assert old.at(fit="paper").fits == ("paper",)
    with pytest.raises(ResultsError, match="'converged' is not in this run; it has paper"):
        old.arrays(fit="converged")
    tables = make_tables(old)
    assert not [c for table in tables.values() for c in table if c == "fit" or c == "mean_sd"]


def test_tables_hold_both_fits_and_the_spread_over_seeds(run):
    names = ["by_concept", "by_category", "nearest", "clusters", "subset_curve", "individual_iou"]
    tables = make_tables(run, names)
    for table in tables.values():
        assert list(table)[-1] == "fit"
        assert table["fit"].drop_duplicates().tolist() == ["paper", "converged"]
    rows = tables["by_concept"].query(
        "layer == 'blocks.6' and task == 'segment' and fit == 'paper'"
    )
    scores = run.arrays()["seed_score"].sel(split="val")
    np.testing.assert_allclose(rows["combined_sd"], np.std(scores, axis=0, ddof=1))
    assert rows["single_sd"].eq(0).all()
    other = tables["by_concept"].query("fit == 'converged'")
    assert other["combined_sd"].isna().all()
    for name in ("by_category", "subset_curve", "individual_iou"):
        paper = tables[name].query("fit == 'paper'")
        assert paper["mean_sd"].notna().all(), name
    # A map of the concepts is another one with every seed: there is nothing to take a spread of.
    assert not [column for column in tables["clusters"] if column.endswith("_sd")]


def test_a_neighbour_has_a_spread_where_every_seed_has_it(run):
    table = make_tables(run.at(fit="paper"), ["nearest"])["nearest"]
    views = [make_tables(run.at(seed=seed), ["nearest"])["nearest"] for seed in run.seeds]
    key = ["layer", "task", "concept", "neighbour"]
    cosines = [view.set_index(key)["cosine"] for view in views]
    everywhere = [all(at in cosine.index for cosine in cosines) for at in cosines[0].index]
    assert table["cosine_sd"].notna().tolist() == everywhere
    assert 0 < sum(everywhere) < len(everywhere)
    place = everywhere.index(True)
    wanted = np.std([cosine[cosines[0].index[place]] for cosine in cosines], ddof=1)
    assert table["cosine_sd"][place] == pytest.approx(wanted)


def test_a_spread_by_hand():
    def table(rows):
        return pd.DataFrame(rows, columns=["layer", "filters", "mean"])

    one = table([("a", 1, 0.2), ("a", 2, 0.5), ("b", 1, np.nan), ("b", 2, 0.1)])
    two = table([("a", 2, 0.9), ("a", 1, 0.4), ("b", 1, 0.3)])
    found = spread(one, [one, two], ["layer", "filters"], ["mean"])
    assert found[["layer", "filters", "mean"]].equals(one)
    # sd of 0.2 and 0.4 is 0.1 sqrt(2); of 0.5 and 0.9 it is 0.2 sqrt(2); the others lack a value.
    np.testing.assert_allclose(found["mean_sd"], [0.02**0.5, 0.08**0.5, np.nan, np.nan])
