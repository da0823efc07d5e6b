"""Work items on a Dask cluster: one in this process, and one of processes that die."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing

import dask
import distributed
import numpy as np
import pandas as pd
import pytest
import torch

from net2vec.config import Settings
from net2vec.core import dask_executor
from net2vec.core.dask_executor import DaskExecutor, connected
from net2vec.core.executors import ThreadExecutor, local_or_cluster, map_items, run_stages
from net2vec.core.storage import is_temporary
from net2vec.errors import ConfigError, DataError, Net2VecError
from net2vec.pipeline import many

from builders_runs import write_network_file, write_small_folder
from builders_whole import make

# Dask's own servers leave sockets to the garbage collector when they end.
pytestmark = pytest.mark.filterwarnings(
    "default::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def executor(client, tmp_path):
    executor = DaskExecutor(client, tmp_path, lambda line: None)
    yield executor
    executor.close()
    assert not list(tmp_path.iterdir())  # nothing stays


def test_results_are_those_of_threads_to_the_bit(executor):
    values = torch.randn(300, 301, generator=torch.Generator().manual_seed(0)).numpy()

    def work(rows: int) -> bytes:
        chosen = torch.from_numpy(np.array(values[:rows]))
        return (chosen.T @ chosen).softmax(1).numpy().tobytes()

    items = dict.fromkeys([3, 300, 90, 41], 1.0)
    found = list(map_items(executor, work, items))
    assert dict(found) == dict(map_items(ThreadExecutor(1), work, items))
    assert len(found) == 4


@pytest.mark.parametrize("error", [DataError, OSError, TimeoutError])
def test_an_error_of_an_item_is_raised_as_it_is(executor, error):
    def work(item: int) -> int:
        if item == 2:
            raise error("image 2 cannot be read")
        return item

    with pytest.raises(error, match="image 2 cannot be read"):
        list(map_items(executor, work, dict.fromkeys(range(5), 1.0)))


def test_what_a_killed_run_has_left_is_removed_by_the_next(executor):
    assert is_temporary(executor.folder)


def test_a_client_is_an_executor_while_it_is_needed(client, tmp_path):
    said: list[str] = []
    with local_or_cluster(client, tmp_path, said.append) as executor:
        assert dict(map_items(executor, str, {1: 1.0})) == {1: "1"}
    (line,) = said
    assert line.startswith(f"2 workers at {client.scheduler.address}")
    threads = ThreadExecutor(1)
    with local_or_cluster(threads, tmp_path, said.append) as executor:
        assert executor is threads


def test_workers_that_see_other_files_are_refused(client, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_executor, "fault_of_process", lambda seen, versions: "is elsewhere")
    with pytest.raises(ConfigError, match=r"worker .* is elsewhere"):
        DaskExecutor(client, tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unreported")
def test_a_run_on_a_cluster_gives_the_same_bytes(client, tmp_path, monkeypatch):
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "cache"))
    options = {"fit": "paper,lda", "layers": ["1", "3"]}  # two layers are learned at a time
    here = make(tmp_path / "here", **options)
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "other"))
    there = make(tmp_path / "there", executor=client, **options)
    pd.testing.assert_frame_equal(here.scores, there.scores, check_exact=True)
    assert (here.path / "scores.csv").read_bytes() == (there.path / "scores.csv").read_bytes()
    assert not list((there.path / "cache").glob(".sent*"))


@pytest.mark.usefixtures("unreported")
def test_several_runs_at_a_time_give_the_same_bytes(client, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "write_report", lambda *_, **__: None)
    write_network_file(tmp_path)
    shared = {
        "data": (str(write_small_folder(tmp_path / "data")),), "layers": ("1",), "fit": "paper",
        "tasks": ("segment",), "input": "64", "segment": {"epochs": 2, "subsets": ()},
    }  # fmt: skip
    runs = {
        name: Settings.from_dict(
            {**shared, "network": f"{tmp_path}/networks_of_mine.py:{name}", "seed": seed}
        )
        for seed, name in enumerate(["small", "with_batch_norm"])
    }
    runs["missing"] = Settings.from_dict({**shared, "network": f"{tmp_path}/none.py:small"})
    here, _ = many.probe_many(runs, tmp_path / "here")
    there, _ = many.probe_many(runs, tmp_path / "there", executor=client)
    assert [one.name for one in there] == [one.name for one in here] == list(runs)
    assert [one.error is None for one in there] == [True, True, False]
    for one, other in zip(here[:2], there[:2], strict=True):
        assert (one.folder / "scores.csv").read_bytes() == (
            other.folder / "scores.csv"
        ).read_bytes()


def test_stages_in_threads_end_with_the_first_that_fails(executor):
    def wait(_: str) -> None:
        time.sleep(0.2)

    def stage(name: str) -> str:
        if name == "faulty":
            time.sleep(0.3)
            raise DataError("no such thing")
        for _ in map_items(executor, wait, dict.fromkeys(map(str, range(1000)), 1.0)):
            pass
        return name

    begun = time.monotonic()
    with pytest.raises(DataError, match="no such thing"):
        run_stages(stage, ["faulty", "long", "never"], 2)
    assert time.monotonic() - begun < 50  # all items would take 100 seconds


def test_items_that_end_their_workers_are_tried_again_alone_and_named(tmp_path):
    def work(item: str) -> str:
        mark = tmp_path / item
        if item == "always" or (item == "once" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item.upper()

    found: list[tuple[str, str]] = []
    items = dict.fromkeys(["always", "once", "never", "nor"], 1.0)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        connected("local:2", None) as client,
        closing(DaskExecutor(client, tmp_path / "sent", lambda line: None)) as executor,
        pytest.raises(Net2VecError, match=r"^1 of 4 work items .*: always \(1 worker\)"),
    ):
        found.extend(executor.map(work, items))  # workers need no PyTorch
    assert dict(found) == {"once": "ONCE", "never": "NEVER", "nor": "NOR"}


@pytest.mark.parametrize("scheduler", ["local:0", "local:two", "local:-1", "host", "tcp:host", ""])
def test_what_is_no_scheduler_is_refused(scheduler):
    with pytest.raises(ConfigError, match="local:N"), connected(scheduler, None):
        pass


def test_where_no_scheduler_listens_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_executor, "_CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(ConfigError, match="no Dask scheduler at tcp"),
        connected("tcp://127.0.0.1:9", None),
    ):
        pass
    with (
        pytest.raises(ConfigError, match=r"no Dask scheduler at .*missing"),
        connected(None, tmp_path / "missing"),
    ):
        pass
