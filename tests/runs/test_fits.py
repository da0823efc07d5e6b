"""What the tables of both fits say of the paper's other starts."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from net2vec.analysis import ALL
from net2vec.errors import ResultsError
from net2vec.runs import FIT_TABLES, Run, fit_tables, open_run

from builders import LAYERS, build_run

FITS = ("paper", "converged")
HALF = 2**-0.5  # the standard deviation of 0 and 1


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run(network="net", gain=0.05, nulls=39, seeds=3, fits=FITS)


@pytest.fixture(scope="module")
def tables(run):
    return fit_tables(run)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Two concepts, four filters, two starts, and numbers that can be worked out by hand."""
    folder = build_run(
        tmp_path_factory.mktemp("planted") / "run", fits=FITS, seeds=2, layers={"a": 4},
        concepts={"dog": "object", "cat": "object"}, image_concepts={}, subsets=(2,),
    )  # fmt: skip
    tree = open_run(folder).tree.load()
    paper, converged = tree["a/segment"].dataset.copy(), tree["a/segment/converged"].dataset.copy()
    first, second = np.eye(4)[:2], np.eye(4)[[0, 0]]
    paper["single_iou"][1] = converged["single_iou"][1] = 0.3
    paper["score"][1], paper["seed_score"][1, 1] = [0.2, 0.4], [0.4, 0.8]
    paper["subset_score"][1, 0], paper["seed_subset_score"][1, 1, 0] = [0.6, 0.6], [0.5, 0.5]
    paper["weight"][:], paper["seed_weight"][1] = first, second
    converged["score"][1], converged["weight"][:] = [0.6, 0.6], second
    tree["a/segment"].dataset, tree["a/segment/converged"].dataset = paper, converged
    return fit_tables(Run(folder, tree=tree))


def test_spreads_of_both_fits_by_hand(planted):
    (row,) = planted["fits"].query("task == 'segment'").to_dict("records")
    wanted = {
        "paper": (0.3, 0.6),
        "ratio": (2, 1),
        "as_good": (100, 50),  # the second start beats the converged fit for the cat
        "single_paper": (0.3, 0.3),
        "percent_paper": (50, 100),
        "failures_paper": (1, 0),
        "failures_converged": (0, 0),
        "failures_both": (0, 0),
        "shared_paper": (1, 2),
        "same_filter": (50, 100),
        "cosine": (0.5, 1),
        "category_paper": (100, 100),
        "drop_paper": (0.3, 0),
    }
    for name, (first, second) in wanted.items():
        assert row[name] == pytest.approx(first), name
        assert row[f"{name}_sd"] == pytest.approx(abs(first - second) * HALF), name
    spread = {name.removesuffix("_sd") for name in row if name.endswith("_sd")}
    assert spread - set(wanted) == {"worse", "neighbours"}
    assert not [name for name in spread if "converged" in name and name not in wanted]


def test_spreads_of_concepts_and_curves_by_hand(planted):
    concepts = planted["fits_by_concept"].query("task == 'segment'").set_index("concept")
    assert concepts["combined_paper_sd"].to_dict() == pytest.approx(
        {"dog": 0.2 * HALF, "cat": 0.4 * HALF}
    )
    assert concepts["cosine_sd"].to_dict() == pytest.approx({"dog": 0, "cat": HALF})
    assert concepts["single_paper_sd"].eq(0).all()
    curve = planted["fits_subsets"].query("task == 'segment'")
    curve = curve[curve["category"] == ALL].set_index(["fit", "filters"])
    assert curve.loc["paper", "mean_sd"].to_dict() == pytest.approx({2: 0.1 * HALF, 4: 0.3 * HALF})
    assert curve.loc["converged", "mean_sd"].isna().all()
    lost = planted["fits_drops"].query("task == 'segment'")
    lost = lost[lost["category"] == ALL].set_index("fit")
    paper = lost.loc["paper"]
    # From 0.6 with two filters to 0.3 with all; with the other start all are the best.
    assert paper[["filters", "peak", "full", "drop"]].tolist() == pytest.approx([2, 0.6, 0.3, 0.3])
    spread = paper[["filters_sd", "peak_sd", "full_sd", "drop_sd"]].tolist()
    assert spread == pytest.approx([2 * HALF, 0, 0.3 * HALF, 0.3 * HALF])
    assert lost.loc["converged", "drop_sd"].isna().all()


