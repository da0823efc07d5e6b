"""What the page says of two fits: numbers from the arrays, and no verdict without a reason."""

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import ALL
from net2vec.report import build_report, save_report
from net2vec.report.figures import (
    draw_fit_curves,
    draw_fit_sharing,
    draw_fits_by_category,
)
from net2vec.report.figures.style import DARK, LIGHT
from net2vec.report.labels import RULE_TITLE
from net2vec.report.sections.fits import fits_facts
from net2vec.report.study import Study
from net2vec.report.tables import make_report_tables
from net2vec.runs import FIT_TABLES, fit_tables, make_tables, open_run
from texts import texts_overlap

from builders import CONCEPTS, LAYERS, SCENES, build_run

pytestmark = pytest.mark.slow

TITLES = {"paper": "paper’s training", "converged": "converged fit"}
FITS = tuple(TITLES)
NUMBER = {"segment": len(CONCEPTS), "classify": len(CONCEPTS | SCENES)}


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run(fits=FITS, gain=0.05)


@pytest.fixture(scope="module")
def twin(shared_run):
    return shared_run(network="twin", trained=False, seed=1)


def rename(column, names):
    """A column of a table of fits, with other names of fits."""
    for name, new in names.items():
        if column == name or column.endswith((f"_{name}", f"_{name}_sd")):
            return column.replace(name, new)
    return column


def facts_of(*runs):
    study = Study(tuple(runs))
    return fits_facts(study, make_report_tables(study))


@pytest.fixture(scope="module")
def pair(run, twin):
    (found,) = facts_of(run, twin).pairs
    return found


@pytest.fixture(scope="module")
def tables(run):
    return fit_tables(run)


# Tables


def test_one_row_a_layer_and_task(run, tables):
    assert list(tables) == list(FIT_TABLES)
    found = tables["fits"]
    keys = [[layer, task] for layer in LAYERS for task in NUMBER]
    assert found[["layer", "task"]].to_numpy().tolist() == keys
    assert found["n"].tolist() == [NUMBER[task] for _, task in keys]
    for _, row in found.iterrows():
        for fit in FITS:
            arrays = run.arrays(row["layer"], task=row["task"], fit=fit)
            score = arrays["score"].sel(split="val").values
            assert row[fit] == pytest.approx(score.mean())
            used = len(set(np.abs(arrays["weight"].values).argmax(axis=1)))
            assert row[f"shared_{fit}"] == pytest.approx(row["n"] / used)
    # Table 1 of each fit is the run's own.
    wins = make_tables(run, ["combined_vs_single"])["combined_vs_single"]
    for fit in FITS:
        own = wins[wins["fit"] == fit]["percent"].tolist()
        assert found[f"percent_{fit}"].tolist() == pytest.approx(own)


def test_subsets_are_those_of_the_last_layer(tables):
    found = tables["fits"]
    last = found["layer"] == "blocks.6"
    assert found["drop_paper"].isna().tolist() == (~last).tolist()
    assert found["path_gain"][last].tolist() == pytest.approx([0.01, 0.01], abs=0.002)
    assert (found["drop_converged"][last] >= 0).all()


def test_a_run_or_view_with_one_fit_has_no_such_tables(run, twin):
    assert fit_tables(twin) == {}
    assert fit_tables(run.at(fit="converged")) == {}
    assert facts_of(twin, run) is None


def test_a_run_of_one_task_without_subsets(tmp_path, monkeypatch):
    alone = open_run(build_run(tmp_path / "run", fits=FITS, layers={"a": 6}, subsets=()))
    monkeypatch.setattr(type(alone), "tasks", lambda run, layer=None: ("classify",))
    found = fit_tables(alone)
    assert set(found["fits"]["task"]) == {"classify"}
    assert found["fits_subsets"].empty
    (pair,) = facts_of(alone).pairs
    assert list(pair.verdicts) == ["classify"]
    for table in (pair.peaks, pair.falling, pair.rules):
        assert table.frame.empty
    assert not pair.curves


# The section


