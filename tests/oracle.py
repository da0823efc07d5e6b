"""The method written slowly and plainly: the witness that the fast package is tested against.

Nothing here comes from the package and nothing here is fast. Arrays go in and arrays come out,
float64 where numbers are real, whole numbers where the answer must be exact. Letters follow the
paper: N images, K filters, an activation grid h x w, annotation masks H x W, B thresholded maps,
L masks of one concept, w a concept's weights. Sections and equations are those of Fong and
Vedaldi, "Net2Vec" (CVPR 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import betainc, expit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

Planes = Sequence[tuple[str, NDArray[np.integer]]]  # (category, map of label numbers, 0 = nothing)
ImageLabels = Sequence[tuple[str, int]]  # (category, label number) true of a whole image


# Thresholds (section 3.1.1)


def threshold(values: NDArray, tau: float):
    """T of one filter: the value at 0-based rank floor(tau * n) of `values` sorted downwards.

    `tau` is read as the decimal it prints as, so that 0.005 * 200 is 1 and not almost 1.
    """
    downwards = np.sort(np.asarray(values).ravel())[::-1]
    return downwards[int(Fraction(str(tau)) * len(downwards))]


def midway(values: NDArray, tau: float):
    """The middle between T of one filter and the next larger value; T where there is none."""
    values = np.asarray(values, np.float64)
    cut = threshold(values, tau)
    return (cut + min(values[values > cut], default=cut)) / 2


def thresholded_maps(A: NDArray, tau: float) -> tuple[NDArray, Bools]:
    """Thresholds [K] and B [N, K, h, w] of activations [N, K, h, w]; on is strictly above."""
    cuts = np.array([threshold(A[:, k], tau) for k in range(A.shape[1])])
    return cuts, np.stack([A[:, k] > cuts[k] for k in range(A.shape[1])], axis=1)


# Upsampling with corners aligned


def interpolation_weights(h: int, H: int) -> tuple[Integers, int]:
    """Integers [H, h] and their common denominator d: row Y of the bilinear weights, times d.

    Row Y of H looks at position Y (h - 1) / (H - 1) of h, so the first rows and the last rows of
    both grids meet. A grid of one cell (h = 1) fills everything; a mask of one row (H = 1) sees
    the first cell alone, as PyTorch has it.
    """
    weights = np.zeros((H, h), dtype=np.int64)
    denominator = max(H - 1, 1)
    for Y in range(H):
        cell, remainder = divmod(Y * (h - 1), denominator)
        weights[Y, cell] += denominator - remainder
        if remainder:
            weights[Y, cell + 1] += remainder
    return weights, denominator


def upsample_matrix(h: int, H: int) -> Floats:
    """Bilinear weights [H, h] in float64."""
    weights, denominator = interpolation_weights(h, H)
    return weights / denominator


def upsample(grid: NDArray, H: int, W: int) -> Floats:
    """up() of maps [..., h, w] in float64, shape [..., H, W]."""
    h, w = grid.shape[-2:]
    return upsample_matrix(h, H) @ np.asarray(grid, np.float64) @ upsample_matrix(w, W).T


def upsampled_is_on(B: Bools, H: int, W: int) -> Bools:
    """M = up(B) > 1/2 of maps [..., h, w], decided in whole numbers: a tie at 1/2 is off."""
    h, w = B.shape[-2:]
    rows, row_denominator = interpolation_weights(h, H)
    columns, column_denominator = interpolation_weights(w, W)
    return 2 * (rows @ B.astype(np.int64) @ columns.T) > row_denominator * column_denominator


# Concepts


def resize_nearest(labels: NDArray, H: int, W: int) -> NDArray:
    """A mask or a map of label numbers, squashed to [H, W] by Pillow's NEAREST."""
    resized = Image.fromarray(labels.astype(np.int32)).resize((W, H), Image.Resampling.NEAREST)
    return np.asarray(resized).astype(labels.dtype)


