from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from net2vec.networks import list_layers, load_network, run_layers
from net2vec.networks.layers.grids import prefix_tokens_of, probed_shape, to_grid


@cache
def _network(name):
    return load_network(name, weights="random")


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
        ((198, 64), 1, None),
        ((12, 64), 0, None),
        ((1000,), 1, (1000,)),
        ((512, 1, 1), 0, (512,)),
        ((1, 1, 512), 0, (512,)),
        ((1, 64), 1, None),
        ((3, 197, 64), 1, None),
        ((2, 3, 4, 5), 0, None),
        ((), 0, None),
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
    network = _network("timm:vit_tiny_patch16_224")
    assert network.prefix_tokens == prefix_tokens_of(network.module) == 1
    plain = torch.zeros(1, 3, 224, 224)
    changed = plain.clone()
    changed[:, :, 16 * 3 : 16 * 4, 16 * 10 : 16 * 11] = 1
    layers = ["patch_embed", "pos_drop", "blocks.0"]
    before, after = (run_layers(network, batch, layers) for batch in (plain, changed))
    for layer in ("patch_embed", "pos_drop"):  # without and with the class token
        where = (before[layer] - after[layer]).abs().amax(1)[0].nonzero()
        assert where.tolist() == [[3, 10]]
    moved = (before["blocks.0"] - after["blocks.0"]).abs().mean(1)[0]
    assert divmod(int(moved.argmax()), 14) == (3, 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "timm:vit_tiny_patch16_224",
            {"blocks.2": 14, "blocks.5": 14, "blocks.8": 14, "blocks.11": 14},
        ),
        ("timm:deit_tiny_distilled_patch16_224", {"blocks.2": 14, "blocks.11": 14}),
        ("timm:swin_tiny_patch4_window7_224", {f"layers.{i}": 56 >> i for i in range(4)}),
        ("timm:convnext_atto", {f"stages.{i}": 56 >> i for i in range(4)}),
        ("torchvision:resnet18", {"relu": 112, "layer1": 56, "layer4": 7}),
        ("torchvision:mobilenet_v2", {"features.0": 112, "features": 7}),
        ("torchvision:shufflenet_v2_x0_5", {"conv1": 112, "conv5": 7}),
        ("torchvision:squeezenet1_1", {}),
        ("timm:regnety_002", {"stem": 112, "s1": 56, "final_conv": 7}),
        ("timm:mobilenetv3_small_050", {"bn1": 112}),
    ],
)
def test_architectures_of_both_libraries_run_by_name(name, expected):
    network = _network(name)
    listed = {info.path: info for info in list_layers(network)}
    assert len(network.layers) >= 2
    size = network.preprocessing.size
    outputs = run_layers(network, torch.zeros(1, 3, size, size), network.layers)
    for layer in network.layers:
        assert outputs[layer].shape == (1, *listed[layer].shape)
        assert listed[layer].is_grid
    sides = {layer: outputs[layer].shape[-1] for layer in network.layers}
    assert expected.items() <= sides.items()


def test_windows_and_weights_of_attention_are_no_layers():
    network = _network("timm:swin_tiny_patch4_window7_224")
    listed = {info.path: info for info in list_layers(network)}
    assert listed["layers.0.blocks.0.attn"].shape is None  # rows are windows, not images
    assert listed["layers.3.blocks.0.attn.softmax"].shape is None  # one window, still no map
    assert listed["layers.3.blocks.0"].shape == (768, 7, 7)
