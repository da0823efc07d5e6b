"""Bases: features that a layer is probed by in the place of its channels."""