def concept_mask(planes: Planes, image_labels: ImageLabels, label: int, H: int, W: int) -> Bools:
    """L [H, W] of a label in one image: the union over all planes, whatever their category.

    A label that the image as a whole carries is everywhere in it. The image contains the concept
    iff any pixel of this mask is on.
    """
    mask = np.zeros((H, W), dtype=bool)
    for _, plane in planes:
        mask |= resize_nearest(plane, H, W) == label
    if any(number == label for _, number in image_labels):
        mask[:] = True
    return mask


def concept_category(
    images: Sequence[tuple[Planes, ImageLabels]],
    label: int,
    categories: Sequence[str],
    H: int,
    W: int,
) -> str:
    """The category in which a label covers most, over all images; on a tie the later one.

    Pixels are counted once an image and category, however many planes name them; a label of the
    whole image counts all H * W. Some image must carry the label.
    """
    coverage = dict.fromkeys(categories, 0)
    for planes, image_labels in images:
        for category in categories:
            planes_of_it = [plane for plane in planes if plane[0] == category]
            labels_of_it = [pair for pair in image_labels if pair[0] == category]
            coverage[category] += int(concept_mask(planes_of_it, labels_of_it, label, H, W).sum())
    most = max(coverage.values())
    return [category for category in categories if coverage[category] == most][-1]


# Segmentation by a single filter (section 3.1.1, equations 1 and 3)


def single_filter_counts(B: Bools, L: Bools) -> tuple[Integers, Integers]:
    """Intersections [K] and unions [K] in pixels of every filter with a concept.

    B [n, K, h, w] and L [n, H, W] are of the n images of one split that contain the concept.
    """
    counts = [mask_counts(upsampled_is_on(B[:, k], *L.shape[1:]), L) for k in range(B.shape[1])]
    intersections, unions = zip(*counts, strict=True)
    return np.array(intersections), np.array(unions)


def mask_counts(M: Bools, L: Bools) -> tuple[int, int]:
    """Pixels in the intersection and in the union of predicted and true masks [n, H, W]."""
    return int((M & L).sum()), int((M | L).sum())


def set_iou(intersections: NDArray, unions: NDArray) -> Floats:
    """Set IoU (equation 1) from counts summed over images; 0 where the union is empty."""
    return np.divide(
        intersections, unions, out=np.zeros(np.shape(unions)), where=np.asarray(unions) > 0
    )


def candidate_thresholds(A: NDArray, shares: Floats, own: float) -> Floats:
    """Thresholds from which one is chosen for a filter with activations A in all training images.

    For every share the value that floor(share n) + 1 of the n activations reach (the last one at
    most), and the filter's threshold in the paper; the whole image.
    """
    ordered = sorted(A.ravel(), reverse=True)
    at = [min(int(share * len(ordered)), len(ordered) - 1) for share in shares]
    return np.array([-np.inf, own, *(ordered[i] for i in at)])


def tuned_filter(A: NDArray, L: Bools, candidates: Floats) -> tuple[float, tuple[int, int]]:
    """The candidate of the highest set IoU, the highest on a tie, with intersection and union.

    A [n, h, w] are the activations of a filter and L [n, H, W] the masks of the training images.
    """
    best: tuple[float, float, tuple[int, int]] = (-1.0, 0.0, (0, 0))
    for t in candidates:
        shared, either = mask_counts(upsampled_is_on(t < A, *L.shape[1:]), L)
        best = max(best, (shared / either, float(t), (shared, either)))
    return best[1], best[2]


def dissection(A: NDArray, T: float, L: Bools, category: Sequence[str]) -> tuple[int, int]:
    """Network Dissection's counts of the first label, of a filter with threshold T.

    A [N, h, w] are its activations and L [label, N, H, W] the masks of all labels.
    """
    shared = either = 0
    peers = [label for label, name in enumerate(category) if name == category[0]]
    for i, a in enumerate(A):
        if any(L[label, i].any() for label in peers):
            M = centred_upsample(a, *L.shape[2:]) > T
            shared += int((M & L[0, i]).sum())
            either += int((M | L[0, i]).sum())
    return shared, either


