"""A network looks at a probe dataset once: thresholds, thresholded maps and means of its layers."""

from net2vec.recording.layer import LayerRecording
from net2vec.recording.probing import record

__all__ = ["LayerRecording", "record"]
