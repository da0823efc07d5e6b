"""The schema of `results.zarr`: every stored array, declared once.

Arrays are written, read, checked, viewed with another seed and documented from these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from net2vec.results.stored_array import StoredArray
from net2vec.vocabulary import METHODS as METHODS
from net2vec.vocabulary import SPLITS as SPLITS
from net2vec.vocabulary import TASKS as TASKS

SEGMENT, CLASSIFY = TASKS
LAYER = "layer"

SCORE_NAME = {SEGMENT: "set IoU", CLASSIFY: "accuracy"}
_SCORE = {SEGMENT: "set IoU", CLASSIFY: "accuracy on a balanced set of images"}
_NULL_SCORE, _SUBSET_SCORE = (
    {task: text.format(score) for task, score in _SCORE.items()}
    for text in ("validation {} of the fit on shuffled annotations", "{} of the subset")
)
# The filters of subsets that are not those of the largest weights.
_BY_PATH = "the filters that the fit lets in first"
_BY_ELIMINATION = "the filters that backward elimination leaves"

DIMENSIONS: Mapping[str, str] = {
    "filter": "filters of the layer",
    "rank": "images of a filter, the highest activation first",
    "concept": "concepts of the task",
    "split": "training and validation images",
    "method": "the best single filter, and the combination of all filters",
    "subset_size": "numbers of filters that were learned with again",
    "pair": "an image and a concept that it contains, the concepts one after the other",
    "truth": "an image with masks by people and a concept that is in it by these or by made masks, "
    "the concepts one after the other",
    "trial": "an image of a concept's balanced validation set, the concepts one after the other",
    "null": "shuffles of the annotations",
    "seed": "seeds of the fit, the run's own first",
}
"""The dimensions and what lies along them."""


_S, _C, _L = (SEGMENT,), (CLASSIFY,), (LAYER,)
_SUBSET = ("subset_size", "concept")
_INTERSECTION = "pixels in both the true mask and the predicted one"
_UNION = "pixels in either of the true mask and the predicted one"
_RIGHT = "whether an image of the balanced validation set falls on the right side"


def _coordinate(
    name: str,
    meaning: str,
    dtype: str | None = "str",
    *,
    dim: str = "",
    units: str | None = None,
    tasks: tuple[str, ...] = TASKS,
    optional: bool = False,
) -> StoredArray:
    required = () if optional else tasks
    return StoredArray(
        name, (dim or name,), meaning, units, tasks, required, dtype, coordinate=True
    )


def _by_rule(
    name: str, dim: str, meaning: str, units: str | None, task: str, dtype: str
) -> list[StoredArray]:
    """An array over the images of every concept: by the fit and by all rules of subsets."""
    rules = [
        ("", "method", ""),
        ("subset_", "subset_size", ", by the subset"),
        ("path_", "subset_size", f", by {_BY_PATH}"),
    ]
    if task == SEGMENT:
        rules.append(("backward_", "subset_size", f", by {_BY_ELIMINATION}"))
    return [
        StoredArray(f"{prefix}{name}", (along, dim), meaning + by, units, (task,), dtype=dtype)
        for prefix, along, by in rules
    ]


def _of_subsets(rule: str, filters: str, tasks: tuple[str, ...]) -> list[StoredArray]:
    """The vectors and scores of subsets that are chosen by a rule."""
    score = {task: f"{_SCORE[task]} of {filters}" for task in tasks}
    return [
        StoredArray(
            f"{rule}_weight", (*_SUBSET, "filter"), f"weights on {filters}, 0 elsewhere",
            tasks=tasks,
        ),
        StoredArray(f"{rule}_bias", _SUBSET, f"constant term of {filters}", tasks=tasks),
        StoredArray(f"{rule}_cut", _SUBSET, f"cut of {filters}", tasks=_S),
        StoredArray(f"{rule}_score", ("split", *_SUBSET), score, "1", tasks),
    ]  # fmt: skip


SCHEMA: tuple[StoredArray, ...] = (
    _coordinate("filter", "index of the filter", "int64", tasks=(*_L, *TASKS)),
    _coordinate("rank", "place among the images of a filter, from 0", "int64", tasks=_L),
    _coordinate("concept", "name of the concept"),
    _coordinate("category", "category in which the concept covers most", dim="concept"),
    _coordinate("n_train", "training images", "int64", dim="concept"),
    _coordinate("n_val", "validation images", "int64", dim="concept"),
    _coordinate(
        "concept_size", "mean share of the mask over the training images", "float64",
        dim="concept", units="1",
    ),
    _coordinate(
        "n_balanced", "images of the balanced validation set", "int64",
        dim="concept", tasks=_C, optional=True,
    ),
    _coordinate(
        "baseline", "validation set IoU of predicting the whole image", "float64",
        dim="concept", units="1", tasks=_S, optional=True,
    ),
    _coordinate("split", "training or validation images"),
    _coordinate("subset_size", "number of filters", "int64"),
    _coordinate("method", "best single filter, or combination of all", optional=True),
    _coordinate("pair_concept", "the concept", dim="pair", tasks=_S),
    _coordinate("pair_image", "the image", dim="pair", tasks=_S),
    _coordinate("pair_split", "the split of the image", dim="pair", tasks=_S),
    _coordinate("truth_concept", "the concept", dim="truth", tasks=_S, optional=True),
    _coordinate("truth_image", "the image", dim="truth", tasks=_S, optional=True),
    _coordinate("truth_split", "the split of the image", dim="truth", tasks=_S, optional=True),
    _coordinate(
        "pair_area", "pixels of the true mask", "int32", dim="pair", units="pixel", tasks=_S,
        optional=True,
    ),
    _coordinate("trial_concept", "the concept", dim="trial", tasks=_C, optional=True),
    _coordinate("trial_image", "the image", dim="trial", tasks=_C, optional=True),
    _coordinate(
        "trial_positive", "whether the image contains the concept", "bool",
        dim="trial", tasks=_C, optional=True,
    ),
    _coordinate("null", "number of the draw", "int64", optional=True),
    _coordinate("seed", "seed of the fit; the first is the run's own", "int64", optional=True),
    StoredArray(
        "threshold", ("filter",),
        "activation above which a filter is on (T_k), midway between two values that occur",
        tasks=_L, required=_L,
    ),
    StoredArray(
        "active_share", ("filter",), "share of positions where the filter is on", "1", _L, _L
    ),
    StoredArray(
        "top_image", ("filter", "rank"), "images with the highest activation",
        tasks=_L, required=_L, dtype="str",
    ),
    StoredArray(
        "top_activation", ("filter", "rank"), "highest activation in the image",
        tasks=_L, required=_L,
    ),
    StoredArray(
        "single_iou", ("split", "concept", "filter"), "set IoU of every filter", "1", _S, _S,
        seed_free=_S,
    ),
    StoredArray(
        "single_score", ("split", "concept"), "accuracy of the best filter alone", "1", _C, _C,
        per_seed=_C,
    ),
    StoredArray(
        "best_filter", ("concept",),
        {
            SEGMENT: "filter of the highest set IoU on the training images",
            CLASSIFY: "filter of the largest absolute weight",
        },
        required=TASKS, dtype="int64", per_seed=_C, seed_free=_S,
    ),
    StoredArray(
        "tuned_threshold", ("concept", "filter"),
        "activation above which a filter segments the concept best on the training images; minus "
        "infinity where that is the whole image",
        tasks=_S, seed_free=_S,
    ),
    StoredArray(
        "tuned_iou", ("split", "concept", "filter"),
        "set IoU of every filter at its own threshold", "1", _S, seed_free=_S,
    ),
    StoredArray(
        "tuned_filter", ("concept",),
        "filter of the highest set IoU on the training images at its own threshold",
        tasks=_S, dtype="int64", seed_free=_S,
    ),
    StoredArray(
        "tuned_average_precision", ("concept",),
        "average precision of the tuned filter’s activation over the pixels of validation images",
        "1", _S, seed_free=_S,
    ),
    StoredArray(
        "weight", ("concept", "filter"), "learned weights: the concept's vector",
        required=TASKS, per_seed=TASKS,
    ),
    StoredArray(
        "filter_scale", ("filter",), "what activations are multiplied by before they are weighed",
        tasks=_S,
    ),
    StoredArray(
        "pattern", ("concept", "filter"),
        "difference of the mean activations of foreground and background, each filter in its "
        "standard deviations",
        tasks=_S,
    ),
    StoredArray(
        "whitened", ("concept", "filter"), "the pattern where filters are made uncorrelated",
        tasks=_S,
    ),
    StoredArray(
        "bias", ("concept",), "constant term (b)", required=_C, per_seed=_C, seed_free=_S
    ),
    StoredArray(
        "cut", ("concept",), "a pixel is predicted where z + bias is above it", tasks=_S,
        seed_free=_S,
    ),
    StoredArray(
        "l2", ("concept",), "strength of the L2 term", seed_free=TASKS
    ),
    StoredArray(
        "start_distance", ("concept",),
        "how far learning moved the vector: norm(w - w0) / norm(w0)", "1",
        required=TASKS, per_seed=TASKS,
    ),
    StoredArray(
        "score", ("split", "concept"), _SCORE, "1", required=TASKS, per_seed=TASKS
    ),
    StoredArray(
        "average_precision", ("concept",),
        "average precision of z over the pixels of validation images that contain the concept",
        "1", _S,
    ),
    StoredArray(
        "subset_weight", (*_SUBSET, "filter"),
        "weights learned on the subset of filters, 0 elsewhere", required=TASKS,
    ),
    StoredArray("subset_bias", _SUBSET, "constant term of the subset", required=_C),
    StoredArray("subset_cut", _SUBSET, "cut of the subset", tasks=_S),
    StoredArray(
        "subset_score", ("split", *_SUBSET), _SUBSET_SCORE, "1", required=TASKS, per_seed=TASKS
    ),
    *_of_subsets("path", _BY_PATH, TASKS),
    *_of_subsets("backward", _BY_ELIMINATION, _S),
    StoredArray(
        "pair_iou", ("method", "pair"), "individual IoU of an image and a concept it contains",
        "1", _S, _S, per_seed=_S,
    ),
    *_by_rule("pair_intersection", "pair", _INTERSECTION, "pixel", SEGMENT, "int32"),
    *_by_rule("pair_union", "pair", _UNION, "pixel", SEGMENT, "int32"),
    StoredArray(
        "has_truth", ("concept",), "whether the dataset of masks by people knows the concept",
        tasks=_S, dtype="bool",
    ),
    StoredArray(
        "truth_intersection", ("method", "truth"),
        "pixels in both the mask by people and the predicted one", "pixel", _S, dtype="int32",
    ),
    StoredArray(
        "truth_union", ("method", "truth"),
        "pixels in either of the mask by people and the predicted one; 0 where people see none",
        "pixel", _S, dtype="int32",
    ),
    StoredArray(
        "annotator_intersection", ("truth",), "pixels in both the mask by people and the made one",
        "pixel", _S, dtype="int32",
    ),
    StoredArray(
        "annotator_union", ("truth",), "pixels in either of the mask by people and the made one",
        "pixel", _S, dtype="int32",
    ),
    StoredArray(
        "tuned_pair_intersection", ("pair",), f"{_INTERSECTION}, by the tuned filter", "pixel", _S,
        dtype="int32", seed_free=_S,
    ),
    StoredArray(
        "tuned_pair_union", ("pair",), f"{_UNION}, by the tuned filter", "pixel", _S,
        dtype="int32", seed_free=_S,
    ),
    *_by_rule("trial_correct", "trial", _RIGHT, None, CLASSIFY, "bool"),
    StoredArray("null_score", ("null", "method", "concept"), _NULL_SCORE, "1"),
    StoredArray(
        "null_weight", ("null", "concept", "filter"), "weights of the fit on shuffled annotations"
    ),
)  # fmt: skip
"""All arrays of `results.zarr`, but for those of seeds, which are declared by what they repeat."""


@cache
def declared(task: str) -> Mapping[str, StoredArray]:
    """The arrays that a group of this kind may hold, by name, those of seeds among them.

    Args:
        task: `segment`, `classify` or `layer`.
    """
    own = [each for each in SCHEMA if task in each.tasks]
    seeded = [each.of_seeds() for each in own if task in (*each.per_seed, *each.seed_free)]
    return {each.name: each for each in (*own, *seeded)}
