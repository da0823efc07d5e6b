"""The tables that say how far a run's numbers can be trusted, of a run that was asked for them."""

import numpy as np
import pandas as pd
import pytest

from net2vec.runs import TABLES, Run, make_tables

from builders import CONCEPTS, LAYERS, SCENES

NAMES = ["intervals", "evidence", "evidence_summary", "steadiness"]
FITS = ["paper", "converged"]
NUMBER = {"segment": len(CONCEPTS), "classify": len(CONCEPTS | SCENES)}


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run(network="net", gain=0.05, nulls=39, seeds=3, fits=tuple(FITS))


@pytest.fixture(scope="module")
def tables(run):
    return make_tables(run, NAMES)


def test_every_fit_layer_and_task_is_there(tables):
    for name, table in tables.items():
        spread = [f"{value}_sd" for value in TABLES[name].values]
        assert list(table) == ["network", *TABLES[name].columns, *spread, "fit"]
        fits = ["paper"] if name == "steadiness" else FITS  # the other fit has no random start
        found = table[["fit", "layer", "task"]].drop_duplicates().to_numpy().tolist()
        assert found == [[fit, layer, task] for fit in fits for layer in LAYERS for task in NUMBER]


def test_intervals_are_of_the_counts(run, tables):
    rows = tables["intervals"]
    plain = rows[~rows["method"].isin(["subset", "path"])]
    assert len(plain) == 2 * 2 * 3 * sum(NUMBER.values())
    arrays = run.arrays("blocks.6", fit="converged")
    dog = (arrays["pair_concept"] == "dog") & (arrays["pair_split"] == "val")
    shared = arrays["pair_intersection"][:, dog].sum("pair")
    single, combined = (shared / arrays["pair_union"][:, dog].sum("pair")).values
    dog = "layer == 'blocks.6' and concept == 'dog'"
    found = plain.query(f"{dog} and fit == 'converged' and task == 'segment'")["value"]
    assert found.tolist() == pytest.approx([single, combined, combined - single])
    arrays = run.arrays("blocks.6", task="classify")
    right = arrays["trial_correct"][:, arrays["trial_concept"] == "dog"].mean("trial").values
    found = plain.query(f"{dog} and fit == 'paper' and task == 'classify'")["value"]
    assert found.tolist()[:2] == pytest.approx(right)


def test_intervals_of_subsets_stand_where_their_scores_do(run, tables):
    key = ["layer", "task", "concept", "method", "filters", "fit"]
    rows = tables["intervals"].query("method != 'difference'").set_index(key)
    assert rows.index.is_unique
    scores = pd.concat([run.at(fit=fit).scores for fit in FITS]).set_index(key)
    assert set(rows.index) == set(scores.index)
    assert {"subset", "path"} <= set(rows.index.get_level_values("method"))
    for task, fit, rule in (
        ("segment", "paper", "subset"),
        ("segment", "converged", "path"),
        ("classify", "converged", "path"),
    ):
        arrays = run.arrays("blocks.6", task=task, fit=fit)
        image = "pair" if task == "segment" else "trial"
        here = arrays[f"{image}_concept"] == "dog"
        if task == "segment":
            here &= arrays["pair_split"] == "val"
            shared, joined = (
                arrays[f"{rule}_pair_{what}"].sel(pair=here).sum("pair").values
                for what in ("intersection", "union")
            )
            wanted = shared / joined
        else:
            wanted = arrays[f"{rule}_trial_correct"].sel(trial=here).mean("trial").values
        dog = rows.query(
            "layer == 'blocks.6' and task == @task and concept == 'dog' and method == @rule"
            " and fit == @fit"
        ).reset_index()
        assert dog["filters"].tolist() == arrays["subset_size"].values.tolist()
        assert dog["value"].tolist() == pytest.approx(wanted.tolist())
        assert (dog["low"] <= dog["value"]).all()
        assert (dog["value"] <= dog["high"]).all()
    # Of another start scores are known, and hence the spread; of the converged fit there is none.
    subset = rows.xs("subset", level="method")
    spread = subset.xs("paper", level="fit").query("layer == 'blocks.6'")["value_sd"]
    assert (spread > 0).all()
    assert subset.xs("converged", level="fit")["value_sd"].isna().all()


