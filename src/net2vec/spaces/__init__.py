"""Concept vectors as a space: neighbours and arithmetic."""

from net2vec.spaces.space import Space, SpaceError

__all__ = ["Space", "SpaceError"]
