"""Datasets made from other datasets: relabelled, joined, with colours added."""

from net2vec.data.views.coloring import with_colors
from net2vec.data.views.joining import JoinedDataset
from net2vec.data.views.relabelling import RelabelledDataset, check_label, without_labels
from net2vec.data.views.selecting import ResplitDataset, without_missing
from net2vec.data.views.sources import count_sources, sources_as_json

__all__ = [
    "JoinedDataset",
    "RelabelledDataset",
    "ResplitDataset",
    "check_label",
    "count_sources",
    "sources_as_json",
    "with_colors",
    "without_labels",
    "without_missing",
]
