"""Image towers of open_clip, with random weights or weights in files."""

import pytest
import torch

from net2vec.cli import main
from net2vec.errors import NetworkError
from net2vec.networks import load_network, refuse_dependence, resolve_layers, run_layers

from builders_families import dark_layers

open_clip = pytest.importorskip("open_clip")

TEXT = {"context_length": 8, "vocab_size": 100, "width": 16, "heads": 2, "layers": 1}
MODELS = {
    "tiny-vit": {"layers": 4, "width": 64, "patch_size": 8, "image_size": 64},
    "tiny-rn": {"layers": [1, 1, 1, 1], "width": 8, "patch_size": None, "image_size": 64},
    "tiny-timm": {
        "timm_model_name": "convnext_atto",
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 64,
    },
}
MODELS["tiny-vit-quickgelu"] = MODELS["tiny-vit"]


@pytest.fixture(autouse=True)
def _small_models(monkeypatch, tmp_path):
    """Small models under names of their own, with weights that are published in a folder."""
    from open_clip import factory, pretrained

    for name, vision in MODELS.items():
        config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": TEXT}
        config |= {"quick_gelu": True} if "quickgelu" in name else {}
        monkeypatch.setitem(factory._MODEL_CONFIGS, name, config)
        tags = {"first": {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5)}, "quick": {}}
        tags["quick"] = {"quick_gelu": True}
        monkeypatch.setitem(pretrained._PRETRAINED, name, tags)

    def download(config, cache_dir=None):
        if not config.get("mean"):
            raise OSError("unreachable\nand more")
        return str(tmp_path / "first.pt")

    monkeypatch.setattr(factory, "download_pretrained", download)


def whole_model(name, seed=0):
    torch.manual_seed(seed)
    return open_clip.create_model(name)


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-rn", "tiny-timm"])
def test_towers_are_probed_in_their_blocks(name, capsys):
    network = load_network(f"open_clip:{name}", weights="random")
    assert network.weights == "random (seed 0)"
    assert network.prefix_tokens == (1 if name == "tiny-vit" else 0)
    assert network.preprocessing.size == 64
    layers = resolve_layers(network)
    assert len(layers) >= 4
    refuse_dependence(network, layers)
    assert dark_layers(network, list(layers)) == []
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = run_layers(network, images, layers)
    with torch.no_grad():
        wanted = network.module.forward_intermediates(images)["image_intermediates"]
    close = [
        any(one.shape == grid.shape and torch.allclose(one, grid, atol=1e-4) for one in wanted)
        for grid in found.values()
    ]
    assert sum(close) >= 3, close
    with pytest.raises(SystemExit) as ended:
        main(["layers", f"open_clip:{name}", "--weights", "random"])
    assert not ended.value.code
    assert layers[-1] in capsys.readouterr().out


def test_published_weights_are_named_behind_the_model_or_by_an_option(tmp_path):
    model = whole_model("tiny-vit")
    torch.save(model.state_dict(), tmp_path / "first.pt")
    network = load_network("open_clip:tiny-vit/first")
    assert (network.weights, network.source) == ("first", "open_clip:tiny-vit")
    assert network.preprocessing.mean == pytest.approx((25.5, 51, 76.5))
    state = network.module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in model.visual.state_dict().items())
    again = load_network("open_clip:tiny-vit", weights="first")
    filed = load_network("open_clip:tiny-vit", weights=str(tmp_path / "first.pt"))
    assert network.digest == again.digest == filed.digest
    assert filed.weights == "file:first.pt"


def _refused(name, message, **keywords):
    with pytest.raises(NetworkError, match=message) as told:
        load_network(name, **keywords)
    assert "\n" not in str(told.value)


def test_what_cannot_be_had_is_told_in_one_line():
    _refused("open_clip:tiny-vit", r"several weights: name them, open_clip:tiny-vit/TAG.*first")
    _refused("open_clip:tiny-vitt", "no model 'tiny-vitt'; did you mean tiny-vit")
    _refused("open_clip:tiny-vit/second", "no weights 'second' for tiny-vit; it has first, quick")
    _refused(
        "open_clip:tiny-vit/quick", "cannot download the weights quick .*: .*unreachable.*FILE"
    )


def test_the_activation_function_is_that_of_the_weights(tmp_path, monkeypatch):
    from open_clip import factory, pretrained

    torch.save(whole_model("tiny-vit").state_dict(), tmp_path / "first.pt")
    monkeypatch.setattr(factory, "download_pretrained", lambda *_, **__: tmp_path / "first.pt")
    kinds = {
        type(part).__name__ for part in load_network("open_clip:tiny-vit/quick").module.modules()
    }
    assert "QuickGELU" in kinds
    kinds = {
        type(part).__name__ for part in load_network("open_clip:tiny-vit/first").module.modules()
    }
    assert "QuickGELU" not in kinds
    assert pretrained._PRETRAINED["tiny-vit-quickgelu"]
    _refused("open_clip:tiny-vit-quickgelu/first", "without QuickGELU.*open_clip:tiny-vit/first")
