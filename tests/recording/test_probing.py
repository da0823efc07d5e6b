"""One pass of a network, against NumPy over all of its activations at once.

Weights and pixels are small whole numbers, so that activations are exact whatever the batch, and
ties are many.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from net2vec.errors import DataError, NetworkError
from net2vec.networks import Network, Preprocessing, network_from_module
from net2vec.recording import probing, record, stream
from net2vec.recording.feeding import image_batches

import oracle
from builders_cached import DAMAGES, remove
from builders_data import ArrayDataset
from recordings import IMAGES, LAYERS, SIZE, TAU, assert_equal, small_dataset, small_network


@pytest.fixture
def network() -> Network:
    return small_network()


@pytest.fixture
def dataset() -> ArrayDataset:
    return small_dataset()


def activations(network: Network, dataset: ArrayDataset) -> dict[str, np.ndarray]:
    """What each layer gives for all images, from its module called by hand."""
    x = torch.from_numpy(np.stack(dataset.pictures)).permute(0, 3, 1, 2).double()
    found = {}
    module = network.module.double()
    with torch.no_grad():
        for name, part in module.named_children():
            x = found[name] = part(x)
    module.float()
    return {name: found[name].numpy() for name in LAYERS}


def best_images(highest: np.ndarray, ranks: int) -> np.ndarray:
    """The first `ranks` images [filter, rank] by their values [image, filter], earliest first."""
    images = range(len(highest))
    return np.array([sorted(images, key=lambda i: (-column[i], i))[:ranks] for column in highest.T])


def test_thresholds_and_maps_are_those_of_all_activations(network, dataset):
    found = record(network, dataset, LAYERS, quantile=TAU, batch=3)
    A = activations(network, dataset)
    assert [found[name].grid for name in LAYERS] == [(7, 7), (3, 3), None]
    for name in ("early", "late"):
        cuts, B = oracle.thresholded_maps(A[name], TAU)
        middle = [oracle.midway(A[name][:, k], TAU) for k in range(len(cuts))]
        np.testing.assert_array_equal(found[name].threshold, middle)
        assert found[name].filters == len(cuts)
        np.testing.assert_array_equal(found[name].maps(np.arange(IMAGES)).dense().numpy(), B)
        np.testing.assert_allclose(found[name].active_share, B.mean(axis=(0, 2, 3)))
        # In any order, and some of them alone.
        some = np.array([5, 0, 3])
        np.testing.assert_array_equal(found[name].maps(some).dense().numpy(), B[some])
    assert found["early"].threshold[2] == 0
    assert found["early"].active_share[2] == 0
    # The case is of use: some filters are active up to the share asked for, one saturates.
    assert (found["early"].active_share > 0.04).any()
    assert (found["late"].threshold == 6).any()


def test_a_layer_without_places_has_means_alone(network, dataset):
    found = record(network, dataset, ["logits"], quantile=TAU, batch=3)["logits"]
    np.testing.assert_array_equal(found.means, activations(network, dataset)["logits"])
    assert np.isnan(found.threshold).all()
    assert np.isnan(found.active_share).all()
    assert found.threshold.shape == (3,)
    assert found.starts.tolist() == [0] * (IMAGES + 1)
    with pytest.raises(ValueError, match="logits has no grid"):
        found.maps(np.arange(2))


def test_means_and_top_images(network, dataset):
    found = record(network, dataset, LAYERS, quantile=TAU, batch=3, ranks=4)
    for name, A in activations(network, dataset).items():
        by_place = A.reshape(IMAGES, A.shape[1], -1)
        np.testing.assert_allclose(found[name].means, by_place.mean(axis=2), rtol=1e-6)
        highest = by_place.max(axis=2)
        best = best_images(highest, 4)
        np.testing.assert_array_equal(found[name].top_image, best)
        np.testing.assert_array_equal(
            found[name].top_activation, np.take_along_axis(highest.T, best, 1)
        )
    few = record(network, dataset, ["late"], quantile=TAU, batch=3, ranks=100)["late"]
    assert few.top_image.shape == (4, IMAGES)


@pytest.mark.parametrize(("batch", "workers"), [(1, 3), (2, 1), (7, 2), (50, 2)])
def test_neither_batches_nor_workers_nor_other_layers_move_a_bit(network, dataset, batch, workers):
    expected = record(network, dataset, LAYERS, quantile=TAU, batch=3)
    found = record(network, dataset, LAYERS, quantile=TAU, batch=batch, workers=workers)
    assert list(found) == LAYERS
    for name in LAYERS:
        assert_equal(found[name], expected[name])
    alone = record(network, dataset, ["late"], quantile=TAU, batch=batch)
    assert_equal(alone["late"], expected["late"])


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("together", [2, 4, 5, 100])
def test_batches_taken_in_together_are_batches_in_turn(
    network, dataset, monkeypatch, batch, together
):
    network.module.early.inplace = True  # writes over the output of the first
    layers = ["first", *LAYERS]
    expected = record(network, dataset, layers, quantile=TAU, batch=batch)
    taken = []
    take_in = stream.LayerStream._update

    def watched(self, values, means, first):
        if self.layer == "first":
            taken.append((first, first + len(values)))
        take_in(self, values, means, first)

    monkeypatch.setattr(stream, "images_per_update", lambda values: together)
    monkeypatch.setattr(stream.LayerStream, "_update", watched)
    found = record(network, dataset, layers, quantile=TAU, batch=batch)
    for name in layers:
        assert_equal(found[name], expected[name])
    # As many batches as there is room for, and at least one; the last may be smaller.
    begin = list(range(0, IMAGES, batch))
    whole = []
    while begin:
        first = begin[0]
        ends = [min(one + batch, IMAGES) for one in begin]
        count = max(sum(end - first <= together for end in ends), 1)
        whole.append((first, ends[count - 1]))
        begin = begin[count:]
    assert taken == whole


@pytest.fixture
def more_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_batches_side_by_side_are_batches_in_turn(network, dataset, more_threads):
    alone = record(network, dataset, LAYERS, quantile=TAU, batch=IMAGES)
    for _ in range(5):
        found = record(network, dataset, LAYERS, quantile=TAU, batch=1, workers=3)
        for name in LAYERS:
            assert_equal(found[name], alone[name])
    assert torch.get_num_threads() == 3


def test_a_network_that_keeps_things_in_itself_is_not_shared_by_threads(dataset, more_threads):
    class Keeps(nn.Module):
        def forward(self, batch):
            self.kept = batch
            time.sleep(0.002)
            return self.kept + 0

    module = nn.Sequential()
    module.add_module("keeps", Keeps())
    module.add_module("relu", nn.ReLU())
    fed = network_from_module(module, Preprocessing(SIZE, (0.0,) * 3, (1.0,) * 3))
    found = record(fed, dataset, ["relu"], quantile=TAU, batch=1)["relu"]
    expected = np.stack(dataset.pictures).mean((1, 2))
    np.testing.assert_allclose(found.means, expected, rtol=1e-6)


def test_waiting_is_the_share_of_time_without_images(network, dataset):
    shares: list[float] = []
    record(network, dataset, LAYERS, quantile=TAU, batch=1, waiting=shares.append)
    image = dataset.image

    def slow(index: int):
        time.sleep(0.05)
        return image(index)

    dataset.image = slow
    record(network, dataset, LAYERS, quantile=TAU, batch=1, workers=1, waiting=shares.append)
    assert 0 <= shares[0] < 1
    assert 0.6 < shares[1] < 1


def test_more_places_than_can_be_numbered_are_refused(network, dataset, monkeypatch):
    monkeypatch.setattr(stream, "MAX_POSITIONS", IMAGES * 49 - 1)
    with pytest.raises(NetworkError, match=r"layer early has 343 places on 7 images"):
        record(network, dataset, ["early"], quantile=TAU, batch=3)
    record(network, dataset, ["late"], quantile=TAU, batch=3)


def test_mixed_precision_rounds_what_the_network_computes(network, dataset):
    network.module.first.bias.data += 301  # eight bits no longer hold every whole number
    single, mixed = (
        record(network, dataset, ["early"], quantile=TAU, batch=3, mixed_precision=half)["early"]
        for half in (False, True)
    )
    assert (mixed.means != single.means).any()
    np.testing.assert_allclose(mixed.means, single.means, rtol=0.01)
    assert mixed.means.dtype == mixed.threshold.dtype == np.float32


def test_images_come_in_order_as_the_network_is_fed_them(network, dataset):
    wanted = [6, 0, 1, 5, 2, 3, 4]
    batches = list(image_batches(network, dataset, wanted, 3, workers=3))
    assert [list(chosen) for chosen, _ in batches] == [[6, 0, 1], [5, 2, 3], [4]]
    fed = torch.cat([images for _, images in batches]).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(fed, np.stack(dataset.pictures)[wanted])


def test_progress_counts_every_image_once(network, dataset, tmp_path):
    told: list[int] = []
    record(network, dataset, ["late"], quantile=TAU, batch=3, progress=told.append)
    assert told == [3, 3, 1]
    for _ in range(2):  # a pass, and a recording that is there already
        told.clear()
        record(
            network, dataset, ["late"], quantile=TAU, batch=3, folder=tmp_path, progress=told.append
        )
        assert sum(told) == IMAGES


FILES = {
    f"layer-{number:03}.{end}"
    for number in range(3)
    for end in ("npz", "filter.npy", "cell.npy", "means.npy")
}


def test_a_finished_recording_is_read_and_not_made_again(network, dataset, tmp_path):
    folder = tmp_path / "recording"
    first = record(network, dataset, LAYERS, quantile=TAU, batch=3, folder=folder)
    assert {path.name for path in folder.iterdir()} == FILES
    for recording in first.values():
        for array in (recording.filter, recording.cell, recording.means):
            assert isinstance(array, np.memmap)
    dataset.images_read.clear()
    second = record(network, dataset, LAYERS, quantile=TAU, batch=3, folder=folder)
    assert dataset.images_read == []
    for name in LAYERS:
        assert_equal(second[name], first[name])


def interrupt_at(stop: int):
    seen = 0

    def progress(images: int) -> None:
        nonlocal seen
        seen += images
        if seen >= stop:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("together", [1, 3])
def test_an_interrupted_pass_goes_on_from_its_checkpoint(
    network, dataset, tmp_path, monkeypatch, together
):
    monkeypatch.setattr(stream, "images_per_update", lambda values: together)
    monkeypatch.setattr(probing, "_CHECKPOINT_SECONDS", -1.0)
    options = {"quantile": TAU, "batch": 1, "workers": 1}
    expected = record(network, dataset, LAYERS, **options)
    # Two batches are under way when a checkpoint is due, and both are in it; the pass is stopped
    # when one more is done, and again two after that.
    for stop, saved in ((3, 0), (5, 2)):
        dataset.images_read.clear()
        with pytest.raises(KeyboardInterrupt):
            record(
                network,
                dataset,
                LAYERS,
                folder=tmp_path,
                progress=interrupt_at(stop),
                **options,
            )
        assert min(dataset.images_read) == saved
        assert not list(tmp_path.glob("*.npz"))
    dataset.images_read.clear()
    found = record(network, dataset, LAYERS, folder=tmp_path, **options)
    assert sorted(dataset.images_read) == [4, 5, 6]
    for name in LAYERS:
        assert_equal(found[name], expected[name])
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_or_layer_is_recorded_again(
    network, dataset, tmp_path, monkeypatch, damage
):
    options = {"quantile": TAU, "batch": 1, "workers": 1}
    expected = record(network, dataset, LAYERS, **options)
    monkeypatch.setattr(probing, "_CHECKPOINT_SECONDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        record(network, dataset, LAYERS, folder=tmp_path, progress=interrupt_at(4), **options)
    for name in ("checkpoint.pt", "layer-001.npz", "layer-001.means.npy"):
        damage(tmp_path / name)
        dataset.images_read.clear()
        said: list[str] = []
        found = record(network, dataset, LAYERS, folder=tmp_path, say=said.append, **options)
        assert sorted(dataset.images_read) == list(range(IMAGES))
        assert len(said) == (damage is not remove)
        for layer in LAYERS:
            assert_equal(found[layer], expected[layer])
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_a_checkpoint_of_other_layers_is_not_gone_on_with(network, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "_CHECKPOINT_SECONDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        record(
            network,
            dataset,
            ["early"],
            quantile=TAU,
            batch=1,
            folder=tmp_path,
            progress=interrupt_at(4),
        )
    assert (tmp_path / "checkpoint.pt").exists()
    found = record(network, dataset, ["late"], quantile=TAU, batch=2, folder=tmp_path)["late"]
    assert_equal(found, record(network, dataset, ["late"], quantile=TAU, batch=2)["late"])


class Fault(nn.Module):
    """Gives one value that is not finite for a black image."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        faulty = batch.clone()
        faulty[batch.amax((1, 2, 3)) == 0, 1, 2, 3] = self.value
        return faulty


