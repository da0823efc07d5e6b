"""One pass of a network over a dataset: thresholds, thresholded maps and means of its layers."""

from net2vec.recording.layer import LayerRecording
from net2vec.recording.probing import record

__all__ = ["LayerRecording", "record"]
