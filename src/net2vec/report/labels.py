"""Names of tasks, scores, methods, fits, columns and verdicts as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

MARK = "†"
"""After the name of a concept whose vector has hardly left its random start."""

SMALL = "‡"
"""After the name of a concept whose accuracy is of too few images to enter means."""


def plain_name(marked: str) -> str:
    """A concept's name without the marks after it."""
    for mark in (SMALL, MARK):
        marked = marked.removesuffix(f" {mark}")
    return marked


TASK_TITLE = {"segment": "segmentation", "classify": "classification"}
SCORE_TITLE = {"segment": "set IoU", "classify": "accuracy"}
METHOD_TITLE = {"combined": "all filters", "single": "best single filter"}
SCORED_TITLE = {**METHOD_TITLE, "tuned": "single filter, own threshold"}
"""Methods that have a score of their own, but no pictures, null scores or seeds."""
RULE_TITLE = {"weight": "largest weights", "path": "order of entry"}


class Verdict(StrEnum):
    """The conclusion about a finding from two fits."""

    HOLDS = "holds"
    RESTS = "depends on the fit"
    PARTLY = "depends partly on the fit"
    OPEN = "undecided"
    ONLY = "only with the second fit"
    NEITHER = "not seen with either"
    LESS = "less than by chance with both"
    NO_DROP = "no clear drop"


FINDING_TITLE = {
    "better": "All filters encode most concepts at least as well as the best one (Table 1)",
    "failures": "Concepts that lose by the combination (failures, sec. 4.1)",
    "remaining": "Failures of the first fit that remain (sec. 4.1)",
    "drop": "The mean score drops after its optimum (Fig. 3)",
    "sharing": "Concepts for each filter that has a largest weight (Fig. 5)",
    "neighbours": "The nearest concept is of the same category (Table 2)",
}

SETUP_TITLE = {
    "weights": "weights",
    "licence": "licence",
    "data": "probe dataset",
    "train": "training images",
    "val": "validation images",
    "fits": "fits",
    "starts": "random starts",
    "never_on": "filters never on",
    "zero": "filters with threshold 0",
    "memory": "peak memory",
}

COLUMN_TITLE = {
    "above": "interval above 0",
    "annotator_iou": "annotator's IoU",
    "as_good": "all filters at least as good",
    "average_precision": "average precision",
    "baseline": "whole image",
    "below": "interval below 0",
    "best": "best layer",
    "by_chance": "by chance",
    "category_by_chance": "same category, by chance",
    "cka": "CKA",
    "cka_by_chance": "CKA, by chance",
    "combined": "all filters",
    "concept_size": "mean size",
    "corrected": "on masks by people, estimated",
    "cosine": "cosine",
    "difference": "difference",
    "distance": "D",
    "few": "with at most 20 training images",
    "fewest": "filters for 90 %",
    "first": "largest weight",
    "full": "with all filters",
    "high": "95 % to",
    "hundred": "at most 100",
    "lost": "all filters score",
    "low": "95 % from",
    "mean_ratio": "all filters / single",
    "method": "predicted by",
    "missed": "concept missed entirely",
    "most": "most concepts of one filter",
    "moved": "hardly moved",
    "n": "concepts",
    "n_balanced": "images of the accuracy",
    "n_shown": "of these, with the concept",
    "n_train": "training images",
    "n_true": "with masks by people",
    "needed": "must beat all null scores",
    "neighbours_by_chance": "same neighbours, by chance",
    "never_active": "never on",
    "null_mean": "mean null score",
    "nulls": "null scores each",
    "number": "left out",
    "overlap": "same neighbours",
    "p_value": "p (Fisher)",
    "passed": "pass",
    "peak": "highest mean",
    "peak_filters": "with filters",
    "percent": "significant correlation",
    "procrustes": "Procrustes",
    "ranked": "concept",
    "rsa": "RSA",
    "same_category": "same category",
    "same_filter": "same filter in both",
    "score_sd": "score, ± sd",
    "seeds": "starts",
    "self_cosine": "cosine with itself",
    "series": "run",
    "shared_by_chance": "by chance",
    "set_iou": "set IoU",
    "sharing": "concepts that share their filter",
    "single": "best single",
    "size_group": "size in the image",
    "stderr": "± standard error",
    "ten": "ten largest weights",
    "tiny": "below 1 % of the image",
    "tuned": "single, own threshold",
    "uncorrected": "on made masks",
    "used": "filters best for a concept",
    "value": "score",
    "verdict": "verdict",
    "width": "median width, all filters",
    "zero": "threshold 0",
}
"""Headings of columns whose name in a frame is not their heading."""

VALUE_TITLE: Mapping[str, Mapping[Any, str]] = {
    "task": TASK_TITLE,
    "method": SCORED_TITLE,
    "rule": RULE_TITLE,
    "values": {True: "after an activation", False: "raw"},
    "passes": {True: "yes", False: "no"},
    "lost": {True: "lower", False: "as high or higher"},
}
"""By column, how its values are shown."""
