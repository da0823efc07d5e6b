"""The network of a run is the one that was probed, or is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import net2vec
from net2vec.config import Settings
from net2vec.errors import NetworkError, ResultsError
from net2vec.networks import load_network, network_from_module
from net2vec.pipeline import probe
from net2vec.prediction import BATCH_NORM, restore_batch_norm

from builders_apply import (
    SETTINGS,
    individual_ious,
    no_report,
    probe_small,
    save_pictures,
    squash,
    told_ious,
)
from builders_runs import small_dataset, small_network, write_network_file


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A run of a module given in Python."""
    return probe_small(tmp_path_factory.mktemp("runs") / "given")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    write_network_file(folder)
    return folder


@pytest.fixture(scope="module")
def random(place):
    """A run of a named network whose batch-norm statistics come from the probe images."""
    settings = {
        **SETTINGS,
        "network": f"{place / 'networks_of_mine.py'}:with_batch_norm",
        "weights": "random",
        "data": ("given",),
        "layers": ("2",),
        "probe_batch": 8,
    }
    with no_report():
        probe(Settings.from_dict(settings), place / "run", dataset=small_dataset())
    return net2vec.open_run(place / "run", trust=True)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return save_pictures(tmp_path_factory.mktemp("pictures"))


def test_estimated_statistics_are_kept_and_used(random, paths, tmp_path):
    assert (random.path / BATCH_NORM).is_file()
    loaded = load_network(random.settings["network"], weights="random")
    assert loaded.digest != random.provenance["network"]["digest"]
    assert random.opened_network.digest == random.provenance["network"]["digest"]
    masks = random.segment(paths, "square")["mask"].values
    told = told_ious(random, "2", "square")
    np.testing.assert_array_equal(individual_ious(masks, "square", 112, tmp_path), told)
    assert told.any()


def test_the_network_may_also_be_given_where_it_has_a_name(random, paths):
    module = load_network(random.settings["network"], weights="random").module
    one = random.segment(paths[:4], "square")
    other = random.segment(paths[:4], "square", network=module)
    np.testing.assert_array_equal(one["probability"], other["probability"])


def test_without_its_statistics_it_is_refused(random, place, tmp_path):
    kept = (random.path / BATCH_NORM).read_bytes()
    fresh = net2vec.open_run(random.path, trust=True)
    try:
        (random.path / BATCH_NORM).unlink()
        with pytest.raises(NetworkError, match=r"not kept in batch_norm.safetensors: make the run"):
            _ = fresh.opened_network
        (random.path / BATCH_NORM).write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.raises(ResultsError, match="not as it was written"):
            _ = fresh.opened_network
    finally:
        (random.path / BATCH_NORM).write_bytes(kept)
    with pytest.raises(NetworkError, match="other batch-norm layers"):
        restore_batch_norm(network_from_module(nn.BatchNorm2d(3)), random.path)
    with pytest.raises(ResultsError, match="keeps no batch_norm"):
        restore_batch_norm(network_from_module(nn.BatchNorm2d(3)), tmp_path)
    (tmp_path / BATCH_NORM).write_bytes(b"\x80\x04 no tensors")  # and no checksum of it
    with pytest.raises(ResultsError, match="cannot be read as batch-norm"):
        restore_batch_norm(network_from_module(nn.BatchNorm2d(3)), tmp_path)


def test_other_weights_are_refused_in_one_line(given, paths):
    module = small_network()
    with torch.no_grad():
        module[0].bias[0] += 1e-6
    with pytest.raises(NetworkError, match="is not the network that") as error:
        given.segment(paths[:1], "red", network=module, transform=squash)
    assert "\n" not in str(error.value)
    assert given.provenance["network"]["digest"][:8] in str(error.value)


def test_another_transform_is_refused(given, paths):
    with pytest.raises(NetworkError, match=r"fed to .* otherwise"):
        given.segment(paths[:1], "red", network=small_network(), transform=lambda i: squash(i) / 2)


def test_a_run_made_in_python_knows_its_network(given, paths):
    answer = given.segment(paths[:1], None)
    assert answer.sizes["concept"] == len(given.vectors()["concept"]) > 1
    again = net2vec.open_run(given.path, network=small_network(), transform=squash)
    assert again.segment(paths[:1]).identical(answer)
    assert again.at(fit="paper").segment(paths[:1]).identical(answer)
    with pytest.raises(ResultsError, match="no concept asked for"):
        given.segment(paths[:1], [])


def test_a_network_given_in_python_is_asked_for(given, paths):
    given = net2vec.open_run(given.path)
    with pytest.raises(NetworkError, match="pass the module as network="):
        given.segment(paths[:1], "red")
    with pytest.raises(NetworkError, match="pass it as transform="):
        given.segment(paths[:1], "red", network=small_network())
    fed = torch.zeros(2, 3, 32, 32)
    assert given.segment(fed, "red", network=small_network())["mask"].sizes["image"] == 2


def test_a_run_that_does_not_say_its_network_is_refused(given, paths, tmp_path):
    (tmp_path / "results.zarr").symlink_to(given.path / "results.zarr")
    (tmp_path / "provenance.json").write_text(json.dumps({"network": {}}))
    with pytest.raises(ResultsError, match="does not say which network"):
        net2vec.open_run(tmp_path).segment(paths[:1], "red")
    (tmp_path / "provenance.json").write_text(json.dumps({"network": {"digest": "0" * 32}}))
    with pytest.raises(ResultsError, match=r"no run\.toml"):
        net2vec.open_run(tmp_path).segment(paths[:1], "red")
