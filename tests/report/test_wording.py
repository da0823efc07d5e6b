"""Sentences: singular and plural, and no number that claims more than is known."""

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import by_concept
from net2vec.report import build_report
from net2vec.report.content import MARK, Paragraph, Table
from net2vec.report.exhibits import plan_concept, plan_exhibits, plan_filter
from net2vec.report.figures import draw_by_category
from net2vec.report.figures.style import LIGHT
from net2vec.report.sections.filters import sharing_section
from net2vec.report.sections.fits import _remain
from net2vec.report.sections.fits_space import _agreement
from net2vec.report.sections.left_out import left_out_section
from net2vec.report.sections.masks import masks_section
from net2vec.report.sections.probe import probe_section
from net2vec.report.sections.space import space_section
from net2vec.report.sections.sufficient import _best_and_worst, _by_size, _lost
from net2vec.report.sections.verdicts import LESS, NEITHER, OPEN, above_chance, verdicts
from net2vec.report.sections.weights import _contributed, weights_section, weights_table
from net2vec.report.study import Study
from net2vec.report.wording import count, part, percent, score_text
from net2vec.runs import Run, open_run

from builders import build_run

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(build_run(tmp_path_factory.mktemp("words") / "run", network="net", gain=0.05))


@pytest.fixture(scope="module")
def study(run):
    return Study((run,))


def paragraphs(section):
    return [str(block.text) for block in section.blocks if isinstance(block, Paragraph)]


def text_of(section):
    return " ".join(paragraphs(section))


@pytest.mark.parametrize(
    ("number", "total", "said"),
    [
        (0, 1, "0 of 1 filter is"),
        (1, 1, "1 of 1 filter is"),
        (1, 2, "1 of 2 filters is"),
        (0, 2, "0 of 2 filters are"),
        (2, 1200, "2 of 1,200 filters are"),
    ],
)
def test_one_is_singular(number, total, said):
    assert part(number, total, "filter", "is", "are") == said


def test_numbers_are_not_rounded_to_what_they_are_not():
    assert [score_text(value) for value in (0, 0.0004, 0.0041, 0.0099, 0.01, 1.0)] == [
        "0.00", "<0.001", "0.004", "0.010", "0.01", "1.00",
    ]  # fmt: skip
    assert [percent(value) for value in (0, 0.004, 0.996, 1)] == [
        "0 %", "less than 1 %", "more than 99 %", "100 %"
    ]  # fmt: skip
    assert [count(1152, "filter"), count(1, "category", "categories")] == [
        "1,152 filters", "1 category"
    ]  # fmt: skip


# What was probed


def test_the_page_says_which_fit_its_numbers_are_of(run, tmp_path):
    assert "The weights were learned twice" not in text_of(probe_section(Study((run,))))
    both = open_run(build_run(tmp_path / "both", network="both", fits=FITS))
    said = text_of(probe_section(Study((both,))))
    assert "does not say which, its numbers are of the paper’s training" in said
    converged = open_run(build_run(tmp_path / "one", network="one", fits=("converged",)))
    said = text_of(probe_section(Study((converged,))))
    assert "The weights are not those of the paper’s training" in said
    beside = text_of(probe_section(Study((run, converged))))
    assert "Those of one are of the converged fit." in beside


def test_what_is_taken_of_all_images_is_named(run, monkeypatch):
    assert "Only the filters’ thresholds, which" in text_of(probe_section(Study((run,))))
    network = {"weights": "random (seed 0), batch norm from 512 images"}
    monkeypatch.setitem(run.provenance, "network", network)
    said = text_of(probe_section(Study((run,))))
    assert "Only the filters’ thresholds and estimated statistics of batch norm, which" in said


def test_reasons_that_differ_in_a_number_are_one(study, run, monkeypatch):
    reasons = ["1 training image, fewer than 5", "4 training images, fewer than 5", "no image"]
    skipped = pd.DataFrame({"network": "net", "layer": "", "task": "segment", "filters": None,
                            "concept": ["a", "b", "c"], "reason": reasons})  # fmt: skip
    monkeypatch.setitem(run.__dict__, "skipped", skipped)
    first = next(block for block in left_out_section(study).blocks if isinstance(block, Table))
    rows = first.frame[["reason", "number", "example"]].to_numpy().tolist()
    assert rows == [["fewer than 5 training images", 2, "a"], ["no image", 1, "c"]]


# Scores


def concepts(small, wins_small, large, wins_large):
    wins = [*(np.arange(small) < wins_small), *(np.arange(large) < wins_large)]
    size = [0.01] * small + [0.1] * large
    return pd.DataFrame({"concept_size": size, "combined": np.array(wins, float), "single": 0.5})


