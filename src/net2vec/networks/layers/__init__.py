"""Layers of a network: their names, outputs and layouts."""
