"""Questions to a run with two fits: whose answer is given."""

import json

import numpy as np
import pandas as pd
import pytest

from net2vec.cli import main
from net2vec.runs import open_run

FITS = ("paper", "converged")


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run(fits=FITS, gain=0.05).path


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def asked(capsys, *arguments):
    assert call(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("fit", [None, *FITS])
def test_scores_and_neighbours_are_those_of_the_fit(run, fit, capsys):
    option = () if fit is None else ("--fit", fit)
    opened = open_run(run)
    view = opened.at(fit=fit or opened.best_fit)
    for row in asked(capsys, "scores", run, *option):
        score = view.arrays()["score"].sel(split="val", concept=row["concept"])
        assert row["combined"] == pytest.approx(float(score))
    nearest = view.space().nearest("dog", 5)
    rows = asked(capsys, "nearest", run, "dog", *option)
    assert [row["concept"] for row in rows] == nearest["concept"].tolist()
    solved = view.space().solve("dog + wood", 5)
    rows = asked(capsys, "solve", run, "dog + wood", *option)
    assert [row["concept"] for row in rows] == solved["concept"].tolist()


def test_an_export_is_named_for_a_fit_that_is_not_the_first(run, tmp_path):
    arguments = ("--task", "segment", "--format", "csv")
    assert call("export", run, *arguments, "--fit", "all", "--out", tmp_path) == 0
    names = ("blocks.6-segment.csv", "blocks.6-segment-converged.csv")
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    for name, fit in zip(names, FITS, strict=True):
        table = pd.read_csv(tmp_path / name, keep_default_na=False).iloc[:, 2:]
        np.testing.assert_allclose(table, open_run(run).vectors(fit=fit), rtol=1e-6)


def test_fits_are_compared(run, tmp_path, capsys):
    arguments = ("--fit", "all", "--permutations", 0, "--out", tmp_path)
    (row,) = asked(capsys, "compare", run, *arguments)
    spaces = {row["space"], row["other"]}
    assert spaces == {f"planted blocks.6 segment {fit}" for fit in FITS}
    assert row["distance"] > 0.1


def test_a_fit_that_is_not_there_is_said(run, capsys):
    assert call("nearest", run, "dog", "--fit", "best") == 2
    assert "fit 'best' is not in this run; it has paper, converged" in capsys.readouterr().err


def test_options_of_a_run_are_checked(tmp_path, capsys):
    arguments = ("--network", "alexnet", "--data", "diorama", "--out", tmp_path / "run")
    assert call("run", *arguments, "--fit", "best") == 2
    wanted = "unknown fit 'best'; wanted one of paper, converged, lda, both, all"
    assert wanted in capsys.readouterr().err
    assert call("run", *arguments, "--fit", "converged", "--seeds", 2) == 2
    assert "use fit paper or paper,converged" in capsys.readouterr().err
