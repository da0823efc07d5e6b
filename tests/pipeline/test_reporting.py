"""Reports of a real small run: its pictures, what can be asked for, and what may fail."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from net2vec.errors import ResultsError
from net2vec.networks import network_from_module
from net2vec.pipeline import analyze, write_report
from net2vec.prediction import forward
from net2vec.runs import TABLES, open_run
from net2vec.spaces import SpaceError

import oracle
from builders_runs import SIDE, small_dataset, small_network

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Figures are tested elsewhere; here they need not be drawn."""
    monkeypatch.setattr("net2vec.report.page.svg_of", lambda figure, theme: b"<svg/>")


@pytest.fixture(scope="module")
def dataset():
    return small_dataset()


@pytest.fixture(scope="module")
def folder(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "small"
    analyze(
        small_network(), dataset, out, layers=["1", "3"], transform=as_tensor, quantile=0.05,
        fit="paper",
        segment={"epochs": 3, "subsets": (2,)}, classify={"epochs": 3, "subsets": (2,)},
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def network():
    return network_from_module(small_network(), as_tensor)


class Heard:
    def __init__(self):
        self.said = []

    def stage(self, name, total):
        return lambda steps: None

    def say(self, text):
        self.said.append(text)


def as_tensor(image):
    return torch.from_numpy(np.array(image.resize((SIDE, SIDE)))).permute(2, 0, 1).float() / 255


def test_a_run_has_its_tables_and_pictures(folder):
    assert {path.stem for path in (folder / "tables").iterdir()} == set(TABLES)
    pictures = {path.name for path in (folder / "report" / "pictures").iterdir()}
    assert any(name.startswith("concept0") for name in pictures)
    assert any(name.startswith("filter0") for name in pictures)


@pytest.mark.usefixtures("undrawn")
def test_tables_come_from_results_alone(folder, network, dataset, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    for name in ("cache", "tables", "report"):
        shutil.rmtree(copy / name)
    (copy / "scores.csv").unlink()
    write_report([copy], copy / "report", network=network, dataset=dataset)
    for name in TABLES:
        path = f"tables/{name}.csv"
        assert (copy / path).read_text() == (folder / path).read_text(), name


@pytest.mark.usefixtures("undrawn")
def test_a_concept_and_a_filter_can_be_asked_for(folder, network, dataset, tmp_path):
    heard = Heard()
    page = write_report(
        [folder], tmp_path / "report", concepts=["blue"], filters=[5], layer="1",
        network=network, dataset=dataset, progress=heard,
    )  # fmt: skip
    assert heard.said == []
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page.read_text("utf-8")))
    run = open_run(folder)
    arrays = run.arrays("1").sel(concept="blue-c", split="val")
    single = float(arrays["single_iou"][int(arrays["best_filter"])])
    images = int(arrays["n_val"])
    assert re.search(
        rf"blue-c( †)?( on 1)?: set IoU over {images} images {single:.2f} with filter", text
    )
    assert f"{float(arrays['score']):.2f} with all filters (paper’s training)" in text
    assert "Filter 5 of 1: the images of highest activation" in text


@pytest.mark.usefixtures("undrawn")
def test_the_individual_iou_of_a_filter_agrees_with_the_oracle(folder, network, dataset, tmp_path):
    best = int(open_run(folder).arrays("1")["best_filter"].sel(concept="square"))
    write_report(
        [folder], tmp_path / "r", filters=[best], layer="1", network=network, dataset=dataset
    )
    table = pd.read_csv(tmp_path / "r" / "tables" / "filter_individual_iou.csv")
    table = table[table["concept"] == "square"].set_index("image")["iou"]
    threshold = float(open_run(folder).layer("1")["threshold"][best])
    val = [index for index, split in enumerate(dataset.splits) if split == "val"]
    masks = {index: dataset.annotation(index).planes[1].labels == 3 for index in val}
    shown = [index for index in val if masks[index].any()]
    assert sorted(table.index) == sorted(dataset.images[index] for index in shown)
    assert table.max() > 0
    with torch.no_grad():
        batch = torch.stack([as_tensor(dataset.image(index)) for index in shown])
        activation = network.module[:2](batch)[:, best].numpy()
    on = oracle.upsampled_is_on(activation > threshold, SIDE // 2, SIDE // 2)
    truth = np.stack([masks[index] for index in shown])
    wanted = oracle.individual_iou(on, truth)
    np.testing.assert_allclose([table[dataset.images[index]] for index in shown], wanted)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"concepts": ["bleu"]}, SpaceError, "no concept 'bleu'"),
        ({"filters": [12]}, ResultsError, "no filter 12; its filters are 0 to 11"),
        ({"filters": [0], "layer": "9"}, ResultsError, "layer '9' is not in this run"),
    ],
)
def test_what_a_run_lacks_is_said_before_anything_is_written(
    folder, tmp_path, asked, error, message
):
    with pytest.raises(error, match=message):
        write_report([folder], tmp_path / "report", **asked)
    assert list(tmp_path.iterdir()) == []


def write(folder, tmp_path, **given):
    heard = Heard()
    page = write_report([folder], tmp_path / "report", progress=heard, **given)
    assert page.is_file()
    assert not (page.parent / "pictures").exists()
    (said,) = heard.said
    assert "\n" not in said
    return said


@pytest.mark.usefixtures("undrawn")
def test_pictures_that_cannot_be_had_never_cost_the_report(folder, network, dataset, tmp_path):
    # The settings of this run name objects of another process.
    assert "given in Python" in write(folder, tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_other_images_are_not_shown_as_those_of_the_run(folder, network, tmp_path):
    said = write(folder, tmp_path, network=network, dataset=small_dataset(seed=1))
    assert "the probe dataset is not what it was" in said


@pytest.mark.usefixtures("undrawn")
def test_another_network_is_not_shown_as_that_of_the_run(folder, dataset, tmp_path):
    module = small_network()
    with torch.no_grad():
        next(module.parameters())[0] += 1
    other = network_from_module(module, as_tensor)
    said = write(folder, tmp_path, network=other, dataset=dataset)
    assert "the network is not what it was" in said


@pytest.mark.usefixtures("undrawn")
def test_a_network_that_breaks_is_told_in_one_line(folder, network, dataset, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("net2vec.prediction.forward.run_layers", fail)
    assert "out of" in write(folder, tmp_path, network=network, dataset=dataset)


@pytest.mark.usefixtures("undrawn")
def test_pictures_are_those_of_the_pass_in_half_precision(dataset, tmp_path, monkeypatch):
    seen = []
    look = forward.run_layers

    def noting(*arguments, **options):
        seen.append(options["mixed_precision"])
        return look(*arguments, **options)

    monkeypatch.setattr(forward, "run_layers", noting)
    analyze(
        small_network(), dataset, tmp_path / "half", layers="1", transform=as_tensor, quantile=0.05,
        fit="paper",
        tasks="segment", mixed_precision=True, segment={"epochs": 1, "subsets": ()},
    )  # fmt: skip
    assert seen
    assert all(seen)


def test_provenance_names_what_pictures_are_checked_against(folder, dataset):
    told = json.loads((folder / "provenance.json").read_text())
    assert told["data"]["digest"] == dataset.digest
