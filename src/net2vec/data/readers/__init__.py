"""Readers of dataset layouts, one file or package each; `registry` lists them."""

from net2vec.data.readers.base import Evidence, Reader

__all__ = ["Evidence", "Reader"]
