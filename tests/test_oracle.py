"""The oracle against numbers worked by hand, exact fractions, and PyTorch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

import oracle


def random_case(seed: int, n: int = 5, K: int = 3, h: int = 3, w: int = 4, H: int = 9, W: int = 7):
    """Thresholded maps, masks of unequal sizes and a start."""
    generator = np.random.default_rng(seed)
    B = generator.random((n, K, h, w)) < 0.3
    L = generator.random((n, H, W)) < np.linspace(0.1, 0.6, n)[:, None, None]
    return B, L, generator.uniform(-1, 1, K)


# Thresholds


def test_threshold_leaves_floor_of_tau_n_values_above():
    values = np.random.default_rng(0).permutation(np.arange(1, 400))
    # 0.005 * 399 = 1.995: rank 1 is the second largest, and one value is above it.
    assert oracle.threshold(values, 0.005) == 398
    # In floating point 0.29 * 100 is 28.999999999999996; the rank is 29 all the same.
    assert oracle.threshold(np.arange(1, 101), 0.29) == 71


def test_ties_at_the_threshold_are_off():
    A = np.zeros((2, 2, 1, 3))
    A[0, 0, 0, 0] = 1  # filter 0: a single active position; filter 1: none
    A[:, 1] = 6  # saturated
    cuts, B = oracle.thresholded_maps(A, 0.5)
    assert cuts.tolist() == [0, 6]
    assert np.argwhere(B).tolist() == [[0, 0, 0, 0]]


# Upsampling


def test_a_tie_at_one_half_is_off():
    # Rows of up(B): 1 1/2 0, 1 3/4 1/2, 1 1 1.
    on = oracle.upsampled_is_on(np.array([[True, False], [True, True]]), 3, 3)
    assert on.tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    # 13 -> 113: position 14 looks at 14 * 12 / 112 = 1 1/2, half way from cell 1 to cell 2.
    column = np.arange(13)[:, None] >= 2
    assert np.flatnonzero(oracle.upsampled_is_on(column, 113, 1))[0] == 15


@pytest.mark.parametrize(("grid", "mask"), [((3, 5), (9, 7)), ((5, 2), (6, 9)), ((6, 6), (4, 11))])
def test_on_agrees_with_fractions_over_four_neighbours(grid, mask):
    B = np.random.default_rng(1).random(grid) < 0.5

    def neighbours(position: int, small: int, large: int):
        exact = Fraction(position * (small - 1), large - 1)
        low = int(exact)
        return [(low, 1 - (exact - low)), (min(low + 1, small - 1), exact - low)]

    expected = np.zeros(mask, dtype=bool)
    for Y in range(mask[0]):
        for X in range(mask[1]):
            value = sum(
                int(B[y, x]) * row_weight * column_weight
                for y, row_weight in neighbours(Y, grid[0], mask[0])
                for x, column_weight in neighbours(X, grid[1], mask[1])
            )
            expected[Y, X] = value > Fraction(1, 2)
    np.testing.assert_array_equal(oracle.upsampled_is_on(B, *mask), expected)


@pytest.mark.parametrize(
    ("grid", "mask"),
    [((13, 13), (113, 113)), ((7, 14), (112, 56)), ((1, 3), (4, 5)), ((3, 3), (1, 4))],
)
def test_upsample_agrees_with_pytorch(grid, mask):
    maps = np.random.default_rng(2).random((2, 3, *grid))
    expected = functional.interpolate(
        torch.from_numpy(maps), mask, mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(oracle.upsample(maps, *mask), expected.numpy(), atol=1e-6)


# Concepts


def test_masks_unite_planes_and_image_labels_and_lose_what_is_too_small():
    planes = [
        ("object", np.array([[1, 2], [0, 2]])),
        ("part", np.array([[0, 1], [0, 0]])),
    ]
    assert oracle.concept_mask(planes, [], 1, 2, 2).tolist() == [[True, True], [False, False]]
    assert oracle.concept_mask(planes, [("scene", 1)], 1, 2, 2).all()
    assert not oracle.concept_mask(planes, [("scene", 1)], 3, 2, 2).any()

    speck = np.zeros((6, 6), dtype=np.int64)
    speck[0, 0] = 300  # squashing 6 to 2 reads rows and columns 1 and 4
    assert not oracle.concept_mask([("object", speck)], [], 300, 2, 2).any()
    speck[1, 4] = 300
    mask = oracle.concept_mask([("object", speck)], [], 300, 2, 2)
    assert mask.tolist() == [[False, True], [False, False]]


def test_category_is_where_a_label_covers_most_and_the_later_on_a_tie():
    categories = ["object", "part", "scene"]
    three = [("object", np.array([[1, 1], [1, 0]]))]
    one_twice = [("part", np.array([[0, 1], [0, 0]]))] * 2
    # As an object 3 pixels; as a part 1 an image, which both planes name: 2 of them, then 3.
    images = [(three, []), (one_twice, []), (one_twice, [])]
    assert oracle.concept_category(images, 1, categories, 2, 2) == "object"
    assert oracle.concept_category([*images, (one_twice, [])], 1, categories, 2, 2) == "part"
    # A label of a whole image counts all of its 4 pixels.
    labelled = [*images, ([], [("scene", 1)])]
    assert oracle.concept_category(labelled, 1, categories, 2, 2) == "scene"


# Segmentation by a single filter


def test_single_filter_counts_by_hand():
    B = np.zeros((2, 2, 2, 2), dtype=bool)
    B[0, 0, 0] = True  # filter 0: in image 0 the upper row of the mask is on (a half is off)
    B[:, 1] = True  # filter 1: on everywhere
    L = np.zeros((2, 3, 3), dtype=bool)
    L[0, :2] = True  # 6 pixels
    L[1, 2, 2] = True  # 1 pixel
    intersections, unions = oracle.single_filter_counts(B, L)
    assert intersections.tolist() == [3, 7]
    assert unions.tolist() == [7, 18]
    assert oracle.set_iou(intersections, unions).tolist() == [3 / 7, 7 / 18]
    masks = oracle.upsampled_is_on(B, 3, 3)
    assert oracle.individual_iou(masks[:, 0], L).tolist() == [1 / 2, 0]
    assert oracle.individual_iou(masks[:, 0] & False, L & False).tolist() == [0, 0]


def test_best_filter_is_the_lowest_of_equals():
    assert oracle.best_filter(np.array([0.1, 0.3, 0.2, 0.3])) == 1


# Segmentation by a combination


def test_loss_and_gradient_by_hand():
    t = np.array([[[True, False], [False, False]]])
    assert oracle.mask_weight(t) == 0.75
    # p = 1/2 everywhere: inside 3/4 * 1/2, outside 3 * 1/4 * 1/2, negated, over a batch of 1.
    z = np.zeros((1, 2, 2))
    assert oracle.segmentation_loss(z, t, 0.75, 1) == -0.75
    # (1 - alpha - t) p (1 - p), over a batch of 2.
    expected = [[[-0.75 / 8, 0.25 / 8], [0.25 / 8, 0.25 / 8]]]
    assert oracle.segmentation_gradient(z, t, 0.75, 2).tolist() == expected


def test_both_weights_are_one_where_the_concept_fills_every_mask():
    t = np.ones((1, 2, 2), dtype=bool)
    assert oracle.mask_weight(t) == 0
    assert oracle.segmentation_loss(np.zeros((1, 2, 2)), t, 0.0, 1) == -2
    assert (oracle.segmentation_gradient(np.zeros((1, 2, 2)), t, 0.0, 1) == -0.25).all()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.95])
def test_gradient_agrees_with_finite_differences(alpha):
    generator = np.random.default_rng(3)
    z, t = generator.normal(0, 3, (2, 3, 2)), generator.random((2, 3, 2)) < 0.4
    gradient, step = oracle.segmentation_gradient(z, t, alpha, 2), 1e-5
    for index in np.ndindex(z.shape):
        shift = np.zeros_like(z)
        shift[index] = step
        upper = oracle.segmentation_loss(z + shift, t, alpha, 2)
        lower = oracle.segmentation_loss(z - shift, t, alpha, 2)
        assert gradient[index] == pytest.approx((upper - lower) / (2 * step), abs=1e-9)


def test_momentum_by_hand():
    # One filter, on everywhere, so z = w. Masks of 1 and 4 of 4 pixels: alpha = 1 - 5/8 = 3/8.
    B = np.ones((2, 1, 1, 1), dtype=bool)
    L = np.array([[[1, 0], [0, 0]], [[1, 1], [1, 1]]], dtype=bool)
    path = oracle.segmentation_trajectory(B, L, np.zeros(1), learning_rate=1.0, batch=1, epochs=1)
    # Step 1 (image 0, p (1 - p) = 1/4): g = (3 * 5/8 - 3/8) / 4 = 0.375 = v, w = -0.375.
    # Step 2 (image 1, p (1 - p) = 0.241413): g = -4 * 3/8 * 0.241413 = -0.362119,
    # v = 0.9 * 0.375 + g = -0.024619, w = -0.350381.
    np.testing.assert_allclose(path[:, 0], [0, -0.375, -0.350381], atol=1e-6)


def pytorch_segmentation(B, L, w0, learning_rate: float, batch: int, epochs: int):
    """The trajectory by autograd and torch.optim.SGD, from equation 4 as it stands."""
    w = torch.tensor(w0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=learning_rate, momentum=0.9)
    maps, masks = torch.from_numpy(B).double(), torch.from_numpy(L).double()
    alpha = 1 - masks.mean(dim=(1, 2)).mean()
    path = [w0]
    for _ in range(epochs):
        for x, t in zip(maps.split(batch), masks.split(batch), strict=True):
            combined = (w[None, :, None, None] * x).sum(dim=1, keepdim=True)
            size = t.shape[1:]
            z = functional.interpolate(combined, size, mode="bilinear", align_corners=True)[:, 0]
            p = torch.sigmoid(z)
            loss = -(alpha * t * p + (1 - alpha) * (1 - t) * (1 - p)).sum() / len(t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            path.append(w.detach().numpy().copy())
    return np.stack(path)


def test_segmentation_trajectory_agrees_with_pytorch():
    B, L, w0 = random_case(4)
    # Batches of 2, 2 and 1: the short last one is divided by its own size.
    path = oracle.segmentation_trajectory(B, L, w0, learning_rate=0.05, batch=2, epochs=4)
    assert path.shape == (13, 3)
    assert np.linalg.norm(path[-1] - w0) > 0.1
    np.testing.assert_allclose(path, pytorch_segmentation(B, L, w0, 0.05, 2, 4), atol=1e-12)
    final = oracle.fit_segmentation(B, L, w0, learning_rate=0.05, batch=2, epochs=4)
    np.testing.assert_array_equal(final, path[-1])


def test_prediction_is_absent_where_no_filter_is_active():
    B = np.zeros((1, 2, 2, 2), dtype=bool)
    B[0, 0, 0], B[0, 1, 1] = True, True  # the upper row, the lower row
    w = np.array([1.0, -1.0])
    # z is 1, 0, -1 down the rows; exactly 0 is absent.
    expected = [[[True, True], [False, False], [False, False]]]
    assert oracle.predicted_mask(B, w, 3, 2).tolist() == expected
    assert not oracle.predicted_mask(B & False, w, 3, 2).any()
    L = np.array([[[True, False], [True, False], [False, False]]])
    assert oracle.combined_counts(B, L, w) == (1, 3)


# Classification


def test_spatial_means():
    A = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    assert oracle.spatial_means(A).tolist() == [[1.5, 5.5]]


def test_classification_by_hand():
    # p = 1/2 for both rows: dw = (-1/2 * 2 + 1/2 * 0) / 2 = -1/2, db = 0; then w = 0.05.
    features, labels = np.array([[2.0], [0.0], [9.0]]), np.array([True, False, True])
    w, b = oracle.fit_classification(features, labels, [np.array([1, 0])], np.zeros(1), 0.0)
    assert (w.tolist(), b) == ([0.05], 0.0)
    # Logits 0.1, 0 and 0.45: 0 is not above 0, so all three are right.
    assert oracle.accuracy(features, labels, w, b) == 1
    assert oracle.accuracy(features, labels, w, 1e-9) == pytest.approx(2 / 3)


def test_classification_agrees_with_pytorch():
    generator = np.random.default_rng(5)
    features, labels = generator.normal(size=(12, 3)), np.arange(12) % 3 == 0
    orders = [generator.permutation(12)[:7] for _ in range(18)]
    w0, b0 = generator.uniform(-0.5, 0.5, 3), 0.4

    w, b = (
        torch.tensor(w0, requires_grad=True),
        torch.tensor(b0, dtype=torch.float64, requires_grad=True),
    )
    optimizer = torch.optim.SGD([w, b], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [15], gamma=0.1)
    x, t = torch.from_numpy(features), torch.from_numpy(labels).double()
    for order in orders:
        for rows in torch.from_numpy(order).split(4):
            optimizer.zero_grad()
            functional.binary_cross_entropy_with_logits(x[rows] @ w + b, t[rows]).backward()
            optimizer.step()
        schedule.step()

    learned, bias = oracle.fit_classification(features, labels, orders, w0, b0, batch=4)
    np.testing.assert_allclose(learned, w.detach().numpy(), atol=1e-9)
    assert bias == pytest.approx(b.item(), abs=1e-9)


# Subsets


def test_top_filters_are_the_largest_and_the_lowest_of_equals():
    assert oracle.top_filters(np.array([0.5, -2.0, 2.0, 0.1, -0.5]), 3).tolist() == [1, 2, 0]


def test_a_subset_learns_as_if_the_other_filters_were_never_active():
    B, L, w0 = random_case(6)
    kept, settings = np.array([2, 0]), {"learning_rate": 0.05, "batch": 2, "epochs": 3}
    w = oracle.fit_segmentation_subset(B, L, w0[kept], kept, **settings)
    silenced = B.copy()
    silenced[:, 1] = False
    expected = oracle.fit_segmentation(silenced, L, w0 * [1, 0, 1], **settings)
    np.testing.assert_allclose(w, expected, atol=1e-12)
    assert w[1] == 0
    assert np.abs(w - w0)[kept].min() > 1e-3


def test_a_classification_subset_learns_as_if_the_other_features_were_zero():
    generator = np.random.default_rng(7)
    features, labels = generator.normal(size=(8, 3)), np.arange(8) % 2 == 0
    orders, kept, w0 = [generator.permutation(8)] * 5, np.array([2, 0]), np.array([0.1, 0.0, -0.2])
    w, b = oracle.fit_classification_subset(features, labels, orders, w0[kept], 0.5, kept)
    expected, bias = oracle.fit_classification(features * [1, 0, 1], labels, orders, w0, 0.5)
    np.testing.assert_allclose(w, expected, atol=1e-12)
    assert b == pytest.approx(bias)
    assert w[1] == 0
    assert np.abs(w - w0)[kept].min() > 1e-3


# The paper's questions


def test_mean_and_standard_error():
    # Squared deviations 2.25 0.25 0.25 2.25 sum to 5; 5 / 3 / 4 = 5 / 12.
    assert oracle.mean_and_standard_error(np.array([1.0, 2, 3, 4])) == (
        2.5,
        pytest.approx((5 / 12) ** 0.5),
    )
    mean, error = oracle.mean_and_standard_error(np.array([0.5]))
    assert mean == 0.5
    assert np.isnan(error)


def test_a_subset_curve_ends_in_the_full_fit():
    scores = {8: np.array([9.0, 9]), 4: np.array([1.0, 3]), 2: np.array([0.0, 0])}
    curve = oracle.subset_curve(scores, np.array([5.0, 7.0]), 8)
    # Two scores 2 apart: variance 2, over 2, so the error is 1.
    assert curve == [(2, 0, 0), (4, 2, pytest.approx(1)), (8, 6, pytest.approx(1))]


def test_decile_images():
    twenty = np.arange(20, 0, -1) / 20  # the smallest is image 19
    assert oracle.decile_images(twenty) == [18, 16, 14, 12, 10, 8, 6, 4, 2, 0]
    # Of three non-zero values: ceil(0.3 d) = 1 1 1 2 2 2 3 3 3 3.
    assert oracle.decile_images(np.array([0.9, 0, 0.2, 0, 0.5])) == [2] * 3 + [4] * 3 + [0] * 4
    assert oracle.decile_images(np.zeros(4)) == []


def test_correlation_is_of_positive_weights_and_undefined_for_constants():
    generator = np.random.default_rng(8)
    w, noise = generator.normal(size=12), generator.normal(size=12)
    iou = 0.5 + 0.1 * np.maximum(w, 0) + 0.05 * noise
    expected = stats.pearsonr(np.maximum(w, 0), iou)
    assert oracle.weight_iou_correlation(w, iou) == pytest.approx(
        (expected.statistic, expected.pvalue)
    )
    # max(w, 0) = 0 0 1 2 lies on a line with 1 1 2 3.
    line = oracle.weight_iou_correlation(np.array([-9.0, -1, 1, 2]), np.array([1.0, 1, 2, 3]))
    assert line == pytest.approx((1, 0), abs=1e-12)
    assert np.isnan(oracle.weight_iou_correlation(-np.abs(w), iou)).all()
    assert np.isnan(oracle.weight_iou_correlation(w, np.zeros(12))).all()


def test_nearest_by_cosine_and_arithmetic():
    # Unit vectors: a (1, 0), b (0, 1), c (3, 4) / 5, d opposite to a.
    vectors = np.array([[2.0, 0], [0, 5], [3, 4], [-1, 0]])
    assert oracle.nearest(vectors, {0: 1}, 2) == [(2, pytest.approx(0.6)), (1, 0.0)]
    # c - a = (-0.4, 0.8): cosine 0.8 / sqrt(0.8) with b, 0.4 / sqrt(0.8) with d.
    assert oracle.nearest(vectors, {2: 1, 0: -1}, 9) == [
        (1, pytest.approx(0.8**0.5)),
        (3, pytest.approx(0.4 / 0.8**0.5)),
    ]
    # Equal cosines come by row.
    assert oracle.nearest(np.array([[1.0, 0], [0, 2], [0, 1]]), {0: 1}, 2) == [(1, 0), (2, 0)]


def test_space_distance_by_hand():
    # Cosines 1 0 / 0 1 against 1 0.6 / 0.6 1: each row differs by 0.36.
    right, slanted = np.array([[2.0, 0], [0, 1]]), np.array([[1.0, 0, 0], [3, 0, 4]])
    assert oracle.space_distance_rows(right, slanted) == pytest.approx([0.36, 0.36])
    assert oracle.space_distance(right, slanted) == pytest.approx(0.72)
    rotation = np.array([[0.6, 0.8], [-0.8, 0.6]])
    assert oracle.space_distance(right, 7 * right @ rotation) == pytest.approx(0, abs=1e-15)
