"""What a layer can do with a concept: segment it, or tell whether it is there."""

from net2vec.tasks.chance import generator, start_vector
from net2vec.tasks.choice import Choice, Skipped, choose_concepts, split_sizes
from net2vec.tasks.classify import Classified, Sample, classify_concepts, draw_sample
from net2vec.tasks.concept import Asked
from net2vec.tasks.nulls import shuffle_images, shuffle_masks
from net2vec.tasks.segment import (
    images_together,
    segment_concept,
    segment_concepts,
    segmentation_scores,
)
from net2vec.tasks.segmented import Segmented
from net2vec.tasks.single import SingleCounts, count_single_filters
from net2vec.tasks.training import Training
from net2vec.tasks.workers import longest_first, map_in_processes, map_in_threads, side_by_side

__all__ = [
    "Asked",
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
    "images_together",
    "longest_first",
    "map_in_processes",
    "map_in_threads",
    "segment_concept",
    "segment_concepts",
    "segmentation_scores",
    "shuffle_images",
    "shuffle_masks",
    "side_by_side",
    "split_sizes",
    "start_vector",
]