def individual_iou(M: Bools, L: Bools) -> Floats:
    """IoU of each image [n] (equation 3) of masks [n, H, W]; 0 where the union is empty."""
    return set_iou((M & L).sum(axis=(1, 2)), (M | L).sum(axis=(1, 2)))


def best_filter(train_iou: NDArray) -> int:
    """The filter k* with the highest set IoU on train, the lowest index on a tie."""
    return min(range(len(train_iou)), key=lambda k: (-train_iou[k], k))


# Segmentation by a combination (section 3.1.2, equations 2 and 4)


def mask_weight(L: Bools) -> float:
    """Alpha of equation 4: 1 - the mean share of the mask L [n, H, W] that the concept covers."""
    return float(1 - Fraction(int(L.sum()), L.size))


def pixel_weights(alpha: float) -> tuple[float, float]:
    """Weights in the loss of a pixel inside and of a pixel outside the concept.

    They are alpha and 1 - alpha; both are 1 where the concept fills every mask (alpha = 0).
    """
    return (alpha, 1 - alpha) if alpha > 0 else (1.0, 1.0)


def segmentation_loss(z: Floats, t: Bools, alpha: float, batch: int) -> float:
    """Equation 4 (which has no logarithm), summed over pixels, over the batch's actual size.

    z and t are [batch, H, W]: the combination before the sigmoid, and the true masks.
    """
    inside, outside = pixel_weights(alpha)
    p = expit(z)
    return float(-(inside * t * p + outside * (1 - t) * (1 - p)).sum() / batch)


def segmentation_gradient(z: Floats, t: Bools, alpha: float, batch: int) -> Floats:
    """Gradient of `segmentation_loss` by z, shaped like z.

    By p the loss of a pixel grows by outside * (1 - t) - inside * t, over the batch, and p by z
    by p (1 - p).
    """
    inside, outside = pixel_weights(alpha)
    p = expit(z)
    return (outside * (1 - t) - inside * t) * p * (1 - p) / batch


def descend(
    start: Floats,
    steps: Iterable[tuple[Integers, float]],
    gradient: Callable[[Floats, Integers], Floats],
    momentum: float,
) -> Floats:
    """SGD with momentum in PyTorch's convention, all points passed [steps + 1, parameters].

    Each step is (rows of its batch, learning rate): v = momentum * v + g, from v = g at the first,
    then point = point - rate * v.
    """
    points, v = [np.asarray(start, np.float64)], None
    for rows, rate in steps:
        g = gradient(points[-1], rows)
        v = g if v is None else momentum * v + g
        points.append(points[-1] - rate * v)
    return np.stack(points)


def batches(order: NDArray, size: int) -> list[NDArray]:
    """Rows of each batch: consecutive pieces of `order`, the last one as short as it falls."""
    return [order[first : first + size] for first in range(0, len(order), size)]


def segmentation_trajectory(
    B: Bools,
    L: Bools,
    w0: Floats,
    *,
    learning_rate: float = 1e-4,
    momentum: float = 0.9,
    batch: int = 64,
    epochs: int = 30,
) -> Floats:
    """Weights before the first and after every step [steps + 1, K], in float64.

    B [n, K, h, w] and L [n, H, W] are of the training images that contain the concept, in the
    order of the dataset, in which every epoch reads them.
    """
    alpha = mask_weight(L)
    maps = upsample(B, *L.shape[1:])

    def gradient(w: Floats, rows: Integers) -> Floats:
        z = np.einsum("k,nkyx->nyx", w, maps[rows])
        dz = segmentation_gradient(z, L[rows], alpha, len(rows))
        return np.einsum("nyx,nkyx->k", dz, maps[rows])

    steps = [(rows, learning_rate) for rows in batches(np.arange(len(L)), batch)] * epochs
    return descend(w0, steps, gradient, momentum)


def fit_segmentation(B: Bools, L: Bools, w0: Floats, **settings: float) -> Floats:
    """Learned weights [K] from the start w0 [K]; settings as in `segmentation_trajectory`."""
    return segmentation_trajectory(B, L, w0, **settings)[-1]


