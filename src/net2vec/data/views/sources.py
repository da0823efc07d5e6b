"""Images of each concept by the dataset that they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from net2vec.data.annotations import Annotations
from net2vec.data.optional import image_sources
from net2vec.data.protocol import ProbeDataset


def count_sources(dataset: ProbeDataset, annotations: Annotations) -> pd.DataFrame:
    """Number of images by concept and dataset.

    Args:
        dataset: one dataset, or several joined.
        annotations: its compiled annotations.

    Returns:
        A row for each concept that occurs and a column for each dataset, in the dataset's order.
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
    """By concept, its number of images from each dataset that has any."""
    return {
        str(concept): {str(source): int(count) for source, count in row.items() if count}
        for concept, row in sources.to_dict(orient="index").items()
    }
