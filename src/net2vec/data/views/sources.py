"""From which dataset images, and so concepts, come when several are joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from net2vec.data.annotations import Annotations
from net2vec.data.protocol import ProbeDataset


def image_sources(dataset: ProbeDataset) -> Sequence[str]:
    """Name of the dataset that every image comes from: itself, unless it joins several."""
    sources: Sequence[str] | None = getattr(dataset, "sources", None)
    return [dataset.name] * len(dataset.images) if sources is None else sources


def count_sources(dataset: ProbeDataset, annotations: Annotations) -> pd.DataFrame:
    """Images by concept and the dataset that they come from.

    Args:
        dataset: one dataset, or several joined.
        annotations: its annotations, compiled.

    Returns:
        A row a concept that occurs, a column a dataset, both by name and in the dataset's order.
    """
    source_of_image, sources = pd.factorize(np.array(image_sources(dataset), dtype=object))
    counts = {}
    for label, name in enumerate(annotations.names):
        images = annotations.image[annotations.pairs(label)]
        if label and len(images):
            counts[name] = np.bincount(source_of_image[images], minlength=len(sources))
    table = np.array(list(counts.values()), dtype=int).reshape(len(counts), len(sources))
    return pd.DataFrame(table, index=list(counts), columns=list(sources))


def sources_as_json(sources: pd.DataFrame) -> dict[str, dict[str, int]]:
    """By concept, the number of its images from each dataset that has any."""
    return {
        str(concept): {str(source): int(count) for source, count in row.items() if count}
        for concept, row in sources.to_dict(orient="index").items()
    }
