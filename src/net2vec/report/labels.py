"""Names of tasks, scores, methods, fits, columns and verdicts as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from net2vec.vocabulary import FITS

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
RULE_TITLE = {
    "weight": "largest weights",
    "path": "order of entry",
    "backward": "backward elimination",
}


def about_fit(name: str) -> str:
    """A few words on how a fit learns; empty for one of another package."""
    if name not in FITS:
        return ""
    by = FITS[name].classifies_by
    return FITS[name].about + (f"; classifies by the {FITS[by].title}" if by else "")


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
    "average_precision": "average precision",
    "baseline": "whole image",
    "combined": "all filters",
    "concept_size": "mean size",
    "high": "95 % to",
    "low": "95 % from",
    "method": "predicted by",
    "n": "concepts",
    "n_train": "training images",
    "ranked": "concept",
    "series": "run",
    "set_iou": "set IoU",
    "single": "best single",
    "stderr": "± standard error",
    "tuned": "single, own threshold",
}
"""Headings of columns that mean the same in every table, the keys and scores of concepts. All other
headings stand where a table is shown."""

VALUE_TITLE: Mapping[str, Mapping[Any, str]] = {
    "task": TASK_TITLE,
    "method": SCORED_TITLE,
    "rule": RULE_TITLE,
    "values": {True: "after an activation", False: "raw"},
    "passes": {True: "yes", False: "no"},
    "lost": {True: "lower", False: "as high or higher"},
}
"""By column, how its values are shown."""
