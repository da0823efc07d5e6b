"""A small finished run of random numbers, written by the package's own writers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from net2vec import results

CONCEPTS = {
    "red-c": "color",
    "blue-c": "color",
    "traffic light": "object",
    "traffic": "object",
    "dog": "object",
    "null": "object",
    "<b>boat</b>": "object",
    "wheel": "part",
    "window": "part",
    "wood": "material",
    "grass": "material",
    "brick": "material",
}
SCENES = {"street-s": "scene", "beach-s": "scene"}
LAYERS = {"stem/relu": 8, "blocks.6": 16}
SUBSETS = (1, 2, 4)
IMAGES = 60


def build_run(
    folder: Path,
    *,
    network: str = "planted",
    trained: bool = True,
    seed: int = 0,
    concepts: dict[str, str] = CONCEPTS,
    image_concepts: dict[str, str] = SCENES,
    layers: dict[str, int] = LAYERS,
    subsets: Sequence[int] = SUBSETS,
    pairs: int = 30,
    gain: float = 0.2,
) -> Path:
    """Write a run of random results and return its folder.

    Args:
        folder: where to; made if need be.
        network: the network's name.
        trained: what the provenance says of it.
        seed: decides every number.
        concepts: category by name, for both tasks.
        image_concepts: category by name, for classification alone.
        layers: number of filters by name; subsets are on the last one.
        subsets: the subset sizes.
        pairs: images of each split that contain a concept.
        gain: what the combination adds to the single filter's score, on average.
    """
    rng = np.random.default_rng(seed)
    groups = {}
    for depth, (layer, filters) in enumerate(layers.items()):
        sizes = subsets if depth == len(layers) - 1 else ()
        recorded = results.layer_dataset(
            threshold=np.append(rng.uniform(1, 2, filters - 1), 0.0).astype(np.float32),
            active_share=np.append(np.full(filters - 2, 0.005), [0.0, 0.002]),
            top_image=rng.choice(image_names(), (filters, 3)).astype(object),
            top_activation=np.sort(rng.uniform(2, 9, (filters, 3)).astype(np.float32))[:, ::-1],
            attrs={
                "layer": layer,
                "activation": depth > 0,
                "grid": [14, 14],
                "mask_size": [112, 112],
                "images": 2 * IMAGES,
            },
        )
        tasks = {
            "segment": _segment(rng, _concepts(rng, concepts), filters, sizes, pairs, gain),
            "classify": _classify(
                rng,
                _concepts(rng, concepts | image_concepts),
                filters,
                [size for size in sizes if size > 1],  # one filter is `single` here
                gain,
            ),
        }
        groups[layer] = (recorded, tasks)
    tree = results.results_tree(network=network, layers=groups)
    results.save_tree(tree, folder / "results.zarr")
    results.save_table(results.scores_table(tree), folder / "scores.csv")
    skipped = pd.DataFrame(
        [
            (network, "", "segment", "street-s", None, "no pixel annotation"),
            (network, "", "classify", "null & void", None, "no validation image"),
        ],
        columns=list(results.SKIPPED_COLUMNS),
    )
    results.save_table(skipped, folder / "skipped.csv")
    results.save_json(
        {
            "versions": {"net2vec": "0"},
            "network": {"name": network, "weights": "planted", "trained": trained},
            "data": {"name": "toys", "train_images": IMAGES, "val_images": IMAGES},
            "seconds": {"record": 1.5, "segment": 20.0},
            "peak_memory_bytes": {"record": 2**29, "segment": 3 * 2**29},
        },
        folder / "provenance.json",
    )
    return folder


def image_names() -> list[str]:
    """The images of a built run: the first half is for training."""
    return [f"image_{index:03}.jpg" for index in range(2 * IMAGES)]


def _concepts(rng: np.random.Generator, concepts: dict[str, str]) -> results.Concepts:
    count = len(concepts)
    return results.Concepts(
        names=list(concepts),
        category=list(concepts.values()),
        n_train=rng.integers(5, 500, count),
        n_val=rng.integers(2, 100, count),
        concept_size=np.exp(rng.uniform(np.log(0.002), np.log(0.4), count)),
    )


def _segment(rng, concepts, filters, sizes, pairs, gain):
    count = len(concepts.names)
    single_iou = rng.uniform(0, 0.3, (2, count, filters))
    best = single_iou[0].argmax(axis=1)
    score = single_iou[:, np.arange(count), best] + rng.normal(gain, 0.1, (2, count))
    images = image_names()
    pair_image = [
        name
        for _ in concepts.names
        for half in (images[:IMAGES], images[IMAGES:])
        for name in sorted(rng.choice(half, pairs, replace=False))
    ]
    pair_iou = np.clip(rng.uniform(-0.3, 0.9, (2, 2 * pairs * count)), 0, None)
    return results.segment_dataset(
        concepts,
        single_iou=single_iou,
        best_filter=best,
        weight=rng.normal(size=(count, filters)).astype(np.float32),
        start_distance=rng.uniform(0.1, 4, count),
        score=np.clip(score, 0, 1),
        subset_sizes=sizes,
        subset_weight=rng.normal(size=(len(sizes), count, filters)).astype(np.float32),
        subset_score=rng.uniform(0, 1, (2, len(sizes), count)),
        pair_iou=pair_iou,
        pair_concept=np.repeat(np.array(concepts.names, dtype=object), 2 * pairs),
        pair_image=np.array(pair_image, dtype=object),
        pair_split=np.tile(np.repeat(np.array(["train", "val"], dtype=object), pairs), count),
    )


def _classify(rng, concepts, filters, sizes, gain):
    count = len(concepts.names)
    single = rng.uniform(0.4, 0.7, (2, count))
    weight = rng.normal(size=(count, filters)).astype(np.float32)
    return results.classify_dataset(
        concepts,
        weight=weight,
        bias=rng.uniform(size=count),
        best_filter=np.abs(weight).argmax(axis=1),
        start_distance=rng.uniform(0.1, 9, count),
        score=np.clip(single + rng.normal(gain, 0.1, (2, count)), 0, 1),
        single_score=single,
        subset_sizes=sizes,
        subset_weight=rng.normal(size=(len(sizes), count, filters)).astype(np.float32),
        subset_bias=rng.uniform(size=(len(sizes), count)),
        subset_score=rng.uniform(0.5, 1, (2, len(sizes), count)),
    )