def predicted_mask(B: Bools, w: Floats, H: int, W: int) -> Bools:
    """Masks [n, H, W] where sigmoid(z) > 1/2, that is z > 0, of maps B [n, K, h, w]."""
    return np.einsum("k,nkyx->nyx", w, upsample(B, H, W)) > 0


def combined_counts(B: Bools, L: Bools, w: Floats) -> tuple[int, int]:
    """Intersection and union in pixels, over n images, of the combination with the concept."""
    return mask_counts(predicted_mask(B, w, *L.shape[1:]), L)


# The convex twin: balanced log loss with an L2 term, to its optimum


def balanced_optimum(X: Floats, t: Bools, l2: NDArray, steps: int = 50) -> Floats:
    """The w [K] of least sum_i a_i (log(1 + exp(z_i)) - t_i z_i) + sum_k l2_k w_k^2 / 2, z = X w.

    X is [n, K]. Weights a_i of those with t_i come to one half together, and so do the others.
    Newton's method with halved steps.
    """
    a = np.where(t, 0.5 / t.sum(), 0.5 / (~t).sum())
    w = np.zeros(X.shape[1])

    def loss(w: Floats) -> float:
        z = X @ w
        return float(a @ (np.logaddexp(0, z) - t * z) + l2 @ w**2 / 2)

    for _ in range(steps):
        p = expit(X @ w)
        gradient = X.T @ (a * (p - t)) + l2 * w
        step = np.linalg.solve((X.T * (a * p * (1 - p))) @ X + np.diag(l2), gradient)
        size = 1.0
        while size > 1e-6 and loss(w - size * step) > loss(w):
            size /= 2
        w = w - size * step
    return w


def converged_segmentation(B: Bools, L: Bools, l2: float) -> Floats:
    """Weights [K] that segment masks L [n, H, W] by maps B [n, K, h, w]; filters off stay at 0."""
    maps = upsample(B, *L.shape[1:])
    X = np.moveaxis(maps, 1, -1).reshape(-1, B.shape[1])
    on = X.any(axis=0)
    w = np.zeros(B.shape[1])
    w[on] = balanced_optimum(X[:, on], L.ravel(), np.full(on.sum(), l2))
    return w


def converged_classification(
    features: NDArray, labels: Bools, l2: float, kept: NDArray | None = None
) -> tuple[Floats, float]:
    """Weights [K] and bias of least balanced log loss plus l2 / 2 sum_k (w_k s)^2.

    features [N, K] are of the training images, s is the root of their mean variance; what is
    constant or not in `kept` stays at weight 0.
    """
    x = np.asarray(features, np.float64)
    mean, varies = x.mean(axis=0), np.ptp(x, axis=0) > 0
    s = np.sqrt(x.var(axis=0).mean())
    used = np.array([k for k in (range(x.shape[1]) if kept is None else kept) if varies[k]], int)
    inputs = np.column_stack([(x[:, used] - mean[used]) / s, np.ones(len(x))])
    found = balanced_optimum(inputs, labels, np.append(np.full(len(used), l2), 0.0))
    w = np.zeros(x.shape[1])
    w[used] = found[:-1] / s
    return w, float(found[-1] - w @ mean)


def held_out_loss(features: NDArray, labels: Bools, l2: float, folds: int) -> float:
    """Balanced log loss of images that are held out; s and the scale of l2 are those of all.

    Fold f of either side is its f-th stretch of `folds`, in the order of the images.
    """
    x = np.asarray(features, np.float64)
    x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).mean())
    inputs, penalty = np.column_stack([x, np.ones(len(x))]), np.append(np.full(x.shape[1], l2), 0.0)
    fold = np.zeros(len(x), int)
    for side in (labels, ~labels):
        fold[side] = np.arange(side.sum()) * folds // side.sum()
    lost = np.zeros(len(x))
    for f in range(folds):
        w = balanced_optimum(inputs[fold != f], labels[fold != f], penalty)
        z = inputs[fold == f] @ w
        lost[fold == f] = np.logaddexp(0, np.where(labels[fold == f], -z, z))
    return float((lost[labels].mean() + lost[~labels].mean()) / 2)


