import pytest
from torch import nn
from torchvision.models import resnet18

from net2vec.errors import NetworkError
from net2vec.networks import network_from_module, resolve_layers


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
    assert resolve_layers(network, ["layer4.0.relu#2", "layer4.0.bn1", "layer4.0.relu#1"]) == (
        "layer4.0.bn1",
        "layer4.0.relu#1",
        "layer4.0.relu#2",
    )
    assert resolve_layers(network, ["layer4.0.conv2", "layer4.0.relu#1"])[0] == "layer4.0.relu#1"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("feature.11", "has no layer 'feature.11'; did you mean features.11"),
        ("zzz", "`net2vec layers` lists them"),
        ("nose*", "no layer matches 'nose\\*'"),
        ("conv5#2", "features.11 has no call 2: .* it has 1"),
    ],
)
def test_wrong_names_are_told_with_what_was_perhaps_meant(network, pattern, message):
    with pytest.raises(NetworkError, match=message):
        resolve_layers(network, [pattern])


def test_outputs_that_are_no_grid_of_channels_are_refused():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(2))
    with pytest.raises(NetworkError, match="1 \\(Flatten\\) has no grid"):
        resolve_layers(network_from_module(module, size=8), ["1"])


def test_a_network_without_a_grid_says_so():
    flat = network_from_module(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), size=8)
    with pytest.raises(NetworkError, match="Sequential has no layer with a grid"):
        resolve_layers(flat)
