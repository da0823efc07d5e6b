"""Answers of the API are the numbers of the run."""

from dataclasses import is_dataclass

import numpy as np
import pytest

from net2vec.explorer.api import QUESTIONS
from net2vec.runs import open_run

from builders import build_run


def test_concepts_have_the_scores_of_the_run(served, built):
    table = served.ask("concepts", fit="lda")
    arrays = built.arrays(fit="lda")
    assert table["name"] == arrays["concept"].values.tolist()
    np.testing.assert_array_equal(table["score"], arrays["score"].sel(split="val"))
    best = arrays["best_filter"].values
    single = arrays["single_iou"].sel(split="val").values[np.arange(len(best)), best]
    np.testing.assert_array_equal(table["single"], single)
    np.testing.assert_array_equal(table["gain"], arrays["score"].sel(split="val") - single)
    assert table["layers"] == list(built.layers)
    stem = built.arrays("stem/relu", fit="lda")["score"].sel(split="val")
    np.testing.assert_array_equal(np.array(table["by_layer"])[:, 0], stem)


def test_evidence_is_that_of_the_table(served, built):
    table = served.ask("concepts", fit="lda")
    told = built.at(fit="lda").table("evidence")
    told = told[(told["layer"] == "blocks.6") & (told["task"] == "segment")]
    told = told[told["method"] == "combined"].set_index("concept")
    assert table["p"] == told["p"].reindex(table["name"]).tolist()
    assert table["passed"] == told["passed"].reindex(table["name"]).tolist()
    assert {True, False} <= set(table["passed"])


@pytest.mark.parametrize("task", ["segment", "classify"])
def test_intervals_are_those_of_the_table(served, built, task):
    scores = served.ask("concept", name="dog", task=task, fit="paper")["scores"]
    rows = [row for row in scores if row["fit"] == "paper"]
    told = built.at(fit="paper").table("intervals")
    told = told[(told["concept"] == "dog") & (told["task"] == task)]
    told = told[told["method"] != "difference"]
    keys = ["layer", "method", "filters", "value", "low", "high", "n"]
    assert [[row[key] for key in keys] for row in rows] == told[keys].values.tolist()


def test_a_task_without_a_fit_named_is_of_the_best(served, built):
    assert served.ask("runs")["runs"][0]["best_fit"] == built.best_fit == "lda"
    assert served.ask("concepts") == served.ask("concepts", fit="lda", layer="blocks.6")


def test_means_by_category_and_number_of_filters(served, built):
    means = served.ask("categories")
    rows = list(zip(*(means[key] for key in ("layer", "fit", "method", "category")), strict=True))
    place = rows.index(("blocks.6", "paper", "combined", "object"))
    arrays = built.arrays(fit="paper")
    chosen = arrays["score"].sel(split="val")[arrays["category"].values == "object"].values
    assert means["mean"][place] == pytest.approx(chosen.mean())
    assert means["stderr"][place] == pytest.approx(chosen.std(ddof=1) / len(chosen) ** 0.5)
    # Table 1 is that of the run's own table.
    wins = built.at(fit="paper").table("combined_vs_single").set_index(["layer", "task"])
    every = rows.index(("blocks.6", "paper", "combined", "*"))
    assert means["as_good"][every] == pytest.approx(
        wins.loc["blocks.6", "segment"]["percent"] / 100
    )
    assert means["as_good"][rows.index(("blocks.6", "lda", "single", "*"))] is None
    curves = served.ask("subsets")
    points = {
        filters: mean
        for layer, fit, category, filters, mean in zip(
            *(curves[key] for key in ("layer", "fit", "category", "filters", "mean")), strict=True
        )
        if (layer, fit, category) == ("blocks.6", "paper", "*")
    }
    assert list(points) == [1, 2, 4, 16]
    subset = arrays["subset_score"].sel(split="val", subset_size=2)
    assert points[2] == pytest.approx(float(subset.mean()))
    assert points[16] == pytest.approx(float(arrays["score"].sel(split="val").mean()))


def test_means_are_of_the_concepts_that_enter_those_of_the_report(client, tmp_path):
    run = open_run(build_run(tmp_path / "run"))
    sizes = [4, 4] + [20] * 12
    for layer in ("stem-relu", "blocks.6"):
        group = run.tree[f"{layer}/classify"]
        group.dataset = group.to_dataset().assign_coords(n_balanced=("concept", sizes))
    asked = client([run])
    table = asked.ask("concepts", task="classify")
    assert table["n_balanced"] == sizes
    assert table["enters"] == [False] * 2 + [True] * 12
    assert asked.ask("concepts")["n_balanced"] == [None] * 12
    told = run.table("by_category").query("task == 'classify'")
    told = told.set_index(["layer", "method", "category"])
    means = asked.ask("categories", task="classify")
    keys = zip(means["layer"], means["method"], means["category"], strict=True)
    rows = list(zip(keys, means["mean"], means["stderr"], means["n"], strict=True))
    assert {key for key, *_ in rows if key[2] != "*"} == set(told.index)
    for key, mean, stderr, n in rows:
        if key[2] != "*":
            assert n == told.loc[key, "n"]
            np.testing.assert_allclose([mean, stderr], told.loc[key, ["mean", "stderr"]].tolist())
    assert {n for key, *_, n in rows if key[2] == "*"} == {12}
    assert set(asked.ask("subsets", task="classify", layer="blocks.6")["n"]) <= set(range(13))