def test_the_page_says_what_was_found(pair, tables):
    assert pair.scores.frame["task"].tolist() == ["segment", "classify"]
    for _, row in pair.failures.frame.iterrows():
        concepts = tables["fits_by_concept"].query(
            f"layer == 'blocks.6' and task == {row['task']!r}"
        )
        failed = concepts["combined_paper"] < concepts["single_paper"]
        again = concepts["combined_converged"] < concepts["single_paper"]
        assert 0 < failed.sum() < len(concepts)
        assert row["failures_paper"] == failed.sum()
        assert row["failures_both"] == (failed & again).sum()
        assert row["new"] == (again & ~failed).sum()


def test_any_two_fits_can_be_compared(run, pair, monkeypatch):
    """Nothing knows the names of fits: under others every fact is the same."""
    other = {"paper": "ridge", "converged": "lasso"}
    study = Study((run,))
    made = make_report_tables(study)
    renamed = {
        name: table.rename(columns=lambda name: rename(name, other)).replace({"fit": other})
        for name, table in made.items()
    }
    monkeypatch.setattr(type(run), "fits", tuple(other.values()))
    monkeypatch.setattr(type(run), "fit_title", lambda run, fit: fit.upper(), raising=False)
    stuck = type(run).hardly_moved
    monkeypatch.setattr(
        type(run), "hardly_moved",
        lambda run, layer=None, *, task="segment", fit=None: stuck(
            run, layer, task=task, fit=dict(zip(other.values(), other, strict=True)).get(fit)
        ),
    )  # fmt: skip
    view = Study((run,))
    view.__dict__["fits"] = renamed
    view.__dict__["tables"] = study.tables
    view.__dict__["fits_of"] = lambda pair: {}  # all in `renamed`
    (found,) = fits_facts(view, renamed).pairs
    assert [column.label for column in found.scores.shown_columns][3:5] == ["RIDGE", "LASSO"]
    for task, table in found.verdicts.items():
        pd.testing.assert_frame_equal(table.frame, pair.verdicts[task].frame)
    assert found.failures.frame["stuck"].tolist() == pair.failures.frame["stuck"].tolist()
    for drawings in (found.by_category, found.curves, found.sharing_drawn):
        assert "RIDGE" in "".join(
            text.get_text()
            for text in drawings["classify"]
            .draw(LIGHT)
            .findobj(lambda artist: hasattr(artist, "get_text"))
        )


def test_every_run_stands_in_table_one(pair, twin, tables):
    rows = pair.wins.frame
    assert len(rows) == 2 * 2 * len(LAYERS)
    mine = rows[rows["network"] == "planted"]
    assert mine["percent_paper"].tolist() == (tables["fits"]["percent_paper"] / 100).tolist()
    other = rows[rows["network"] == "twin, random weights"]
    wins = make_tables(twin, ["combined_vs_single"])["combined_vs_single"]
    assert other["percent_paper"].tolist() == (wins["percent"] / 100).tolist()
    assert other["percent_converged"].isna().all()


def test_a_run_without_the_second_fit_has_the_share_of_the_reference(run, shared_run):
    """Also where the fit that both runs have at their best is another one."""
    first = shared_run(fits=(*FITS, "lda"), gain=0.05)
    other = shared_run(network="twin", trained=False, seed=1, fits=("paper", "lda"))
    (rows,) = (
        one.wins.frame
        for one in facts_of(first, other).pairs
        if "percent_converged" in one.wins.frame
    )
    rows = rows[rows["network"] == "twin, random weights"]
    wins = other.at(fit="paper").table("combined_vs_single")["percent"]
    assert rows["percent_paper"].tolist() == (wins / 100).tolist()
    assert wins.tolist() != other.at(fit="lda").table("combined_vs_single")["percent"].tolist()


