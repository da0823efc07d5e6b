"""Work items in threads: every result once, faults at once, bits the same."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from net2vec.core.executors import (
    ProcessExecutor,
    ThreadExecutor,
    choose_executor,
    map_items,
    pack_by_cost,
    run_stages,
)


@pytest.fixture(autouse=True)
def _two_threads():
    """Whatever the machine has, there is something to restore."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def in_threads(workers, function, items):
    return map_items(ThreadExecutor(workers), function, dict.fromkeys(items, 1))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_item_comes_back_with_its_result(workers):
    found = list(in_threads(workers, lambda item: item * item, range(20)))
    assert sorted(found) == [(item, item * item) for item in range(20)]
    assert list(in_threads(workers, str, [])) == []


def test_stages_at_a_time_come_back_in_order_and_share_one_thread_setting():
    meeting = threading.Barrier(2)

    def stage(name: str) -> str:
        meeting.wait(30)  # two at a time, or never
        assert [found for _, found in in_threads(1, lambda _: torch.get_num_threads(), "ab")] == [
            1,
            1,
        ]
        return name.upper()

    assert run_stages(stage, ["a", "b", "c", "d"], 2) == ["A", "B", "C", "D"]
    assert torch.get_num_threads() == 2
    assert run_stages(str.upper, ["a", "b"], 1) == ["A", "B"]


def test_results_do_not_wait_for_slower_items():
    release = threading.Event()

    def work(item: str) -> str:
        if item == "slow":
            assert release.wait(timeout=30)
        return item.upper()

    found = in_threads(2, work, ["slow", "quick"])
    assert next(found) == ("quick", "QUICK")
    release.set()
    assert list(found) == [("slow", "SLOW")]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_has_one_thread_and_the_caller_gets_his_back(workers):
    found = in_threads(workers, lambda _: torch.get_num_threads(), range(6))
    threads = {result for _, result in found}
    assert threads == {1}
    assert torch.get_num_threads() == 2


def test_any_number_of_workers_gives_the_same_bits():
    def work(seed: int) -> torch.Tensor:
        values = torch.randn(300, 301, generator=torch.Generator().manual_seed(seed))
        return (values @ values.T).softmax(1).sum(0)

    one, two, three = (dict(in_threads(workers, work, range(6))) for workers in (1, 2, 3))
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
        list(in_threads(workers, work, range(500)))
    assert len(begun) < 500
    assert torch.get_num_threads() == 2


def test_processes_give_what_threads_give():
    """Closures travel, and large arrays; the bits are those of a thread."""
    values = torch.randn(700, 401, generator=torch.Generator().manual_seed(0)).numpy()

    def work(rows: int) -> tuple[int, bytes]:
        chosen = torch.from_numpy(np.array(values[:rows]))
        return torch.get_num_threads(), (chosen.T @ chosen).softmax(1).numpy().tobytes()

    assert values.nbytes > 1 << 20
    items = [3, 700, 90, 41]
    found = dict(map_items(ProcessExecutor(2), work, dict.fromkeys(items, 1)))
    assert found == dict(in_threads(1, work, items))
    assert {threads for threads, _ in found.values()} == {1}


def test_a_fault_in_a_process_is_raised_here():
    def work(item: int) -> int:
        return 1 // item

    with pytest.raises(ZeroDivisionError):
        list(map_items(ProcessExecutor(2), work, {1: 1, 0: 1}))


def test_groups_are_the_longest_first_and_not_too_large():
    work = {"a": 3, "b": 9, "c": 1, "d": 4, "e": 2}
    assert pack_by_cost(work, 6) == {("b",): 9, ("d",): 4, ("a", "e", "c"): 6}
    assert pack_by_cost(work, 1) == {("b",): 9, ("d",): 4, ("a",): 3, ("e",): 2, ("c",): 1}
    assert pack_by_cost({}, 6) == {}


def test_the_most_expensive_items_are_started_first():
    begun = []
    list(map_items(ThreadExecutor(1), begun.append, {"a": 1, "b": 5, "c": 1, "d": 9}))
    assert begun == ["d", "b", "a", "c"]


def test_processes_are_chosen_for_long_work_of_many_short_calls_on_a_cpu():
    assert choose_executor(2, fits=4, work=5000) == ProcessExecutor(2)
    assert choose_executor(2, fits=1, work=5000) == ThreadExecutor(2)  # one fit a concept
    assert choose_executor(8, fits=1, work=5000) == ProcessExecutor(8)
    assert choose_executor(2, fits=4, work=1000) == ThreadExecutor(2)  # not worth their start
    assert choose_executor(8, on_gpu=True, fits=4, work=5000) == ThreadExecutor(3)
    assert choose_executor(8, work=10**9) == ThreadExecutor(4)


class OneAfterTheOther:
    """An executor of somebody else, who knows nothing of PyTorch's threads."""

    def map(self, function, items):
        for item in items:
            yield item, function(item)


@pytest.mark.parametrize("own", [False, True])
def test_an_executor_of_others_gives_the_same_bits(own):
    def work(seed: int) -> tuple[int, torch.Tensor]:
        values = torch.randn(300, 301, generator=torch.Generator().manual_seed(seed))
        return torch.get_num_threads(), (values @ values.T).softmax(1).sum(0)

    expected = dict(in_threads(2, work, range(4)))
    with ThreadPoolExecutor(2) as pool:
        found = dict(
            map_items(OneAfterTheOther() if own else pool, work, dict.fromkeys(range(4), 1))
        )
    assert found.keys() == expected.keys()
    for seed, (threads, values) in found.items():
        assert threads == 1
        assert torch.equal(values, expected[seed][1])
    assert torch.get_num_threads() == 2
