"""Classification solved to its optimum, against Newton's method and exact cross-validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from net2vec.core.executors import ThreadExecutor, map_items
from net2vec.tasks.fits import converged_classification as module
from net2vec.tasks.fits.converged_classification import (
    STRENGTHS,
    classify_converged,
    concepts_together,
    standardise,
)
from net2vec.tasks.learned import ClassifiedConcept
from net2vec.tasks.samples import draw_sample

import oracle
from builders_data import annotate, recording_of

IMAGES, FILTERS = 160, 9
SIZES = (2, 4)


class Case:
    """Concepts that the features tell more or less; filters of very unequal spread."""

    def __init__(self, folder, images: int = IMAGES) -> None:
        generator = np.random.default_rng(2)
        active = np.maximum(generator.normal(0.2, 1, (images, FILTERS)), 0)
        active[:, 5] = 0.6 * active[:, 4] + 0.3 * active[:, 5]
        active[:, 2] = 0.1  # never changes
        self.means = (active * 10.0 ** generator.uniform(-0.5, 0.5, FILTERS)).astype(np.float32)
        self.has = {}
        for name, noise, share in [
            ("clear", 0.05, 0.5),
            ("blurred", 1.5, 0.5),
            ("rare", 0.2, 0.1),
            ("common", 0.3, 0.85),
            ("noise", 1e6, 0.4),
            ("half", 0.8, 0.3),
        ]:
            told = active @ generator.normal(size=FILTERS) + generator.normal(0, noise, images)
            self.has[name] = told > np.quantile(told, 1 - share)
        self.train = np.arange(images) % 4 > 0
        self.has["once"] = np.isin(np.arange(images), [17, 40])  # one image of each split
        self.has["always"] = self.train | (np.arange(images) > 100)
        self.annotations = annotate(folder, {}, list(self.train), self.has)
        self.recording = recording_of(np.zeros((images, FILTERS, 2, 2), dtype=bool), self.means)
        self.names = list(self.has)
        self.label = {name: place for place, name in enumerate(self.names, start=1)}
        self.samples = {
            name: draw_sample(self.annotations, label, epochs=1, seed=0, dataset="d")
            for name, label in self.label.items()
        }
        self.features = standardise(self.recording, self.annotations)

    def classify(self, names, sizes=SIZES) -> dict[str, ClassifiedConcept]:
        found = classify_converged(
            self.recording,
            self.annotations,
            [self.label[name] for name in names],
            [self.samples[name] for name in names],
            subset_sizes=sizes,
            features=self.features,
        )
        return dict(zip(names, found, strict=True))

    def of_train(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.means[self.train], self.has[name][self.train]


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return Case(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def found(case) -> dict[str, ClassifiedConcept]:
    names = [name for name in case.names if name != "always"]
    return case.classify(names)


def relative(w: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(w - other) / np.linalg.norm(other))


def test_all_filters_and_subsets_are_solved_as_newton_does(case, found):
    for name, one in found.items():
        x, t = case.of_train(name)
        fits = [(one.weight, one.bias, None)]
        for weights, biases in (
            (one.subset_weight, one.subset_bias),
            (one.path_weight, one.path_bias),
        ):
            for size, w, b in zip(SIZES, weights, biases, strict=True):
                kept = np.flatnonzero(w)
                assert len(kept) == size
                fits.append((w, b, kept))
        for w, b, kept in fits:
            expected, level = oracle.converged_classification(x, t, one.l2, kept)
            assert relative(w, expected) < 0.006
            # Logits for features as recorded.
            logit = x @ expected + level
            np.testing.assert_allclose(x @ w + b, logit, atol=0.02 * max(1, np.abs(logit).max()))
            assert w[2] == 0


def exact_choice(case: Case, name: str) -> tuple[float, float]:
    """The strength by an exact cross-validation, and by how much the closest call was won."""
    x, t = case.of_train(name)
    folds = min(5, t.sum(), (~t).sum())
    chosen, wanted, margin = STRENGTHS[0], np.inf, np.inf
    for number, l2 in enumerate(STRENGTHS if folds > 1 else ()):
        lost = oracle.held_out_loss(x, t, l2, folds)
        margin = min(margin, abs(wanted - lost))
        if lost < wanted:
            chosen, wanted = l2, lost - 0.02
        elif number >= 2:  # so many are always tried
            break
    return chosen, margin


def test_the_strength_is_that_of_an_exact_cross_validation(case, found):
    chosen = {}
    for name, one in case.classify(list(found), sizes=()).items():
        expected, margin = exact_choice(case, name)
        if margin > 0.002:  # a close call may fall either way
            assert one.l2 == expected, name
            chosen[name] = expected
    assert len(chosen) >= 5
    assert len(set(chosen.values())) >= 3
    assert chosen["once"] == found["noise"].l2 == STRENGTHS[0]


def test_scores_are_accuracies_on_the_balanced_sets(case, found):
    for name, one in found.items():
        sample = case.samples[name]
        for split in (0, 1):
            rows, positive = sample.rows[split].numpy(), sample.positive[split].numpy()

            def accuracy(w, b, rows=rows, positive=positive):
                return oracle.accuracy(case.means[rows], positive, w, b)

            assert one.score[split] == accuracy(one.weight, one.bias)
            for place in range(len(SIZES)):
                subset = accuracy(one.subset_weight[place], one.subset_bias[place])
                path = accuracy(one.path_weight[place], one.path_bias[place])
                assert one.subset_score[split, place] == subset
                assert one.path_score[split, place] == path
        np.testing.assert_array_equal(one.trial_image, sample.rows[1])
        np.testing.assert_array_equal(one.trial_positive, sample.positive[1])
        logit = case.means[one.trial_image] @ one.weight + one.bias
        np.testing.assert_array_equal(one.trial_correct[1], (logit > 0) == one.trial_positive)
        np.testing.assert_allclose(one.trial_correct.mean(1), [one.single_score[1], one.score[1]])
        for kind in ("subset", "path"):
            right = getattr(one, f"{kind}_trial_correct")
            assert right.mean(axis=1).tolist() == getattr(one, f"{kind}_score")[1].tolist()
        assert np.isnan(one.start_distance)
    assert found["clear"].score.min() > 0.9
    assert found["clear"].score[1] > found["clear"].single_score[1]


def test_the_single_filter_and_subsets_are_those_of_largest_weight(case, found):
    for one in found.values():
        order = oracle.top_filters(one.weight, FILTERS)
        assert one.best_filter == order[0]
        for size, w in zip(SIZES, one.subset_weight, strict=True):
            assert set(np.flatnonzero(w)) == set(order[:size])
    alone = case.classify(["clear"], sizes=(1,))["clear"]
    np.testing.assert_array_equal(alone.single_score, alone.subset_score[:, 0])
    assert np.flatnonzero(alone.subset_weight[0]).tolist() == [alone.best_filter]


def test_a_path_of_one_filter_takes_the_steepest(case):
    for name, one in case.classify(["clear", "rare", "half"], sizes=(1,)).items():
        x, t = case.of_train(name)
        # At 0 the slope is half the distance between the means of the sides. Of filters whose
        # slopes are less than a step of the path apart either may come first.
        slope = np.abs(x[t].mean(0, dtype=np.float64) - x[~t].mean(0, dtype=np.float64))
        (first,) = np.flatnonzero(one.path_weight[0])
        assert slope[first] >= 0.85 * slope.max()
        assert (slope >= 0.85 * slope.max()).sum() <= 3


def same(first: ClassifiedConcept, other: ClassifiedConcept) -> None:
    for key, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(other, key), err_msg=key)


def test_no_bit_hangs_on_the_concepts_beside_their_order_or_the_workers(case, found):
    orders = [
        ["rare"],
        list(found)[::-1],
        ["noise", "rare", "clear", "once", "blurred"],
        ["half", "clear"],
    ]
    for names, again in map_items(
        ThreadExecutor(2), case.classify, dict.fromkeys(map(tuple, orders), 1)
    ):
        assert tuple(again) == names
        for name, one in again.items():
            same(one, found[name])


def test_no_bit_hangs_on_neighbours_where_blocks_are_full(tmp_path):
    """More concepts than a block holds, of many filters, with images of their own."""
    generator = np.random.default_rng(0)
    images, filters = 1400, 48
    means = generator.gamma(2, 0.1, (images, filters)).astype(np.float32)
    has, train = {}, np.arange(images) % 10 < 8
    for number in range(concepts_together() + 5):
        told = means @ generator.normal(size=filters) + generator.normal(0, 0.3, images)
        has[f"c{number}"] = told > np.quantile(told, 1 - generator.uniform(0.01, 0.06))
    annotations = annotate(tmp_path, {}, list(train), has)
    recording = recording_of(np.zeros((images, filters, 1, 1), dtype=bool), means)
    labels = list(range(1, 1 + len(has)))
    samples = [draw_sample(annotations, label, epochs=1, seed=0, dataset="") for label in labels]
    features = standardise(recording, annotations)

    def classify(places):
        return classify_converged(
            recording,
            annotations,
            [labels[place] for place in places],
            [samples[place] for place in places],
            subset_sizes=(),
            features=features,
        )

    together = classify(range(len(labels)))
    assert len({one.l2 for one in together}) > 1
    for places in ([7], [30, 7, 2, 33, 20], list(range(len(labels)))[::-1]):
        for place, one in zip(places, classify(places), strict=True):
            same(one, together[place])


def test_more_subsets_leave_the_full_fit_alone(case, found):
    without = case.classify(["clear"], sizes=())["clear"]
    np.testing.assert_array_equal(without.weight, found["clear"].weight)
    np.testing.assert_array_equal(without.single_score, found["clear"].single_score)
    assert without.subset_weight.shape == without.path_weight.shape == (0, FILTERS)
    assert without.subset_score.shape == without.path_score.shape == (2, 0)


def test_features_are_made_where_they_are_not_given(case, found):
    again = classify_converged(
        case.recording,
        case.annotations,
        [case.label["half"]],
        [case.samples["half"]],
        subset_sizes=SIZES,
    )
    same(again[0], found["half"])


@pytest.mark.parametrize("unit", [2.0**-8, 2.0**9])
def test_another_unit_changes_the_weights_alone(case, found, unit):
    recording = replace(case.recording, means=(case.means * unit).astype(np.float32))
    names = ["clear", "rare"]
    again = classify_converged(
        recording,
        case.annotations,
        [case.label[name] for name in names],
        [case.samples[name] for name in names],
        subset_sizes=SIZES,
    )
    for name, one in zip(names, again, strict=True):
        np.testing.assert_allclose(one.weight * unit, found[name].weight, rtol=1e-5)
        assert one.l2 == found[name].l2
        np.testing.assert_array_equal(one.score, found[name].score)
        np.testing.assert_array_equal(one.path_score, found[name].path_score)


def test_from_other_starts_the_solutions_are_the_same(case, found, monkeypatch):
    chosen = module._Learner._choose

    def elsewhere(learner):
        start = chosen(learner)
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(1))
        return start + 2 * noise

    monkeypatch.setattr(module._Learner, "_choose", elsewhere)
    names = [name for name in found if name != "noise"]
    for name, one in case.classify(names, sizes=()).items():
        w, u = one.weight, found[name].weight
        assert not np.array_equal(w, u)
        assert w @ u > 0.9999 * np.linalg.norm(w) * np.linalg.norm(u)
        assert relative(one.weight, found[name].weight) < 0.011


def test_of_a_concept_in_every_image_nothing_is_learned(case):
    one = case.classify(["always"])["always"]
    assert not one.weight.any()
    assert one.bias == 0
    assert one.l2 == STRENGTHS[0]


def test_no_concepts(case):
    assert case.classify([]) == {}
