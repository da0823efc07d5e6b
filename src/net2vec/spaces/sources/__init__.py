"""Spaces from elsewhere: WordNet, word vectors, files."""

from net2vec.spaces.sources.files import file_space
from net2vec.spaces.sources.names import Lookup, load_synonyms
from net2vec.spaces.sources.wordnet import find_wordnet, wordnet_space
from net2vec.spaces.sources.words import word_space

__all__ = ["Lookup", "file_space", "find_wordnet", "load_synonyms", "word_space", "wordnet_space"]
