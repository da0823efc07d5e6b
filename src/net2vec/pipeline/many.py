"""Several networks, one after the other, over the same annotations: a folder each, one report."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from net2vec.config import Settings
from net2vec.core.executors import AnyExecutor, maps_at_once, run_stages
from net2vec.errors import ConfigError, Net2VecError
from net2vec.pipeline.inputs import data_options, open_data
from net2vec.pipeline.progress import Advance, Progress, SilentProgress
from net2vec.pipeline.reporting import write_report
from net2vec.pipeline.runner import has_report, probe

if TYPE_CHECKING:
    import distributed

# What a run's folder cannot be called: the report stands beside them.
_RESERVED_NAMES = (".", "..", "report")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run among several.

    Attributes:
        name: of its folder.
        folder: where it is.
        error: why it failed; None where it is finished.
    """

    name: str
    folder: Path
    error: str | None = None


@dataclass(frozen=True)
class _NamedProgress:
    """Reports the stages of a run among others that are made at the same time."""

    name: str
    progress: Progress

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage of `total` steps."""
        return self.progress.stage(f"{self.name}: {name}", total)

    def say(self, text: str) -> None:
        """Print one line for the user."""
        self.progress.say(f"{self.name}: {text}")


def probe_many(
    runs: Mapping[str, Settings],
    out: Path,
    *,
    workers: int | None = None,
    keep_activations: float | None = None,
    executor: AnyExecutor | distributed.Client | None = None,
    progress: Progress | None = None,
) -> tuple[list[Outcome], Path | None]:
    """Make several runs and a report that holds them side by side; one that fails stops no other.

    Args:
        runs: settings by name; a run's folder is `out/NAME`.
        out: holds the runs and `report` afterwards.
        workers: threads or processes.
        keep_activations: see `probe`.
        executor: see `probe`. As many runs are made at a time as it takes maps (two on a Dask
            cluster), so that no worker
            waits while the last concepts of one are learned.
        progress: reports the stages to the user.

    Returns:
        What became of every run, and the page of the report if any run is finished.

    Raises:
        ConfigError: `out` is a file.
        DataError: a dataset cannot be opened; nothing is probed then.
    """
    progress = progress or SilentProgress()
    if out.is_file():
        raise ConfigError(f"{out} is a file; --out wants a folder")
    asked = {_data_key(settings): settings for settings in runs.values()}
    datasets = {key: open_data(settings) for key, settings in asked.items()}
    at_once = maps_at_once(executor)

    def attempt(name: str, action: Callable[[], object]) -> Outcome:
        try:
            action()
        except Exception as error:  # also one of a network's own code, or of a full memory
            what = str(error) if isinstance(error, Net2VecError) else f"{error!r}"
            what = " ".join(what.split())
            progress.say(f"{name} failed: {what}")
            return Outcome(name, out / name, what)
        return Outcome(name, out / name)

    def make(name: str) -> Outcome:
        settings = runs[name]
        progress.say(f"{name}: {settings.network}")
        return attempt(
            name,
            lambda: probe(
                settings, out / name, dataset=datasets[_data_key(settings)], workers=workers,
                keep_activations=keep_activations, executor=executor, report=at_once == 1,
                progress=progress if at_once == 1 else _NamedProgress(name, progress),
            ),
        )  # fmt: skip

    def report(outcome: Outcome) -> Outcome:
        folder = outcome.folder
        if outcome.error is not None or has_report(folder):
            return outcome
        return attempt(
            outcome.name,
            lambda: write_report([folder], folder / "report", trust=True, progress=progress),
        )

    outcomes = run_stages(make, list(runs), at_once)
    outcomes = [report(outcome) for outcome in outcomes]  # figures are drawn by one thread
    finished = [outcome.folder for outcome in outcomes if outcome.error is None]
    if not finished:
        return outcomes, None
    page = write_report(finished, out / "report", trust=True, progress=progress)
    return outcomes, page


def read_runs(path: Path) -> dict[str, Settings]:
    """Read a file of runs: settings shared by all, and a table `[runs.NAME]` for each.

    Raises:
        ConfigError: there is no such file, it is not TOML, or holds something else.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file of runs") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    except RecursionError:
        raise ConfigError(f"{path} cannot be read as TOML: it is nested too deeply") from None
    runs = values.pop("runs", None)
    if not isinstance(runs, dict) or not runs:
        raise ConfigError(f"{path} names no run; wanted is a table [runs.NAME] for each")
    found = {}
    for name, own in runs.items():
        if not re.fullmatch(r"[\w.-]+", name):
            raise ConfigError(f"{path}: {name!r} cannot be a folder; use letters, digits, _ - .")
        if name in _RESERVED_NAMES:
            raise ConfigError(f"{path}: no run can be called {name!r}; choose another name")
        if not isinstance(own, dict):
            raise ConfigError(f"{path}: runs.{name} must be a table, got {own!r}")
        found[name] = Settings.from_dict(_merged(values, own), f"{path}: runs.{name}")
    return found


def name_runs(networks: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Settings]:
    """Settings for each of several networks, named for them."""
    runs: dict[str, Settings] = {}
    for network in networks:
        name = re.sub(r"[^\w.-]+", "-", network.rpartition("/")[2]).strip("-")
        if name in runs:
            raise ConfigError(f"{network} would share the folder {name} with another network")
        runs[name] = Settings.from_dict({**settings, "network": network})
    return runs


def _data_key(settings: Settings) -> tuple[object, ...]:
    return settings.data, *data_options(settings).values()


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**shared, **own}
    for part in ("segment", "classify"):
        if isinstance(shared.get(part), Mapping) and isinstance(own.get(part), Mapping):
            merged[part] = {**shared[part], **own[part]}
    return merged
