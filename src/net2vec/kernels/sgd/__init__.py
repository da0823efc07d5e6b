"""The paper's training: SGD with momentum on segmentation and classification."""
