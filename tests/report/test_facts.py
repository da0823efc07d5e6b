"""The facts of each section: numbers from the arrays, and none that claims more than is known."""

import json

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import by_concept
from net2vec.report import build_report
from net2vec.report.content import Column, Table, columns
from net2vec.report.figures import draw_by_category
from net2vec.report.figures.style import LIGHT
from net2vec.report.labels import MARK, SMALL
from net2vec.report.planning import plan_concept, plan_exhibits, plan_filter
from net2vec.report.sections.filters import sharing_facts
from net2vec.report.sections.findings import findings_facts
from net2vec.report.sections.left_out import count_reasons, left_out_facts
from net2vec.report.sections.masks import masks_facts
from net2vec.report.sections.probe import probe_facts
from net2vec.report.sections.space import space_facts
from net2vec.report.sections.sufficient import (
    compare_sizes,
    lost_concepts,
    rank_concepts,
    sufficiency_facts,
)
from net2vec.report.sections.weights import weight_shares, weights_facts
from net2vec.report.study import Study
from net2vec.report.tables import make_report_tables
from net2vec.runs import Run, open_run

from builders import build_run

pytestmark = pytest.mark.slow

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run(gain=0.05)


@pytest.fixture(scope="module")
def study(run):
    return Study((run,))


def setup_of(*runs):
    return probe_facts(Study(runs), {}).setup.frame.set_index("setup")


def test_the_setup_names_the_fits_of_every_run(run, shared_run):
    both = shared_run(network="net", gain=0.05, nulls=39, seeds=3, fits=FITS)
    converged = shared_run(network="one", fits=("converged",), layers={"a": 6}, subsets=())
    rows = setup_of(run, both, converged)
    fits = rows[rows.index.str.startswith("fits")].iloc[0]
    assert fits.to_dict() == {
        "planted": "paper’s training", "net": "paper’s training, converged fit",
        "one": "converged fit",
    }  # fmt: skip
    starts = rows.loc["random starts"]
    assert starts["net"] == "3"
    assert starts[["planted", "one"]].isna().all()
    assert rows.loc["training images"].tolist() == ["60"] * 3
    assert "random starts" not in setup_of(run).index


def test_a_fit_is_called_what_its_run_says(run, study, monkeypatch):
    assert study.titles == {"paper": "paper’s training"}
    renamed = run.arrays().assign_attrs(fit_title="elastic net")
    monkeypatch.setattr(type(run), "arrays", lambda *_, **__: renamed)
    assert Study((run,)).titles == {"paper": "elastic net"}
    monkeypatch.setattr(type(run), "fit_title", lambda run, fit: f"{fit}!", raising=False)
    assert Study((run,)).titles == {"paper": "paper!"}


def test_the_images_of_a_concept_are_counted_by_dataset(tmp_path):
    build_run(tmp_path, layers={"a": 6}, subsets=())
    assert probe_facts(Study((open_run(tmp_path),)), {}).sources is None
    told = json.loads((tmp_path / "provenance.json").read_text())
    told["data"] = {"sources": {"dog": {"voc": 3, "coco": 4}, "wood": {"voc": 2}}}
    (tmp_path / "provenance.json").write_text(json.dumps(told))
    rows = probe_facts(Study((open_run(tmp_path),)), {}).sources.frame.set_index("concept")
    assert rows.loc["dog"].to_dict() == {"voc": 3, "coco": 4}
    assert rows.loc["wood"].to_dict() == {"voc": 2, "coco": 0}


def test_reasons_that_differ_in_a_number_are_one():
    reasons = ["1 training image, fewer than 5", "4 training images, fewer than 5", "no image"]
    skipped = pd.DataFrame({"task": "segment", "concept": ["a", "b", "c"], "reason": reasons})
    rows = count_reasons(skipped)[["reason", "number", "example"]].to_numpy().tolist()
    assert rows == [["fewer than 5 training images", 2, "a"], ["no image", 1, "c"]]


# Scores


def test_sizes_are_compared_where_there_are_two():
    wins = [True] * 4 + [False] + [True] * 5 + [False]
    rows = pd.DataFrame(
        {
            "concept_size": [0.01] * 5 + [0.1] * 6, "combined": np.array(wins, float),
            "single": 0.5, "tuned": np.nan, "baseline": 0.1,
        }
    )  # fmt: skip
    table, p = compare_sizes(rows[::-1])
    assert table.frame["size_group"].tolist() == ["< 2 %", "≥ 2 %"]
    assert table.frame["n"].tolist() == [5, 6]
    assert table.frame["percent"].tolist() == pytest.approx([4 / 5, 5 / 6])
    # Of 11 concepts 2 fail. Both small, both large, or one each: 10, 15 and 30 of 55 ways; none is
    # likelier than the one that was seen.
    assert p == pytest.approx(1.0)
    assert compare_sizes(rows[1:]) == (None, None)  # four small ones


