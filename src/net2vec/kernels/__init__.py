"""Tensor code without files, settings or datasets, by subject.

`geometry` lays masks and thresholded maps out in memory, `sgd` is the training of the paper,
`convex` solves strictly convex problems to their optimum, `quantile` finds exact thresholds in one
pass, `overlap` counts the overlap of single filters with masks, `thresholds` the same at many
thresholds at once, and `backends` holds the operations that a CPU and a GPU compute in different
ways.
"""
