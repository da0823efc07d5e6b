"""Weights in files: what they hold, and how they fit a network."""
