"""The folder of a run while it is made: whose it is, and what is done already."""

from __future__ import annotations

import shutil
from pathlib import Path

from net2vec.config import Settings, differences, may_follow
from net2vec.core.storage import is_temporary
from net2vec.errors import ConfigError
from net2vec.results import PROVENANCE, save_text

SETTINGS = "run.toml"
CACHE = "cache"
LEDGER = "ledger.json"
STATISTICS = "batch_norm.pt"
FITTED_BASES = "bases.pt"


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a finished run; its provenance is written last."""
    return (folder / PROVENANCE).is_file()


def is_made(folder: Path, settings: Settings) -> bool:
    """Whether the folder holds the finished run of these settings, and nothing is to be added."""
    return is_finished(folder) and Settings.from_toml(folder / SETTINGS) == settings


def claim(folder: Path, settings: Settings) -> None:
    """Make a folder a run's, or find that it is that run's already.

    A run that asks for more (another fit beside the first, more nulls, more seeds) goes on in the
    folder of the run without; its settings are written there only once it is finished, so that
    what is there stays a finished run until then.

    Raises:
        ConfigError: the folder is another run's, or holds something else. Nothing is touched.
    """
    existing = folder / SETTINGS
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; --out wants a folder that is new or empty")
    if existing.is_file():
        before = Settings.from_toml(existing)
        differing = differences(before, settings)
        if not may_follow(settings, before, finished=is_finished(folder)):
            raise ConfigError(
                f"{folder} holds a run with other settings: {'; '.join(differing)} (there and "
                f"here); choose another --out"
            )
        return
    if folder.is_dir() and any(
        path.name != CACHE and not is_temporary(path) for path in folder.iterdir()
    ):
        raise ConfigError(
            f"{folder} is not empty and holds no run; choose an --out that is new or empty"
        )
    save_text(settings.to_toml(), existing)


def release(folder: Path) -> None:
    """Give up a folder in which nothing was done yet, so that a corrected run may have it."""
    if is_finished(folder):
        return
    files = [path for path in (folder / CACHE).rglob("*") if path.is_file()]
    if all(path.name in (LEDGER, STATISTICS, FITTED_BASES) for path in files):
        # In this order: `claim` takes a folder with a cache alone, not one with other settings.
        (folder / SETTINGS).unlink(missing_ok=True)
        shutil.rmtree(folder / CACHE, ignore_errors=True)
