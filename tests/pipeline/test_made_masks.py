"""What runs say of a model that made their masks, and which networks it may not judge."""

import json

import pandas as pd
import pytest
import torch
from torch import nn

import net2vec
from net2vec.annotators.likeness import weights_of
from net2vec.data.annotator_record import AnnotatorRecord, write_records
from net2vec.errors import ConfigError
from net2vec.report.build import with_annotators

from builders_runs import write_small_folder


def _module(seed, width=16):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, width, 5, 2), nn.ReLU(), nn.Conv2d(width, 16, 3), nn.ReLU())


def _record(module=None, model="hf:org/maker"):
    weights = () if module is None else weights_of(module)
    return AnnotatorRecord(model, "Net", "a test", "CC0", "0123", 0.5, ("dog",), weights)


@pytest.fixture
def made(tmp_path):
    """A small dataset, and how to say what made its masks."""
    folder = write_small_folder(tmp_path / "data")

    def by(*records):
        write_records(records, folder)
        return folder

    return by


def _run(module, data, out):
    return net2vec.analyze(
        module,
        data,
        out,
        layers="1",
        tasks=("segment",),
        fit="paper",
        segment={"epochs": 1, "subsets": []},
    )


def test_a_network_with_weights_of_the_annotator_is_refused(made, tmp_path):
    maker = nn.Sequential(_module(0), nn.Conv2d(16, 64, 3))
    with pytest.raises(ConfigError, match="judged by itself: 100% of its large weights") as told:
        _run(_module(0), made(_record(maker)), tmp_path / "run")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()


def test_a_run_its_tables_and_its_page_say_what_made_the_masks(made, tmp_path):
    data = made(_record(_module(1)), _record(model="mine.py:function"))
    run = _run(_module(0), data, tmp_path / "run")
    first, second = run.annotators
    assert (first["model"], first["licence"], first["confidence"]) == ("hf:org/maker", "CC0", 0.5)
    assert "100% of its large weights have the shape" in first["kinship"]
    assert "shares weights with mine.py:function is not known" in second["kinship"]
    told = json.loads((run.path / "provenance.json").read_text())
    assert told["data"]["annotators"] == run.annotators
    page = (run.path / "report" / "index.html").read_text()
    assert "Masks made by a model, not by people" in page
    assert first["kinship"] in page
    files = [run.path / "scores.csv", *run.path.glob("tables/*.csv")]
    files += run.path.glob("report/tables/*.csv")
    tables = {file: pd.read_csv(file) for file in files}
    assert all(table.columns[-1] == "annotator" for table in tables.values())
    assert set(tables[files[0]]["annotator"]) == {"hf:org/maker; mine.py:function"}


def test_beside_others_only_the_runs_of_made_masks_have_an_annotator():
    by_model = [{"model": "hf:org/maker"}]
    tables = {"scores": pd.DataFrame({"network": ["a", "b"]}), "distances": pd.DataFrame([[1]])}
    found = with_annotators(tables, {"a": by_model, "b": []})
    assert found["scores"]["annotator"].tolist() == ["hf:org/maker", ""]
    assert found["distances"]["annotator"].tolist() == ["hf:org/maker"]
    assert "annotator" not in with_annotators(tables, {"a": [], "b": []})["scores"]
