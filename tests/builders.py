"""A small finished run of random numbers, written by the package's own writers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    fits: Sequence[str] = ("paper",),
    nulls: int = 0,
    seeds: int = 1,
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
        gain: what the combination adds to the single filter's score on the last layer, on average;
            0.1 less on every layer before, so that the last is the best.
        fits: the fits; the first may have seeds.
        nulls: null scores of every concept; the score of every other concept is above all of them.
        seeds: fits with other starts; from two on there are arrays of them.
    """
    rng = np.random.default_rng(seed)
    groups = {}
    for depth, (layer, filters) in enumerate(layers.items()):
        sizes = subsets if depth == len(layers) - 1 else ()
        here = gain - 0.1 * (len(layers) - 1 - depth)
        arrays = {
            "threshold": np.append(rng.uniform(1, 2, filters - 1), 0.0).astype(np.float32),
            "active_share": np.append(np.full(filters - 2, 0.005), [0.0, 0.002]),
            "top_image": rng.choice(image_names(), (filters, 3)),
            "top_activation": np.sort(rng.uniform(2, 9, (filters, 3)).astype(np.float32))[:, ::-1],
        }
        recorded = results.make_dataset(
            "layer",
            arrays,
            {
                "layer": layer,
                "activation": int(depth > 0),
                "grid": [14, 14],
                "mask_size": [112, 112],
                "images": 2 * IMAGES,
            },
        )
        above_one = [size for size in sizes if size > 1]  # one filter is `single` in classification
        shared = _concepts(rng, concepts), _concepts(rng, concepts | image_concepts)
        tasks = {"segment": [], "classify": []}
        for fit in fits:
            of_segment = _segment(rng, shared[0], filters, sizes, pairs, here)
            of_classify = _classify(rng, shared[1], filters, above_one, pairs, here)
            for made in map(_with_subset_counts, (of_segment, of_classify)):
                again = seeds if fit == fits[0] and seeds > 1 else 0
                made = _with_path(made) if fit == "converged" else made
                more = _with_seeds(rng, _with_nulls(rng, made, nulls), again)
                tasks[made.attrs["task"]].append(more.assign_attrs(fit=fit))
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


def _concepts(rng: np.random.Generator, concepts: dict[str, str]) -> dict[str, Any]:
    count = len(concepts)
    return {
        "concept": list(concepts),
        "category": list(concepts.values()),
        "n_train": rng.integers(5, 500, count),
        "n_val": rng.integers(2, 100, count),
        "concept_size": np.exp(rng.uniform(np.log(0.002), np.log(0.4), count)),
    }


def _segment(rng, concepts, filters, sizes, pairs, gain):
    count = len(concepts["concept"])
    single_iou = rng.uniform(0, 0.3, (2, count, filters))
    best = single_iou[0].argmax(axis=1)
    score = single_iou[:, np.arange(count), best] + rng.normal(gain, 0.1, (2, count))
    images = image_names()
    pair_image = [
        name
        for _ in concepts["concept"]
        for half in (images[:IMAGES], images[IMAGES:])
        for name in sorted(rng.choice(half, pairs, replace=False))
    ]
    union = rng.integers(100, 9000, (2, 2 * pairs * count))
    found = (union * np.clip(rng.uniform(-0.3, 0.9, union.shape), 0, None)).astype(int)
    return results.make_dataset(
        "segment",
        {
            **concepts,
            "baseline": 0.8 * concepts["concept_size"],
            "single_iou": single_iou,
            "best_filter": best,
            "weight": rng.normal(size=(count, filters)).astype(np.float32),
            "start_distance": rng.uniform(0.1, 4, count),
            "score": np.clip(score, 0, 1),
            "subset_size": sizes,
            "subset_weight": rng.normal(size=(len(sizes), count, filters)).astype(np.float32),
            "subset_score": rng.uniform(0, 1, (2, len(sizes), count)),
            "pair_iou": found / union,
            "pair_concept": np.repeat(np.array(concepts["concept"], dtype=object), 2 * pairs),
            "pair_image": np.array(pair_image, dtype=object),
            "pair_split": np.tile(
                np.repeat(np.array(["train", "val"], dtype=object), pairs), count
            ),
            "pair_intersection": found.astype(np.int32),
            "pair_union": union.astype(np.int32),
        },
    )