def test_size_is_blamed_only_where_a_test_does():
    said = _by_size(concepts(4, 3, 7, 6))
    assert "for 3 of 4 (75 %), of the others for 6 of 7 (86 %): these shares do not" in said
    assert "(90 %): these shares differ (Fisher’s exact" in _by_size(concepts(40, 10, 100, 90))
    assert _by_size(concepts(3, 3, 0, 0)) == ""


@pytest.mark.parametrize(("lost", "won"), [(1, 0), (1, 1), (2, 3)])
def test_failures_are_counted_in_good_grammar(lost, won):
    rows = pd.DataFrame(
        {"difference": [-0.1] * lost + [0.1] * won, "n_train": 1, "concept_size": 0.27}
    )
    said = _lost(rows, "segment")
    wanted = {
        1: "1 of 1 concept loses by the combination, with 1 training image and a size of 27 % of",
        2: "1 of 2 concepts loses by the combination, with 1 training image and",
        5: "2 of 5 concepts lose by the combination, in the median with 1 training image and",
    }
    assert wanted[lost + won] in said
    assert said.endswith(
        {1: "of the image.", 2: "27 % for the other.", 5: "27 % for the others."}[lost + won]
    )


@pytest.mark.parametrize("number", [1, 2, 7, 12])
def test_no_concept_is_both_best_and_worst(study, run, monkeypatch, number):
    rows = by_concept(run.scores)
    names = rows[(rows["layer"] == "blocks.6") & (rows["task"] == "segment")]["concept"][:number]
    fewer = study.by_concept[study.by_concept["concept"].isin(names)]
    tables = {**study.tables, "by_concept": fewer}
    monkeypatch.setitem(study.__dict__, "tables", tables)
    shown = [name.removesuffix(f" {MARK}") for table in _best_and_worst(study, "segment").tables
             for name in table.frame["shown"]]  # fmt: skip
    assert sorted(shown) == sorted(names)


def test_chance_can_be_seen_in_the_figure_that_names_it():
    table = pd.DataFrame({"layer": ["a"], "task": "classify", "method": "combined", "n": 1,
                          "category": "object", "mean": 0.35, "stderr": 0.01})  # fmt: skip
    low, high = draw_by_category(table, LIGHT, task="classify", layers=["a"]).axes[0].get_ylim()
    assert low < 0.35 < 0.5 < high


# Filters and weights


def test_filters_are_shown_with_the_concepts_they_are_best_for_or_find(run, shown):
    planned = [item for item in plan_exhibits([run], filters=1) if hasattr(item, "filter")]
    best = run.arrays()["best_filter"].to_series()
    other = next(index for index in range(16) if index != best["dog"])
    ious = pd.DataFrame({"concept": ["dog"], "image": ["image_060.jpg"], "iou": [0.004]})
    asked = plan_filter(run, "blocks.6", other, ious)
    exhibits = tuple(shown(request) for request in [*planned, asked])
    titles = [str(block.title) for block in sharing_section(Study((run,), exhibits)).blocks
              if block.kind == "strip"]  # fmt: skip
    assert "and concepts of which it is the best single one" in titles[1]
    assert "and the concepts it finds best" in titles[3]


def test_one_filter_is_no_combination():
    shares = pd.DataFrame({"concept": ["a", "b"], "weight_share": [1.0, 1.0]})
    assert _contributed(shares, "one", 1) == ""
    assert _contributed(shares, "one", 3).startswith("On one the filter with the largest weight")
    less = shares.assign(weight_share=0.2)
    assert _contributed(less, "one", 12) == (
        "Yet no filter is the combination: on one the filter with the largest weight carries 20 %"
        " of all weights in the mean, the first ten 20 %."
    )
    assert _contributed(shares.assign(weight_share=np.nan), "one", 3) == ""


def test_a_correlation_that_is_undefined_is_not_0(tmp_path):
    two = open_run(build_run(tmp_path / "run", layers={"a": 8, "b": 2}, subsets=()))
    made = Study((two,))
    said = text_of(weights_section(made, weights_table(made)))
    assert "on a" in said
    assert "% of the concepts on b" not in said
    assert "% on b" not in said


# Masks and spaces


def test_the_page_says_which_concepts_its_pictures_are_of(run, shown):
    requests = plan_exhibits([run], concepts=2, filters=0)
    every = [shown(request) for request in requests]
    said = text_of(masks_section(Study((run,), tuple(every))))
    assert "The concepts are spread over scores and categories, among those that all" in said
    assert "find in 10 or more validation images: " in said
    assert "was asked for" not in said
    taken = [request.concept for request in plan_exhibits([run], concepts=3, filters=0)]
    more = next(name for name in run.arrays()["concept"].values if name not in taken)
    asked = [shown(plan_concept(run, "blocks.6", more))]
    said = text_of(masks_section(Study((run,), (*asked, *every))))
    assert f"{more} was asked for; the others are spread" in said


