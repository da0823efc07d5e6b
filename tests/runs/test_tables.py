"""The tables of a run: what each must hold is worked out here once more, from the arrays."""

import shutil

import numpy as np
import pytest

from net2vec.runs import TABLES, make_tables, open_run

import oracle
from builders import build_run

COLUMNS = {
    "by_category": "layer task method category mean stderr n",
    "combined_vs_single": "layer task percent percent_tuned n low high low_tuned high_tuned "
    "baseline single tuned combined",
    "gain_by_category": "layer task category difference low high percent difference_tuned "
    "low_tuned high_tuned percent_tuned n",
    "precision_recall": "layer method set_iou precision recall average_precision n",
    "subset_curve": "layer task category filters mean stderr n baseline",
    "failures": "layer task concept category single tuned combined difference difference_tuned "
    "n_train concept_size n_balanced",
    "improvement": "layer task mean_ratio n",
    "filters_needed": "layer task concept fraction filters",
    "filter_sharing": "layer task filter concepts",
    "weight_iou_correlation": "layer concept r p",
    "contribution": "layer concept filter weight_share iou_ratio",
    "individual_iou": "layer concept method mean sd n n_zero",
    "by_concept": "layer task concept category single tuned combined baseline n_train concept_size "
    "n_balanced",
    "negative_subsets": "layer concept rule filter weight score baseline",
    "nearest": "layer task concept rank neighbour cosine",
    "arithmetic": "layer task expression rank concept cosine",
    "clusters": "layer task concept cluster x y",
}
# Of null scores and of several seeds, see test_chance_tables.py; of images with masks by people.
ON_REQUEST = {"evidence", "evidence_summary", "steadiness", "corrected"}
WORDS = dict.fromkeys(["grass", "tree", "wood", "dog", "person"], "object") | {
    "green-c": "color",
    "blue-c": "color",
    "torso": "part",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = build_run(tmp_path_factory.mktemp("runs") / "one", concepts=WORDS)
    for path in folder.iterdir():
        if path.name != "results.zarr":
            path.unlink()
    return open_run(folder)


@pytest.fixture(scope="module")
def tables(run):
    return make_tables(run)


def test_every_table_is_filled_from_results_alone(tables):
    assert set(tables) >= set(COLUMNS)
    for name, columns in COLUMNS.items():
        assert list(tables[name]) == ["network", *columns.split()], name
    assert {name for name, table in tables.items() if table.empty} == ON_REQUEST
    assert all(table["network"].eq("planted").all() for table in tables.values())


def test_tables_cover_every_layer_and_task(run, tables):
    for name, table in tables.items():
        if name in ON_REQUEST:
            continue
        layers = set(table["layer"]) if "layer" in table else set(run.layers)
        only_last = name in {"subset_curve", "filters_needed", "negative_subsets", "clusters"}
        assert layers == (set(run.layers[-1:]) if only_last else set(run.layers)), name
        if "task" in table:
            assert set(table["task"]) == {"segment", "classify"}, name


def test_neighbours_and_sums_agree_with_the_oracle(run, tables):
    for layer in run.layers:
        vectors = run.vectors(layer, task="classify")
        names = vectors["concept"].values.tolist()
        rows = tables["nearest"].query(
            "layer == @layer and task == 'classify' and concept == 'dog'"
        )
        wanted = oracle.nearest(vectors.values, {names.index("dog"): 1}, 5)
        assert rows["neighbour"].tolist() == [names[row] for row, _ in wanted]
        np.testing.assert_allclose(rows["cosine"], [cosine for _, cosine in wanted], rtol=1e-6)
        sums = tables["arithmetic"].query("layer == @layer and task == 'classify'")
        assert sums["expression"].nunique() == 4
        signs = {
            names.index(name): sign for name, sign in (("grass", 1), ("blue-c", 1), ("green-c", -1))
        }
        wanted = oracle.nearest(vectors.values, signs, 5)
        rows = sums[sums["expression"] == "grass + blue - green"]
        assert rows["concept"].tolist() == [names[row] for row, _ in wanted]


def test_the_layers_spaces_are_compared_on_what_both_tasks_share(run, tables):
    distances = tables["distances"]
    assert len(distances) == 6
    assert distances["n"].eq(len(WORDS)).all()
    row = distances.query("space == 'stem/relu segment' and other == 'blocks.6 classify'").iloc[0]
    one = run.vectors("stem/relu").values
    other = run.vectors("blocks.6", task="classify").sel(concept=list(WORDS)).values
    assert row["distance"] == pytest.approx(oracle.space_distance(one, other), rel=1e-6)
    by_category = tables["distances_by_category"]
    total = (
        (by_category["mean"] * by_category["n"])
        .groupby([by_category["space"], by_category["other"]])
        .sum()
    )
    assert total["stem/relu segment", "blocks.6 classify"] == pytest.approx(row["distance"])


def test_tables_repeat_to_the_last_bit(run, tables, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    again = make_tables(open_run(tmp_path / "copy"))
    assert all(again[name].equals(table) for name, table in tables.items())


def test_only_what_is_asked_for_is_made(run):
    assert list(make_tables(run, ["nearest"])) == ["nearest"]


def test_a_run_of_one_layer_and_task_has_empty_tables_with_their_columns(run, monkeypatch):
    monkeypatch.setattr(type(run), "tasks", lambda run, layer=None: ("classify",))
    alone = open_run(run.path)
    alone.layers = alone.layers[-1:]
    tables = make_tables(alone)
    for name in ("weight_iou_correlation", "contribution", "individual_iou", "distances"):
        assert tables[name].empty
        assert list(tables[name]) == ["network", *TABLES[name].columns]
    assert set(tables["nearest"]["task"]) == {"classify"}
