"""What the page says of intervals, null scores and seeds: no more than it knows."""

import re

import numpy as np
import pandas as pd
import pytest

from net2vec.report import build_report
from net2vec.report.content import FigureRow, Paragraph, Table
from net2vec.report.figures import draw_differences, draw_evidence
from net2vec.report.figures.style import DARK, LIGHT
from net2vec.report.sections.chance import chance_section, chance_tables
from net2vec.report.study import Study
from net2vec.runs import open_run
from texts import texts_overlap

from builders import CONCEPTS, LAYERS, SCENES, build_run

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A trained network with everything, and its random twin with other null scores."""
    folder = tmp_path_factory.mktemp("asked")
    trained = build_run(folder / "trained", network="net", nulls=39, seeds=3, fits=FITS)
    twin = build_run(folder / "twin", network="twin", nulls=39, seed=5, trained=False)
    return [open_run(trained), open_run(twin)]


def section_of(*runs):
    study = Study(tuple(runs))
    return chance_section(study, chance_tables(study))


def text_of(section):
    return " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def drawings(section):
    rows = [block for block in section.blocks if isinstance(block, FigureRow)]
    return [drawing.name for row in rows for drawing in row.drawings]


def test_the_page_counts_what_passes_in_every_run_and_fit(asked):
    section = section_of(*asked)
    text = text_of(section)
    segment = f"{len(CONCEPTS) // 2} of {len(CONCEPTS)} concepts with all filters"
    classify = f"{len(CONCEPTS | SCENES) // 2} of {len(CONCEPTS | SCENES)} concepts with all"
    for said in (segment, classify):
        assert f"net, paper’s training: {said}" in text
        assert f"net, converged fit: {said}" in text
        assert f"twin, paper’s training: {said}" in text
    assert "twin, converged fit" not in text
    # The least p-value of 39 null scores is 1/40: half of the concepts must have it.
    assert "of 14 concepts 7 must beat all of theirs" in text
    assert drawings(section) == [
        "differences_segment", "differences_classify", "evidence_segment", "evidence_classify",
    ]  # fmt: skip


def test_the_page_says_what_is_decided(asked):
    run = asked[0]
    table = chance_tables(Study((run,)))["intervals"]
    rows = table.query("layer == 'blocks.6' and task == 'classify' and fit == 'paper'")
    difference = rows[rows["method"] == "difference"]
    above = (difference["low"] > 0).sum()
    assert 0 < above < len(difference)
    combined = rows[rows["method"] == "combined"]
    width = (combined["high"] - combined["low"]).median()
    text = text_of(section_of(run))
    assert f"that of all filters is {width:.2f} wide in the median, over 60 images" in text
    assert f"is above 0 for {above} of 14 concepts" in text


def test_the_page_says_how_steady_vectors_are(asked):
    section = section_of(asked[0])
    table = chance_tables(Study((asked[0],)))["steadiness"]
    rows = table.query("layer == 'blocks.6' and task == 'segment'")
    assert f"a mean cosine of {rows['cosine'].mean():.2f}" in text_of(section)
    assert f"({100 * 5 / 11:.0f} % by chance)" in text_of(section)
    shown = [block for block in section.blocks if isinstance(block, Table)]
    steady = next(block for block in shown if block.csv == "steadiness")
    assert len(steady.frame) == len(LAYERS) * 2


def test_a_run_without_nulls_and_seeds_has_intervals_alone(tmp_path):
    section = section_of(open_run(build_run(tmp_path / "run")))
    assert drawings(section) == ["differences_segment", "differences_classify"]
    assert "chance" not in text_of(section)
    assert "starts" not in text_of(section)
    everything = section.blocks[-1]
    assert everything.csv == "intervals"
    assert set(everything.frame["method"]) == {"all filters", "best single filter"}
    assert everything.caption.endswith("(subsets: in the table beside the page)")
    assert len(everything.frame) == 2 * len(LAYERS) * (len(CONCEPTS) + len(CONCEPTS | SCENES))


def test_too_few_null_scores_are_called_too_few(tmp_path):
    text = text_of(section_of(open_run(build_run(tmp_path / "run", nulls=9))))
    assert "these pass: 0 of 12 concepts with all filters (0 %), 0 with" in text
    assert "the least possible p-value is 1/10: too large" in text
    assert "--nulls 19" in text


def test_enough_null_scores_need_no_warning(tmp_path):
    section = section_of(open_run(build_run(tmp_path / "run", nulls=279)))
    assert not any(isinstance(block, Paragraph) and block.note for block in section.blocks)


def test_a_run_of_an_older_version_has_no_such_section(asked):
    study = Study((asked[0],))
    tables = {name: table.iloc[:0] for name, table in chance_tables(study).items()}
    assert chance_section(study, tables) is None


def test_the_report_keeps_the_tables_of_both_fits(asked):
    report = build_report(asked)
    assert "chance" in [section.anchor for section in report.sections]
    assert set(report.tables["evidence"]["fit"]) == set(FITS)
    assert set(report.tables["intervals"]["network"]) == {"net", "twin"}
    assert report.tables["steadiness"]["network"].unique().tolist() == ["net"]


# Figures


@pytest.mark.parametrize("count", [1, 2, 40, 900])
def test_differences_are_told_apart_by_their_intervals(count):
    rng = np.random.default_rng(count)
    value = rng.normal(0, 0.2, count)
    table = pd.DataFrame(
        {
            "task": "segment",
            "method": "difference",
            "value": value,
            "low": value - rng.uniform(0, 0.3, count),
            "high": value + rng.uniform(0, 0.3, count),
        }
    )
    both = pd.concat([table, table.assign(task="classify"), table.assign(method="single")])
    figure = draw_differences(both, LIGHT, task="segment")
    lines = [line for line in figure.axes[0].lines if "(" in str(line.get_label())]
    drawn = {line.get_label().split()[0]: line.get_ydata() for line in lines}
    assert len(drawn["better"]) == (table["low"] > 0).sum()
    assert len(drawn["worse"]) == (table["high"] < 0).sum()
    assert sorted(np.concatenate(list(drawn.values()))) == sorted(value)
    assert [int(re.findall(r"\d+", line.get_label())[0]) for line in lines] == [
        len(line.get_ydata()) for line in lines
    ]
    assert texts_overlap(figure) == []


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
