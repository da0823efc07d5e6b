"""The tasks on a layer: segment a concept, or classify whether an image contains it."""
