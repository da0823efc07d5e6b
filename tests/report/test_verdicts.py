"""What is concluded from two fits: no verdict without a reason."""

import numpy as np
import pandas as pd
import pytest

from net2vec.analysis import ALL
from net2vec.report.labels import FINDING_TITLE, Verdict
from net2vec.report.sections.verdicts import above_chance, verdicts

FITS = ("paper", "converged")
BASE = pd.Series(
    {
        "n": 100, "percent_paper": 60.0, "percent_converged": 97.0,
        "failures_paper": 40, "failures_converged": 5,
        "failures_both": 4, "single_paper": 0.1, "single_converged": 0.1,
        "shared_paper": 1.5, "shared_converged": 2.0, "shared_by_chance": 1.05,
        "shared_limit": 1.1, "category_paper": 60.0, "category_converged": 20.0,
        "category_by_chance": 20.0,
    }
)  # fmt: skip
DROP_COLUMNS = ["category", "fit", "rule", "filters", "peak", "drop", "stderr"]
NO_DROPS = pd.DataFrame(columns=DROP_COLUMNS)


def verdict(finding, lost=NO_DROPS, **changes):
    found = verdicts(pd.Series({**BASE, **changes}), lost, *FITS)
    assert set(found["finding"]) <= set(FINDING_TITLE)
    (row,) = found[found["finding"] == finding].to_dict("records")
    return row["verdict"]


def test_verdicts_give_the_spread_of_the_papers_numbers():
    lost = pd.DataFrame(
        [(ALL, "paper", "weight", 8, 0.5, 0.1, 0.02), (ALL, "converged", "weight", 8, 0.5, 0, 0)],
        columns=DROP_COLUMNS,
    )
    assert set(verdicts(BASE, lost, *FITS)["spread"]) == {""}
    spread = {
        "percent_paper_sd": 2.55, "failures_paper_sd": 1.0, "shared_paper_sd": 0.014,
        "category_paper_sd": 3.21,
    }  # fmt: skip
    found = verdicts(pd.Series({**BASE, **spread}), lost.assign(drop_sd=[0.0071, np.nan]), *FITS)
    assert found["spread"].tolist() == ["2.5\xa0%", "1.0", "", "0.007", "0.01", "3.2\xa0%"]
    assert found["verdict"].tolist() == verdicts(BASE, lost, *FITS)["verdict"].tolist()


@pytest.mark.parametrize(
    ("remain", "wanted"),
    [
        (0, Verdict.RESTS),
        (10, Verdict.RESTS),
        (11, Verdict.PARTLY),
        (30, Verdict.PARTLY),
        (31, Verdict.HOLDS),
        (40, Verdict.HOLDS),
    ],
)
def test_failures_rest_on_the_training_where_they_go(remain, wanted):
    assert verdict("failures", failures_both=remain) == wanted


def test_no_failure_cannot_be_judged():
    assert verdict("failures", failures_paper=0, failures_both=0) == Verdict.OPEN
    assert verdict("failures", failures_paper=4, failures_both=0) == Verdict.OPEN
    assert verdict("failures", failures_paper=5, failures_both=0) == Verdict.RESTS


@pytest.mark.parametrize(
    ("paper", "converged", "wanted"),
    [
        (61, 95, Verdict.HOLDS),
        (61, 39, Verdict.RESTS),
        (39, 95, Verdict.ONLY),
        (39, 39, Verdict.NEITHER),
        (61, 55, Verdict.OPEN),  # 45 to 64 % of 100 concepts
        (45, 95, Verdict.OPEN),
    ],
)
def test_most_concepts_are_more_than_half(paper, converged, wanted):
    found = verdict("better", percent_paper=paper, percent_converged=converged)
    assert found == wanted


def test_large_weights_of_worse_filters_say_nothing_of_sharing():
    assert verdict("sharing") == Verdict.HOLDS
    assert verdict("sharing", single_converged=0.08) == Verdict.OPEN
    assert verdict("sharing", shared_converged=1.06) == Verdict.RESTS


@pytest.mark.parametrize(
    ("paper", "converged", "wanted"),
    [
        (0.5, 0.5, Verdict.HOLDS),
        (0.5, 0.31, Verdict.HOLDS),
        (0.5, 0.29, Verdict.RESTS),
        (0.34, 0.29, Verdict.OPEN),  # hardly less than the paper's
        (0.29, 0.34, Verdict.ONLY),
        (0.29, 0.1, Verdict.NEITHER),
        (np.nan, 0.5, Verdict.OPEN),
    ],
)
def test_what_chance_explains_is_no_finding(paper, converged, wanted):
    assert above_chance(paper, converged, 0.2, 0.3) == wanted


def test_less_than_chance_is_called_so():
    assert above_chance(0.19, 0.15, 0.36, 0.44) == Verdict.LESS
    assert above_chance(0.30, 0.15, 0.36, 0.44) == Verdict.NEITHER


@pytest.mark.parametrize("chance", [0.0, 100.0, np.nan])
def test_categories_that_decide_nothing_give_no_verdict(chance):
    categories = dict.fromkeys(["category_paper", "category_converged", "category_by_chance"])
    same = pd.Series({**BASE, **dict.fromkeys(categories, chance)})
    row = verdicts(same, NO_DROPS, *FITS).set_index("finding").loc["neighbours"]
    assert row["verdict"] == Verdict.OPEN
    assert "nan" not in " ".join(row)


@pytest.mark.parametrize(
    ("paper", "converged", "wanted"),
    [
        ((0.10, 0.02), (0.09, 0.02), Verdict.HOLDS),
        ((0.10, 0.02), (0.045, 0.02), Verdict.PARTLY),
        ((0.10, 0.02), (0.00, 0.00), Verdict.RESTS),
        ((0.10, 0.02), (0.08, 0.05), Verdict.OPEN),  # too noisy to say that it is gone
        ((0.03, 0.02), (0.00, 0.00), Verdict.NO_DROP),
        ((0.03, 0.02), (0.05, 0.01), Verdict.ONLY),
        ((0.10, np.nan), (0.00, 0.00), Verdict.OPEN),
    ],
)
def test_drops_are_judged_by_their_errors(paper, converged, wanted):
    lost = pd.DataFrame(
        [
            (ALL, fit, "weight", 8, 0.5, *numbers)
            for fit, numbers in (("paper", paper), ("converged", converged))
        ],
        columns=DROP_COLUMNS,
    )
    assert verdict("drop", lost) == wanted
    # A rule that chooses worse subsets does not drop, and says nothing.
    worse = (ALL, "converged", "path", 8, 0.4, 0.3, 0.01)
    more = pd.concat([pd.DataFrame([worse], columns=DROP_COLUMNS), lost])
    assert verdict("drop", more) == wanted
