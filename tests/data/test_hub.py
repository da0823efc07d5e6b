"""Datasets of the hub, from a server on this machine and from a cache without a network."""

import json
import shutil

import pytest

from net2vec.cli import main
from net2vec.config import Settings
from net2vec.data import open_dataset
from net2vec.data.hub import at_revision
from net2vec.data.optional import taken_of
from net2vec.data.readers.parquet import ParquetDataset
from net2vec.errors import DataError
from net2vec.explorer.probe import Probe
from net2vec.pipeline.viewing import Viewer
from net2vec.runs import open_run

pytest.importorskip("datasets")

from builders import build_run
from builders_tables import (
    COMMIT,
    Hub,
    serving_hub,
    write_dataset_cache,
    write_masks,
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    return tmp_path / "cache"


@pytest.fixture
def offline(cache, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


@pytest.fixture
def hub(cache, monkeypatch):
    from huggingface_hub import constants

    held = Hub()
    with serving_hub(held) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        url = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        yield held


def test_only_what_is_used_is_fetched_and_the_revision_is_told(hub, tmp_path):
    hub.folders["me/plants"] = write_masks(tmp_path / "plants", train=9, validation=4, test=3)
    dataset = open_dataset("hf:me/plants")
    assert (dataset.name, len(dataset.images)) == ("plants", 13)
    told = dict(taken_of(dataset))
    assert told["source"] == f"huggingface.co/datasets/me/plants@{COMMIT}"
    assert told["licence"] == "mit"
    fetched = [asked for asked in hub.asked if asked.startswith("GET datasets")]
    assert not any("test-" in asked for asked in fetched)
    assert any("train-" in asked for asked in fetched)
    # The same as the folder itself, wherever it is from.
    assert dataset.digest == ParquetDataset(tmp_path / "plants").digest
    assert dataset.image(2).tobytes() == ParquetDataset(tmp_path / "plants").image(2).tobytes()
    hub.asked.clear()
    assert open_dataset("hf:me/plants").digest == dataset.digest
    assert not [asked for asked in hub.asked if "GET datasets" in asked]


def test_one_split_is_drawn_from(hub, tmp_path):
    hub.folders["me/plants"] = write_masks(tmp_path / "plants", train=12, validation=4)
    dataset = open_dataset("hf:me/plants:train")
    assert len(dataset.images) == 12
    assert set(dataset.splits) == {"train", "val"}
    assert not any("validation-" in asked for asked in hub.asked if "GET datasets" in asked)
    with pytest.raises(DataError, match=r"no split 'dev'; there are train, validation$"):
        open_dataset("hf:me/plants:dev")


def test_a_cache_without_a_network_is_enough(offline, tmp_path):
    plants = write_masks(tmp_path / "plants", train=5, validation=4)
    write_dataset_cache(offline, plants, "me/plants")
    dataset = open_dataset("hf:me/plants")
    assert dataset.digest == ParquetDataset(plants).digest
    assert dict(taken_of(dataset))["source"].endswith(COMMIT)
    # A folder of the cache is one as any other.
    folder = offline / "datasets--me--plants" / "snapshots" / COMMIT
    assert open_dataset(folder, reader="parquet").digest == dataset.digest


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hf:me/none", "the hub has no dataset me/none, or it is private"),
        ("hf:me/gated", "is gated: accept its terms at https://huggingface.co/datasets/me/gated"),
        ("hf:me/plants@other", "has no such revision"),
        ("hf:me/made", "is made by a script, made.py, which is not run; name the hub's own "),
        ("hf:me/lone", "lone.py, which is not run, and the hub has no conversion of it"),
        ("hf:plants", "is named hf:ORG/NAME"),
        ("hf:./plants", "is named hf:ORG/NAME"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(hub, tmp_path, capsys, name, told):
    plants = write_masks(tmp_path / "plants", train=2, validation=2)
    hub.folders = {"me/plants": plants, "me/gated": plants}
    hub.gated = {"me/gated"}
    for script in ("made", "lone"):
        (tmp_path / script).mkdir()
        (tmp_path / script / f"{script}.py").write_text("raise SystemExit('ran')")
        hub.folders[f"me/{script}"] = tmp_path / script
    hub.converted = {"me/made"}
    with pytest.raises(SystemExit, match="2"):
        main(["data", "info", name])
    line = capsys.readouterr().err.splitlines()[-1]
    assert told in line


def test_offline_and_not_cached_is_one_line(offline, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["data", "info", "hf:me/plants"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not in this machine's cache, and the hub cannot be reached" in line
    assert "--repo-type dataset" in line


def test_a_run_that_names_a_dataset_brings_about_no_download(hub, tmp_path):
    hub.folders["me/plants"] = write_masks(tmp_path / "plants", train=9, validation=4)
    digest = ParquetDataset(tmp_path / "plants").digest
    folder = build_run(tmp_path / "run")
    (folder / "run.toml").write_text(Settings("alexnet", ("hf:me/plants",)).to_toml())
    told = json.loads((folder / "provenance.json").read_text())
    source = f"huggingface.co/datasets/me/plants@{COMMIT}"
    told["data"] |= {"digest": digest, "taken": [["source", source]]}
    (folder / "provenance.json").write_text(json.dumps(told))
    run = open_run(folder)
    named = f"hf:me/plants@{COMMIT}"
    with pytest.raises(DataError, match=f"{named} is not in this machine's cache.* data info"):
        Probe(run).dataset()
    with pytest.raises(DataError, match=f"{named} is not in this machine's cache"):
        Viewer.of(run, folder, None, None, trust=False, say=print)
    assert hub.asked == []
    assert Probe(run, "hf:me/plants").dataset().digest == digest
    hub.asked.clear()
    assert Probe(run).dataset().digest == digest
    assert hub.asked == []


def test_a_run_reopens_the_revision_that_it_probed():
    known = [f"huggingface.co/datasets/me/plants@{COMMIT}"]
    assert at_revision("hf:me/plants", known) == f"hf:me/plants@{COMMIT}"
    assert at_revision("hf:me/plants:a/train", known) == f"hf:me/plants@{COMMIT}:a/train"
    for name in ("hf:me/plants@v1", "hf:me/other", "diorama", "/data/plants"):
        assert at_revision(name, known) == name


def test_a_changed_branch_is_another_dataset(hub, tmp_path, monkeypatch):
    hub.folders["me/plants"] = write_masks(tmp_path / "plants", train=5, validation=4)
    before = open_dataset("hf:me/plants")
    shutil.rmtree(tmp_path / "plants")
    write_masks(tmp_path / "plants", train=6, validation=4)
    hub.commit = COMMIT[::-1]
    after = open_dataset("hf:me/plants")
    assert before.digest != after.digest
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert open_dataset(f"hf:me/plants@{COMMIT}").digest == before.digest