def best_cut_iou(z: Floats, t: Bools) -> float:
    """The highest set IoU of z > cut over all cuts; z and t are pixels of all images."""
    cuts = [z.min() - 1, *np.unique(z)]
    return max(float(((z > cut) & t).sum() / ((z > cut) | t).sum()) for cut in cuts)


# A linear discriminant of activations as they are, and steps that follow it


def block_share(L: Bools, h: int, w: int) -> Floats:
    """The share of each of h x w equal blocks that a mask [H, W] covers."""
    H, W = L.shape
    share = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            for Y in range(H):
                for X in range(W):
                    tall = max(0.0, min((y + 1) * H / h, Y + 1) - max(y * H / h, Y))
                    wide = max(0.0, min((x + 1) * W / w, X + 1) - max(x * W / w, X))
                    share[y, x] += tall * wide * L[Y, X]
    return share * h * w / (H * W)


def centred_upsample(grid: NDArray, H: int, W: int) -> Floats:
    """A map [h, w] between the centres of its blocks, constant beyond the outer ones."""

    def along(values: NDArray, outputs: int) -> Floats:
        inputs = len(values)
        at = np.clip((np.arange(outputs) + 0.5) * inputs / outputs - 0.5, 0, inputs - 1)
        low = np.minimum(at.astype(int), max(inputs - 2, 0))
        high = np.minimum(low + 1, inputs - 1)
        share = (at - low)[:, None]
        return (1 - share) * values[low] + share * values[high]

    return along(along(np.asarray(grid, float), H).T, W).T


def cells_of(A: NDArray) -> Floats:
    """The cells of images [N, K, h, w] as rows [N h w, K]."""
    return np.moveaxis(np.asarray(A, float), 1, -1).reshape(-1, A.shape[1])


def discriminant(
    A: NDArray, everything: NDArray, L: Bools, strength: float, steps: int
) -> tuple[Floats, float]:
    """Weights of standardised activations and bias, from images [N, K, h, w] with a concept.

    `everything` holds all training images. The discriminant takes steps of conjugate gradients
    towards the least log loss of the cells of `A`, each as long as is best.
    """
    cells = cells_of(everything)
    mean, deviation = cells.mean(0), cells.std(0)
    x, own = (cells - mean) / deviation, (cells_of(A) - mean) / deviation
    shrunk = np.cov(x.T, bias=True) + strength * np.eye(len(mean))
    m = np.concatenate([block_share(one, *A.shape[2:]).ravel() for one in L])
    difference = m @ own / m.sum() - (1 - m) @ own / (1 - m).sum()
    curvature = m.mean() * (1 - m.mean())
    ridge = strength * curvature

    def along(w: Floats, b: float, direction: Floats) -> tuple[Floats, float]:
        """The point of the least loss on w + t direction, with any bias."""
        at = np.array([0.0, b])
        z, rows = own @ w, np.column_stack([own @ direction, np.ones(len(own))])
        for _ in range(30):
            p = 1 / (1 + np.exp(-(z + rows @ at)))
            gradient = rows.T @ (p - m) / len(m)
            hessian = (rows * (p * (1 - p))[:, None]).T @ rows / len(m)
            gradient[0] += ridge * direction @ (w + at[0] * direction)
            hessian[0, 0] += ridge * direction @ direction
            at = at - np.linalg.solve(hessian, gradient)
        return w + at[0] * direction, float(at[1])

    w, b = np.zeros(len(mean)), float(np.log(m.mean() / (1 - m.mean())))
    direction = np.linalg.solve(shrunk, difference)
    w, b = along(w, b, direction)
    last = None
    for _ in range(steps):
        gradient = (1 / (1 + np.exp(-(own @ w + b))) - m) @ own / len(m) + ridge * w
        downhill = -np.linalg.solve(shrunk, gradient) / curvature
        turn = 0.0 if last is None else max(0.0, downhill @ (gradient - last[0]) / last[1])
        direction = downhill + turn * direction
        last = gradient, downhill @ gradient
        w, b = along(w, b, direction)
    return w, b


