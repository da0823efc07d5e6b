from torch import nn
from torchvision.models import resnet18

from net2vec.networks import LayerInfo, list_layers, network_from_module, resolve_layers


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
