"""Concept vectors as a space: neighbours and arithmetic."""

from net2vec.spaces.space import Space, SpaceError
from net2vec.spaces.tables import nearest_concepts

__all__ = ["Space", "SpaceError", "nearest_concepts"]
