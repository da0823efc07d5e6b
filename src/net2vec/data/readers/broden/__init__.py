"""Broden's folder layout: its tables, and the dataset that they describe."""

from net2vec.data.readers.broden.dataset import BrodenDataset
from net2vec.data.readers.broden.tables import (
    INDEX,
    LABELS,
    MAX_NUMBER,
    RESERVED,
    BrodenTables,
    is_broden,
    one_line,
)

__all__ = [
    "INDEX",
    "LABELS",
    "MAX_NUMBER",
    "RESERVED",
    "BrodenDataset",
    "BrodenTables",
    "is_broden",
    "one_line",
]
