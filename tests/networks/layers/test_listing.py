import pytest
import torch
from torch import nn
from torchvision.models import alexnet, resnet18

from net2vec.errors import NetworkError
from net2vec.networks import LayerInfo, list_layers, network_from_module, resolve_layers


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return network_from_module(
        alexnet(),
        name="alexnet",
        size=64,
        layers=("features.4", "features.11"),
        aliases={"conv1": "features.1", "conv5": "features.11", "classifier.6": "features.0"},
    )


def test_layers_have_shapes_aliases_and_say_whether_an_activation_follows(network):
    layers = {info.path: info for info in list_layers(network)}
    assert layers["features.0"] == LayerInfo(
        "features.0", ("classifier.6",), "Conv2d", (64, 15, 15), 1, activation=False
    )
    assert layers["features.11"] == LayerInfo(
        "features.11", ("conv5",), "ReLU", (256, 3, 3), 1, activation=True
    )
    assert layers["classifier.6"].shape == (1000,)
    assert not layers["classifier.6"].is_grid
    assert list(layers)[:2] == ["features.0", "features.1"]
    assert list(layers).index("features") == list(layers).index("features.12") + 1


def test_a_module_called_twice_says_so():
    layers = {info.path: info for info in list_layers(network_from_module(resnet18(), size=64))}
    assert layers["layer1.0.relu"].calls == 2
    assert layers["layer1"].calls == 1


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (None, ("features.4", "features.11")),
        ([], ("features.4", "features.11")),
        (["last"], ("features.11",)),
        (["features.11", "conv1"], ("features.1", "features.11")),
        (["conv1", "features.1", "features.1#1"], ("features.1", "features.1#1")),
        (["conv*"], ("features.1", "features.11")),
        (["features.1?"], ("features.10", "features.11", "features.12")),
        (["last", "features.11"], ("features.11",)),
        (["classifier.6"], ("classifier.6",)),  # a true path goes before an alias
        (["class*.?"], tuple(f"classifier.{place}" for place in range(7))),
    ],
)
def test_paths_aliases_globs_and_last_are_put_in_forward_order(network, patterns, expected):
    assert resolve_layers(network, patterns) == expected


def test_a_star_stays_within_a_part_of_the_path_and_two_cross_dots():
    network = network_from_module(resnet18(), size=64)
    assert resolve_layers(network, ["layer4.*"]) == ("layer4.0", "layer4.1")
    assert resolve_layers(network, ["layer4.**.conv?"]) == (
        "layer4.0.conv1",
        "layer4.0.conv2",
        "layer4.1.conv1",
        "layer4.1.conv2",
    )
    assert resolve_layers(network, ["layer4.0.relu#2", "layer4.0.relu#1"]) == (
        "layer4.0.relu#1",
        "layer4.0.relu#2",
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("feature.11", "has no layer 'feature.11'; did you mean features.11"),
        ("zzz", "`net2vec layers` lists them"),
        ("nose*", "no layer matches 'nose\\*'"),
        ("conv5#2", "features.11 is called 1 times"),
    ],
)
def test_wrong_names_are_told_with_what_was_perhaps_meant(network, pattern, message):
    with pytest.raises(NetworkError, match=message):
        resolve_layers(network, [pattern])


def test_outputs_that_are_no_grid_of_channels_are_refused():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(2))
    with pytest.raises(NetworkError, match="1 \\(Flatten\\) has no grid"):
        resolve_layers(network_from_module(module, size=8), ["1"])


def test_default_layers_are_the_last_activation_of_every_grid():
    stages = ("relu", "layer1", "layer2", "layer3", "layer4")
    assert resolve_layers(network_from_module(resnet18(), size=64)) == stages
    raw = network_from_module(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1)), size=8)
    assert resolve_layers(raw) == ("1",)


def test_the_memory_of_a_recording_grows_with_grid_filters_and_images(network):
    layers = {info.path: info for info in list_layers(network)}
    conv1 = layers["features.1"]  # 64 filters on 15 x 15
    # floor(0.005 * 1000 * 225) + 1 = 1126 values a filter, room for 1689 of them
    assert conv1.recording_bytes(1000) == 64 * (1689 * 8 + 1000 * 4)
    assert conv1.recording_bytes(1000, quantile=0.01) > 1.5 * conv1.recording_bytes(1000)
    assert layers["classifier.6"].recording_bytes(10) == 1000 * 10 * 4


def test_a_network_without_a_grid_says_so():
    flat = network_from_module(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), size=8)
    with pytest.raises(NetworkError, match="Sequential has no layer with a grid"):
        resolve_layers(flat)