@pytest.mark.parametrize("kinds", [["object"] * 6, list("abcdef")])
def test_what_could_not_be_otherwise_is_not_said(tmp_path, kinds):
    concepts = dict(zip(["a1", "b1", "c1", "d1", "e1", "f1"], kinds, strict=True))
    alone = open_run(build_run(tmp_path / "run", concepts=concepts, image_concepts={}))
    section = space_section(Study((alone,)))
    assert "same category" not in text_of(section)
    assert "nothing but the images" not in text_of(section)


def test_nothing_is_called_nan(tmp_path):
    concepts = {"dog": "object", "wood": "material"}
    few = open_run(
        build_run(tmp_path / "run", concepts=concepts, image_concepts={}, fits=FITS, subsets=())
    )
    for section in build_report([few]).sections:
        assert "nan" not in text_of(section).replace("nance", "")
        for block in section.blocks:
            if isinstance(block, Table):
                text = [column.key for column in block.columns if column.form == "text"]
                words = block.frame[text].astype(str).map(str.split).to_numpy().ravel()
                assert not any("nan" in cell for cell in words)
    row = pd.Series(
        {"cosine": np.nan, "neighbours": np.nan, "neighbours_by_chance": np.nan,
         "category_paper": 50.0, "category_converged": 40.0, "category_by_chance": 45.0}
    )  # fmt: skip
    assert _agreement(row, "segment").startswith("In segmentation the nearest concept is of the")
    assert _agreement(row.where(row.isna()), "segment") == ""
    assert _agreement(pd.Series({**row, "cosine": 0.5}), "classify") == (
        "In classification the two vectors of a concept have a median cosine of 0.50. The nearest"
        " concept is of the same category for 50 % with the paper’s training and 40 % converged (by"
        " chance 45 %)."
    )


# Both fits


@pytest.mark.parametrize(
    ("failed", "kept", "all_lost", "said"),
    [
        (0, 0, 0, "0 of 9 concepts lose by the combination with the paper’s training; converged,"
                  " none lose against the same single filter."),
        (0, 0, 1, "converged, 1 loses against the same single filter."),
        (3, 1, 3, "3 of 9 concepts lose by the combination with the paper’s training; converged, 1"
                  " of these still loses against the same single filter, and 2 others lose."),
        (1, 0, 0, "1 of 9 concepts loses by the combination with the paper’s training; converged,"
                  " none of these still lose against the same single filter, and no others lose."),
    ],
)  # fmt: skip
def test_failures_that_remain_are_told_from_new_ones(
    tmp_path, monkeypatch, failed, kept, all_lost, said
):
    counts = {"n": 9, "failures_paper": failed, "failures_both": kept}
    counts["failures_converged"] = all_lost
    monkeypatch.setattr("net2vec.report.sections.fits.last_fits", lambda *_: pd.Series(counts))
    monkeypatch.setattr(Run, "hardly_moved", lambda *_, **__: frozenset())
    none = pd.DataFrame(columns=["task", "concept", "combined_paper", "single_paper"])
    study = Study((open_run(build_run(tmp_path / "run", subsets=())),))
    assert said in _remain(study, none, "segment")


def test_less_than_chance_is_called_so():
    assert above_chance(0.19, 0.15, 0.36, 0.44) == LESS
    assert above_chance(0.30, 0.15, 0.36, 0.44) == NEITHER


@pytest.mark.parametrize("chance", [0.0, 100.0, np.nan])
def test_categories_that_decide_nothing_give_no_verdict(chance):
    fits = pd.Series(
        {"n": 3, "percent_paper": 60.0, "failures_paper": 0, "failures_converged": 1,
         "failures_both": 0, "single_paper": 0.1, "single_converged": 0.1, "shared_paper": 1.5,
         "shared_converged": 2.0, "shared_by_chance": 1.05, "shared_limit": 1.1,
         "category_paper": chance, "category_converged": chance, "category_by_chance": chance}
    )  # fmt: skip
    lost = pd.DataFrame(columns=["category", "fit", "rule", "filters", "peak", "drop", "stderr"])
    rows = verdicts(fits, lost).set_index("finding")
    nearest = rows.loc["The nearest concept is of the same category (Table 2)"]
    assert nearest["verdict"] == OPEN
    assert "nan" not in " ".join(nearest)
    assert rows.loc[rows.index.str.startswith("Some"), "converged"].item() == "1 of 3"
    assert rows.loc[rows.index.str.startswith("Filters"), "chance"].item() == (
        "1.05, rarely above 1.10"
    )
