"""The spread over seeds, wherever the page shows numbers of the paper's fit."""

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import by_concept
from net2vec.report import build_report, save_report
from net2vec.report.content import Table, columns
from net2vec.report.sections.fits import fits_facts
from net2vec.report.sections.networks import networks_facts
from net2vec.report.study import Study
from net2vec.report.tables import difference_table, make_report_tables
from net2vec.runs import make_tables

pytestmark = [pytest.mark.usefixtures("unpainted"), pytest.mark.slow]

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def twin(shared_run):
    return shared_run(network="twin", trained=False, seed=1)


@pytest.fixture(scope="module")
def seeded(shared_run):
    return shared_run(network="net", gain=0.05, nulls=39, seeds=3, fits=FITS)


def labels(table):
    return [column.label for column in table.shown_columns]


def pair_of(*runs):
    study = Study(tuple(runs))
    (pair,) = fits_facts(study, make_report_tables(study)).pairs
    return pair


def before_spreads(table):
    """The columns that have their spread beside them."""
    named = labels(table)
    return [named[at - 1] for at, label in enumerate(named) if label == "± sd"]


def test_every_table_of_both_fits_has_the_spread_of_the_starts(seeded, twin):
    pair = pair_of(seeded, twin)
    for table in pair.verdicts.values():
        assert labels(table)[1:3] == ["paper’s training", "± sd"]
        spread = table.frame.loc[table.frame["finding"] != "remaining", "spread"]
        assert spread.str.fullmatch(r"(\d+\.\d+(\xa0%)?)?").all()
        assert (spread != "").sum() > 3
    assert before_spreads(pair.scores) == [
        "paper’s training", "ratio", "second at least as good", "of these worse by more than 0.01",
    ]  # fmt: skip
    assert before_spreads(pair.wins) == [
        "mean, paper’s training", "Table 1, paper’s training", "failures, paper’s training",
        "of these remain",
    ]  # fmt: skip
    fits = pair.wins.frame
    row = fits.query("network == 'net'").iloc[-1]
    assert 0 < row["percent_paper_sd"] < 1
    assert fits.query("network == 'twin, random weights'")["percent_paper_sd"].isna().all()
    for table in (pair.sharing, pair.vectors):
        for column in table.shown_columns:
            if column.form == "percent":
                assert table.frame[column.key].dropna().between(0, 1).all(), column.key


@pytest.mark.parametrize(
    ("form", "sd", "seen"),
    [("number", 0.004, True), ("number", 0.0004, False), ("percent", 0.002, True),
     ("score", 0.0, False), ("count", np.nan, False), ("text", 0.4, False)],
)  # fmt: skip
def test_a_number_is_followed_by_a_spread_that_can_be_seen(form, sd, seen):
    frame = pd.DataFrame({"n": [0.304], "n_sd": [sd]})
    assert ("± sd" in labels(Table(frame, columns(n=form)))) == seen


def test_a_saved_page_and_its_tables_show_the_spread(seeded, tmp_path):
    path = save_report(build_report([seeded]), tmp_path / "report")
    _, fits = path.read_text("utf-8").split('<section id="fits">')
    fits = fits.split("</section>")[0]
    assert fits.count("± sd</th>") > 10
    spread = {
        "fits": 15, "fits_by_concept": 4, "fits_subsets": 1, "fits_drops": 4, "fits_rules": 0,
        "intervals": 1, "evidence": 1,
    }  # fmt: skip
    for name, count in spread.items():
        saved = pd.read_csv(path.parent / "tables" / f"{name}.csv")
        columns = [column for column in saved if column.endswith("_sd")]
        assert len(columns) == count, name
        assert saved[columns].notna().any().all(), name


def test_a_single_start_has_no_spread(shared_run, twin):
    pair = pair_of(shared_run(fits=FITS, gain=0.05), twin)
    tables = [pair.scores, pair.wins, pair.sharing, pair.vectors]
    for table in [*tables, *pair.verdicts.values()]:
        assert "± sd" not in labels(table)


def test_tables_show_their_spread_over_seeds(shared_run, tmp_path):
    run = shared_run(network="seeded", seeds=3)
    report = build_report([run])
    found = report.facts("findings")
    assert labels(found.wins) == [
        "task", "layer", "best layer", "concepts", "paper’s training", "± sd"
    ]  # fmt: skip
    assert labels(found.scores)[-2:] == ["all filters, paper’s training", "± sd"]
    wins = make_tables(run)["combined_vs_single"].set_index(["layer", "task"])
    shown = found.wins.frame.set_index(["layer", "task"])["percent_paper_sd"]
    assert shown.to_dict() == pytest.approx((wins["percent_sd"] / 100).to_dict(), nan_ok=True)
    page = save_report(report, tmp_path / "page").read_text("utf-8")
    assert page.count("± sd</th>") >= 8


def test_without_seeds_no_table_has_a_spread(shared_run, tmp_path):
    run = shared_run()
    page = save_report(build_report([run]), tmp_path / "page").read_text("utf-8")
    assert "± sd</th>" not in page


def test_networks_beside_each_other_show_the_spread_of_the_subject(shared_run, twin):
    run = shared_run(network="seeded", seeds=3)
    study = Study((run, twin))
    table = difference_table(study)
    other = by_concept(twin.scores).set_index(["layer", "task", "concept"])["combined"]
    row = table.query("task == 'segment'").iloc[-1]
    means = []
    for seed in run.seeds:
        own = by_concept(run.at(seed=seed).scores)
        own = own[(own["layer"] == row["layer"]) & (own["task"] == row["task"])]
        own = own[own["category"] == row["category"]]
        means.append(own["combined"].mean())
        assert {(row["layer"], row["task"], name) for name in own["concept"]} <= set(other.index)
    assert np.std(means, ddof=1) > 0
    assert row["mean_sd"] == pytest.approx(np.std(means, ddof=1))
    assert row["difference_sd"] == pytest.approx(np.std(means, ddof=1))
    assert row["mean_other_sd"] == 0
    _, shown = networks_facts(study, {"networks": table}).differences["segment"]
    assert labels(shown).count("± sd") == 2
    once = difference_table(Study((twin, run)))
    assert not [name for name in once if name.endswith("_sd")]