# By themselves, and taken in with others; of the last, a batch waits until the end.
@pytest.mark.parametrize(
    ("batch", "together", "shown"), [(3, 3, "3 to 5"), (1, 4, "4 to 6"), (3, 50, "0 to 6")]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused_by_the_layers_name(
    dataset, monkeypatch, value, batch, together, shown
):
    monkeypatch.setattr(stream, "images_per_update", lambda values: together)
    dataset.pictures[5] = 0
    module = nn.Sequential()
    module.add_module("sound", nn.ReLU())
    module.add_module("faulty", Fault(value))
    fed = Preprocessing(SIZE, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(NetworkError, match=rf"layer faulty .* not finite .* images {shown}:"):
        record(
            network_from_module(module, fed),
            dataset,
            ["sound", "faulty"],
            quantile=TAU,
            batch=batch,
        )


def test_what_is_neither_maps_nor_vectors_is_refused(dataset):
    module = nn.Sequential()
    module.add_module("rows", nn.Flatten(1, 2))  # 45 rows, which are no square of tokens
    fed = Preprocessing(SIZE, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(NetworkError, match=r"layer rows .*\(3, 45, 15\)"):
        record(network_from_module(module, fed), dataset, ["rows"], quantile=TAU, batch=3)


def test_an_image_that_cannot_be_read_ends_the_pass(network, dataset):
    def broken(index: int):
        raise DataError(f"{dataset.images[index]}: not an image")

    dataset.image = broken
    with pytest.raises(DataError, match=r"0000\.png: not an image"):
        record(network, dataset, ["late"], quantile=TAU, batch=3)
