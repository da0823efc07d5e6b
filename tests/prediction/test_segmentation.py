"""On the probe's own images a run must say what it said in the probe."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import average_precision_score

from net2vec.data.annotations import compile_annotations
from net2vec.errors import Net2VecError
from net2vec.networks import network_from_module, run_layers
from net2vec.prediction import Encoding, ForwardPass, gather_images, segment_full_size
from net2vec.prediction.segmentation import predict

import oracle
from builders_apply import (
    LAYERS,
    individual_ious,
    probe_small,
    save_pictures,
    squash,
    told_ious,
)
from builders_runs import SIDE, small_dataset, small_network

pytestmark = pytest.mark.slow

GIVEN = {"network": small_network(), "transform": squash}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return probe_small(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    concepts = ("red-c", "square")
    out = tmp_path_factory.mktemp("runs") / "both"
    return probe_small(out, fit="all", tasks=("segment",), concepts=concepts)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return save_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("layer", LAYERS)
def test_individual_iou_of_the_probe_is_found_again(run, paths, layer, tmp_path):
    found = run.segment(paths, ["red-c", "square", "null"], layer=layer, **GIVEN)
    told = []
    for concept in found["concept"].values:
        masks = found["mask"].sel(concept=concept).values
        told.append(told_ious(run, layer, concept))
        np.testing.assert_array_equal(
            individual_ious(masks, concept, SIDE // 2, tmp_path), told[-1]
        )
    assert np.count_nonzero(np.concatenate(told)) > 20


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("fit", ["converged", "lda"])
def test_another_fit_is_found_again_with_its_cuts(both, paths, fit, layer, tmp_path):
    cuts = both.arrays(layer, fit=fit)["cut"]
    assert (cuts != 0).any()
    view = both.at(fit=fit)
    for concept in ("red-c", "square"):
        found = both.segment(paths, concept, layer=layer, fit=fit, **GIVEN)
        assert found.attrs["fit"] == fit
        assert found["cut"].item() == np.float32(cuts.sel(concept=concept))
        told = told_ious(view, layer, concept)
        ious = individual_ious(found["mask"].values, concept, SIDE // 2, tmp_path)
        np.testing.assert_array_equal(ious, told)
        same = view.segment(paths, concept, layer=layer, **GIVEN)
        np.testing.assert_array_equal(same["probability"], found["probability"])
        first = both.segment(paths, concept, layer=layer, fit="paper", **GIVEN)
        assert first.attrs["fit"] == "paper"
        assert (first["mask"].values != found["mask"].values).any()


@pytest.mark.parametrize("fit", ["paper", "converged", "lda"])
def test_average_precision_is_that_of_the_pixels_found(both, paths, fit, tmp_path):
    annotations = compile_annotations(small_dataset(), (SIDE // 2, SIDE // 2), tmp_path)
    told = both.arrays(LAYERS[0], fit=fit)["average_precision"]
    for concept in ("red-c", "square"):
        pairs = annotations.pairs(list(annotations.names).index(concept), train=False)
        found = both.segment(paths, concept, layer=LAYERS[0], fit=fit, **GIVEN)["probability"]
        ranked = found.values[annotations.image[pairs]]
        wanted = average_precision_score(annotations.masks_of(pairs).ravel(), ranked.ravel())
        assert told.sel(concept=concept).item() == pytest.approx(wanted, abs=5e-3)


def test_probabilities_and_masks_are_those_of_the_oracle(run, paths):
    found = run.segment(paths, "red-c", **GIVEN)
    assert found["probability"].dims == ("image", "y", "x")
    fed = torch.stack([squash(Image.open(path)) for path in paths])
    A = run_layers(small_network(), fed, ["3"])["3"].numpy()
    B = run.layer("3")["threshold"].to_numpy()[:, None, None] < A
    w = run.vectors("3").sel(concept="red-c").to_numpy().astype(np.float64)
    z = oracle.upsample(np.einsum("k,nkyx->nyx", w, B), SIDE // 2, SIDE // 2)
    np.testing.assert_allclose(found["probability"], 1 / (1 + np.exp(-z)), atol=1e-5)
    clear = np.abs(z) > 1e-5
    np.testing.assert_array_equal(found["mask"].values[clear], (z > 0)[clear])
    assert not found["mask"].values[z == 0].any()
    assert 0.02 < found["mask"].values.mean() < 0.98
    assert found["image"].values.tolist() == [str(path) for path in paths]
    assert set(found["height"].values) == {SIDE}


def test_the_kind_of_the_images_does_not_matter(run, paths):
    whole = run.segment(paths, "square", **GIVEN)
    pictures = [Image.open(path) for path in paths]
    tensors = torch.stack([squash(picture) for picture in pictures])
    for images in (paths[0].parent, str(paths[0].parent), pictures, tensors, list(tensors)):
        other = run.segment(images, "square", **GIVEN)
        np.testing.assert_array_equal(other["probability"], whole["probability"])
        np.testing.assert_array_equal(other["mask"], whole["mask"])


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_size_of_batches_moves_rounding_alone(run, paths, batch):
    """An activation that is its filter's threshold may be just above it in another batch."""
    whole = run.segment(paths, "square", **GIVEN)["probability"].values
    other = run.segment(paths, "square", batch=batch, **GIVEN)["probability"].values
    assert (np.abs(other - whole) > 1e-5).mean() < 0.02


