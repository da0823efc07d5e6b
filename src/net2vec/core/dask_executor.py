"""Work items on the workers of a Dask cluster.

Functions and large results travel as files in a folder that all workers share with this process
(see `net2vec.core.stored`); messages hold paths and small values. Dask moves the items of lost
workers to others. Where the scheduler itself is lost, the client connects to it again, or to the
one that its file names by then, and what is open is submitted again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import Any, TypeVar
from uuid import uuid4

import distributed
from distributed.utils import CancelledError

from net2vec.core.executors import end_if_stopped
from net2vec.core.storage import Say, remove
from net2vec.core.stored import (
    StoredFunction,
    StoredResult,
    fault_of_process,
    own_versions,
    store_function,
)
from net2vec.errors import ConfigError, Net2VecError

Item = TypeVar("Item")
Result = TypeVar("Result")

_ADDRESS = re.compile(r"(?:[a-z]+://)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}/?")
_LOST_WORKER_ERRORS = (CancelledError, OSError, TimeoutError)
_CONNECT_SECONDS = 30
# A batch system may take this long to start a scheduler or workers again.
_PATIENCE_SECONDS = 600
_NOTICE_SECONDS = 30
_POLL_SECONDS = 0.02


class DaskExecutor:
    """Maps functions over items on a cluster; see `net2vec.core.executors.Executor`.

    Args:
        client: a connected client.
        folder: an absolute path that this process and all workers see. A folder within it holds
            what is sent, until `close`.
        say: reports workers and lost connections.

    Several threads may map at a time: so the workers have items while the last ones of another map
    are computed.

    Raises:
        ConfigError: if a worker does not see the folder or has other versions of the packages.
        Net2VecError: if there are no workers for ten minutes.
    """

    maps_at_once = 2

    def __init__(self, client: distributed.Client, folder: Path, say: Say) -> None:
        self.client = client
        # Under a temporary name, so that the next run removes what a killed one has left.
        self.folder = folder / f".sent.{os.getpid()}-{get_ident()}.tmp"
        self.say = say
        self._given = client
        self._connecting = Lock()
        self.folder.mkdir(parents=True)
        try:
            self._meet_workers()
        except BaseException:
            self.close()
            raise

    def map(
        self, function: Callable[[Item], Result], items: Mapping[Item, float]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield items with their results; see `Executor.map`.

        Raises:
            Net2VecError: after all other items are done, if some have ended every worker that
                tried them; if the scheduler stays lost.
        """
        stored = store_function(function, self.folder)
        fatal: dict[Item, str] = {}
        yield from self._compute(stored, items, fatal)
        # Items that only waited on the worker of another were blamed as well: now one at a time.
        for item in list(fatal):
            del fatal[item]
            yield from self._compute(stored, [item], fatal)
        if fatal:
            named = "; ".join(f"{item} ({cause})" for item, cause in fatal.items())
            raise Net2VecError(
                f"{len(fatal)} of {len(items)} work items ended every worker that tried them, the "
                f"others are done: {named}; see the workers' logs, give them more memory, and "
                f"repeat the command to continue"
            )

    def close(self) -> None:
        """Remove what was sent, and close a client that was made here."""
        remove(self.folder)
        if self.client is not self._given:
            self.client.close()

    def _compute(
        self, stored: StoredFunction, items: Iterable[Item], fatal: dict[Item, str]
    ) -> Iterator[tuple[Item, Any]]:
        """Yield results, whatever connections are lost; add items that end workers to `fatal`."""
        left = dict.fromkeys(items)
        while left:
            try:
                for item, result in self._submit(stored, list(left), fatal):
                    del left[item]
                    yield item, result
                return
            except _ConnectionLostError as error:
                self._reconnect(error)
                left = {item: None for item in left if item not in fatal}

    def _submit(
        self, stored: StoredFunction, items: list[Item], fatal: dict[Item, str]
    ) -> Iterator[tuple[Item, Any]]:
        """Yield results as they are ready; add items that end their workers to `fatal`."""
        run = uuid4().hex
        with _losing():
            futures = {
                self.client.submit(
                    stored, item, key=f"net2vec-{run}-{number}", priority=-number, pure=False
                ): item
                for number, item in enumerate(items)
            }
        try:
            for future in self._as_completed(list(futures)):
                item = futures.pop(future)
                # An item's own error may be of the kinds that tell of a lost connection.
                with _losing():
                    error = future.exception() if future.status == "error" else None
                    result = future.result() if error is None else None
                    future.release()  # the workers keep no result
                if isinstance(error, distributed.KilledWorker):
                    lost = error.allowed_failures + 1
                    fatal[item] = f"{lost} worker{'s' * (lost > 1)}"
                elif error is not None:
                    raise error
                else:
                    yield item, result.take() if isinstance(result, StoredResult) else result
        finally:
            with suppress(*_LOST_WORKER_ERRORS):
                self.client.cancel(list(futures))

    def _as_completed(self, futures: list[distributed.Future]) -> Iterator[distributed.Future]:
        """Futures as they are ready; reports it where there are no workers for a while."""
        ready = distributed.as_completed(futures, loop=self.client.loop)
        since = time.monotonic()
        while not ready.is_empty():
            if ready.has_ready():
                yield from ready.next_batch(block=False)
                since = time.monotonic()
                continue
            end_if_stopped()
            time.sleep(_POLL_SECONDS)
            if time.monotonic() - since > _NOTICE_SECONDS:
                since = time.monotonic()
                with _losing():
                    workers = self.client.scheduler_info()["workers"]
                if not workers:
                    self.say(f"{self._address} has no workers; waiting for some")

    @property
    def _address(self) -> str:
        return str(self.client.scheduler.address) if self.client.scheduler else "the scheduler"

    def _meet_workers(self) -> None:
        """Wait for a worker, check all that are there, and report them."""
        if not self.client.scheduler_info()["workers"]:
            self.say(f"{self._address} has no workers yet; waiting for some")
        try:
            self.client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
        except TimeoutError:
            raise Net2VecError(
                f"{self._address} has had no workers for {_PATIENCE_SECONDS // 60} minutes; start "
                f"some with: dask worker {self._address} --nthreads 1"
            ) from None
        witness = self.folder / "seen"
        witness.touch()
        found = self.client.run(fault_of_process, witness, own_versions(), on_error="return")
        for worker, fault in found.items():
            if isinstance(fault, ModuleNotFoundError):
                raise ConfigError(f"worker {worker} has no {fault.name}; install net2vec there")
            if isinstance(fault, Exception) and not isinstance(fault, _LOST_WORKER_ERRORS):
                raise fault
            if fault and isinstance(fault, str):
                raise ConfigError(f"worker {worker} {fault}")
        shown = ""
        if "dashboard" in self.client.scheduler_info()["services"]:
            shown = f", dashboard {self.client.dashboard_link}"
        self.say(f"{len(found)} workers at {self._address}{shown}")

    def _reconnect(self, error: BaseException) -> None:
        """Wait until the scheduler can be reached again.

        Raises:
            Net2VecError: if it cannot.
        """
        lost = self.client
        with self._connecting:
            if self.client is lost:  # else another thread has connected already
                self._connect_again(error)

    def _connect_again(self, error: BaseException) -> None:
        address, client = self._address, self.client
        self.say(f"the connection to {address} is lost; waiting for it")
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            if self.client.status == "running":
                with suppress(*_LOST_WORKER_ERRORS):
                    self._meet_workers()
                    return
            if self.client.status == "closed" and client.cluster is not None:
                break
            if self.client.status == "closed":
                with suppress(*_LOST_WORKER_ERRORS):
                    self.client = (
                        _connect(scheduler_file=client.scheduler_file)
                        if client.scheduler_file
                        else _connect(address, security=client.security)
                    )
                    continue
            time.sleep(1)
        raise Net2VecError(
            f"the scheduler at {address} is lost; start one and repeat the command to continue"
        ) from error


