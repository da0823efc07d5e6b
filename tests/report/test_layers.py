"""A run whose last layer has no grid: what was segmented on the layer before it is shown."""

import numpy as np
import pytest

from net2vec.report import build_report, plan_concept, plan_exhibits, save_report
from net2vec.report.sections.probe import layer_table
from net2vec.report.study import Study
from net2vec.runs import Run

from builders import CONCEPTS, SCENES

pytestmark = [pytest.mark.usefixtures("unpainted"), pytest.mark.slow]


@pytest.fixture(scope="module", params=[("paper",), ("paper", "converged")])
def run(request, shared_run):
    more = {"nulls": 5, "seeds": 2} if len(request.param) > 1 else {}
    whole = shared_run(network="net", gain=0.05, fits=request.param, **more)
    tree = whole.tree.copy()
    last = tree["blocks.6"]
    last["segment"].orphan()
    last["threshold"][:] = np.nan
    last["active_share"][:] = np.nan
    last.attrs["grid"] = []
    last.attrs["activation"] = 0
    return Run(whole.path, tree=tree)


@pytest.fixture(scope="module")
def report(run, shown):
    return build_report([run], [shown(request) for request in plan_exhibits([run])])


def test_the_tasks_of_every_layer_are_shown(run, report):
    study = Study((run,))
    assert study.tasks == ("segment", "classify")
    assert study.layer_of == {"segment": "stem/relu", "classify": "blocks.6"}
    scores = report.facts("sufficient").scores.frame
    assert scores[["task", "layer", "n"]].to_numpy().tolist() == [
        ["segment", "stem/relu", len(CONCEPTS)], ["classify", "blocks.6", len(CONCEPTS | SCENES)],
    ]  # fmt: skip
    assert {"masks", "weights", "space", "chance"} <= {part.anchor for part in report.sections}


def test_pictures_are_of_the_best_segmented_layer(run):
    requests = plan_exhibits([run], concepts=2, filters=1, cards=0)
    assert len(requests) == 3
    assert {request.layer for request in requests} == {"stem/relu"}
    request = plan_concept(run, "blocks.6", "dog")
    assert (request.concept, request.layer) == ("dog", "stem/relu")


def test_every_figure_is_drawn_and_every_table_kept(report, tmp_path):
    path = save_report(report, tmp_path / "report")
    source = path.read_text("utf-8")
    for name in ("failures_segment", "failures_classify", "individual_iou", "contribution"):
        assert f"figures/{name}-light.svg" in source
    assert "Highest set IoU in segmentation on stem/relu." in source
    assert "of stem/relu (segmentation), blocks.6 (classification) less that of" in source


def test_filters_without_a_threshold_are_not_counted(run, report):
    rows = layer_table(run).set_index("layer")
    assert rows.loc["stem/relu", "never_active"] == 1
    assert rows.loc["blocks.6", ["never_active", "zero"]].isna().all()
    facts = report.facts("probed")
    setup = facts.setup.frame.set_index("setup")["net"]
    assert setup["filters never on"] == "1 of 8 (12\xa0%)"
    assert setup["filters with threshold 0"] == "1"
    assert facts.raw == ("stem/relu",)
    assert facts.layers.frame["grid"].tolist()[1] == "none"
