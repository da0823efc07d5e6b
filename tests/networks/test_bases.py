"""Bases of layers: what they compute, how they are named, and files that are no autoencoders."""

import json
import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from net2vec.errors import NetworkError, ResultsError
from net2vec.networks import (
    fit_bases,
    layer_info,
    load_bases,
    network_from_module,
    resolve_layers,
    run_layers,
    save_bases,
    with_bases,
)
from net2vec.networks.bases.base import Basis
from net2vec.networks.bases.registry import make_basis

PLAIN = {"architecture": "standard", "apply_b_dec_to_input": False}


@pytest.fixture
def network():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten())
    return network_from_module(module, size=12)


def write_autoencoder(folder, config=PLAIN, channels=6, features=10, **tensors):
    draw = torch.Generator().manual_seed(1)
    folder.mkdir(exist_ok=True)
    path = folder / "sae.safetensors"
    own = {
        "W_enc": torch.randn(channels, features, generator=draw),
        "b_enc": torch.randn(features, generator=draw),
        "b_dec": torch.randn(channels, generator=draw),
        **tensors,
    }
    save_file({name: value for name, value in own.items() if value is not None}, path)
    if config is not None:
        (folder / "cfg.json").write_text(json.dumps(config))
    return path, own


def with_layers(network, *asked):
    layers = resolve_layers(network, asked)
    return with_bases(network, layers, asked, seed=3), layers


def test_a_rotation_keeps_lengths_and_depends_on_seed_and_layer():
    values = torch.randn(50, 8)
    basis = make_basis("random", "1", 8, seed=0)
    rotated = basis(values)
    torch.testing.assert_close(rotated.norm(dim=1), values.norm(dim=1))
    torch.testing.assert_close(rotated @ basis.tensors["rotation"].T, values)
    same = make_basis("random", "1", 8, seed=0)
    assert same.digest == basis.digest
    others = [make_basis("random", "1", 8, seed=1), make_basis("random", "2", 8, seed=0)]
    assert len({basis.digest, *(other.digest for other in others)}) == 3


def test_principal_components_are_numpys():
    draw = np.random.default_rng(0)
    cells = draw.normal(size=(400, 5)) @ draw.normal(size=(5, 5)) + 3
    basis = make_basis("pca", "1", 5, 0).fit(torch.from_numpy(cells).float())
    found = basis(torch.from_numpy(cells).float()).numpy()
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    covariance = np.cov(found.T, bias=True)
    variances = np.linalg.eigvalsh(np.cov(cells.T, bias=True))[::-1]
    np.testing.assert_allclose(np.diag(covariance), variances, rtol=1e-4)
    np.testing.assert_allclose(covariance - np.diag(variances), 0, atol=1e-3)
    components = basis.tensors["components"].numpy()
    assert (components[np.abs(components).argmax(0), np.arange(5)] > 0).all()


@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk"])
@pytest.mark.parametrize("centred", [True, False])
def test_an_autoencoder_by_its_formula(tmp_path, architecture, centred):
    config = {"architecture": architecture, "apply_b_dec_to_input": centred, "k": 2}
    threshold = torch.linspace(-1, 2, 10)
    path, own = write_autoencoder(tmp_path, config, threshold=threshold)
    values = torch.randn(7, 5, 6)
    shifted = values - own["b_dec"] if centred else values
    before = shifted @ own["W_enc"] + own["b_enc"]
    wanted = before.clamp(min=0)
    if architecture == "jumprelu":
        wanted = wanted * (before > threshold)
    if architecture == "topk":
        second = wanted.sort(-1, descending=True)[0][..., 1:2]
        wanted = wanted * (wanted >= second)
    basis = make_basis(str(path), "1", 6, 0)
    assert basis.features == 10
    torch.testing.assert_close(basis(values), wanted, rtol=1e-4, atol=1e-5)


def test_the_top_k_of_earlier_files_is_an_activation_function(tmp_path):
    old = {
        "apply_b_dec_to_input": False,
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 3},
    }
    for config in (old, {**old, "architecture": "standard"}):
        path, _ = write_autoencoder(tmp_path, config)
        found = make_basis(str(path), "1", 6, 0)(torch.randn(20, 6))
        assert ((found > 0).sum(1) <= 3).all()


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        (None, {}, "says what the encoder of sae.safetensors does"),
        ({"architecture": "standard"}, {}, "apply_b_dec_to_input is null"),
        ({**PLAIN, "architecture": "gated"}, {}, 'architecture is "gated"'),
        ({**PLAIN, "normalize_activations": "layer_norm"}, {}, "normalize_activations is"),
        ({**PLAIN, "architecture": "topk"}, {}, "k is None; wanted is a whole number"),
        ({**PLAIN, "architecture": "topk", "activation_fn_kwargs": "k"}, {}, "k is None"),
        ({**PLAIN, "activation_fn": "jumprelu"}, {}, 'activation_fn is "jumprelu"'),
        ({**PLAIN, "architecture": "jumprelu"}, {}, "threshold is missing"),
        ([], {}, "no settings of an autoencoder"),
        (PLAIN, {"W_enc": None}, "wanted are W_enc"),
        (PLAIN, {"b_enc": torch.zeros(9)}, r"b_enc is torch.float32 \[9\]; wanted are floats"),
        (PLAIN, {"b_enc": torch.full((10,), torch.nan)}, "b_enc has values that are not finite"),
        (PLAIN, {"W_enc": torch.zeros(5, 10)}, "of 5 channels, and layer 1 has 6"),
    ],
)
def test_autoencoders_that_cannot_be_used_are_told(tmp_path, config, tensors, message):
    path, _ = write_autoencoder(tmp_path, config, **tensors)
    with pytest.raises(NetworkError, match=message):
        make_basis(str(path), "1", 6, 0)