@contextmanager
def connected(scheduler: str | None, scheduler_file: Path | None) -> Iterator[distributed.Client]:
    """Connect to a cluster that the command line names, or start one on this machine.

    Args:
        scheduler: its address, or `local` or `local:N` for N processes of this machine.
        scheduler_file: the file that `dask scheduler --scheduler-file` writes.

    Raises:
        ConfigError: if there is no scheduler.
    """
    if scheduler is not None and scheduler.partition(":")[0] == "local":
        count = scheduler.partition(":")[2]
        if count and (not count.isdecimal() or int(count) == 0):
            raise ConfigError(f"--scheduler {scheduler}: wanted is local or local:N, N processes")
        with (
            distributed.LocalCluster(
                n_workers=int(count) if count else None,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
        return
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        # Dask's client would never end its threads.
        raise ConfigError(
            f"--scheduler {scheduler}: wanted is an address as tcp://HOST:8786, or local:N for N "
            f"processes of this machine"
        )
    try:
        if scheduler_file is not None:
            scheduler_file.stat()
            client = _connect(scheduler_file=str(scheduler_file))
        else:
            client = _connect(scheduler)
    except (OSError, ValueError, TimeoutError) as error:
        what = " ".join(str(error).split())
        raise ConfigError(
            f"no Dask scheduler at {scheduler_file or scheduler} ({what}); start one with: dask "
            f"scheduler"
        ) from error
    with client:
        yield client


class _ConnectionLostError(Exception):
    """The scheduler cannot be reached, or has forgotten what was submitted."""


@contextmanager
def _losing() -> Iterator[None]:
    """Tell the loss of the connection from errors of items."""
    try:
        yield
    except _LOST_WORKER_ERRORS as error:
        raise _ConnectionLostError from error


def _connect(*where: object, **options: object) -> distributed.Client:
    return distributed.Client(*where, timeout=_CONNECT_SECONDS, set_as_default=False, **options)
