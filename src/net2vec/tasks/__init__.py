"""What a layer can do with a concept: segment it, or tell whether it is there."""

from net2vec.tasks.chance import generator, start_vector
from net2vec.tasks.choice import Choice, Skipped, choose_concepts, split_sizes
from net2vec.tasks.classify import Classified, Sample, classify_concepts, draw_sample
from net2vec.tasks.nulls import shuffle_images, shuffle_masks
from net2vec.tasks.segment import Segmented, SingleCounts, count_single_filters, segment_concept
from net2vec.tasks.training import Training
from net2vec.tasks.workers import map_in_threads

__all__ = [
    "Choice",
    "Classified",
    "Sample",
    "Segmented",
    "SingleCounts",
    "Skipped",
    "Training",
    "choose_concepts",
    "classify_concepts",
    "count_single_filters",
    "draw_sample",
    "generator",
    "map_in_threads",
    "segment_concept",
    "shuffle_images",
    "shuffle_masks",
    "split_sizes",
    "start_vector",
]
