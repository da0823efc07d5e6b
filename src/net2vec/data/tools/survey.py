"""What a dataset holds: concepts by category, images by split, sizes, sources."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from net2vec.data.annotations import Annotations
from net2vec.data.protocol import SPLITS, ProbeDataset
from net2vec.data.views import count_sources, image_size, sources_as_json


@dataclass(frozen=True)
class Survey:
    """A dataset in numbers.

    Attributes:
        name, digest: the dataset's.
        mask_size: rows and columns of the masks that were counted.
        images: number of images by split.
        image_sizes: number of images by (height, width), the most frequent first.
        concepts: a row a concept that occurs, by category and falling number of images: `concept`,
            `category`, `train` and `val` (images), `size` (mean share of the mask over the images
            that contain it), `pixels` (whether it has masks).
        sources: images by concept and the dataset they come from (`count_sources`), in the order
            of `concepts`.
    """

    name: str
    digest: str
    mask_size: tuple[int, int]
    images: dict[str, int]
    image_sizes: dict[tuple[int, int], int]
    concepts: pd.DataFrame
    sources: pd.DataFrame

    def categories(self) -> pd.DataFrame:
        """A row a category: `category`, `concepts`, `with_masks`, and the median over its concepts
        of `images` and `size`.
        """
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
        dataset: what to count; of its images at most the headers are read.
        annotations: its annotations, compiled.

    Raises:
        DataError: an image is missing.
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
    order = {category: place for place, category in enumerate(dataset.categories)}
    ranks = pd.DataFrame(
        {
            "category": concepts["category"].map(order),
            "images": -(concepts["train"] + concepts["val"]),
        }
    )
    ordered = ranks.sort_values(["category", "images"], kind="stable").index
    return Survey(
        name=dataset.name,
        digest=dataset.digest,
        mask_size=annotations.size,
        images={split: splits[split] for split in SPLITS},
        image_sizes=dict(sizes.most_common()),
        concepts=concepts.loc[ordered].reset_index(drop=True),
        sources=count_sources(dataset, annotations).iloc[ordered],
    )
