"""What a layer can do with a concept: segment it, or tell whether it is there."""
