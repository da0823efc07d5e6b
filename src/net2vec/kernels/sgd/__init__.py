"""The training of the paper: stochastic gradient descent with momentum, for both tasks.

**Segmentation** (`segmentation`; section 3.1.2, equations 2 and 4). The prediction for a concept is
p = sigmoid(z) with z = sum_k w_k up(B_k), without a bias. The loss of a mini-batch with masks t is

    L = -(1 / images) * sum over images and pixels of  a t p + (1 - a) (1 - t) (1 - p),

where a is 1 less the mean share of the mask that the concept covers; there is no logarithm. Hence

    dL/dz = ((1 - a) - t) p (1 - p) / images,

so that a step needs z, one sigmoid and the way back through `net2vec.kernels.geometry`, in place
and without autograd. Three layouts of a mini-batch compute the same gradient:

- at nodes between the cells, on a CPU, if there are many pixels a cell (`geometry.nodes`);
- at the pixels that an active filter can reach, on a CPU, on finer grids (`pixels`);
- at all pixels, on a GPU, by products with the two axes of upsampling (`dense`).

The last takes 1.3 to 1.5 times as long as the second on a CPU with all filters, and two to four
times as long with a single one, since it skips nothing; on a GPU skipping costs more calls than it
saves arithmetic.

The weight vectors of a concept (subsets of filters, seeds) share the sums over its masks. Problems
with small steps are stacked in memory and take their steps together, which saves calls. Steps of a
GPU are recorded as CUDA graphs (`cuda_graphs`) after the first epoch and then replayed.

**Classification** (`logistic`; section 3.2, equation 5). The features f are spatial means of the
activations, and p = sigmoid(b + w . f) is fitted to the log loss. An epoch has as many images
without the concept as with it. One step of one concept is a product of a vector with 64 rows, far
less than a call costs, so that a block of concepts takes its steps as batched products of a fixed
shape; the shape decides the last bits of a product, and it is the same whatever the concepts are.
"""
