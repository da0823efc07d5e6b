"""Datasets made of datasets: renamed, joined, with colours."""

from net2vec.data.views.coloring import with_colors
from net2vec.data.views.joining import JoinedDataset
from net2vec.data.views.relabelling import RelabelledDataset, image_sources, without_labels

__all__ = [
    "JoinedDataset",
    "RelabelledDataset",
    "image_sources",
    "with_colors",
    "without_labels",
]
