import numpy as np
import pytest
import torch
from torchvision.models import densenet121, googlenet, squeezenet1_1

from net2vec.errors import NetworkError
from net2vec.networks import available_networks, list_layers, load_network, run_layers


@pytest.fixture(autouse=True)
def _nothing_is_downloaded(monkeypatch, tmp_path):
    def refuse(*_args, **_keywords):
        raise OSError("unreachable")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("pooch.retrieve", refuse)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))


SHAPES = {
    "alexnet": [(64, 56, 56), (192, 27, 27), (384, 13, 13), (256, 13, 13), (256, 13, 13)],
    "vgg16": [(512, 14, 14)],
    "googlenet": [(832, 14, 14), (1024, 7, 7)],
}


@pytest.mark.parametrize("name", SHAPES)
def test_default_layers_have_the_papers_shapes_and_aliases_point_at_relus(name):
    network = load_network(name, weights="random")
    layers = {info.path: info for info in list_layers(network)}
    assert [layers[path].shape for path in network.layers] == SHAPES[name]
    assert all(layers[path].activation for path in network.layers)
    for alias, path in available_networks()[name].aliases.items():
        assert layers[path].kind == "ReLU"
        assert alias in layers[path].aliases
    assert not network.trained
    assert not any(part.training for part in network.module.modules())


def test_alexnet_is_fed_as_in_the_papers_experiments():
    own = load_network("alexnet", weights="random").preprocessing
    assert own.size == 227
    assert own.channels == "RGB"
    assert np.allclose(own.mean, (124.6901, 118.6897, 109.5388))
    assert np.allclose(own.std, 57.12)
    usual = load_network("torchvision:alexnet", weights="random").preprocessing
    assert usual.size == 224
    assert np.allclose(usual.mean, np.multiply(255, (0.485, 0.456, 0.406)))


@pytest.mark.slow
def test_random_weights_follow_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    first = load_network("torchvision:resnet18", weights="random", seed=7)
    assert torch.equal(torch.rand(3), expected)
    assert load_network("torchvision:resnet18", weights="random", seed=7).digest == first.digest
    assert load_network("torchvision:resnet18", weights="random", seed=8).digest != first.digest
    assert first.weights == "random (seed 7)"
    assert first.layers == ("relu", "layer1", "layer2", "layer3", "layer4")


@pytest.mark.slow
def test_three_disguises_of_a_real_state_dict_give_the_same_network(tmp_path):
    torch.manual_seed(3)
    state = squeezenet1_1().state_dict()
    parallel = {k.replace("features.", "features.module."): v for k, v in state.items()}
    torch.save(state, tmp_path / "plain.pth")
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "module.pth")
    torch.save({"state_dict": parallel, "epoch": 90}, tmp_path / "nested.pth.tar")
    networks = [
        load_network("torchvision:squeezenet1_1", weights=str(tmp_path / name))
        for name in ("plain.pth", "module.pth", "nested.pth.tar")
    ]
    assert len({network.digest for network in networks}) == 1
    assert torch.equal(networks[0].module.features[0].weight, state["features.0.weight"])
    assert [network.weights for network in networks] == [
        "file:plain.pth",
        "file:module.pth",
        "file:nested.pth.tar",
    ]
    assert all(network.trained for network in networks)


def test_published_files_with_auxiliary_heads_or_old_names_load(tmp_path):
    torch.manual_seed(0)
    state = googlenet(aux_logits=True, init_weights=False).state_dict()
    torch.save(state, tmp_path / "googlenet.pth")
    network = load_network("googlenet", weights=str(tmp_path / "googlenet.pth"))
    assert torch.equal(network.module.fc.weight, state["fc.weight"])
    assert network.module.transform_input  # as the published weights need it

    dense = densenet121().state_dict()
    old = {k.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): v for k, v in dense.items()}
    assert old.keys() != dense.keys()
    torch.save(old, tmp_path / "dense.pth")
    loaded = load_network("torchvision:densenet121", weights=str(tmp_path / "dense.pth"))
    key = "features.denseblock1.denselayer1.norm1.weight"
    assert torch.equal(loaded.module.state_dict()[key], dense[key])


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("alexnte", None, "no network 'alexnte'; did you mean alexnet"),
        ("torchvision:resnet19", "random", "did you mean resnet18"),
        ("torchvision:fcn_resnet50", "random", "no classifier"),
        ("timm:resnett18", "random", "did you mean"),
        ("timm:resnet18.nothing", "random", "no weights 'nothing' for resnet18"),
        ("alexnet", "IMAGENET1K_V9", "published: IMAGENET1K_V1"),
        ("alexnet", "missing.pth", "there is no weights file missing.pth"),
        ("alexnet", None, "download.*unreachable.*https://.*alexnet.*--weights FILE"),
        ("no.such.package:build", None, "cannot import no.such.package"),
        ("nowhere.py:build", None, "there is no file nowhere.py"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_line(name, weights, message):
    with pytest.raises(NetworkError, match=message) as caught:
        load_network(name, weights=weights)
    assert "\n" not in str(caught.value)


def test_published_weights_are_told_from_files_and_the_default_is_first(monkeypatch):
    asked = []

    def fetch(network, address):
        asked.append((network, address.rpartition("/")[2]))
        raise NetworkError("nothing here")

    monkeypatch.setattr("net2vec.networks.sources.torchvision_models.fetch_to_hub", fetch)
    for weights in (None, "IMAGENET1K_V1", "DEFAULT"):
        with pytest.raises(NetworkError, match=r"nothing here|no weights 'DEFAULT'"):
            load_network("torchvision:resnet50", weights=weights)
    assert asked == [
        ("torchvision:resnet50", "resnet50-11ad3fa6.pth"),
        ("torchvision:resnet50", "resnet50-0676ba61.pth"),
    ]


def test_published_weights_in_torchs_cache_are_used(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    # The digest in the name is that of the real weights.
    monkeypatch.setattr("net2vec.networks.weights.downloads._has_digest", lambda *_: True)
    torch.manual_seed(1)
    state = squeezenet1_1().state_dict()
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    network = load_network("torchvision:squeezenet1_1")
    assert network.weights == "IMAGENET1K_V1"
    assert network.trained
    assert torch.equal(network.module.features[0].weight, state["features.0.weight"])


def test_timm_reads_size_and_mean_from_its_own_configuration():
    network = load_network("timm:mobilenetv3_small_050.lamb_in1k", weights="random")
    assert network.preprocessing.size == 224
    assert network.licence == "apache-2.0"
    outputs = run_layers(network, torch.zeros(1, 3, 224, 224), network.layers)
    assert outputs[network.layers[-1]].shape[2:] == (7, 7)