def _classify(rng, concepts, filters, sizes, pairs, gain):
    count = len(concepts["concept"])
    single = rng.uniform(0.4, 0.7, (2, count))
    weight = rng.normal(size=(count, filters)).astype(np.float32)
    return results.make_dataset(
        "classify",
        {
            **concepts,
            "weight": weight,
            "bias": rng.uniform(size=count),
            "best_filter": np.abs(weight).argmax(axis=1),
            "start_distance": rng.uniform(0.1, 9, count),
            "score": np.clip(single + rng.normal(gain, 0.1, (2, count)), 0, 1),
            "single_score": single,
            "subset_size": sizes,
            "subset_weight": rng.normal(size=(len(sizes), count, filters)).astype(np.float32),
            "subset_bias": rng.uniform(size=(len(sizes), count)),
            "subset_score": rng.uniform(0.5, 1, (2, len(sizes), count)),
            "trial_correct": rng.random((2, 2 * pairs * count)) < [[0.6], [0.8]],
            "trial_concept": np.repeat(np.array(concepts["concept"], dtype=object), 2 * pairs),
            "trial_image": np.tile(np.array(image_names()[IMAGES:] * 2, object), count)[
                : 2 * pairs * count
            ],
            "trial_positive": np.tile(np.arange(2 * pairs) < pairs, count),
        },
    )


def _with_subset_counts(made):
    """What subsets make of every image: the larger, the more they are like the combination."""
    found, sizes = {}, np.arange(made.sizes["subset_size"])
    for name in ("pair_intersection", "pair_union", "trial_correct"):
        if name in made and len(sizes):
            combined = made[name].sel({"method": "combined"}, drop=True)
            kept = np.arange(combined.size) % (2 + sizes[:, None]) > 0
            values = combined.values * (kept | ("union" in name))
            found[f"subset_{name}"] = (("subset_size", *combined.dims), values)
    return made.assign(found)


def _with_path(made):
    """As many subsets chosen by an L1 path, somewhat better than those chosen by weight."""
    counts = ("pair_intersection", "pair_union", "trial_correct")
    kept = [name for name in counts if f"subset_{name}" in made]
    return made.assign(
        **{f"path_{name}": made[f"subset_{name}"] for name in kept},
        path_weight=made["subset_weight"] * 2,
        path_bias=made["subset_score"].sel(split="train", drop=True),
        path_score=(made["subset_score"] + 0.01).clip(0, 1),
    )


def _with_nulls(rng, made, nulls):
    """Every other concept is better than all of its null scores, the others are like them."""
    if not nulls:
        return made
    if "single_score" in made:
        single = made["single_score"].sel(split="val").values
    else:
        single = made["single_iou"].sel(split="val").isel(filter=made["best_filter"]).values
    score = np.stack([single, made["score"].sel(split="val").values])
    null = score + rng.uniform(-0.05, 0.05, (nulls, *score.shape))
    null[:, :, ::2] -= 0.1
    return made.assign(null_score=(("null", "method", "concept"), null))


def _with_seeds(rng, made, seeds):
    """Vectors and scores that are like the run's own, a little different with each seed."""
    if not seeds:
        return made

    def again(values):
        copies = np.stack([values] * seeds).astype(float)
        copies[1:] *= rng.normal(1, 0.2, copies[1:].shape)
        return copies

    names = ["weight", "bias", "start_distance", "score", "single_score", "subset_score"]
    found = {}
    for name in names:
        if name in made:
            values, dims = made[name].values, made[name].dims
            place = 1 if "split" in dims else 0
            seeded = (*dims[:place], "seed", *dims[place:])
            found[f"seed_{name}"] = (seeded, np.moveaxis(again(values), 0, place))
    if "single_score" in made:
        best = np.abs(found["seed_weight"][1]).argmax(axis=2)
        found["seed_best_filter"] = (("seed", "concept"), best)
    else:
        combined = again(made["pair_iou"].values[1])
        found["seed_pair_iou"] = (("seed", "pair"), np.clip(combined, 0, 1))
    return made.assign(found).assign_coords(seed=np.arange(seeds))
