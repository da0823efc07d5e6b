"""A run whose last layer has no grid: what was segmented on the layer before it is shown."""

import numpy as np
import pytest

from net2vec.report import build_report, plan_concept, plan_exhibits, save_report
from net2vec.report.content import FigureRow, Paragraph, Table, TableRow
from net2vec.report.sections.probe import layer_table
from net2vec.report.study import Study
from net2vec.runs import Run, open_run

from builders import CONCEPTS, SCENES, build_run

pytestmark = pytest.mark.usefixtures("unpainted")


@pytest.fixture(scope="module", params=[("paper",), ("paper", "converged")])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gridless")
    whole = open_run(
        build_run(folder, network="net", gain=0.05, fits=request.param, nulls=5, seeds=2)
    )
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


def texts(report, anchor):
    (section,) = [section for section in report.sections if section.anchor == anchor]
    return " ".join(str(block.text) for block in section.blocks if isinstance(block, Paragraph))


def blocks(report, kind):
    return [block for section in report.sections for block in section.blocks
            if isinstance(block, kind)]  # fmt: skip


def test_the_tasks_of_every_layer_are_shown(run, report):
    study = Study((run,))
    assert study.tasks == ("segment", "classify")
    assert study.layer_of == {"segment": "stem/relu", "classify": "blocks.6"}
    assert study.where() == "stem/relu (segmentation) and blocks.6 (classification)"
    assert study.where(["classify"]) == "blocks.6"
    said = texts(report, "sufficient")
    assert "In segmentation on stem/relu, the last layer with a grid, all filters" in said
    assert "In classification on the last layer, blocks.6, all filters" in said
    assert {"masks", "weights", "space", "chance"} <= {part.anchor for part in report.sections}
    numbers = {name: len(rows) for name, rows in study.last(study.by_concept).groupby("task")}
    assert numbers == {"segment": len(CONCEPTS), "classify": len(CONCEPTS | SCENES)}


def test_pictures_are_of_the_last_segmented_layer(run):
    requests = plan_exhibits([run], concepts=2, filters=1)
    assert len(requests) == 3
    assert {request.layer for request in requests} == {"stem/relu"}
    request = plan_concept(run, "blocks.6", "dog")
    assert (request.concept, request.layer) == ("dog", "stem/relu")


def test_every_figure_is_drawn_and_every_table_kept(report, tmp_path):
    path = save_report(report, tmp_path / "report")
    assert path.is_file()
    drawn = {drawing.name for row in blocks(report, FigureRow) for drawing in row.drawings}
    assert {"failures_segment", "failures_classify", "individual_iou", "contribution"} <= drawn
    shown = [table for row in blocks(report, TableRow) for table in row.tables]
    assert any("segmentation on stem/relu" in str(table.caption) for table in shown)


def test_filters_without_a_threshold_are_not_counted(run, report):
    rows = layer_table(run).set_index("layer")
    assert rows.loc["stem/relu", "never_active"] == 1
    assert rows.loc["blocks.6", ["never_active", "zero"]].isna().all()
    said = texts(report, "probed")
    assert "net: 1 of 8 filters is never on (12 %), 1 has the threshold 0." in said
    assert "No activation follows stem/relu and blocks.6" in said
    assert "A filter of stem/relu is on where its value is highest" in said
    (table,) = [table for table in blocks(report, Table) if "from the image to" in table.caption]
    assert table.frame["grid"].tolist()[1] == "none"