def test_table_one_is_the_same_wherever_the_page_shows_it(run, pair):
    """A share of both fits in the verdicts, beside their means, and in each run's own table."""
    own = make_tables(run, ["combined_vs_single"])["combined_vs_single"]
    own = own[own["layer"] == "blocks.6"].set_index(["task", "fit"])["percent"]
    wins = pair.wins.frame.query("network == 'planted' and layer == 'blocks.6'").set_index("task")
    for task, table in pair.verdicts.items():
        (row,) = table.frame.query("finding.str.contains('Table 1')").to_dict("records")
        for fit, shown in zip(FITS, ("reference", "other"), strict=True):
            assert row[shown] == f"{own[task, fit]:.1f} %"
            assert wins.loc[task, f"percent_{fit}"] == own[task, fit] / 100
    # In classification each fit has a single filter of its own: that of the other would differ.
    arrays = {fit: run.arrays(task="classify", fit=fit).sel(split="val") for fit in FITS}
    other = (arrays["converged"]["score"] >= arrays["paper"]["single_score"]).mean()
    assert 100 * float(other) != own["classify", "converged"]


def test_the_report_has_figures_and_tables_of_both_fits(run, twin, tmp_path):
    report = build_report([run, twin])
    assert set(FIT_TABLES) <= set(report.tables)
    path = save_report(report, tmp_path / "report")
    source = path.read_text("utf-8")
    assert 'href="#fits"' in source
    assert "<b>boat</b>" not in source
    for name in FIT_TABLES:
        saved = pd.read_csv(path.parent / "tables" / f"{name}.csv")
        assert len(saved) == len(report.tables[name])
    for name in ("by_category", "subsets", "sharing"):
        assert (path.parent / "figures" / f"fits_{name}_classify-dark.svg").is_file()


def test_every_drawing_can_be_read(pair):
    for drawings in (pair.by_category, pair.curves, pair.sharing_drawn):
        for drawing in drawings.values():
            assert texts_overlap(drawing.draw(LIGHT)) == [], drawing.name


# Figures


def test_curves_are_of_two_fits_and_two_rules(tables):
    curves = tables["fits_subsets"]
    curves = curves[curves["category"] == ALL]
    figure = draw_fit_curves(curves, LIGHT, task="segment", fits=TITLES)
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert list(drawn) == [*TITLES.values(), "converged fit, order of entry"]
    assert drawn["converged fit, order of entry"][-1] == drawn["converged fit"][-1]
    assert drawn["converged fit, order of entry"][0] > drawn["converged fit"][0]
    assert texts_overlap(figure) == []


def test_every_rule_has_a_line(tables):
    curves = tables["fits_subsets"]
    curves = curves[curves["category"] == ALL]
    path = curves[curves["rule"] == "path"]
    more = [path.assign(fit="paper"), path.assign(rule="backward")]
    titles = {"paper": "converged fit", "converged": "linear discriminant"}
    figure = draw_fit_curves(pd.concat([curves, *more]), LIGHT, task="segment", fits=titles)
    named = [line.get_label() for line in figure.axes[0].lines]
    assert named[:2] == ["converged fit", "converged fit, order of entry"]
    rules = list(RULE_TITLE.values())[1:]
    assert named[3:5] == [f"linear discriminant, {rule}" for rule in rules]
    assert texts_overlap(figure) == []


def test_bars_count_filters(tables):
    figure = draw_fit_sharing(
        tables["fits_by_concept"], LIGHT, task="classify", layers=list(LAYERS), fits=TITLES
    )
    for axes, filters in zip(figure.axes, LAYERS.values(), strict=True):
        for bars in axes.containers:
            heights = [bar.get_height() for bar in bars]
            assert sum(heights) == filters
            assert sum(place * height for place, height in enumerate(heights)) == 14
    assert texts_overlap(figure) == []


@pytest.mark.parametrize("task", ["segment", "classify"])
def test_the_single_filter_of_segmentation_is_drawn_once(run, task):
    table = make_tables(run, ["by_category"])["by_category"]
    figure = draw_fits_by_category(table, DARK, task=task, layers=run.layers, fits=TITLES)
    lines = figure.axes[0].containers
    assert len(lines) == (3 if task == "segment" else 4)
    assert texts_overlap(figure) == []
