"""Thresholded maps and masks on one grid: upsampling, strips, nodes and pixel blocks."""
