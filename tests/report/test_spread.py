"""The spread over seeds, wherever the page shows numbers of the paper's fit."""

import json

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import by_concept
from net2vec.report import build_report, save_report
from net2vec.report.content import Paragraph, Table
from net2vec.report.sections.fits import fits_section
from net2vec.report.sections.networks import difference_table, networks_section
from net2vec.report.sections.probe import probe_section
from net2vec.report.study import Study
from net2vec.report.wording import with_spread
from net2vec.runs import make_tables, open_run

from builders import build_run

pytestmark = pytest.mark.usefixtures("unpainted")

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin") / "twin"
    return open_run(build_run(folder, network="twin", trained=False, seed=1))


def tables_in(section):
    return [block for block in section.blocks if isinstance(block, Table)]


def tables_of(report):
    return [table for section in report.sections for table in tables_in(section)]


def paragraphs(section):
    return [str(block.text) for block in section.blocks if isinstance(block, Paragraph)]


def text_of(section):
    return " ".join(paragraphs(section))


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeded") / "run"
    return open_run(build_run(folder, network="seeded", fits=FITS, gain=0.05, seeds=3, nulls=5))


def labels(table):
    return [column.label for column in table.shown]


def test_every_table_of_both_fits_has_the_spread_of_the_starts(seeded, twin):
    made = Study((seeded, twin))
    section = fits_section(made)
    verdict, other, one, every = (
        table for table in tables_in(section) if table.csv != "fits_rules"
    )
    for table in (verdict, other):
        assert labels(table)[1:3] == ["paper’s training", "± sd"]
        assert table.frame["spread"].str.fullmatch(r"\d+\.\d+(\xa0%)?").all()
    sums = [label for label in labels(one) if label == "± sd"]
    assert len(sums) == 5  # mean, ratio, share, failures and those that remain
    assert labels(one)[labels(one).index("mean, converged") + 1] == "times"
    row = one.frame.query("network == 'seeded'").iloc[-1]
    assert row["paper_share_sd"] == row["percent_paper_sd"] / 100
    assert one.frame.query("network == 'twin'")["paper_share_sd"].isna().all()
    spreads = [labels(every)[at - 1] for at, label in enumerate(labels(every)) if label == "± sd"]
    assert spreads == ["best single, paper’s", "all, paper’s", "cosine", "same neighbours"]
    text = text_of(section)
    (said,) = (text for text in paragraphs(probe_section(made)) if "starts" in text)
    assert "repeated from 3 starts in seeded:" in said
    last = made.fits["fits"].query("layer == 'blocks.6'")
    assert (last[["paper_sd", "shared_paper_sd", "cosine_sd"]] > 0.005).all(axis=None)
    for _, row in last.iterrows():
        assert f"and {row['paper']:.3f} ± {row['paper_sd']:.3f} with the paper’s" in text
        assert f"of {row['shared_paper']:.2f} ± {row['shared_paper_sd']:.2f} in" in text
        assert f"median cosine of {row['cosine']:.2f} ± {row['cosine_sd']:.2f}" in text


@pytest.mark.parametrize(
    ("form", "sd", "shown"),
    [
        (".2f", 0.014, "0.30 ± 0.01"),
        (".2f", 0.004, "0.30"),  # nothing to be seen
        (".3f", 0.004, "0.304 ± 0.004"),
        (".2f", 0.0, "0.30"),
        (".2f", np.nan, "0.30"),
        (".2f", None, "0.30"),
    ],
)
def test_a_number_is_followed_by_a_spread_that_can_be_seen(form, sd, shown):
    row = pd.Series({"mean": 0.304} if sd is None else {"mean": 0.304, "mean_sd": sd})
    assert with_spread(row, "mean", form) == shown


def test_a_saved_page_and_its_tables_show_the_spread(seeded, tmp_path):
    path = save_report(build_report([seeded]), tmp_path / "report")
    _, fits = path.read_text("utf-8").split('<section id="fits">')
    fits = fits.split("</section>")[0]
    assert fits.count("± sd</th>") == 2 + 5
    shown = json.dumps({"label": "± sd"})[1:-1]  # in the data of a table that a script shows
    assert fits.count(shown) == 4
    _, chance = path.read_text("utf-8").split('<section id="chance">')
    assert shown in chance.split("</section>")[0]
    spread = {
        "fits": 15, "fits_by_concept": 4, "fits_subsets": 1, "fits_drops": 4, "fits_rules": 0,
        "intervals": 1, "evidence": 1,
    }  # fmt: skip
    for name, count in spread.items():
        saved = pd.read_csv(path.parent / "tables" / f"{name}.csv")
        columns = [column for column in saved if column.endswith("_sd")]
        assert len(columns) == count, name
        assert saved[columns].notna().any().all(), name


def test_a_single_start_has_no_spread(tmp_path, twin):
    one = open_run(build_run(tmp_path / "run", fits=FITS))
    section = fits_section(Study((one, twin)))
    assert "± sd" not in {label for table in tables_in(section) for label in labels(table)}
    assert "starts" not in text_of(section) + "".join(paragraphs(probe_section(Study((one,)))))
    assert not {"spread"} & {column.key for table in tables_in(section) for column in table.columns}


def test_tables_show_their_spread_over_seeds(tmp_path):
    run = open_run(build_run(tmp_path / "run", seeds=3))
    tables = {str(table.caption): table for table in tables_of(build_report([run]))}
    first = next(table for caption, table in tables.items() if caption.startswith("Share of"))
    assert [column.label for column in first.shown] == [
        "layer", "segmentation", "± sd", "classification", "± sd",
    ]  # fmt: skip
    wins = make_tables(run)["combined_vs_single"].query("task == 'segment'").set_index("layer")
    shown = first.frame.set_index("layer")[f"{first.columns[1].key}_sd"]
    assert shown.to_dict() == pytest.approx((wins["percent_sd"] / 100).to_dict(), nan_ok=True)
    every = tables["Every concept on every layer"]
    assert [column.label for column in every.shown].count("± sd") == 2
    page = save_report(build_report([run]), tmp_path / "page").read_text("utf-8")
    assert page.count("± sd</th>") >= 8
    near = next(table for caption, table in tables.items() if caption.startswith("The nearest"))
    assert near.frame["near"].str.contains("±").any()


def test_without_seeds_no_table_has_a_spread(tmp_path):
    run = open_run(build_run(tmp_path / "run"))
    for table in tables_of(build_report([run])):
        assert [column.label for column in table.shown if column.label == "± sd"] == []


def test_networks_beside_each_other_show_the_spread_of_the_subject(tmp_path, twin):
    run = open_run(build_run(tmp_path / "run", network="seeded", seeds=3))
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
    (shown, *_) = tables_in(networks_section(study, table))
    assert labels(shown).count("± sd") == 2
    once = difference_table(Study((twin, run)))
    assert not [name for name in once if name.endswith("_sd")]
