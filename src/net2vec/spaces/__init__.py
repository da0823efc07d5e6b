"""Concept vectors as a space: neighbours, arithmetic, clusters, comparison, other tools' files."""

from net2vec.spaces.comparison import Comparison, compare_spaces
from net2vec.spaces.export import save_csv, save_projector, save_safetensors, save_word2vec
from net2vec.spaces.sources import (
    Lookup,
    file_space,
    load_synonyms,
    word_space,
    wordnet_space,
)
from net2vec.spaces.space import Space, SpaceError
from net2vec.spaces.tables import (
    EXPRESSIONS,
    cluster_concepts,
    nearest_concepts,
    solve_expressions,
)

__all__ = [
    "EXPRESSIONS",
    "Comparison",
    "Lookup",
    "Space",
    "SpaceError",
    "cluster_concepts",
    "compare_spaces",
    "file_space",
    "load_synonyms",
    "nearest_concepts",
    "save_csv",
    "save_projector",
    "save_safetensors",
    "save_word2vec",
    "solve_expressions",
    "word_space",
    "wordnet_space",
]
