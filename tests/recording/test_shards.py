"""Any split of the images into shards, merged in any order, is one stream to the last bit."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.core.executors import ProcessExecutor, ThreadExecutor
from net2vec.recording import probing, record
from net2vec.recording.stream import LayerStream

from recordings import IMAGES, LAYERS, TAU, assert_equal, small_dataset, small_network


@dataclass(frozen=True)
class InOrder:
    """Maps in this process, in a given order, by what travels to another one; may be stopped."""

    order: tuple[int, ...] = tuple(range(IMAGES))
    stop: int = IMAGES
    travels: bool = True

    def map(self, function, items):
        if self.travels:
            function = pickle.loads(pickle.dumps(function))
        for done, n in enumerate(n for n in self.order if n < len(items)):
            if done == self.stop:
                raise KeyboardInterrupt
            item = list(items)[n]
            yield item, pickle.loads(pickle.dumps(function(item)))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    images=st.integers(1, 12),
    grid=st.sampled_from([(1, 1), (2, 3), (4, 4), None]),
    quantile=st.sampled_from([0.01, 0.2, 0.6]),
    levels=st.sampled_from([1, 3, 1000]),
    data=st.data(),
)
def test_streams_merge_in_any_order(seed, images, grid, quantile, levels, data):
    rng = np.random.default_rng(seed)
    values = rng.integers(-1, levels, (images, 3, *(grid or ()))) / 8
    output = torch.from_numpy(values.astype(np.float32))

    def stream(shard: range) -> LayerStream:
        found = LayerStream.of("some", output, images, quantile, 4, shard)
        for first in shard:
            found.add(output[first : first + 1], first)
        return found

    cuts = data.draw(st.sets(st.integers(0, images)))
    bounds = sorted({0, images, *cuts})
    shards = [stream(range(*pair)) for pair in pairwise(bounds)]
    while len(shards) > 1:
        other = shards.pop(data.draw(st.integers(0, len(shards) - 1)))
        if data.draw(st.booleans()):
            other = pickle.loads(pickle.dumps(other.compact()))
        shards[data.draw(st.integers(0, len(shards) - 1))].merge(other)
    assert_equal(shards[0].finish(), stream(range(images)).finish())


@pytest.mark.parametrize(("shards", "sizes"), [(32, [2, 2, 2, 1]), (2, [4, 3])])
def test_a_small_dataset_has_shards_for_several_workers(monkeypatch, shards, sizes):
    monkeypatch.setattr(probing, "_SHARDS", shards)
    told: list[int] = []
    options = {"quantile": TAU, "batch": 2, "executor": InOrder(), "progress": told.append}
    record(small_network(), small_dataset(), LAYERS, **options)
    assert told == sizes


@settings(deadline=None, max_examples=10)
@given(st.integers(1, IMAGES), st.integers(1, IMAGES), st.permutations(range(IMAGES)))
def test_a_recording_does_not_depend_on_its_shards(batch, shard_images, order):
    network, dataset = small_network(), small_dataset()
    options = {"quantile": TAU, "batch": batch, "ranks": 3}
    whole = record(network, dataset, LAYERS, **options)
    told: list[int] = []
    found = record(
        network,
        dataset,
        LAYERS,
        executor=InOrder(tuple(order)),
        shard_images=shard_images,
        progress=told.append,
        **options,
    )
    assert sum(told) == IMAGES
    # Shards end where batches do.
    shard = -(-shard_images // batch) * batch
    assert sorted(told, reverse=True) == [min(shard, IMAGES - n) for n in range(0, IMAGES, shard)]
    for name in LAYERS:
        assert_equal(found[name], whole[name])


@pytest.mark.parametrize("executor", [ThreadExecutor(3), ProcessExecutor(2)])
@pytest.mark.parametrize("network", [small_network(), partial(small_network)], ids=["it", "loader"])
def test_executors_record_the_same_bits(executor, network):
    options = {"quantile": TAU, "batch": 2}
    whole = record(small_network(), small_dataset(), LAYERS, **options)
    shares: list[float] = []
    found = record(
        network,
        small_dataset(),
        LAYERS,
        executor=executor,
        shard_images=1,
        waiting=shares.append,
        **options,
    )
    for name in LAYERS:
        assert_equal(found[name], whole[name])
    assert len(shares) == 1
    assert 0 <= shares[0] < 1


def test_interrupted_shards_continue_from_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "_CHECKPOINT_SECONDS", -1.0)
    options = {"quantile": TAU, "batch": 2, "folder": tmp_path, "shard_images": 2}
    with pytest.raises(KeyboardInterrupt):
        record(
            small_network(), small_dataset(), LAYERS, executor=InOrder((2, 0, 1, 3), 2), **options
        )
    dataset, told = small_dataset(), []
    found = record(
        small_network(),
        dataset,
        LAYERS,
        executor=InOrder(travels=False),
        progress=told.append,
        **options,
    )
    assert sorted(dataset.images_read) == [2, 3, 6]
    assert (told[0], sum(told)) == (4, IMAGES)
    whole = record(small_network(), small_dataset(), LAYERS, quantile=TAU, batch=2)
    for name in LAYERS:
        assert_equal(found[name], whole[name])
    # Another size of shards does not continue from it.
    assert not (tmp_path / "checkpoint.pt").exists()


def test_streams_of_different_layers_do_not_merge():
    output = torch.zeros(2, 3, 4, 4)
    one, other = (LayerStream.of(name, output, 2, TAU, 1) for name in ("early", "late"))
    with pytest.raises(ValueError, match=r"streams of early \(4, 4\) and late \(4, 4\)"):
        one.merge(other)