def test_concepts_that_lose_are_counted_with_their_medians():
    rows = pd.DataFrame(
        {
            "task": "segment",
            "difference": [-0.1, -0.2, 0.0, 0.1, 0.2, 0.3, 0.4],
            "n_train": [20, 22, 100, 21, 101, 100, 200],
            "concept_size": [0.0099, 0.01, 0.2, 0.005, 0.5, 0.2, 0.3],
        }
    )
    found = lost_concepts(rows)
    assert found["lost"].tolist() == [True, False]
    assert found["n"].tolist() == [2, 5]
    # As sec. 4.1 counts: at most 20, at most 100, below 1 % of the image.
    assert found[["few", "hundred", "tiny"]].to_numpy().tolist() == [[1, 2, 1], [0, 3, 1]]
    # A median of two says nothing.
    assert found["n_train"].tolist() == pytest.approx([np.nan, 100], nan_ok=True)
    assert found["concept_size"].tolist() == pytest.approx([np.nan, 0.2], nan_ok=True)
    assert lost_concepts(rows[2:])["lost"].tolist() == [False]


@pytest.mark.parametrize("number", [1, 2, 7, 12])
def test_no_concept_is_both_best_and_worst(study, run, monkeypatch, number):
    rows = by_concept(run.scores)
    names = rows[(rows["layer"] == "blocks.6") & (rows["task"] == "segment")]["concept"][:number]
    concepts = study.tables["by_concept"]
    tables = {**study.tables, "by_concept": concepts[concepts["concept"].isin(names)]}
    monkeypatch.setitem(study.__dict__, "tables", tables)
    shown = [name.removesuffix(f" {MARK}") for table in rank_concepts(study, "segment")
             for name in table.frame["ranked"]]  # fmt: skip
    assert sorted(shown) == sorted(names)


def test_chance_can_be_seen_in_the_figure_that_names_it():
    table = pd.DataFrame({"layer": ["a"], "task": "classify", "method": "combined", "n": 1,
                          "category": "object", "mean": 0.35, "stderr": 0.01})  # fmt: skip
    low, high = draw_by_category(table, LIGHT, task="classify", layers=["a"]).axes[0].get_ylim()
    assert low < 0.35 < 0.5 < high


def test_a_setting_has_no_score(study):
    (table,) = probe_facts(study, {}).settings.values()
    assert [column.label for column in table.columns] == ["setting", "value"]


@pytest.mark.parametrize("key", ["value", "percent", "as_good", "by_chance", "best", "first"])
def test_a_heading_that_differs_from_table_to_table_is_not_global(key):
    assert Column(key).label == key
    assert columns(**{key: ("count", "mine")})[0].label == "mine"


# Filters and weights


def test_filters_are_shown_with_the_concepts_they_are_best_for_or_find(run, shown):
    planned = [item for item in plan_exhibits([run], filters=1) if hasattr(item, "filter")]
    best = run.arrays()["best_filter"].to_series()
    other = next(index for index in range(16) if index != best["dog"])
    ious = pd.DataFrame({"concept": ["dog"], "image": ["image_060.jpg"], "iou": [0.004]})
    asked = plan_filter(run, "blocks.6", other, ious)
    exhibits = tuple(shown(request) for request in [*planned, asked])
    pictures = sharing_facts(Study((run,), exhibits), {}).pictures
    assert [of_filter.served for of_filter in pictures] == [True, False]
    assert pictures[1].rows[0].startswith("dog (")


def test_weights_are_shares_of_all_weights():
    shares = pd.DataFrame({"concept": ["a", "a", "b"], "weight_share": [0.5, 0.2, 0.3]})
    assert weight_shares(shares) == pytest.approx({"first": 0.4, "ten": 0.5})
    assert weight_shares(shares.assign(weight_share=np.nan)) is None


def test_a_correlation_that_is_undefined_is_not_0(tmp_path):
    made = Study((open_run(build_run(tmp_path / "run", layers={"a": 8, "b": 2}, subsets=())),))
    facts = weights_facts(made, make_report_tables(made))
    assert facts.significant.frame["layer"].tolist() == ["a"]


def test_accuracies_of_few_images_are_marked_and_counted(run):
    small = {"dog", "wood"}
    few = Run(run.path, tree=run.tree.copy())
    for layer in ("stem-relu", "blocks.6"):
        group = few.tree[f"{layer}/classify"]
        sizes = [4 if name in small else 60 for name in group["concept"].values]
        group.dataset = group.to_dataset().assign_coords(n_balanced=("concept", sizes))
    study = Study((few,))
    assert study.marked("dog", task="classify").endswith(SMALL)
    assert SMALL not in study.marked("dog", task="segment")
    facts = left_out_facts(study, {})
    assert (facts.small, facts.judged) == (2, 14)
    scores = sufficiency_facts(study, study.tables).scores.frame.set_index("task")
    assert scores["n"].to_dict() == {"segment": 12, "classify": 12}
    best, worst = rank_concepts(study, "classify")
    assert len(best.frame) + len(worst.frame) == 12
    assert left_out_facts(Study((run,)), {}).small == 0


