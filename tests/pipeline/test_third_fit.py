"""A fit that another package brings runs through pipeline, tables, report and command line."""

import numpy as np
import pytest
from typer.testing import CliRunner

import net2vec
from net2vec import vocabulary
from net2vec.vocabulary import FitProperties

from builders_runs import NAMES
from builders_whole import make

NAME = "elastic_net"


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patch:
        entry = FitProperties(
            "elastic_net:ElasticNet", "elastic net", "an L1 and an L2 term", has_start=False
        )
        patch.setitem(vocabulary.FITS, NAME, entry)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_paint):
    out = tmp_path_factory.mktemp("third") / "run"
    with without_paint():
        return make(out, layers=("1",), fit=f"paper,{NAME}", nulls=1, workers=1)


def test_its_vectors_and_scores_stand_beside_those_of_the_others(run):
    assert run.fits == ("paper", NAME)
    assert run.fit_title(NAME) == "elastic net"
    assert not run.has_start(NAME)
    rows = run.at(fit=NAME).scores
    assert set(rows["fit"]) == {NAME}
    assert set(rows["method"]) == {"single", "combined", "subset"}
    for task in ("segment", "classify"):
        arrays = run.arrays(task=task, fit=NAME)
        assert np.isfinite(arrays["null_score"]).all()
        assert (arrays["weight"].values == 0).any()  # what an L1 term is for
        assert set(arrays["concept"].values) <= set(NAMES)
        assert "path_weight" not in arrays


def test_tables_hold_it_against_the_first_fit(run):
    assert set(run.table("by_category")["fit"]) == {"paper", NAME}
    paired = run.table("fits_by_concept")
    assert {"combined_paper", f"combined_{NAME}"} <= set(paired.columns)


def test_the_report_names_it(run):
    page = (run.path / "report" / "index.html").read_text(encoding="utf-8")
    assert "elastic net" in page


def test_the_command_line_takes_it(run):
    from net2vec.cli import app

    told = CliRunner().invoke(app.app, ["run", "--fit", "elastic", "--help"])
    assert told.exit_code == 0
    with pytest.raises(net2vec.errors.ConfigError, match=NAME):
        make(run.path / "no", fit="elastic")
