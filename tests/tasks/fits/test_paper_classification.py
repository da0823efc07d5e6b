"""Classification: which images are drawn, and what is learned from them, against the slow way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.data.annotations import Annotations
from net2vec.tasks.chance import start_vector
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import ClassifiedConcept
from net2vec.tasks.samples import Sample, draw_sample

import oracle
from builders_data import annotate, recording_of

IMAGES, FILTERS = 80, 6
TRAINING = Training(learning_rate=0.1, momentum=0.9, batch=16, epochs=30, drop_after=15)
SEED = 3


def annotations_of(folder, has: dict[str, np.ndarray], is_train: Sequence[bool]) -> Annotations:
    """Concepts of whole images, by who has them."""
    return annotate(folder, {}, is_train, has)


# Samples


@settings(deadline=None, max_examples=30)
@given(
    train=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    val=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    seed=st.integers(0, 2**32),
)
def test_a_sample_is_balanced_and_takes_all_of_the_smaller_side(tmp_path_factory, train, val, seed):
    has = np.repeat([True, False, True, False], [*train, *val])
    is_train = np.repeat([True, False], [sum(train), sum(val)])
    order = np.random.default_rng(seed).permutation(len(has))
    has, is_train = has[order], is_train[order]
    annotations = annotations_of(tmp_path_factory.mktemp("store"), {"c": has}, list(is_train))
    sample = draw_sample(annotations, 1, epochs=6, seed=seed, dataset="d")

    def check(rows, positive, split: np.ndarray, smaller: int) -> None:
        rows, positive = rows.numpy(), positive.numpy()
        assert len(set(rows)) == len(rows) == 2 * smaller
        assert split[rows].all()
        np.testing.assert_array_equal(has[rows], positive)
        assert positive.sum() == smaller

    for rows, positive in zip(sample.draws.rows, sample.draws.positive, strict=True):
        check(rows, positive, is_train, min(train))
    check(sample.rows[0], sample.positive[0], is_train, min(train))
    check(sample.rows[1], sample.positive[1], ~is_train, min(val))


@pytest.fixture(scope="module")
def drawn_from(tmp_path_factory) -> Annotations:
    has = np.arange(300) % 5 == 0
    return annotations_of(
        tmp_path_factory.mktemp("store"),
        {"a": has, "b": has, "most": ~has},
        list(np.arange(300) % 3 > 0),
    )


def rows_of(sample: Sample, epoch: int, positive: bool) -> list[int]:
    return sample.draws.rows[epoch][sample.draws.positive[epoch] == positive].tolist()


def test_the_larger_side_is_drawn_afresh_for_every_epoch_and_both_are_shuffled(drawn_from):
    sample = draw_sample(drawn_from, 1, epochs=40, seed=0, dataset="d")
    positives = [rows_of(sample, epoch, True) for epoch in range(40)]
    negatives = [rows_of(sample, epoch, False) for epoch in range(40)]
    assert len({tuple(sorted(rows)) for rows in positives}) == 1
    assert len({tuple(rows) for rows in positives}) == 40
    assert len({tuple(sorted(rows)) for rows in negatives}) == 40
    # Forty of 160 each time: in the end every negative has come, and the sides are mixed.
    assert len(set().union(*negatives)) == 160
    first_half = sample.draws.positive[:, :40].double().mean().item()
    assert first_half == pytest.approx(0.5, abs=0.05)


def test_where_the_concept_is_in_most_images_its_images_are_drawn(drawn_from):
    sample = draw_sample(drawn_from, 3, epochs=2, seed=0, dataset="d")
    assert sorted(rows_of(sample, 0, False)) == sorted(rows_of(sample, 1, False))
    assert sorted(rows_of(sample, 0, True)) != sorted(rows_of(sample, 1, True))


def test_samples_are_keyed_by_seed_dataset_and_concept_alone(drawn_from, tmp_path):
    def flat(annotations: Annotations, label: int, epochs: int = 3, **changes) -> list[list[int]]:
        key = {"seed": 0, "dataset": "d"} | changes
        sample = draw_sample(annotations, label, epochs=epochs, **key)
        return [*sample.draws.rows.tolist(), sample.rows[0].tolist(), sample.rows[1].tolist()]

    first = flat(drawn_from, 1)
    assert flat(drawn_from, 1) == first
    # More epochs only go on, and leave the scored images alone.
    longer = flat(drawn_from, 1, epochs=5)
    assert longer[:3] + longer[5:] == first
    for other in (
        flat(drawn_from, 2),
        flat(drawn_from, 1, seed=1),
        flat(drawn_from, 1, dataset=""),
    ):
        assert all(rows != expected for rows, expected in zip(other, first, strict=True))
    # The name counts, not the number, nor which other concepts there are.
    has = np.arange(300) % 5 == 0
    alone = annotations_of(tmp_path, {"z": ~has, "a": has}, list(np.arange(300) % 3 > 0))
    assert flat(alone, 2) == first


# Learning


class Case:
    """Concepts that the features tell, more or less."""

    def __init__(self, folder) -> None:
        generator = np.random.default_rng(1)
        self.means = np.maximum(generator.normal(0.2, 1, (IMAGES, FILTERS)), 0).astype(np.float32)
        self.means[:, 2] = 0  # a filter that is never active
        self.has = {}
        for name, noise, share in [
            ("clear", 0.1, 0.5),
            ("blurred", 1.0, 0.5),
            ("rare", 0.1, 0.15),
            ("common", 0.1, 0.8),
        ]:
            told = self.means @ generator.normal(size=FILTERS) + generator.normal(0, noise, IMAGES)
            self.has[name] = told > np.quantile(told, 1 - share)
        is_train = list(np.arange(IMAGES) % 4 > 0)
        self.annotations = annotations_of(folder, self.has, is_train)
        self.recording = recording_of(np.zeros((IMAGES, FILTERS, 2, 2), dtype=bool), self.means)
        self.names = list(self.has)
        self.samples = {
            name: draw_sample(self.annotations, label, epochs=30, seed=SEED, dataset="d")
            for label, name in enumerate(self.names, start=1)
        }

    def classify(
        self, names: Sequence[str], training: Training = TRAINING, sizes: Sequence[int] = (3,)
    ) -> list[ClassifiedConcept]:
        return classify_concepts(
            self.recording,
            names,
            [self.samples[name] for name in names],
            subset_sizes=sizes,
            training=training,
            seed=SEED,
        )


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return Case(tmp_path_factory.mktemp("store"))


def test_what_is_learned_is_what_the_oracle_learns(case):
    names = case.names
    # With no learning the biases that are learned from show themselves.
    still = case.classify(names, Training(0.0, 0.9, 16, 30))
    for name, found, start in zip(names, case.classify(names), still, strict=True):
        sample = case.samples[name]
        orders = list(sample.draws.rows.numpy())
        w0 = start_vector(SEED, "classify", "layer", name, FILTERS, FILTERS).numpy()
        np.testing.assert_array_equal(start.weight, w0)
        w, b = oracle.fit_classification(
            case.means, case.has[name], orders, w0, start.bias, batch=16
        )
        np.testing.assert_allclose(found.weight, w, atol=1e-5)
        assert found.bias == pytest.approx(b, abs=1e-5)
        assert start.start_distance == 0
        distance = np.linalg.norm(w - w0) / np.linalg.norm(w0)
        assert found.start_distance == pytest.approx(distance, abs=1e-4)
        assert found.best_filter == oracle.top_filters(found.weight, 1)[0]

        kept = np.sort(oracle.top_filters(found.weight, 3))
        w, b = oracle.fit_classification_subset(
            case.means,
            case.has[name],
            orders,
            start_vector(SEED, "classify", "layer", name, FILTERS, 3).numpy()[kept],
            float(start.subset_bias[0]),
            kept,
            batch=16,
        )
        np.testing.assert_allclose(found.subset_weight[0], w, atol=1e-5)
        assert found.subset_bias[0] == pytest.approx(b, abs=1e-5)
        assert found.subset_weight.shape == (1, FILTERS)


def test_scores_are_accuracies_on_the_drawn_images(case):
    still = case.classify(case.names, Training(0.0, 0.9, 16, 30), sizes=(1, 3))
    found = case.classify(case.names, sizes=(1, 3))
    for name, learned, start in zip(case.names, found, still, strict=True):
        sample = case.samples[name]
        for split in (0, 1):
            rows, positive = sample.rows[split].numpy(), sample.positive[split].numpy()

            def accuracy(w, b, rows=rows, positive=positive):
                return oracle.accuracy(case.means[rows], positive, w, b)

            assert learned.score[split] == accuracy(learned.weight, learned.bias)
            for place in (0, 1):
                expected = accuracy(learned.subset_weight[place], learned.subset_bias[place])
                assert learned.subset_score[split, place] == expected
            # The single filter is the subset of one, learned by itself.
            assert learned.single_score[split] == learned.subset_score[split, 0]
            assert start.score[split] == accuracy(start.weight, start.bias)
        right = learned.subset_trial_correct
        for place, vector in enumerate(learned.subset_weight):
            logit = case.means[learned.trial_image] @ vector + learned.subset_bias[place]
            np.testing.assert_array_equal(right[place], (logit > 0) == learned.trial_positive)
        assert right.mean(axis=1).tolist() == learned.subset_score[1].tolist()
        np.testing.assert_array_equal(right[0], learned.trial_correct[0])
        assert learned.path_trial_correct.shape == (0, len(learned.trial_image))
        single = np.flatnonzero(learned.subset_weight[0])
        assert single.tolist() == [learned.best_filter]
    by_name = dict(zip(case.names, found, strict=True))
    assert by_name["clear"].score.min() > 0.9
    assert by_name["clear"].score[0] > by_name["clear"].single_score[0]


def test_starting_biases_are_uniform_between_zero_and_one(case):
    names = [f"concept {number}" for number in range(300)]
    samples = [case.samples["rare"]] * 300
    found = classify_concepts(
        case.recording,
        names,
        samples,
        subset_sizes=[3],
        training=Training(0.0, 0.9, 64, 1),
        seed=SEED,
    )
    biases = np.array([[one.bias, one.subset_bias[0]] for one in found])
    assert biases.min() >= 0
    assert biases.max() < 1
    deciles = np.quantile(biases, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(deciles, [0.1, 0.5, 0.9], atol=0.06)
    assert (biases[:, 0] != biases[:, 1]).all()


def test_no_bit_hangs_on_the_concepts_beside_or_their_order(case):
    together = dict(zip(case.names, case.classify(case.names, sizes=(1, 3)), strict=True))
    for names in ([case.names[2]], case.names[::-1], [case.names[3], case.names[0]]):
        for name, found in zip(names, case.classify(names, sizes=(1, 3)), strict=True):
            for key, value in vars(found).items():
                np.testing.assert_array_equal(value, getattr(together[name], key), err_msg=key)


def test_more_subsets_leave_the_full_fit_alone(case):
    with_subsets, without = case.classify(["clear"])[0], case.classify(["clear"], sizes=())[0]
    np.testing.assert_array_equal(without.weight, with_subsets.weight)
    np.testing.assert_array_equal(without.score, with_subsets.score)
    assert without.subset_weight.shape == (0, FILTERS)
    assert without.subset_score.shape == (2, 0)
