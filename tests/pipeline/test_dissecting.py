"""A finished run dissected: its own network, data and thresholds once more."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import net2vec
from net2vec.cli import app
from net2vec.errors import Net2VecError, ResultsError
from net2vec.pipeline import count_detectors, detectors

import oracle
from builders_runs import SIDE, small_dataset, small_network


def as_tensor(image):
    return torch.from_numpy(np.array(image.resize((SIDE, SIDE)))).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_paint):
    """A run, opened with its network; layer 6 has no grid."""
    out = tmp_path_factory.mktemp("dissected") / "run"
    with without_paint():
        net2vec.analyze(
            small_network(), small_dataset(), out, layers=["1", "3", "6"], transform=as_tensor,
            quantile=0.05, fit="paper", segment={"epochs": 2, "subsets": ()},
            classify={"epochs": 2, "subsets": ()},
        )  # fmt: skip
    return net2vec.open_run(out, network=small_network(), transform=as_tensor)


def test_scores_are_those_of_the_oracle(run):
    dataset = small_dataset()
    found = net2vec.dissect(run, data=dataset)
    assert list(found) == ["1", "3"]
    with torch.no_grad():
        shown = torch.stack([as_tensor(dataset.image(i)) for i in range(40)])
        outputs = small_network()[:2](shown).numpy()
    masks = {
        name: np.stack([dataset.annotation(i).planes[1].labels == label for i in range(40)])
        for label, name in ((3, "square"), (4, "stripe"))
    }
    scores = found["1"].sel(concept="square")
    L = np.stack(list(masks.values()))
    for k, threshold in enumerate(run.layer("1")["threshold"].values):
        counts = oracle.dissection(outputs[:, k], threshold, L, ["object", "object"])
        assert (scores["hit"][k], scores["union"][k]) == counts


def test_detectors_are_counted(run):
    found = net2vec.dissect(run, "1", data=small_dataset())
    table = detectors(found["1"], 0.1, run=run)
    assert len(table) == int((found["1"]["iou"].max("concept") > 0.1).sum()) > 0
    assert table["iou"].is_monotonic_decreasing
    own = run.arrays("1")["single_iou"].sel(split="val")
    first = table.dropna().iloc[0]
    assert first["set_iou"] == float(own.sel(concept=first["concept"])[first["filter"]])
    (row,) = count_detectors(run, found, 0.1).to_dict("records")
    assert row["detectors"] == len(table)
    assert row["concepts"] == table["concept"].nunique()
    assert sum(row[f"{name} concepts"] for name in ("color", "object", "scene")) == row["concepts"]
    assert row["by_set_iou"] == int((own > 0.1).any("concept").sum())


def test_the_command_writes_a_table(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("net2vec.runs.open_run", lambda path, trust: run)
    monkeypatch.setattr("net2vec.pipeline.viewing.open_data", lambda *_, **__: small_dataset())
    out = tmp_path / "all.csv"
    with pytest.raises(SystemExit) as ended:
        app.main(["dissect", str(run.path), "--layer", "1", "--out", str(out)])
    assert ended.value.code == 0
    assert "detectors, IoU above 0.04" in capsys.readouterr().out
    assert pd.read_csv(out)["layer"].unique().tolist() == [1]
    with pytest.raises(SystemExit):
        app.main(["dissect", str(run.path), "--layer", "1", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert set(rows[0]) == {"layer", "filter", "concept", "category", "iou", "set_iou"}


def test_what_cannot_be_dissected_is_told(run):
    with pytest.raises(ResultsError, match="layer 6 has no grid; choose a layer with one"):
        net2vec.dissect(run, ["1", "6"])
    with pytest.raises(ResultsError, match="layer4"):
        net2vec.dissect(run, "layer4")
    with pytest.raises(Net2VecError, match="given in Python"):
        net2vec.dissect(run, "1")
    with pytest.raises(Net2VecError, match="dataset"):
        net2vec.dissect(run, "1", data=small_dataset(30, seed=1))
