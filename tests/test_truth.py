"""A planted network, whose filters are known, goes through the whole method.

Images show squares in the colours of the corners of the colour cube, on noisy grey. Each planted
filter of the network answers to one of these colours and to no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.data.protocol import Annotation, Plane
from net2vec.networks import Network, Preprocessing, network_from_module
from net2vec.recording import LayerRecording, record
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import segment_concept
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import ClassifiedConcept
from net2vec.tasks.samples import draw_sample
from net2vec.tasks.single import count_single_filters

from builders_data import ArrayDataset, annotate, splits_of

ROUNDS, SIDE, SQUARE, MASK = 9, 56, 16, 112
COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
}
# Opposite corners: no filter of a single pixel can answer to both.
PAIRS = {"red or cyan": ("red", "cyan"), "blue or yellow": ("blue", "yellow")}
# The filter that answers to each colour, and the weights of the filters between them.
PLANTED = {"red": 7, "green": 2, "blue": 11, "cyan": 0, "magenta": 5, "yellow": 3}
OTHERS = {
    1: (3.0, 0.0, 0.0),
    4: (0.0, 3.0, 0.0),
    6: (0.0, 0.0, 3.0),
    8: (3.0, 3.0, 3.0),
    9: (-3.0, -3.0, -3.0),
    10: (0.0, 0.0, 0.0),
}
FILTERS = len(PLANTED) + len(OTHERS)
GAIN = 20
GREY, FADE = 127.5, 0.85  # faded a little, so that noise is not cut off at 0 and 255
# Batches of 8 and not of 64: so few images are to make as many steps as the paper's many.
SEGMENT = Training(learning_rate=1e-4, momentum=0.9, batch=8, epochs=30)
CLASSIFY = Training(learning_rate=0.1, momentum=0.9, batch=64, epochs=30, drop_after=15)


def planted_network() -> Network:
    """A convolution of single pixels. What is not planted answers to channels and brightness."""
    convolution = nn.Conv2d(3, FILTERS, 1)
    for k, weight in OTHERS.items():
        convolution.weight.data[k] = torch.tensor(weight)[:, None, None]
        convolution.bias.data[k] = -1
    for color, k in PLANTED.items():
        # The product with a colour is 3 FADE > 2 at its own corner, at most FADE < 2 elsewhere.
        corner = torch.tensor(COLORS[color]) / GREY - 1
        convolution.weight.data[k] = GAIN * corner[:, None, None]
        convolution.bias.data[k] = -2 * GAIN
    module = nn.Sequential()
    module.add_module("color", convolution)
    module.add_module("relu", nn.ReLU())
    return network_from_module(module, Preprocessing(SIDE, (GREY,) * 3, (GREY,) * 3))


def painted_dataset() -> ArrayDataset:
    """Every two colours side by side, as often as any other two, in either split."""
    generator = np.random.default_rng(0)
    labels = ["", *COLORS, *PAIRS]
    pictures, annotations = [], []
    for two in ROUNDS * list(combinations(COLORS, 2)):
        picture = np.full((SIDE, SIDE, 3), GREY)
        colors = np.zeros((SIDE, SIDE), np.int32)
        for name, half in zip(generator.permutation(two), (0, SIDE // 2), strict=True):
            top = generator.integers(0, SIDE - SQUARE)
            left = half + generator.integers(0, SIDE // 2 - SQUARE)
            place = slice(top, top + SQUARE), slice(left, left + SQUARE)
            picture[place] = GREY + FADE * (np.array(COLORS[name]) - GREY)
            colors[place] = labels.index(name)
        picture += generator.normal(0, 12, picture.shape)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
        planes = [Plane("color", colors)]
        for name, pair in PAIRS.items():
            either = np.isin(colors, [labels.index(color) for color in pair])
            planes.append(Plane("object", either * np.int32(labels.index(name))))
        annotations.append(Annotation(tuple(planes)))
    is_train = np.repeat(np.arange(ROUNDS) % 3 > 0, len(pictures) // ROUNDS)
    return ArrayDataset(labels, ["object", "color"], splits_of(is_train), annotations, pictures)


@dataclass
class Probe:
    recording: LayerRecording
    annotations: Annotations

    def label(self, name: str) -> int:
        return list(self.annotations.names).index(name)


@pytest.fixture(scope="module")
def probe(tmp_path_factory) -> Probe:
    dataset = painted_dataset()
    # A colour covers 2.7 % of all images together; the quantile must leave room for all of it.
    recordings = record(planted_network(), dataset, ["relu"], quantile=0.03, batch=32)
    store = tmp_path_factory.mktemp("store")
    return Probe(recordings["relu"], compile_annotations(dataset, (MASK, MASK), store))


def test_each_color_finds_its_planted_filter(probe):
    labels = [probe.label(name) for name in COLORS]
    counts = count_single_filters(probe.recording, probe.annotations, labels)
    assert counts.best_filter.tolist() == list(PLANTED.values())
    for place, k in enumerate(PLANTED.values()):
        for split in (0, 1):
            iou = counts.set_iou[split, place]
            assert iou[k] > 0.95
            assert np.delete(iou, k).max() < 0.5


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_of_colors_takes_both_of_its_filters(probe, name):
    label = probe.label(name)
    single = count_single_filters(probe.recording, probe.annotations, [label])
    found = segment_concept(
        probe.recording,
        probe.annotations,
        label,
        best_filter=int(single.best_filter[0]),
        subset_sizes=[2],
        training=SEGMENT,
        seed=0,
    )
    filters = {PLANTED[color] for color in PAIRS[name]}
    assert set(np.argsort(found.weight)[-2:]) == filters
    assert set(np.flatnonzero(found.subset_weight[0])) == filters
    for split in (0, 1):
        best = single.set_iou[split, 0].max()
        assert best < 0.5
        assert found.score[split] > best + 0.15
        assert found.subset_score[split, 0] > best + 0.3


def classify(probe: Probe, annotations: Annotations, labels: list[int]) -> list[ClassifiedConcept]:
    samples = [
        draw_sample(annotations, label, epochs=CLASSIFY.epochs, seed=0, dataset="")
        for label in labels
    ]
    names = [annotations.names[label] for label in labels]
    return classify_concepts(
        probe.recording, names, samples, subset_sizes=[], training=CLASSIFY, seed=0
    )


def test_colors_are_told_by_their_planted_filters(probe):
    found = classify(probe, probe.annotations, [probe.label(name) for name in COLORS])
    assert [one.best_filter for one in found] == list(PLANTED.values())
    for one in found:
        assert one.score.min() > 0.95
        assert one.single_score.min() > 0.95


def test_labels_shuffled_over_images_are_told_by_chance(probe, tmp_path):
    generator = np.random.default_rng(0)
    shuffled = {}
    for name in [*COLORS, *PAIRS]:
        has = np.zeros(len(probe.annotations.is_train), dtype=bool)
        has[probe.annotations.image[probe.annotations.pairs(probe.label(name))]] = True
        shuffled |= {f"{name} {time}": generator.permutation(has) for time in range(8)}
    annotations = annotate(tmp_path, {}, list(probe.annotations.is_train), shuffled)
    labels = choose_concepts(annotations, "classify").labels
    assert len(labels) == len(shuffled)
    train, val = np.array([one.score for one in classify(probe, annotations, labels)]).T
    error = val.std(ddof=1) / len(val) ** 0.5
    assert error < 0.02
    assert abs(val.mean() - 0.5) < 2 * error
    # What was learned by heart does not show in the images that were not learned from.
    assert train.mean() > 0.55
