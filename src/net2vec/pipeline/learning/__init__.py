"""What a run learns on a layer: fits, fits from other starts, fits on shuffled annotations."""

from net2vec.pipeline.learning.classify import learn_to_classify
from net2vec.pipeline.learning.segment import learn_to_segment
from net2vec.pipeline.learning.workplace import Workplace, recording_digest

__all__ = ["Workplace", "learn_to_classify", "learn_to_segment", "recording_digest"]
