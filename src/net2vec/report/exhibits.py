"""Which images a report shows, and the images once somebody has rendered their masks.

The report knows neither networks nor datasets. It says which masks it wants, and is handed them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool
from PIL import Image

from net2vec.analysis import by_concept, choose_concepts, choose_deciles, individual_ious
from net2vec.runs import Run


@dataclass(frozen=True)
class DecileImage:
    """An image at a decile of a concept's non-zero individual IoUs.

    Attributes:
        name: the image's name in the dataset.
        method: whose IoUs the decile is of, "single" or "combined".
        decile: 1 to 10; the image at 10 is the best of all.
        iou_single: individual IoU of the best single filter.
        iou_combined: individual IoU of all filters.
    """

    name: str
    method: str
    decile: int
    iou_single: float
    iou_combined: float


@dataclass(frozen=True)
class DecileRequest:
    """The masks wanted for one concept on one layer of a run.

    Attributes:
        run: the position of the run among those reported.
        layer: the layer's name.
        concept: the concept's name.
        best_filter: its best single filter.
        score_single: set IoU of that filter on the validation images.
        score_combined: set IoU of all filters on the validation images.
        images: by method and growing decile; an image may stand here twice.
    """

    run: int
    layer: str
    concept: str
    best_filter: int
    score_single: float
    score_combined: float
    images: tuple[DecileImage, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The images to render, each once."""
        return tuple(dict.fromkeys(image.name for image in self.images))


@dataclass(frozen=True)
class MaskedImage:
    """An image and three masks of one concept in it, all on one grid of any size.

    Attributes:
        image: the picture, in any size; masks cover all of it.
        truth: the annotation.
        single: where the best single filter finds the concept.
        combined: where all filters together find it.
    """

    image: Image.Image
    truth: Bool[np.ndarray, "y x"]
    single: Bool[np.ndarray, "y x"]
    combined: Bool[np.ndarray, "y x"]


@dataclass(frozen=True)
class DecileExhibit:
    """A request with its pictures, by image name (Fig. 8)."""

    request: DecileRequest
    pictures: Mapping[str, MaskedImage]


def plan_exhibits(
    runs: Sequence[Run], *, concepts: int = 6, least_images: int = 10
) -> list[DecileRequest]:
    """What a report of these runs wants to show: deciles of several concepts of the first run.

    The concepts are spread over the scores and categories of the last layer (`choose_concepts`)
    among those that all filters find, at least in part, in `least_images` validation images.

    Args:
        runs: as they are given to `build_report`.
        concepts: how many concepts.
        least_images: validation images with a non-zero individual IoU that a concept needs; if no
            concept has so many, one image suffices.
    """
    run = runs[0]
    layer = run.layers[-1]
    if "segment" not in run.tasks(layer):
        return []
    segment = run.arrays(layer, task="segment")
    ious = individual_ious(segment)
    found = ious[(ious["method"] == "combined") & (ious["iou"] > 0)]
    counts = found.groupby("concept").size()
    scores = run.scores
    table = by_concept(scores[(scores["layer"] == layer) & (scores["task"] == "segment")])
    least = least_images if counts.ge(least_images).any() else 1
    chosen = choose_concepts(table, count=concepts, counts=counts, least=least)
    best = dict(zip(segment["concept"].values, segment["best_filter"].values, strict=True))
    score = dict(
        zip(table["concept"], zip(table["single"], table["combined"], strict=True), strict=True)
    )
    return [
        DecileRequest(
            run=0,
            layer=layer,
            concept=concept,
            best_filter=int(best[concept]),
            score_single=float(score[concept][0]),
            score_combined=float(score[concept][1]),
            images=_decile_images(ious[ious["concept"] == concept], concept),
        )
        for concept in chosen
    ]


def _decile_images(ious: pd.DataFrame, concept: str) -> tuple[DecileImage, ...]:
    iou: dict[str, dict[str, float]] = {
        str(method): dict(zip(rows["image"], rows["iou"], strict=True))
        for method, rows in ious.groupby("method")
    }
    return tuple(
        DecileImage(
            name=str(image),
            method=method,
            decile=int(decile),
            iou_single=float(iou["single"][image]),
            iou_combined=float(iou["combined"][image]),
        )
        for method in ("combined", "single")
        for chosen in [choose_deciles(ious, concept, method=method)]
        for image, decile in zip(chosen["image"], chosen["decile"], strict=True)
    )
