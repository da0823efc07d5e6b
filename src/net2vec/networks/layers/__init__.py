"""Layers of a network: which there are, how they are named, and what they put out."""