def test_a_run_of_an_older_version_has_intervals_without_subsets(run, tables):
    tree = run.tree.copy()
    for node in tree.subtree:
        old = [name for name in node.data_vars if "_pair_" in name or "_trial_" in name]
        if old := [name for name in old if not name.startswith("seed")]:
            node.dataset = node.to_dataset(inherit=False).drop_vars(old)
    found = make_tables(Run(run.path, tree=tree), ["intervals"])["intervals"]
    rows = tables["intervals"]
    kept = rows[~rows["method"].isin(["subset", "path"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, kept, check_exact=True)


@pytest.mark.parametrize(("name", "value"), [("intervals", "value"), ("evidence", "score")])
def test_scores_have_the_spread_of_the_seeds(run, tables, name, value):
    """The counts and nulls are the run's own alone, but a score every seed has."""
    table = tables[name]
    assert table.query("fit == 'converged'")[f"{value}_sd"].isna().all()
    here = table.query("fit == 'paper' and layer == 'blocks.6'").set_index(["task", "method"])
    sd = here[f"{value}_sd"]
    assert sd["segment", "single"].eq(0).all()  # chosen by IoU, whatever the start
    for task in NUMBER:
        arrays = run.arrays(task=task)
        combined = arrays["seed_score"].sel(split="val").transpose("seed", "concept").values
        assert sd[task, "combined"].tolist() == pytest.approx(np.std(combined, axis=0, ddof=1))
    single = run.arrays(task="classify")["seed_single_score"].sel(split="val")
    single = single.transpose("seed", "concept").values
    assert sd["classify", "single"].tolist() == pytest.approx(np.std(single, axis=0, ddof=1))
    if name == "intervals":
        gained = np.std(combined - single, axis=0, ddof=1)
        assert sd["classify", "difference"].tolist() == pytest.approx(gained)


def test_evidence_and_its_sum(run, tables):
    evidence, summary = tables["evidence"], tables["evidence_summary"]
    assert len(summary) == 2 * 2 * 2 * 2
    fit = ["fit", "layer", "task", "method"]
    passed = evidence.groupby(fit, sort=False)["passed"].sum()
    assert summary.set_index(fit)["passed"].equals(passed)
    assert summary["concepts"].tolist() == summary["task"].map(NUMBER).tolist()
    # Of 39 null scores the least p-value is 1 in 40: with 2 % or more of the concepts there.
    assert summary["nulls"].eq(39).all()
    assert summary["needed"].tolist() == np.ceil(summary["concepts"] / 2).tolist()
    planted = evidence["concept"].isin([*CONCEPTS][::2])
    assert evidence[planted]["p"].eq(1 / 40).all()
    assert evidence[planted]["passed"].all()


def test_evidence_is_about_validation_scores(run, tables):
    rows = tables["evidence"].query("fit == 'converged' and layer == 'blocks.6'")
    arrays = run.arrays("blocks.6", fit="converged", task="classify")
    combined = rows.query("task == 'classify' and method == 'combined'")["score"]
    assert combined.tolist() == arrays["score"].sel(split="val").values.tolist()
    single = rows.query("task == 'classify' and method == 'single'")["score"]
    assert single.tolist() == arrays["single_score"].sel(split="val").values.tolist()


def test_steadiness_is_of_the_seeds(run, tables):
    rows = tables["steadiness"].query("layer == 'blocks.6' and task == 'segment'")
    assert rows["seeds"].eq(3).all()
    weight = run.arrays("blocks.6")["seed_weight"].sel(concept="dog").values
    unit = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    cosines = [unit[one] @ unit[other] for one, other in ((0, 1), (0, 2), (1, 2))]
    dog = rows.set_index("concept").loc["dog"]
    assert dog["cosine"] == pytest.approx(np.mean(cosines))
    assert 0.2 < dog["overlap"] <= 1
