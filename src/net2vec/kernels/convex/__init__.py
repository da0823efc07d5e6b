"""Strictly convex problems, solved to their optimum: the counterpart of training by SGD.

Both tasks minimise a balanced log loss with an L2 term over the weights w,

    F(w) = sum_i v_i (log(1 + exp(z_i)) - t_i z_i) + (l2 / 2) norm(w)^2,

where i are pixels of a concept's images (segmentation) or images (classification), z is linear in
w, t_i is 0 or 1, and the weights v_i sum to one half on either side. F has one minimum, which does
not depend on the start, and the gradient bounds the distance from it:

    norm(w - w*)  <=  norm(grad F(w)) / l2.

`solver` stops by that bound, and is one rule for both tasks. It calls `lbfgs`, a limited-memory
quasi-Newton method that advances many problems side by side: concepts, folds, strengths and choices
of filters. It needs gradients only; a step is accepted if the slope along it has not risen too far,
which for convex functions suffices. Variables are scaled by 1 / sqrt(curvature), and those of
classification are rotated to the main directions of the features before (`standardised`), so that
few rounds are enough.

The gradient of segmentation comes from one of three places, in decreasing cost:

- `pixel_problem`: all pixels that an active filter reaches. The others have z = 0: they are counted
  once, and only their number enters the loss.
- `node_problem`: nodes between the cells in place of pixels (see `net2vec.kernels.geometry`). The
  part of the gradient that depends on masks alone is a constant vector.
- `lattice`: a fixed lattice of few pixels of each image. It serves to choose strengths and filters
  by cross-validation, where many approximate solutions are needed: one round of all problems is a
  sparse product, two thin dense ones and their transposes.

`presence` is the loss of classification; a round is two matrix products for all problems of a
group. `lasso` orders variables by the strength at which an L1 path lets them in. `histogram` counts
pixels by probability and finds the cut of z with the best set IoU on training images.
"""