def test_several_layers_are_served_by_one_pass(run, paths):
    passes = []
    module = small_network()
    module[0].register_forward_hook(lambda *_: passes.append(1))
    network = network_from_module(module, squash)
    _ = network.trace, network.digest
    passes.clear()
    both = run.segment(paths[:5], ["red", "square"], layer=list(LAYERS), network=network)
    assert len(passes) == 1
    assert both["mask"].dims == ("layer", "concept", "image", "y", "x")
    for layer in LAYERS:
        alone = run.segment(paths[:5], "red", layer=layer, **GIVEN)
        np.testing.assert_array_equal(both["mask"].sel(layer=layer, concept="red-c"), alone["mask"])


def encoding_of(weight, bias=0.0, cut=0.0, threshold=0.5):
    weight = torch.tensor([weight])
    return Encoding(
        "0", "segment", "paper", ("dog",), ("object",), torch.full((weight.shape[1],), threshold),
        weight, torch.tensor([bias]), torch.tensor([cut]), (3, 3),
    )  # fmt: skip


def test_bias_and_cut_by_hand():
    # z on a row of two cells, upsampled to three pixels: 2, 0.5, -1.
    grid = torch.tensor([[[2.0, -1.0]]])
    _, mask = predict(grid, encoding_of([1.0]), 0, (1, 3))
    assert mask.tolist() == [[[True, True, False]]]
    probability, mask = predict(grid, encoding_of([1.0], bias=1.0, cut=1.5), 0, (1, 3))
    assert mask.tolist() == [[[True, False, False]]]  # 3, 1.5 and 0 against 1.5: a tie is off
    np.testing.assert_allclose(probability, 1 / (1 + np.exp([[[-3, -1.5, 0]]])), rtol=1e-6)


def test_a_mask_of_the_images_own_size_by_hand():
    """Filters that are red and blue themselves, in an image of 2 x 2 cells enlarged."""
    module = torch.nn.Sequential(torch.nn.Identity())
    network = network_from_module(module, lambda image: _two_by_two(image))
    picture = Image.new("RGB", (5, 3))
    picture.paste((255, 0, 0), (0, 0, 3, 3))  # the left cell is red
    encoding = encoding_of([1.0, 0.0, -1.0])
    (found,) = segment_full_size(ForwardPass(network), gather_images(picture), encoding)
    assert found.mask.shape == (3, 5)
    # From 1 on the left to 0 on the right in steps of a quarter: the last column is 0, so off.
    np.testing.assert_array_equal(found.mask, [[True] * 4 + [False]] * 3)
    z = np.linspace(1, 0, 5)
    np.testing.assert_allclose(found.probability, np.tile(1 / (1 + np.exp(-z)), (3, 1)), rtol=1e-6)


def _two_by_two(image):
    small = image.resize((2, 2), Image.Resampling.NEAREST)
    return torch.from_numpy(np.array(small, dtype=np.float32)).permute(2, 0, 1) / 255


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.integers(2, 5), st.integers(1, 3))
def test_own_size_and_masks_size_read_the_same_function(seed, side, factor):
    grid = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, side, side))).float()
    small = 7
    large = factor * (small - 1) + 1  # then every pixel of the small one is one of the large one
    encoding = encoding_of([1.0], bias=0.3, cut=0.1)
    few, _ = predict(grid, encoding, 0, (small, small))
    many, _ = predict(grid, encoding, 0, (large, large))
    np.testing.assert_allclose(many[:, ::factor, ::factor], few, atol=1e-6)


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        ({"concepts": "dog"}, "no concept 'dog'"),
        ({"concepts": "red", "layer": "9"}, "layer '9'"),
        ({"concepts": "red", "fit": "converged"}, "fit"),
        ({"concepts": "red", "device": "tpu"}, "no device 'tpu'"),
        ({"concepts": "red", "batch": 0}, "batch must be 1"),
        ({"concepts": "red", "images": 3 * [None]}, "NoneType"),
        ({"concepts": "red", "images": torch.zeros(3, 8, 8)}, r"\(3, 32, 32\)"),
        ({"concepts": "red", "images": "gone.png"}, "gone.png"),
        ({"concepts": "red", "images": torch.full((3, 32, 32), torch.nan)}, "NaN or infinite"),
        ({"concepts": "red", "transform": lambda image: squash(image) / 0}, "divide by zero"),
    ],
)
def test_what_cannot_be_answered_is_said(run, paths, ask, wanted):
    with pytest.raises(Net2VecError, match=wanted) as error:
        run.segment(**{"images": paths[:2], **GIVEN, **ask})
    assert "\n" not in str(error.value)