# Masks and spaces


def test_concepts_that_were_asked_for_are_told_from_those_chosen(run, shown):
    requests = plan_exhibits([run], concepts=2, filters=0, cards=0)
    every = [shown(request) for request in requests]
    facts = masks_facts(Study((run,), tuple(every)), {})
    assert (facts.asked, facts.chosen, facts.least, facts.scored) == ((), True, 10, 12)
    taken = [request.concept for request in plan_exhibits([run], concepts=3, filters=0, cards=0)]
    more = next(name for name in run.arrays()["concept"].values if name not in taken)
    asked = [shown(plan_concept(run, "blocks.6", more))]
    facts = masks_facts(Study((run,), (*asked, *every)), {})
    assert (facts.asked, facts.chosen) == ((more,), True)
    assert masks_facts(Study((run,), tuple(asked)), {}).chosen is False


@pytest.mark.parametrize("kinds", [["object"] * 6, list("abcdef")])
def test_categories_that_could_not_be_otherwise_are_not_counted(tmp_path, kinds):
    concepts = dict(zip(["a1", "b1", "c1", "d1", "e1", "f1"], kinds, strict=True))
    alone = open_run(build_run(tmp_path / "run", concepts=concepts, image_concepts={}))
    facts = space_facts(Study((alone,)), {})
    assert facts.category.frame.empty


def test_the_nearest_concept_is_of_the_same_category_by_chance(study, run):
    row = space_facts(study, {}).category.frame.set_index("task").loc["segment"]
    left = set(run.categories()) - run.hardly_moved()
    # Of 11 others: 1 more colour, 4 objects, 1 part, 2 materials.
    chance = {"color": 1 / 11, "object": 4 / 11, "part": 1 / 11, "material": 2 / 11}
    wanted = np.mean([chance[run.categories()[name]] for name in left])
    assert row["by_chance"] == pytest.approx(wanted)
    assert row["n"] == len(left)


@pytest.mark.usefixtures("unpainted")
def test_nothing_is_called_nan(tmp_path):
    concepts = {"dog": "object", "wood": "material"}
    few = open_run(
        build_run(tmp_path / "run", concepts=concepts, image_concepts={}, fits=FITS, subsets=())
    )
    for section in build_report([few]).sections:
        for table in tables_in(section.facts):
            for column in table.shown_columns:
                values = table.values(column)
                assert any(not pd.isna(value) for value in values), column.key
                if column.form == "text":
                    assert not {"nan", "None"} & set(map(str, filter(None, values)))


def tables_in(facts):
    """All tables of a section's facts, however deep."""
    if isinstance(facts, Table):
        yield facts
    elif isinstance(facts, (tuple, dict)):
        for one in facts.values() if isinstance(facts, dict) else facts:
            yield from tables_in(one)
    elif hasattr(facts, "__dataclass_fields__"):
        for name in facts.__dataclass_fields__:
            yield from tables_in(getattr(facts, name))


def test_every_fit_stands_beside_the_others(tmp_path):
    runs = tuple(
        open_run(build_run(tmp_path / name, network=name, fits=fits))
        for name, fits in (("a", ("paper", "converged")), ("b", ("paper",)))
    )
    study = Study(runs)
    made = make_report_tables(study)
    facts = findings_facts(study, made)
    headings = [column.label for column in facts.wins.shown_columns]
    assert headings[-2:] == ["paper’s training", "converged fit"]
    # The table below which a link stands is the one it leads to.
    every = made[facts.scores.csv].set_index(["network", "layer", "task", "fit"])
    for row in facts.wins.frame.to_dict("records"):
        key = (row["network"], row["layer"], row["task"], "paper")
        assert row["percent_paper"] == every.loc[key, "percent"] / 100
        assert every.loc[key, "low"] <= every.loc[key, "percent"] <= every.loc[key, "high"]
    frame = facts.scores.frame
    assert set(frame["network"]) == {"a", "b"}
    rows = frame[frame["task"].eq("segment") & frame["network"].eq("a")].to_dict("records")
    assert len(rows) == len(runs[0].layers)
    for row in rows:
        for fit in ("paper", "converged"):
            scores = runs[0].arrays(row["layer"], fit=fit)["score"]
            assert row[f"combined_{fit}"] == pytest.approx(float(scores.sel(split="val").mean()))
    alone = frame[frame["network"] == "b"]
    assert alone["combined_paper"].notna().all()
    assert alone["combined_converged"].isna().all()
