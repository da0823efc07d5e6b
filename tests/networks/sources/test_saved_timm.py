"""Networks that timm saved, in folders and in a cache of the hub without a network."""

import json
from pathlib import Path

import pytest
import timm
import torch
from timm.models import save_for_hf

from builders_hub import COMMIT, write_cache
from net2vec.cli import main
from net2vec.config import Settings
from net2vec.errors import NetworkError
from net2vec.networks import load_network
from net2vec.pipeline.inputs import absolute

from builders_families import judge

SMALL = {
    "resnet10t": ({}, 64),
    "vit_tiny_patch16_224": ({"img_size": 64, "depth": 4, "embed_dim": 48, "num_heads": 3}, 64),
    "vit_small_patch14_reg4_dinov2": ({"img_size": 56, "depth": 4, "embed_dim": 48}, 56),
    "convnext_atto": ({}, 64),
    "mobilenetv3_small_050": ({}, 64),
}


def write(folder: Path, name: str) -> Path:
    torch.manual_seed(0)
    settings, size = SMALL[name]
    config = {"input_size": (3, size, size), "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.25)}
    module = timm.create_model(name, num_classes=3, pretrained_cfg_overlay=config, **settings)
    save_for_hf(module, folder, model_args=settings or None)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder


@pytest.fixture
def offline(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.mark.parametrize("name", SMALL)
def test_a_folder_is_the_network_that_was_saved(tmp_path, name, capsys):
    folder = write(tmp_path / "net", name)
    network = load_network(f"timm:local-dir:{folder}")
    assert (network.name, network.source) == ("timm:local-dir:net", "the folder net")
    assert (network.weights, network.trained, network.licence) == ("as in the folder", True, "mit")
    settings, size = SMALL[name]
    assert network.preprocessing.size == size
    assert network.preprocessing.mean == pytest.approx((25.5, 51, 76.5))
    torch.manual_seed(0)
    saved = timm.create_model(name, num_classes=3, **settings).eval()
    state = network.module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in saved.state_dict().items())
    judged = judge(network.module, size)
    assert judged.sound, judged
    assert judged.maps.count("right") >= 3
    with pytest.raises(SystemExit) as ended:
        main(["layers", f"timm:local-dir:{folder}"])
    assert not ended.value.code
    assert judged.layers[-1] in capsys.readouterr().out


def test_a_repository_in_the_cache_is_found_offline_and_can_be_pinned(offline, tmp_path):
    folder = write(tmp_path / "net", "resnet10t")
    write_cache(offline, folder, "org/net")
    network = load_network("timm:hf-hub:org/net")
    assert network.source == f"huggingface.co/org/net@{COMMIT}"
    pinned = load_network(f"timm:hf-hub:org/net@{COMMIT}")
    assert network.digest == pinned.digest == load_network(f"timm:local-dir:{folder}").digest
    drawn = load_network("timm:hf-hub:org/net", weights="random", seed=2)
    assert drawn.weights == "random (seed 2)"
    with pytest.raises(NetworkError, match="not in this machine's cache"):
        load_network("timm:hf-hub:org/other")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "resnett10"}, "no classifier 'resnett10'; did you mean resnet10t"),
        ({"architecture": None}, "is none of timm's networks$"),
        (
            {"architecture": None, "model_type": "vit"},
            r"none of timm's networks: name it hf:\./net",
        ),
        ({"architecture": "resnet14t"}, "cannot be loaded"),
    ],
)
def test_folders_that_cannot_be_used_are_told_in_one_line(tmp_path, changes, message):
    folder = write(tmp_path / "net", "resnet10t")
    held = json.loads((folder / "config.json").read_text()) | changes
    text = json.dumps({key: value for key, value in held.items() if value is not None})
    (folder / "config.json").write_text(text)
    with pytest.raises(NetworkError, match=message) as told:
        load_network(f"timm:local-dir:{folder}")
    assert "\n" not in str(told.value)


def test_a_name_that_is_no_repositorys_is_told():
    with pytest.raises(NetworkError, match="is named ORG/NAME or ORG/NAME@REVISION"):
        load_network("timm:hf-hub:resnet18")


def test_settings_keep_the_absolute_path_of_a_folder(tmp_path, monkeypatch):
    (tmp_path / "net").mkdir()
    (tmp_path / "net.pt2").touch()
    monkeypatch.chdir(tmp_path)
    for name, wanted in {
        "timm:local-dir:net": f"timm:local-dir:{tmp_path}/net",
        "hf:./net": f"hf:{tmp_path}/net",
        "hf:org/net": "hf:org/net",
        "timm:hf-hub:org/net@main": "timm:hf-hub:org/net@main",
        "net.pt2": f"{tmp_path}/net.pt2",
        "timm:resnet18": "timm:resnet18",
        "no such network": "no such network",
    }.items():
        assert absolute(Settings(network=name, data=("diorama",))).network == wanted
