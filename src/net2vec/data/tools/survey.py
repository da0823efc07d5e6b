"""Counts of a dataset: concepts by category, images by split, size and source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from net2vec.data.annotations import Annotations
from net2vec.data.optional import image_size, layout_of
from net2vec.data.protocol import SPLITS, ProbeDataset
from net2vec.data.views import count_sources, sources_as_json


@dataclass(frozen=True)
class Survey:
    """Counts of a dataset.

    Attributes:
        name, layout, digest: the dataset's; the layout is empty if it was not read from a folder.
        mask_size: rows and columns of the masks that were counted.
        images: number of images by split.
        image_sizes: number of images by (height, width) in pixels, the most frequent first.
        concepts: a row for each concept that occurs, by category and falling number of images:
            `concept`, `category`, `train` and `val` (images), `size` (mean share of the mask over
            the images that contain it), `pixels` (whether it has masks).
        sources: images by concept and dataset (`count_sources`), in the order of `concepts`.
    """

    name: str
    layout: str
    digest: str
    mask_size: tuple[int, int]
    images: dict[str, int]
    image_sizes: dict[tuple[int, int], int]
    concepts: pd.DataFrame
    sources: pd.DataFrame

    def categories(self) -> pd.DataFrame:
        """By category: number of `concepts`, `with_masks`, medians of their `images`, `size`."""
        table = self.concepts.assign(images=self.concepts["train"] + self.concepts["val"])
        groups = table.groupby("category", sort=False)
        return groups.agg(
            concepts=("concept", "size"),
            with_masks=("pixels", "sum"),
            images=("images", "median"),
            size=("size", "median"),
        ).reset_index()

    def as_json(self) -> dict[str, Any]:
        """The survey in lists and dictionaries, for scripts."""
        return {
            "name": self.name,
            "layout": self.layout,
            "digest": self.digest,
            "mask_size": list(self.mask_size),
            "images": self.images,
            "image_sizes": [
                {"height": height, "width": width, "images": count}
                for (height, width), count in self.image_sizes.items()
            ],
            "concepts": self.concepts.to_dict(orient="records"),
            "sources": sources_as_json(self.sources),
        }


def survey_dataset(dataset: ProbeDataset, annotations: Annotations) -> Survey:
    """Counts a dataset.

    Args:
        dataset: the dataset; only the headers of its images are read.
        annotations: its compiled annotations.

    Raises:
        DataError: if an image is missing.
    """
    images = len(dataset.images)
    sizes = Counter(image_size(dataset, index) for index in range(images))
    splits = Counter(dataset.splits)
    pixels = annotations.size[0] * annotations.size[1]
    rows = []
    for label, name in enumerate(annotations.names):
        pairs = annotations.pairs(label)
        if label == 0 or len(pairs) == 0:
            continue
        train = int(annotations.is_train[annotations.image[pairs]].sum())
        rows.append(
            {
                "concept": name,
                "category": annotations.category[label],
                "train": train,
                "val": len(pairs) - train,
                "size": float(annotations.area[pairs].mean() / pixels),
                "pixels": bool(annotations.has_pixels[label]),
            }
        )
    columns = ["concept", "category", "train", "val", "size", "pixels"]
    concepts = pd.DataFrame(rows, columns=columns)
    ranks = {category: rank for rank, category in enumerate(dataset.categories)}
    ordered = concepts.assign(
        category=concepts["category"].map(ranks),
        images=-(concepts["train"] + concepts["val"]),
    )
    order = ordered.sort_values(["category", "images"], kind="stable").index
    return Survey(
        name=dataset.name,
        layout=layout_of(dataset),
        digest=dataset.digest,
        mask_size=annotations.size,
        images={split: splits[split] for split in SPLITS},
        image_sizes=dict(sizes.most_common()),
        concepts=concepts.loc[order].reset_index(drop=True),
        sources=count_sources(dataset, annotations).iloc[order],
    )