def test_a_mean_has_the_spread_of_the_seeds(run, tables):
    for _, row in tables["fits"].iterrows():
        arrays = run.arrays(row["layer"], task=row["task"])
        means = arrays["seed_score"].sel(split="val").mean("concept")
        assert row["paper_sd"] == pytest.approx(np.std(means, ddof=1))
    last = tables["fits"]["layer"] == list(LAYERS)[-1]
    assert tables["fits"]["drop_paper_sd"].notna().tolist() == last.tolist()
    for task in ("segment", "classify"):
        rows = tables["fits_by_concept"].query("layer == 'blocks.6' and task == @task")
        scores = run.arrays(task=task)["seed_score"].sel(split="val")
        wanted = np.std(scores.transpose("seed", "concept"), axis=0, ddof=1)
        assert rows["combined_paper_sd"].tolist() == pytest.approx(wanted)
    # The best filter of segmentation is the same with every start, that of classification not.
    single = tables["fits_by_concept"].groupby("task")["single_paper_sd"].max()
    assert single["segment"] == 0 < single["classify"]


def test_with_one_seed_there_is_nothing_new(tables, tmp_path):
    once = fit_tables(open_run(build_run(tmp_path / "run", fits=FITS)))
    for name in FIT_TABLES:
        spread = [column for column in tables[name] if column.endswith("_sd")]
        assert list(once[name]) == [column for column in tables[name] if column not in spread]
        assert len(once[name]) == len(tables[name])
        assert bool(spread) == (name != "fits_rules")  # which is of the converged fit alone


@pytest.fixture(scope="module")
def three(run):
    """The same run with a third fit, which has the arrays of the second."""
    tree = run.tree.copy()
    tree.attrs["fits"] = [*FITS, "elastic"]
    for layer in ("stem-relu", "blocks.6"):
        for task in ("segment", "classify"):
            other = tree[f"{layer}/{task}/converged"].to_dataset(inherit=False)
            titled = other.assign_attrs(fit="elastic", fit_title="elastic net", has_start=0)
            tree[f"{layer}/{task}/elastic"] = xr.DataTree(titled)
    return Run(run.path, tree=tree)


def test_any_two_fits_are_compared(run, tables):
    swapped = fit_tables(run, "converged", "paper")["fits"]
    one = tables["fits"]
    assert one["ratio"].tolist() == pytest.approx((1 / swapped["ratio"]).tolist())
    for same in ("paper", "converged", "percent_paper", "percent_converged", "shared_by_chance"):
        assert swapped[same].tolist() == one[same].tolist(), same
    assert swapped["cosine"].tolist() == pytest.approx(one["cosine"].tolist())
    # Without seeds of the first fit there is no spread, and its filter tells failures.
    assert not [column for column in swapped if column.endswith("_sd")]
    rest = 100 * (1 - swapped["failures_converged"] / swapped["n"])
    assert rest.tolist() == pytest.approx(swapped["percent_converged"].tolist())
    with pytest.raises(ResultsError, match="fit 'paper' cannot be compared with itself"):
        fit_tables(run, "paper", "paper")
    with pytest.raises(ResultsError, match="fit 'ridge' is not in this run; it has paper"):
        fit_tables(run, "paper", "ridge")


def test_the_first_of_three_fits_is_compared_with_every_other(three, tables):
    assert three.fits == (*FITS, "elastic")
    found = fit_tables(three)
    for name, table in tables.items():
        parts = dict(list(found[name].groupby("second")))
        assert list(parts) == ["converged", "elastic"]
        of_pair = parts["converged"][list(table)].reset_index(drop=True)
        pd.testing.assert_frame_equal(of_pair, table, check_dtype=False)
    twin = found["fits"].query("second == 'elastic'")
    assert twin["percent_elastic"].tolist() == tables["fits"]["percent_converged"].tolist()
    assert twin["percent_converged"].isna().all()


def test_a_fit_is_known_by_its_attributes(three):
    assert [three.fit_title(fit) for fit in three.fits] == [
        "paper’s training", "converged fit", "elastic net",
    ]  # fmt: skip
    assert [three.has_start(fit) for fit in three.fits] == [True, False, False]
    view = three.at(fit="elastic")
    assert (view.fit_title(), view.has_start()) == ("elastic net", False)
    with pytest.raises(ResultsError, match="'ridge' is not in this run"):
        three.fit_title("ridge")
