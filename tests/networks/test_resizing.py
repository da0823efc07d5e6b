"""Networks that are fed another size than their usual one."""

import pickle

import pytest
import timm
import torch
import torchvision
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import (
    Preprocessing,
    network_from_module,
    resolve_layers,
    run_layers,
    with_input_size,
)

FED = Preprocessing(64, (0.0,) * 3, (1.0,) * 3)


def _resized(module, size=96, usual=64):
    network = network_from_module(module.eval(), Preprocessing(usual, FED.mean, FED.std))
    found = with_input_size(network, size)
    assert network.preprocessing.size == usual
    assert found.input_shape == (3, size, size)
    return found


def test_convolutions_take_any_size_and_the_network_is_left_as_it_was():
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU())
    found = _resized(module)
    images = torch.randn(1, 3, 96, 96)
    assert torch.equal(run_layers(found, images, ["1"])["1"], module(images))
    assert with_input_size(found, 96) is found


def test_embeddings_of_timm_are_adapted_by_timm():
    torch.manual_seed(0)
    settings = {"embed_dim": 24, "depth": 4, "num_heads": 2, "patch_size": 16}
    module = timm.models.VisionTransformer(img_size=64, **settings)
    found = _resized(module)
    assert module.pos_embed.shape[1] == 17
    wanted = timm.models.VisionTransformer(img_size=64, **settings)
    wanted.load_state_dict(module.state_dict())
    wanted.set_input_size((96, 96))
    assert torch.equal(found.module.pos_embed, wanted.pos_embed)
    layers = resolve_layers(found)
    assert layers == tuple(f"blocks.{place}" for place in range(4))
    outputs = run_layers(found, torch.randn(1, 3, 96, 96), layers)
    assert outputs["blocks.3"].shape == (1, 24, 6, 6)


def test_embeddings_of_torchvision_are_adapted_by_torchvision():
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(64, 16, 4, 2, 24, 48)
    nn.init.normal_(module.encoder.pos_embedding)
    found = _resized(module)
    assert found.module.encoder.pos_embedding.shape == (1, 37, 24)
    assert resolve_layers(found)[-1].startswith("encoder.layers.")
    assert module.encoder.pos_embedding.shape == (1, 17, 24)


def test_embeddings_of_transformers_are_adapted_by_transformers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64,
        image_size=64, patch_size=16,
    )  # fmt: skip
    module = transformers.ViTModel(config).eval()
    found = _resized(module)
    images = torch.randn(1, 3, 96, 96)
    layers = resolve_layers(found)
    with torch.no_grad():
        wanted = module(images, interpolate_pos_encoding=True, output_hidden_states=True)
    grid = wanted.hidden_states[2][:, 1:].transpose(1, 2).reshape(1, 32, 6, 6)
    torch.testing.assert_close(run_layers(found, images, layers[:2])[layers[1]], grid)
    again = pickle.loads(pickle.dumps(found.module))
    assert again(images).last_hidden_state.shape == (1, 37, 32)


def test_embeddings_of_open_clip_are_adapted_by_open_clip():
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    module = open_clip.transformer.VisionTransformer(64, 16, 24, 4, 2, 2.0, output_dim=8)
    found = _resized(module)
    assert found.module.positional_embedding.shape == (37, 24)
    assert len(resolve_layers(found)) == 4


def test_embeddings_are_adapted_to_an_image_wider_than_high():
    """96 x 64 is width x height: tokens are 4 rows of 6, and lie where timm says they do."""
    torch.manual_seed(0)
    module = timm.models.VisionTransformer(
        img_size=64, embed_dim=24, depth=4, num_heads=2, patch_size=16
    )
    network = network_from_module(module.eval(), FED)
    found = with_input_size(network, (96, 64))
    assert found.input_shape == (3, 64, 96)
    assert str(found.preprocessing).startswith("96 x 64 px")
    layers = resolve_layers(found)
    assert layers == tuple(f"blocks.{place}" for place in range(4))
    images = torch.randn(2, 3, 64, 96)
    outputs = run_layers(found, images, layers)
    with torch.no_grad():
        wanted = found.module.forward_intermediates(images, intermediates_only=True)
    for layer, grid in zip(layers, wanted, strict=True):
        assert grid.shape == (2, 24, 4, 6)
        torch.testing.assert_close(outputs[layer], grid)
    described = found.preprocessing.to_dict()
    assert described["size"] == [96, 64]
    assert Preprocessing.from_dict(described) == found.preprocessing


def test_other_libraries_adapt_or_refuse_an_image_wider_than_high():
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(64, 16, 4, 2, 24, 48)
    with pytest.raises(NetworkError, match=r"fed 96 x 64 pixels \(width x height\): .* squares"):
        with_input_size(network_from_module(module.eval(), FED), (96, 64))
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64,
        image_size=64, patch_size=16,
    )  # fmt: skip
    found = with_input_size(
        network_from_module(transformers.ViTModel(config).eval(), FED), (96, 64)
    )
    images = torch.randn(1, 3, 64, 96)
    layer = resolve_layers(found)[1]
    with torch.no_grad():
        wanted = found.module(images, output_hidden_states=True).hidden_states[2]
    grid = wanted[:, 1:].transpose(1, 2).reshape(1, 32, 4, 6)
    torch.testing.assert_close(run_layers(found, images, [layer])[layer], grid)
    open_clip = pytest.importorskip("open_clip")
    tower = open_clip.transformer.VisionTransformer(64, 16, 24, 4, 2, 2.0, output_dim=8).eval()
    found = with_input_size(network_from_module(tower, FED), (96, 64))
    assert found.module.positional_embedding.shape == (25, 24)
    layer = resolve_layers(found)[-1]
    assert run_layers(found, images, [layer])[layer].shape == (1, 24, 4, 6)


@pytest.mark.parametrize(
    ("size", "message"),
    [(100, r"fed 100 x 100 pixels \(width x height\): .*64 px are usual"), (1, "1 x 1")],
)
def test_a_size_that_does_not_do_is_told_in_one_line(size, message):
    module = timm.models.VisionTransformer(
        img_size=64, embed_dim=24, depth=1, num_heads=2, patch_size=16
    )
    with pytest.raises(NetworkError, match=message) as told:
        with_input_size(network_from_module(module.eval(), FED), size)
    assert "\n" not in str(told.value)


def test_a_transform_of_its_own_decides_the_size():
    def squash(image):
        return torchvision.transforms.functional.to_tensor(image.resize((64, 64)))

    network = network_from_module(nn.Conv2d(3, 2, 3), squash)
    with pytest.raises(NetworkError, match=r"transform of its own.*\(64 px\).*input = 96"):
        with_input_size(network, 96)
