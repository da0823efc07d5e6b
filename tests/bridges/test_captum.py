"""Sensitivities against derivatives worked out by autograd, and against captum's own scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from net2vec.bridges import captum as bridge
from net2vec.errors import Net2VecError
from net2vec.networks import network_from_module
from net2vec.prediction import Encoding, ForwardPass

from builders_apply import probe_small, save_pictures, squash
from builders_runs import small_network

GIVEN = {"network": small_network(), "transform": squash}
TARGET = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return probe_small(tmp_path_factory.mktemp("runs") / "run", tasks=("classify",))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return save_pictures(tmp_path_factory.mktemp("pictures"))[:12]


@pytest.fixture(scope="module")
def fed(paths):
    return torch.stack([squash(Image.open(path)) for path in paths])


@pytest.mark.parametrize("layer", ["1", "3"])
def test_derivatives_are_those_of_autograd(run, paths, fed, layer):
    """The slope of the output when the layer's output takes a small step along w_k / (h w)."""
    found = bridge.sensitivities(run, paths, TARGET, layer=layer, nulls=9, batch=5, **GIVEN)
    network, place = small_network().double(), int(layer) + 1
    vectors = run.vectors(layer, task="classify").astype(np.float64)
    for concept in vectors["concept"].values:
        w = torch.from_numpy(vectors.sel(concept=concept).values)
        step = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        activation = network[:place](fed.double()).detach()
        spread = w[None, :, None, None] / (activation.shape[2] * activation.shape[3])
        outputs = network[place:](activation + step * spread)[:, TARGET]
        slopes = [torch.autograd.grad(y, step, retain_graph=True)[0].item() for y in outputs]
        derivative = found["derivative"].sel(concept=concept)
        np.testing.assert_allclose(derivative, slopes, rtol=1e-3, atol=1e-6)
        assert found["mean"].sel(concept=concept).item() == pytest.approx(np.mean(slopes), rel=1e-3)
        share = found["positive"].sel(concept=concept).item()
        assert share == np.mean(np.array(slopes) > 0)
    assert found["image"].values.tolist() == [str(path) for path in paths]


def test_behind_the_layer_only_a_mean_and_weights_it_is_a_product(run, paths):
    """After layer 3 the output is v . means: a step of w / (h w) moves each mean by as much."""
    found = bridge.sensitivities(run, paths, TARGET, ["red", "square"], nulls=9, **GIVEN)
    weights = small_network()[6].weight[TARGET].detach().numpy()
    vectors = run.vectors(task="classify").sel(concept=["red-c", "square"]).values
    slopes = vectors @ weights / (8 * 8)
    np.testing.assert_allclose(found["derivative"], np.tile(slopes[:, None], len(paths)), rtol=1e-4)


def test_captum_gives_the_same_scores(run, paths, fed):
    found = bridge.sensitivities(run, paths, TARGET, layer="1", nulls=9, **GIVEN)
    ready = bridge.captum_concepts(run, layer="1", **GIVEN)
    scores = ready.tcav.interpret(fed, ready.pairs, target=TARGET)
    assert len(scores) == len(found["concept"])
    for (concept, other), score in zip(ready.pairs, scores.values(), strict=True):
        told = found.sel(concept=concept.name)
        assert score["1"]["magnitude"][0] == pytest.approx(told["mean"].item(), rel=1e-4)
        assert score["1"]["sign_count"][0] == pytest.approx(told["positive"].item())
        assert other.name == bridge.OTHER
    assert {concept.name for concept, _ in ready.pairs} == set(found["concept"].values)


def test_the_classifier_serves_a_tcav_with_images(run, fed, tmp_path):
    """captum hands activations to it, and gets the run's vectors and their accuracy."""
    from captum.concept import TCAV, Concept

    ready = bridge.captum_concepts(run, ["day", "red"], **GIVEN)
    bright = torch.cat([fed[i : i + 1] for i in range(len(fed)) if fed[i].mean() > 0.1])
    dark = torch.cat([fed[i : i + 1] for i in range(len(fed)) if fed[i].mean() <= 0.1])
    day = Concept(ready.concepts["day-s"].id, "day", iter([bright]))
    night = Concept(99, "night", iter([dark]))
    tcav = TCAV(
        ready.network.module, "3", classifier=ready.classifier, save_path=str(tmp_path / "cav")
    )
    scores = tcav.interpret(fed, [[day, night]], target=TARGET)
    (cav,) = (entry["3"] for entry in tcav.cavs.values())
    height, width = run.layer().attrs["grid"]
    spread = run.vectors(task="classify").sel(concept="day-s").values / (height * width)
    wanted = np.repeat(spread, height * width)
    by_number = dict(zip(cav.stats["classes"], cav.stats["weights"], strict=True))
    np.testing.assert_allclose(by_number[day.id], wanted, rtol=1e-5)
    np.testing.assert_allclose(by_number[99], -wanted, rtol=1e-5)
    assert cav.stats["accs"] > 0.9
    assert set(next(iter(scores.values()))["3"]) == {"sign_count", "magnitude"}
    stranger = [(torch.zeros(1, len(wanted)), torch.tensor([7]))]
    with pytest.raises(Net2VecError, match=r"numbers \[7\]"):
        ready.classifier.train_and_eval(stranger)


def test_a_discriminant_s_direction_is_that_of_activations(tmp_path):
    run = probe_small(tmp_path / "run", fit="lda", tasks=("segment",), concepts=("red-c",))
    ready = bridge.captum_concepts(run, "red", task="segment", **GIVEN)
    (cav,) = (entry["3"] for entry in ready.tcav.cavs.values())
    arrays = run.arrays()
    cells = np.prod(run.layer().attrs["grid"])
    weight = (arrays["weight"] * arrays["filter_scale"]).sel(concept="red-c").values
    np.testing.assert_allclose(cav.stats["weights"][0], np.repeat(weight / cells, cells), rtol=1e-5)