def discriminant_mask(a: NDArray, w: Floats, b: float, cut: float, H: int, W: int) -> Bools:
    """Where z + b > cut in an image [K, h, w], with weights of activations as they are."""
    return centred_upsample(np.tensordot(w, a, 1), H, W) + b > cut


def forward_selection(S: NDArray, d: Floats, strength: float, count: int) -> list[int]:
    """Filters in the order that raises the explained part d_S^T (S_SS + l I)^-1 d_S the most."""
    chosen: list[int] = []
    while len(chosen) < count:
        gains = {}
        for k in set(range(len(d))) - set(chosen):
            some = [*chosen, k]
            part = S[np.ix_(some, some)] + strength * np.eye(len(some))
            gains[k] = d[some] @ np.linalg.solve(part, d[some])
        chosen.append(max(sorted(gains), key=lambda k: gains[k]))
    return chosen


def backward_selection(S: NDArray, d: Floats, strength: float, size: int) -> list[int]:
    """Filters left, ascending, when those without which the explained part falls the least go.

    A sixteenth of those that are left goes at a time, each judged alone, and one at the least.
    """

    def explained(some: list[int]) -> float:
        part = S[np.ix_(some, some)] + strength * np.eye(len(some))
        return float(d[some] @ np.linalg.solve(part, d[some]))

    left = list(range(len(d)))
    while len(left) > size:
        without = {k: explained([other for other in left if other != k]) for k in left}
        count = min(max(1, len(left) // 16), len(left) - size)
        gone = sorted(left, key=lambda k: -without[k])[:count]
        left = [k for k in left if k not in gone]
    return left


# Classification (section 3.2, equation 5)


def spatial_means(A: NDArray) -> Floats:
    """Features [N, K]: means over the positions of activations [N, K, h, w], not thresholded."""
    return np.asarray(A, np.float64).mean(axis=(2, 3))


def fit_classification(
    features: NDArray,
    labels: Bools,
    orders: Sequence[Integers],
    w0: Floats,
    b0: float,
    *,
    learning_rate: float = 0.1,
    drop_after: int = 15,
    momentum: float = 0.9,
    batch: int = 64,
) -> tuple[Floats, float]:
    """Learned weights [K] and bias of one concept, by log loss (its mean over each batch).

    features [N, K] and labels [N] are of all training images; `orders` holds for each epoch the
    rows that it reads, drawn and shuffled already. The rate is a tenth from epoch `drop_after`
    (counted from 0) on.
    """
    inputs = np.column_stack([np.asarray(features, np.float64), np.ones(len(features))])

    def gradient(parameters: Floats, rows: Integers) -> Floats:
        p = expit(inputs[rows] @ parameters)
        return inputs[rows].T @ (p - labels[rows]) / len(rows)

    steps = [
        (rows, learning_rate if epoch < drop_after else learning_rate / 10)
        for epoch, order in enumerate(orders)
        for rows in batches(np.asarray(order), batch)
    ]
    learned = descend(np.append(w0, b0), steps, gradient, momentum)[-1]
    return learned[:-1], float(learned[-1])


def accuracy(features: NDArray, labels: Bools, w: Floats, b: float) -> float:
    """Share of images whose logit is above 0 exactly where the label is true."""
    return float((((np.asarray(features, np.float64) @ w + b) > 0) == labels).mean())


# Subsets of filters (section 3.2.2)


def top_filters(w: NDArray, F: int) -> Integers:
    """The F filters with the largest |w|, largest first, the lowest index first on a tie."""
    return np.array(sorted(range(len(w)), key=lambda k: (-abs(w[k]), k))[:F])


def fit_segmentation_subset(
    B: Bools, L: Bools, w0: Floats, kept: Integers, **settings: float
) -> Floats:
    """Weights [K] learned on the filters `kept` [F] alone from w0 [F], the others fixed at 0."""
    w = np.zeros(B.shape[1])
    w[kept] = fit_segmentation(B[:, kept], L, w0, **settings)
    return w


def fit_classification_subset(
    features: NDArray,
    labels: Bools,
    orders: Sequence[Integers],
    w0: Floats,
    b0: float,
    kept: Integers,
    **settings: float,
) -> tuple[Floats, float]:
    """As `fit_segmentation_subset`, with a bias: weights [K] from w0 [F], and the bias from b0."""
    w = np.zeros(features.shape[1])
    w[kept], b = fit_classification(features[:, kept], labels, orders, w0, b0, **settings)
    return w, b


# The paper's questions (sections 4 and 5)


def mean_and_standard_error(scores: NDArray) -> tuple[float, float]:
    """Mean, and standard deviation (n - 1 degrees of freedom) over sqrt(n); nan of one score."""
    n, mean = len(scores), sum(scores) / len(scores)
    if n == 1:
        return float(mean), float("nan")
    return float(mean), float((sum((s - mean) ** 2 for s in scores) / (n - 1) / n) ** 0.5)


def subset_curve(
    scores: Mapping[int, NDArray], full: NDArray, K: int
) -> list[tuple[int, float, float]]:
    """Points (F, mean, standard error) of Fig. 3, from the scores of concepts by subset size.

    Sizes of K and more are not points of their own: the fit on all K filters ends the curve.
    """
    points = {F: scores[F] for F in sorted(scores) if F < K} | {K: full}
    return [(F, *mean_and_standard_error(points[F])) for F in points]


def decile_images(iou: NDArray) -> list[int]:
    """Indices of the images at the ten deciles of the non-zero individual IoU (Fig. 8).

    Nearest rank: of m non-zero values sorted upwards (equal ones in their order) decile d is the
    one at the 1-based rank ceil(d m / 10), so the tenth is the largest. Empty where all are 0.
    """
    upwards = sorted((i for i in range(len(iou)) if iou[i] > 0), key=lambda i: iou[i])
    m = len(upwards)
    return [upwards[-(-d * m // 10) - 1] for d in range(1, 11)] if m else []


def weight_iou_correlation(w: NDArray, iou: NDArray) -> tuple[float, float]:
    """Pearson's r of max(w, 0) [K] with the filters' set IoU [K], and its two-sided p.

    Under no correlation r^2 is Beta(1/2, (K - 2) / 2) distributed. Both are nan where one side is
    constant, which is never significant (section 5.2).
    """
    x, y = np.maximum(w, 0), np.asarray(iou)
    if min(np.ptp(x), np.ptp(y)) == 0:
        return float("nan"), float("nan")
    x, y = x - x.mean(), y - y.mean()
    r = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
    return float(r), float(betainc((len(x) - 2) / 2, 1 / 2, max(1 - r * r, 0.0)))


def unit(vectors: NDArray) -> Floats:
    """Vectors [..., K] scaled to length 1."""
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))


def nearest(vectors: NDArray, signs: Mapping[int, int], count: int) -> list[tuple[int, float]]:
    """The concepts nearest to a signed sum of concepts, as (row, cosine), nearest first.

    `signs` is {row: 1} for the neighbours of one concept (Table 2), {a: 1, b: -1} for a - b
    (Table 3). The sum is of unit vectors; the rows named in it are no answers; ties by row.
    """
    units = unit(np.asarray(vectors, np.float64))
    target = unit(sum(sign * units[row] for row, sign in signs.items()))
    cosines = [(row, float(units[row] @ target)) for row in range(len(units)) if row not in signs]
    return sorted(cosines, key=lambda pair: (-pair[1], pair[0]))[:count]


def space_distance_rows(vectors: NDArray, others: NDArray) -> Floats:
    """D_ijc [C] of section 5.3 between two spaces [C, K], [C, K'] of the same concepts."""
    u, v = unit(np.asarray(vectors, np.float64)), unit(np.asarray(others, np.float64))
    return ((u @ u.T - v @ v.T) ** 2).sum(axis=1)


def space_distance(vectors: NDArray, others: NDArray) -> float:
    """D_ij: the squared Frobenius norm of the difference of the two cosine matrices."""
    return float(space_distance_rows(vectors, others).sum())
