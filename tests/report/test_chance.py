"""What the page says of intervals, null scores and seeds: no more than it knows."""

import numpy as np
import pandas as pd
import pytest

from net2vec.report import build_report
from net2vec.report.figures import draw_evidence
from net2vec.report.figures.style import DARK
from net2vec.report.sections.chance import chance_facts
from net2vec.report.study import Study
from net2vec.report.tables import make_report_tables
from texts import texts_overlap

from builders import CONCEPTS, LAYERS, SCENES

pytestmark = pytest.mark.slow

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def asked(shared_run):
    """A trained network with everything, and its random twin with other null scores."""
    trained = shared_run(network="net", gain=0.05, nulls=39, seeds=3, fits=FITS)
    return [trained, shared_run(network="twin", nulls=39, seed=5, trained=False)]


def facts_of(*runs):
    study = Study(tuple(runs))
    return chance_facts(study, make_report_tables(study))


def test_the_page_counts_what_passes_in_every_run_and_fit(asked):
    facts = facts_of(*asked)
    rows = facts.passed.frame.query("method == 'combined'").set_index(["series", "task"])
    numbers = {"segment": len(CONCEPTS), "classify": len(CONCEPTS | SCENES)}
    series = ["net, paper’s training", "net, converged fit",
              "twin, random weights, paper’s training"]  # fmt: skip
    assert set(rows.index) == {(name, task) for name in series for task in numbers}
    for (_, task), row in rows.iterrows():
        assert row["layer"] == "blocks.6"
        assert row["concepts"] == numbers[task]
        assert row["passed"] == numbers[task] // 2
    # The least p-value of 39 null scores is 1/40: half of the concepts must have it.
    assert rows["needed"].max() == 7
    assert facts.too_few is None
    assert list(facts.layer_of) == list(facts.evidence) == ["segment", "classify"]


def test_the_page_says_what_is_decided(asked):
    run = asked[0]
    table = make_report_tables(Study((run,)))["intervals"]
    rows = table.query("layer == 'blocks.6' and task == 'classify' and fit == 'converged'")
    difference = rows[rows["method"] == "difference"]
    above = (difference["low"] > 0).sum()
    assert 0 < above < len(difference)
    combined = rows[rows["method"] == "combined"]
    decided = facts_of(run).decided.frame.set_index("task").loc["classify"]
    assert decided["width"] == (combined["high"] - combined["low"]).median()
    assert (decided["images"], decided["n"], decided["above"]) == (60, 14, above)


def test_the_page_says_how_steady_vectors_are(asked):
    table = make_report_tables(Study((asked[0],)))["steadiness"]
    rows = table.query("layer == 'blocks.6' and task == 'segment'")
    steady = facts_of(asked[0]).steadiness.frame
    assert len(steady) == len(LAYERS) * 2
    mine = steady.query("layer == 'blocks.6' and task == 'segment'").iloc[0]
    assert mine["self_cosine"] == pytest.approx(rows["cosine"].mean())
    assert mine["by_chance"] == pytest.approx(5 / 11)


def test_a_run_without_nulls_and_seeds_has_intervals_alone(shared_run):
    facts = facts_of(shared_run())
    assert list(facts.layer_of) == ["segment", "classify"]
    assert not facts.evidence
    assert facts.passed.frame.empty
    assert facts.steadiness.frame.empty


def test_too_few_null_scores_are_called_too_few(shared_run):
    few = {"layers": {"a": 6}, "subsets": ()}
    facts = facts_of(shared_run(nulls=9, **few))
    assert (facts.too_few, facts.least_nulls) == (9, 19)
    assert (facts.passed.frame["passed"] == 0).all()
    assert facts_of(shared_run(nulls=19, **few)).too_few is None


def test_a_run_of_an_older_version_has_no_such_section(asked):
    study = Study((asked[0],))
    tables = {name: table.iloc[:0] for name, table in make_report_tables(study).items()}
    assert chance_facts(study, tables) is None


def test_the_report_keeps_the_tables_of_both_fits(asked):
    report = build_report(asked)
    assert report.facts("chance")
    assert set(report.tables["evidence"]["fit"]) == set(FITS)
    assert set(report.tables["intervals"]["network"]) == {"net", "twin, random weights"}
    assert report.tables["steadiness"]["network"].unique().tolist() == ["net"]


# Figures


@pytest.mark.parametrize("layers", [1, 5, 16])
@pytest.mark.parametrize("runs", [1, 4])
def test_evidence_is_drawn_by_layer(layers, runs):
    names = [f"features.{number}.conv" for number in range(layers)]
    rows = [
        (f"network {run}, converged fit", layer, "classify", method, share)
        for run in range(runs)
        for share, layer in zip(np.linspace(0, 1, layers), names, strict=True)
        for method in ("single", "combined")
    ]
    table = pd.DataFrame(rows, columns=["series", "layer", "task", "method", "share"])
    table = table[~((table["layer"] == names[-1]) & (table["method"] == "single"))]
    figure = draw_evidence(table, DARK, task="classify", layers=names, series="series")
    combined = figure.axes[0]
    assert combined.get_title(loc="left") == "all filters"
    assert len(combined.lines) == runs
    assert combined.lines[0].get_ydata() == pytest.approx(100 * np.linspace(0, 1, layers))
    if layers > 1:
        assert np.isnan(figure.axes[1].lines[0].get_ydata()[-1])  # there is no such row
    assert texts_overlap(figure) == []