def test_weights_are_the_largest_first(served, built):
    weights = served.ask("concept", name="dog")["weights"]
    vector = built.vectors()[4].values
    assert weights["filter"] == np.argsort(-np.abs(vector), kind="stable").tolist()
    np.testing.assert_array_equal(weights["weight"], vector[weights["filter"]])


def test_neighbours_of_every_layer_and_fit(served, built):
    spaces = served.ask("neighbours", name="dog", n=3)["spaces"]
    assert len(spaces) == len(built.layers) * len(built.fits)
    for found in spaces:
        told = built.space(found["layer"], fit=found["fit"]).nearest("dog", 3)
        assert found["concept"] == told["concept"].tolist()
        np.testing.assert_allclose(found["cosine"], told["cosine"], rtol=1e-12)


def test_images_have_their_individual_ious(served, built):
    found = served.ask("images", name="dog", fit="paper")
    arrays = built.arrays(fit="paper")
    mine = np.flatnonzero(arrays["pair_concept"].values == "dog")
    assert found["pair"] == mine.tolist()
    assert found["image"] == arrays["pair_image"].values[mine].tolist()
    iou = arrays["pair_iou"].sel({"method": "combined"}).values[mine]
    np.testing.assert_array_equal(np.array(found["by_fit"])[:, 0], iou.astype(float))


def test_the_matrix_and_its_orders(served, built):
    for values in ("weights", "iou"):
        index = served.ask("matrix-index", values=values)
        answer = served.get("/a-token/api/matrix", params={"values": values})
        matrix = np.frombuffer(answer.content, "<f4").reshape(12, 16)
        assert sorted(index["concept_order"]) == list(range(12))
        assert sorted(index["filter_order"]) == list(range(16))
        assert index["largest"] == np.abs(matrix).max()
        if values == "weights":
            np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, rtol=1e-6)
        else:
            iou = built.arrays(fit="lda")["single_iou"].sel(split="val")
            np.testing.assert_array_equal(matrix, iou.astype("f4"))


def test_a_filter_is_that_of_the_run(served, built):
    found = served.ask("filter", index=3)
    told = built.filter(3)
    assert found["concept"] == told["concept"].tolist()
    np.testing.assert_array_equal(found["iou"], told["iou"])
    recorded = built.layer().sel(filter=3)
    assert found["image"] == recorded["top_image"].values.tolist()
    assert found["threshold"] == float(recorded["threshold"])


def test_a_map_knows_the_nearest(served, built):
    found = served.ask("space", near=4)
    space = built.space()
    for place, name in enumerate(found["name"]):
        told = space.nearest(name, 4)
        assert [found["name"][other] for other in found["near"][place]] == told["concept"].tolist()


def test_arithmetic(served, built):
    found = served.ask("solve", expression="dog + wood - grass", n=4)
    assert found["terms"] == ["dog", "wood", "grass"]
    assert found["concept"] == built.space().solve("dog + wood - grass", 4)["concept"].tolist()
    assert "no concept" in served.ask("solve", 400, expression="unicorn")["error"]


def test_the_parts_of_a_cosine_add_up(served, built):
    found = served.ask("pair", name="dog", other="wood")
    assert sum(found["part"]) == pytest.approx(found["cosine"])
    space = built.space()
    assert found["cosine"] == pytest.approx(float(space.vector("dog") @ space.vector("wood")))


def test_what_moved_between_two_spaces(served, built):
    same = served.ask("moved", beside_fit="lda")
    assert max(same["distance"]) == 0
    assert set(same["shared"]) == {same["of"]}
    found = served.ask("moved", beside_fit="paper")
    one, other = built.space(fit="lda").cosines(), built.space(fit="paper").cosines()
    told = ((one - other) ** 2).sum(axis=1)
    np.testing.assert_allclose(found["distance"], sorted(told, reverse=True))


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("concept", {}, "name is missing"),
        ("concept", {"name": "unicorn"}, "no concept 'unicorn'"),
        ("concepts", {"run": 7}, "no run 7"),
        ("concepts", {"run": "x"}, "whole number"),
        ("concepts", {"layer": "nowhere"}, "layer 'nowhere' is not in this run"),
        ("concepts", {"fit": "magic"}, "fit 'magic' is not in this run"),
        ("concepts", {"task": "dream"}, "task 'dream' is not in this run"),
        ("filter", {"index": 99}, "filters are 0 to 15"),
        ("space", {"kind": "magic"}, "unknown vectors"),
        ("space", {"method": "magic"}, "unknown method"),
        ("matrix-index", {"values": "iou", "task": "classify"}, "no IoU"),
        ("images", {"name": "dog", "task": "classify"}, "segmentation"),
    ],
)
def test_a_wrong_question_is_one_line(served, name, parameters, words):
    error = served.ask(name, 400, **parameters)["error"]
    assert words in error
    assert "\n" not in error


def test_an_unknown_question_is_not_found(served):
    assert "no such question" in served.ask("nothing", 404)["error"]


def test_every_question_can_be_described():
    for question in QUESTIONS.values():
        assert question.answer.__doc__
        assert is_dataclass(question.hints["return"])
        assert [parameter.name for parameter in question.parameters()] or question.name == "runs"


def test_two_runs_are_told_apart(client, built, probed):
    both = client([built, probed])
    labels = [run["label"] for run in both.ask("runs")["runs"]]
    assert len(set(labels)) == 2
    assert both.ask("concepts", run=1)["name"] != both.ask("concepts", run=0)["name"]
