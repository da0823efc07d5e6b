"""Steps are taken once each and in order, however many of them are recorded together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.sgd import cuda_graphs as replay
from net2vec.kernels.sgd import segmentation as fit
from net2vec.kernels.sgd.cuda_graphs import Replayed, in_turn


class Recorder:
    """In the place of recordings on a GPU: work is done when it is repeated."""

    def __init__(self) -> None:
        self.made = self.closed = 0

    @contextmanager
    def recorded(self, work, device):
        self.made += 1
        try:
            yield work
        finally:
            self.closed += 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 60), max_size=5))
def test_replayed_steps_are_taken_once_each_and_in_order(counts):
    recorder, seen = Recorder(), []

    def take(steps):
        for number, twice in zip(*steps, strict=True):
            assert float(twice) == 2 * float(number)
            seen.append(int(number))

    numbers = torch.arange(sum(counts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "recorded", recorder.recorded)
        with Replayed(take) as replayed:
            for part in torch.split(numbers, counts):
                replayed.take([part, 2.0 * part])
            assert recorder.closed == 0
    assert seen == numbers.tolist()
    # A single recording serves all calls; few steps are not worth one.
    assert recorder.made == recorder.closed == int(max(counts, default=0) > 16)


@pytest.mark.parametrize(("times", "made"), [(0, 0), (1, 0), (2, 1), (5, 1)])
def test_an_epoch_is_recorded_after_the_first_and_repeated(times, made, monkeypatch):
    recorder, seen = Recorder(), []
    monkeypatch.setattr(fit, "recorded", recorder.recorded)
    takes = [lambda number=number: seen.append(number) for number in range(3)]
    fit._repeat(takes, times, torch.device("cuda"))
    assert seen == [0, 1, 2] * times
    assert recorder.made == recorder.closed == made
    fit._repeat(takes, 4, torch.device("cpu"))
    assert recorder.made == made


@pytest.mark.parametrize(("device", "together", "patience"), [("cuda", 1, 0.1), ("cpu", 2, 20)])
def test_threads_prepare_in_turn_for_a_gpu_and_side_by_side_for_a_cpu(device, together, patience):
    inside, most = [], []
    both = threading.Barrier(2)

    def prepare(number):
        with in_turn(device):
            inside.append(number)
            with suppress(threading.BrokenBarrierError):
                both.wait(patience)  # is passed where the other one comes in, too
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(prepare, range(2)))
    assert max(most) == together


def test_an_error_while_calls_are_recorded_is_the_one_that_is_told(monkeypatch):
    class Graph:
        def capture_begin(self, **how):
            pass

        def capture_end(self):
            raise RuntimeError("nothing was recorded")

    monkeypatch.setattr("torch.cuda.current_blas_handle", lambda: 0)
    monkeypatch.setattr("torch.cuda.CUDAGraph", Graph)

    def full():
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        replay._record(full, None)
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        replay._record(lambda: None, None)