def test_p_counts_null_vectors_by_hand(run, paths):
    """The class's own direction beats all; a direction that it does not see beats none."""
    weights = small_network()[6].weight[TARGET].detach().double().numpy()
    vector = run.vectors(task="classify").sel(concept="red-c").values.astype(np.float64)
    share = abs(vector @ weights) / np.linalg.norm(vector) / np.linalg.norm(weights)
    along = weights / np.linalg.norm(weights)
    across = np.eye(len(weights))[0] - along * along[0]
    # Two beat it, whatever their sign and length; three do not.
    null = np.stack([along, -5 * along, across, 3 * across, -across])
    found = bridge.sensitivities(run, paths, TARGET, "red", null_vectors=null, **GIVEN)
    assert 0 < share < 1
    assert found["p"].item() == pytest.approx((1 + 2) / (1 + 5))
    assert found.attrs["null"] == "vectors given"
    assert found.attrs["nulls"] == 5


def test_the_choice_of_concepts_moves_no_number(run, paths):
    found = bridge.sensitivities(run, paths, TARGET, nulls=199, **GIVEN)
    again = bridge.sensitivities(run, paths, TARGET, ["square", "red"], nulls=199, **GIVEN)
    assert again["concept"].values.tolist() == ["square", "red-c"]
    for name in ("p", "mean"):
        np.testing.assert_allclose(
            again[name], found[name].sel(concept=["square", "red-c"]), rtol=1e-12
        )
    other = bridge.sensitivities(run, paths, TARGET, nulls=199, seed=1, **GIVEN)
    assert 0 < np.abs(other["p"] - found["p"]).max() < 0.15
    assert found.attrs["null"].startswith("random mixtures")


def test_vectors_learned_on_shuffled_annotations_are_the_null_where_a_run_has_them(paths, tmp_path):
    shuffled = probe_small(tmp_path / "run", tasks=("classify",), nulls=7)
    found = bridge.sensitivities(shuffled, paths, TARGET, ["square", "red"], **GIVEN)
    assert found.attrs["null"] == "vectors learned on shuffled annotations"
    assert found.attrs["nulls"] == 7
    null = shuffled.arrays(task="classify")["null_weight"]
    assert null.dims == ("null", "concept", "filter")
    weights = small_network()[6].weight[TARGET].detach().double().numpy()
    for concept in ("square", "red-c"):
        vectors = [shuffled.vectors(task="classify"), *null]
        steep = [
            abs(float(np.dot(row, weights))) / float(np.linalg.norm(row))
            for row in (each.sel(concept=concept).values.astype(float) for each in vectors)
        ]
        beaten = sum(other >= steep[0] for other in steep[1:])
        assert found["p"].sel(concept=concept).item() == pytest.approx((1 + beaten) / 8)


class Tokens(nn.Module):
    """Patches as tokens behind a class token, as transformers have them."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 5, 16, 16)
        self.block = nn.Linear(5, 5)
        self.head = nn.Linear(5, 3)
        self.num_prefix_tokens = 1

    def forward(self, images):
        tokens = self.patch(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.new_ones(len(tokens), 1, 5), tokens], 1)
        return self.head(self.block(tokens).tanh().mean(1))


def test_a_vector_is_spread_over_the_places_of_any_layout():
    torch.manual_seed(0)
    network = network_from_module(Tokens(), size=32)
    weight = torch.randn(2, 5)
    encoding = Encoding(
        "block", "classify", "paper", ("a", "b"), ("x", "x"), torch.zeros(5), weight,
        torch.zeros(2), torch.zeros(2), (16, 16),
    )  # fmt: skip
    predictor = bridge.Predictor(ForwardPass(network), (encoding,))
    spread = bridge._spread(predictor, encoding, [1, 0])
    tokens = spread[0].view(5, 5)  # the class token and four places
    assert (tokens[0] == 0).all()
    torch.testing.assert_close(tokens[1:], weight[1].expand(4, 5) / 4)
    torch.testing.assert_close(spread[1].view(5, 5)[3], weight[0] / 4)


def test_the_module_is_left_as_it_was(run, paths):
    module = small_network().train()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    before = bridge.sensitivities(run, paths, TARGET, nulls=9, **GIVEN)
    frozen = bridge.sensitivities(run, paths, TARGET, nulls=9, network=module, transform=squash)
    np.testing.assert_array_equal(frozen["derivative"], before["derivative"])
    assert all(part.training for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        ({"target": 5}, "no output 5"),
        ({"concepts": "dog"}, "no concept 'dog'"),
        ({"task": "segment"}, "segment"),
        ({"nulls": -1}, "nulls"),
        ({"null_vectors": np.ones((2, 3))}, "12 filters"),
    ],
)
def test_what_cannot_be_answered_is_said(run, paths, ask, wanted):
    with pytest.raises(Net2VecError, match=wanted) as error:
        bridge.sensitivities(**{"run": run, "images": paths[:2], "target": 0, **GIVEN, **ask})
    assert "\n" not in str(error.value)


def test_a_module_called_several_times_is_refused():
    shared = nn.ReLU()
    network = network_from_module(nn.Sequential(nn.Conv2d(3, 3, 1), shared, shared), size=8)
    assert bridge._path(network, "0") == "0"
    for layer in ("1", "1#1"):
        with pytest.raises(Net2VecError, match="called several times"):
            bridge._path(network, layer)
