"""Work items in threads: every result once, faults at once, bits the same."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from net2vec.tasks.workers import map_in_threads


@pytest.fixture(autouse=True)
def _two_threads():
    """Whatever the machine has, there is something to restore."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_item_comes_back_with_its_result(workers):
    found = list(map_in_threads(lambda item: item * item, range(20), workers))
    assert sorted(found) == [(item, item * item) for item in range(20)]
    assert list(map_in_threads(str, [], workers)) == []


def test_results_do_not_wait_for_slower_items():
    release = threading.Event()

    def work(item: str) -> str:
        if item == "slow":
            assert release.wait(timeout=30)
        return item.upper()

    found = map_in_threads(work, ["slow", "quick"], 2)
    assert next(found) == ("quick", "QUICK")
    release.set()
    assert list(found) == [("slow", "SLOW")]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_has_one_thread_and_the_caller_gets_his_back(workers):
    threads = {result for _, result in map_in_threads(lambda _: torch.get_num_threads(),
                                                      range(6), workers)}  # fmt: skip
    assert threads == {1}
    assert torch.get_num_threads() == 2


def test_any_number_of_workers_gives_the_same_bits():
    def work(seed: int) -> torch.Tensor:
        values = torch.randn(300, 301, generator=torch.Generator().manual_seed(seed))
        return (values @ values.T).softmax(1).sum(0)

    one, two, three = (dict(map_in_threads(work, range(6), workers)) for workers in (1, 2, 3))
    for seed in range(6):
        assert torch.equal(one[seed], two[seed])
        assert torch.equal(one[seed], three[seed])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_surfaces_and_stops_what_has_not_begun(workers):
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise RuntimeError("item 2 cannot be done")
        time.sleep(0.005)
        return item

    with pytest.raises(RuntimeError, match="item 2 cannot be done"):
        list(map_in_threads(work, range(500), workers))
    assert len(begun) < 500
    assert torch.get_num_threads() == 2
