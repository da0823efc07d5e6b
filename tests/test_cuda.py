"""On a GPU everything comes to what it comes to on a CPU, and to the same bits when repeated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from net2vec.core.devices import repeatable
from net2vec.core.executors import ThreadExecutor, map_items
from net2vec.data.annotations import compile_annotations
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd.logistic import Draws, fit_logistic
from net2vec.kernels.sgd.segmentation import (
    SegmentationProblem,
    count_predicted,
    fit_segmentation,
)
from net2vec.recording import record, stream
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.concept import ConceptTask, masks_on
from net2vec.tasks.fits.converged_classification import classify_converged
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import packed_masks, segment_concept
from net2vec.tasks.samples import draw_sample
from net2vec.tasks.single import count_single_filters, single_counts
from test_truth import CLASSIFY, MASK, PAIRS, SEGMENT, painted_dataset, planted_network

from builders_data import sparse_maps

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.fixture(scope="module", autouse=True)
def deterministic():
    with repeatable(torch.device("cuda")):
        yield


@pytest.fixture(scope="module")
def recordings():
    def probe(device, batch):
        network, dataset = planted_network(), painted_dataset()
        return record(network, dataset, ["relu"], quantile=0.03, batch=batch, device=device)["relu"]

    return {"cpu": probe("cpu", 32), "cuda": probe("cuda", 32), "again": probe("cuda", 32)}


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    return compile_annotations(painted_dataset(), (MASK, MASK), tmp_path_factory.mktemp("store"))


def same(one, other):
    return all(
        np.array_equal(value, getattr(other, name), equal_nan=True)
        for name, value in vars(one).items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "iufb"
    )


def test_a_recording_is_that_of_a_cpu_but_for_rounding(recordings):
    one, other = recordings["cpu"], recordings["cuda"]
    np.testing.assert_allclose(other.threshold, one.threshold, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.means, one.means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(other.active_share, one.active_share, atol=1e-5)
    assert same(other, recordings["again"])


def test_batches_taken_in_together_are_batches_in_turn(monkeypatch):
    def probe():
        network, dataset = planted_network(), painted_dataset()
        return record(network, dataset, ["relu"], quantile=0.03, batch=8, device="cuda")["relu"]

    together = probe()
    monkeypatch.setattr(stream, "images_per_update", lambda values: 1)
    assert same(together, probe())


TASKS = ("segment", "segment converged", "classify", "classify converged")


def learn(task, recording, annotations, labels, device):
    names = [annotations.names[label] for label in labels]
    samples = [
        draw_sample(annotations, label, epochs=CLASSIFY.epochs, seed=0, dataset="")
        for label in labels
    ]
    if task == "classify":
        return classify_concepts(
            recording, names, samples, subset_sizes=[3], training=CLASSIFY, seed=0, device=device
        )
    if task == "classify converged":
        return classify_converged(
            recording, annotations, labels, samples, subset_sizes=[3], device=device
        )
    best = count_single_filters(recording, annotations, labels).best_filter

    def one(label):
        settings = {
            "best_filter": int(best[labels.index(label)]), "subset_sizes": [2], "device": device
        }  # fmt: skip
        if task == "segment":
            return segment_concept(
                recording, annotations, label, training=SEGMENT, seed=0, **settings
            )
        return segment_converged(recording, annotations, label, **settings)

    found = dict(map_items(ThreadExecutor(4), one, dict.fromkeys(labels, 1)))
    return [found[label] for label in labels]


@pytest.mark.parametrize("task", TASKS)
def test_vectors_are_those_of_a_cpu_but_for_rounding(task, recordings, annotations):
    labels = choose_concepts(annotations, task.split()[0]).labels
    assert len(labels) >= len(PAIRS)
    recording = recordings["cpu"]
    found = {
        device: learn(task, recording, annotations, labels, device) for device in ("cpu", "cuda")
    }
    # Converged vectors end somewhere within half a percent of the optimum.
    close = 1e-5 if "converged" not in task else 5e-3
    for one, other in zip(found["cpu"], found["cuda"], strict=True):
        apart = np.linalg.norm(one.weight - other.weight) / np.linalg.norm(one.weight)
        assert apart <= close
        np.testing.assert_allclose(other.score, one.score, atol=5e-3)
    again = learn(task, recording, annotations, labels, "cuda")
    assert all(same(one, other) for one, other in zip(found["cuda"], again, strict=True))


# At nodes, at strips of pixels, at cells, and so few cells that all squares are steep.
GRIDS = [
    ((13, 13), (113, 113), 0.03, 2e-3),
    ((28, 28), (113, 113), 0.03, 1e-2),
    ((14, 14), (14, 14), 0.03, 0.5),
    ((2, 2), (60, 60), 0.3, 2e-3),
]


@pytest.mark.parametrize(("grid", "size", "share", "rate"), GRIDS)
def test_concepts_side_by_side_learn_the_same_bits_as_alone(grid, size, share, rate):
    problems, start = some_problems(grid, size, share)
    how = {"learning_rate": rate, "momentum": 0.9, "epochs": 20, "device": "cuda"}
    together = fit_segmentation(problems, start, **how)
    alone = [
        fit_segmentation([one], begin[None], **how)[0]
        for one, begin in zip(problems, start, strict=True)
    ]
    assert torch.equal(together, torch.stack(alone))
    assert torch.equal(together, fit_segmentation(problems, start, **how))
    on_cpu = fit_segmentation(problems, start, **{**how, "device": "cpu"})
    torch.testing.assert_close(together, on_cpu, rtol=1e-3, atol=1e-3)
    assert float((together - start).abs().max()) > 1
    counts = {
        device: count_predicted(problems, on_cpu, device=device) for device in ("cpu", "cuda")
    }
    for one, other in zip(counts["cpu"], counts["cuda"], strict=True):
        for found, wanted in zip(one, other, strict=True):
            assert int((found - wanted).abs().max()) <= 2


def some_problems(grid, size, share):
    rng = np.random.default_rng(0)
    strips = Strips.of(grid, size)
    problems = []
    for images in (3, 70, 9, 130, 64, 1):
        maps = sparse_maps(rng.random((images, 20, *grid)) < share)
        masks = torch.from_numpy(rng.random((images, *size)) < 0.2)
        problems.append(SegmentationProblem(maps, strips, strips.pack(masks), 64, 0.8))
    never = sparse_maps(np.zeros((5, 20, *grid), dtype=bool))
    everywhere = strips.pack(torch.ones(5, *size, dtype=torch.bool))
    problems.append(SegmentationProblem(never, strips, everywhere, 64, 0.8))
    start = torch.from_numpy(rng.uniform(-1, 1, (len(problems), 20)).astype(np.float32))
    return problems, start


def test_single_filters_have_the_counts_of_a_cpu(recordings, annotations):
    labels = choose_concepts(annotations, "segment").labels
    one, other = (
        count_single_filters(
            recordings["cpu"], annotations, labels, device=device, executor=ThreadExecutor(2)
        )
        for device in ("cpu", "cuda")
    )
    assert np.array_equal(one.intersection, other.intersection)
    assert np.array_equal(one.union, other.union)


@pytest.mark.parametrize(("grid", "size"), [(grid, size) for grid, size, *_ in GRIDS])
def test_masks_are_unpacked_and_packed_as_on_a_cpu(grid, size, annotations):
    strips, pairs = Strips.of(grid, annotations.size), np.arange(len(annotations.image))
    masks = annotations.masks_of(pairs)
    assert np.array_equal(masks_on("cuda", annotations, pairs).cpu().numpy(), masks)
    packed = packed_masks(annotations, strips, pairs, "cuda")
    assert torch.equal(packed.cpu(), strips.pack(torch.from_numpy(masks)))
    random = torch.rand(5, *size) < 0.3
    strips = Strips.of(grid, size)
    assert torch.equal(strips.pack(random.cuda()).cpu(), strips.pack(random))


@pytest.mark.parametrize("times", [1, 40])
def test_maps_and_best_filters_are_found_as_on_a_cpu(times, recordings, annotations):
    recording = recordings["cpu"]
    images = np.random.default_rng(0).permutation(np.arange(5).repeat(times))
    one, other = (recording.maps(images, device) for device in ("cpu", "cuda"))
    same_maps(one, other)
    kept = torch.rand(recording.filters) < 0.5
    same_maps(one.keep_filters(kept), other.keep_filters(kept))
    chosen = torch.randint(recording.filters, images.shape)
    same_maps(one.alone(chosen), other.alone(chosen))
    assert torch.equal(one.dense(), other.dense().cpu())
    asked = [ConceptTask(annotations, label, label) for label in (1, 2)]
    pairs = [annotations.pairs(one.label) for one in asked]
    for a, b in zip(
        *(single_counts(recording, asked, pairs, device) for device in ("cpu", "cuda")),
        strict=True,
    ):
        assert np.array_equal(a.intersection, b.intersection)
        assert np.array_equal(a.union, b.union)


def same_maps(one, other):
    assert torch.equal(one.starts, other.starts)
    assert torch.equal(one.filter, other.filter.cpu())
    assert torch.equal(one.cell, other.cell.cpu())


@pytest.mark.parametrize("threads", [1, 3])
def test_classification_learns_the_same_bits_in_any_company(threads):
    # Steps that are replayed and steps that are not, as many as others have or fewer.
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.gamma(2, 0.1, (900, 24)).astype(np.float32))
    draws = [some_draws(rng, rows) for rows in (700, 50, 1, 64, 333, 8)]
    start = torch.from_numpy(rng.uniform(-1, 1, (len(draws), 24, 3)).astype(np.float32))
    kept = torch.from_numpy(rng.random(start.shape) < 0.7)
    bias = torch.zeros(len(draws), 3)
    how = {"batch": 16, "rates": [0.1] * 7, "momentum": 0.9}

    def learn(chosen, device="cuda"):
        parts = (x[chosen].to(device) for x in (start, bias, kept))
        found = fit_logistic(features.to(device), [draws[i] for i in chosen], *parts, **how)
        return [part.cpu() for part in found]

    everyone = list(range(len(draws)))
    weight, other_bias = learn(everyone)
    alone = dict(
        map_items(ThreadExecutor(threads), lambda i: learn([i]), dict.fromkeys(everyone, 1))
    )
    assert all(torch.equal(alone[i][0][0], weight[i]) for i in everyone)
    assert all(torch.equal(alone[i][1][0], other_bias[i]) for i in everyone)
    torch.testing.assert_close(weight, learn(everyone, "cpu")[0], rtol=1e-4, atol=1e-5)
    assert float((weight - start * kept).abs().max()) > 0.1


def some_draws(rng, rows):
    return Draws(
        torch.from_numpy(rng.integers(900, size=(7, rows))),
        torch.from_numpy(rng.random((7, rows)) < 0.5),
    )