def test_files_and_names_that_are_no_basis_are_told(tmp_path):
    with pytest.raises(NetworkError, match=r"cannot be read \(FileNotFoundError\)"):
        make_basis(str(tmp_path / "sae.safetensors"), "1", 6, 0)
    (tmp_path / "cfg.json").write_text(json.dumps(PLAIN))
    (tmp_path / "sae.safetensors").write_bytes(b"nothing")
    with pytest.raises(NetworkError, match="cannot be read as an autoencoder"):
        make_basis(str(tmp_path / "sae.safetensors"), "1", 6, 0)
    with pytest.raises(NetworkError, match=r"known are @random, @pca, @FILE\.safetensors"):
        make_basis("ica", "1", 6, 0)


def test_layers_are_named_with_their_basis(network, tmp_path):
    path, _ = write_autoencoder(tmp_path)
    found, layers = with_layers(network, "2@random", "1", f"1@{path}", "1@pca", "1@random")
    assert layers == ("1", "1@sae.safetensors", "1@pca", "1@random", "2@random")
    assert layer_info(found, "1@sae.safetensors", decided=layers).shape == (10, 10, 10)
    assert layer_info(found, "2@random", decided=layers).shape == (4, 8, 8)
    assert with_layers(network, "*@random")[1] == (
        "0@random", "1@random", "2@random", "3@random",
    )  # fmt: skip
    other, _ = write_autoencoder(tmp_path / "other")
    with pytest.raises(NetworkError, match="would have one name"):
        with_layers(network, f"1@{path}", f"2@{other}")
    with pytest.raises(NetworkError, match="names no basis"):
        with_layers(network, "1@")


def test_outputs_are_in_their_basis(network, tmp_path):
    path, _ = write_autoencoder(tmp_path)
    found, layers = with_layers(network, "1", "1@random", "1@pca", f"1@{path}")
    batch = torch.randn(9, 3, 12, 12)
    with pytest.raises(NetworkError, match="has no basis of 1@pca"):
        run_layers(found, batch, layers)
    fitted = fit_bases(found, [batch[:4], batch[4:]])
    outputs = run_layers(fitted, batch, layers)
    places = outputs["1"].movedim(1, -1)
    for layer in layers[1:]:
        wanted = fitted.bases[layer](places).movedim(-1, 1)
        torch.testing.assert_close(outputs[layer], wanted)
    spread = outputs["1@pca"].transpose(0, 1).flatten(1)
    assert spread.var(1).diff().le(0.1).all()  # of a sample of cells only nearly in order
    assert pickle.loads(pickle.dumps(fitted.bases["1@pca"])).digest == fitted.bases["1@pca"].digest


def test_bases_are_kept(network, tmp_path):
    path, _ = write_autoencoder(tmp_path / "sae")
    found, _ = with_layers(network, "1@random", f"2@{write_autoencoder(tmp_path, channels=4)[0]}")
    save_bases(found.bases, tmp_path / "bases.safetensors")
    kept = load_bases(tmp_path / "bases.safetensors")
    assert list(kept) == list(found.bases)
    assert [b.digest for b in kept.values()] == [b.digest for b in found.bases.values()]
    path.write_bytes(b"damaged")
    with pytest.raises(ResultsError, match="cannot be read as bases"):
        load_bases(path)


def test_another_package_adds_a_basis_beside_a_broken_one(
    network, monkeypatch, install_plugin, caplog
):
    class Doubled(Basis):
        kind, usage = "doubled", "doubled"
        features = 6

        @classmethod
        def recognises(cls, name):
            return name == "doubled"

        @classmethod
        def make(cls, name, layer, channels, seed):
            return cls({"factor": torch.tensor(2.0)})

        def __call__(self, values):
            return values * self.tensors["factor"]

    monkeypatch.setattr(sys.modules[__name__], "Doubled", Doubled, raising=False)
    install_plugin("net2vec.bases", "broken", "collections:Counter")
    install_plugin("net2vec.bases", "doubled", f"{__name__}:Doubled")
    found, layers = with_layers(network, "1", "1@doubled")
    outputs = run_layers(found, torch.randn(2, 3, 12, 12), layers)
    assert torch.equal(outputs["1@doubled"], 2 * outputs["1"])
    assert "the basis 'broken' of collections:Counter is no subclass" in caplog.text
