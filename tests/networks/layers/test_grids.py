from functools import cache

import pytest
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from net2vec.networks import list_layers, network_from_module, resolve_layers, run_layers
from net2vec.networks.layers.grids import prefix_tokens_of, probed_shape, to_grid

SWIN = {
    "img_size": 128,
    "window_size": 4,
    "depths": (1, 1, 2, 1),
    "embed_dim": 12,
    "num_heads": (1, 1, 2, 2),
}


@cache
def _network(name, size=96, **settings):
    """A network of either library with random weights; one whose size is fixed is built smaller."""
    library, _, model = name.partition(":")
    torch.manual_seed(0)
    if library == "torchvision":
        return network_from_module(torchvision.models.get_model(model), size=size)
    return network_from_module(timm.create_model(model, **settings), size=size)


@pytest.mark.parametrize(
    ("shape", "prefix", "expected"),
    [
        ((256, 13, 13), 0, (256, 13, 13)),
        ((13, 13, 256), 0, (256, 13, 13)),
        ((7, 7, 7), 0, (7, 7, 7)),
        ((197, 64), 1, (64, 14, 14)),
        ((196, 64), 1, (64, 14, 14)),  # before the class token is put in front
        ((198, 64), 2, (64, 14, 14)),
        ((1374, 64), 5, (64, 37, 37)),
        ((197, 64), 5, (64, 14, 14)),  # of a branch with one of the five
        ((198, 64), 1, None),
        ((12, 64), 0, None),
        ((1000,), 1, (1000,)),
        ((512, 1, 1), 0, (512,)),
        ((1, 1, 512), 0, (512,)),
        ((1, 64), 1, None),
        ((3, 197, 64), 1, None),
        ((2, 3, 4, 5), 0, None),
        ((), 0, None),
        ((0, 13, 13), 0, None),  # no channels
        ((196, 0), 0, None),
        ((0,), 0, None),
    ],
)
def test_shapes_are_recognised(shape, prefix, expected):
    assert probed_shape(shape, prefix) == expected
    if shape and expected is not None:
        assert to_grid(torch.zeros(2, *shape), prefix).shape == (2, *expected)


@given(
    side=st.integers(2, 9),
    channels=st.integers(1, 5),
    prefix=st.integers(0, 2),
    images=st.integers(1, 3),
)
def test_tokens_and_moved_channels_are_the_grid_again(side, channels, prefix, images):
    grid = torch.arange(images * channels * side * side).float()
    grid = grid.reshape(images, channels, side, side)
    tokens = grid.flatten(2).transpose(1, 2)
    tokens = torch.cat([torch.full((images, prefix, channels), -1.0), tokens], 1)
    assert torch.equal(to_grid(tokens, prefix), grid)
    if channels != side:
        assert torch.equal(to_grid(grid.movedim(1, -1)), grid)
    assert torch.equal(to_grid(grid), grid)


def test_a_vision_transformers_grid_is_the_image():
    """Patches that are changed in one place change the patch embedding in that place alone."""
    network = _network("timm:vit_tiny_patch16_224", img_size=96, depth=1)
    assert network.prefix_tokens == prefix_tokens_of(network.module) == 1
    plain = torch.zeros(1, 3, 96, 96)
    changed = plain.clone()
    changed[:, :, 16 * 3 : 16 * 4, 16 * 4 : 16 * 5] = 1
    layers = ["patch_embed", "pos_drop", "blocks.0"]
    before, after = (run_layers(network, batch, layers) for batch in (plain, changed))
    for layer in ("patch_embed", "pos_drop"):  # without and with the class token
        where = (before[layer] - after[layer]).abs().amax(1)[0].nonzero()
        assert where.tolist() == [[3, 4]]
    moved = (before["blocks.0"] - after["blocks.0"]).abs().mean(1)[0]
    assert divmod(int(moved.argmax()), 6) == (3, 4)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        (
            "timm:vit_tiny_patch16_224",
            {"img_size": 96, "depth": 8},
            {f"blocks.{i}": 6 for i in (1, 3, 5, 7)},
        ),
        (
            "timm:deit_tiny_distilled_patch16_224",
            {"img_size": 96, "depth": 4},
            {"blocks.0": 6, "blocks.3": 6},
        ),
        ("timm:swin_tiny_patch4_window7_224", SWIN, {f"layers.{i}": 32 >> i for i in range(4)}),
        ("timm:convnext_atto", {}, {f"stages.{i}": 24 >> i for i in range(4)}),
        ("torchvision:resnet18", {}, {"relu": 48, "layer1": 24, "layer4": 3}),
        ("torchvision:mobilenet_v2", {}, {"features.0": 48, "features": 3}),
        ("torchvision:shufflenet_v2_x0_5", {}, {"conv1": 48, "conv5": 3}),
        ("torchvision:squeezenet1_1", {}, {}),
        ("timm:regnety_002", {}, {"stem": 48, "s1": 24, "final_conv": 3}),
        ("timm:mobilenetv3_small_050", {}, {"bn1": 48}),
    ],
)
def test_default_layers_are_grids_of_every_size(name, settings, expected):
    network = _network(name, settings.get("img_size", 96), **settings)
    layers = resolve_layers(network)
    assert len(layers) >= 2
    size = network.preprocessing.size
    outputs = run_layers(network, torch.zeros(1, 3, size, size), layers)
    # Decided for these alone, they are as they are among all.
    listed = {info.path: info for info in list_layers(network)}
    for layer in layers:
        assert outputs[layer].shape == (1, *listed[layer].shape)
        assert listed[layer].is_grid
    assert resolve_layers(network_from_module(network.module, size=size)) == layers
    assert expected.items() <= {layer: outputs[layer].shape[-1] for layer in layers}.items()


def test_windows_and_weights_of_attention_are_no_layers():
    network = _network("timm:swin_tiny_patch4_window7_224", 128, **SWIN)
    paths = ["layers.0.blocks.0.attn", "layers.3.blocks.0.attn.softmax", "layers.3.blocks.0"]
    listed = {info.path: info.shape for info in list_layers(network, decided=paths)}
    assert listed[paths[0]] is None  # rows are windows, not images
    assert listed[paths[1]] is None  # one window, still no map
    assert listed[paths[2]] == (96, 4, 4)
