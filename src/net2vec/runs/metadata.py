"""The metadata of a finished run: its settings, its provenance and what it left out."""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from net2vec import results
from net2vec.errors import ResultsError


class RunMetadata:
    """The small files of a run, each read and checked when it is first used.

    Attributes:
        path: the run's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def untrained(self) -> bool:
        """Whether the network was probed with random weights, as far as the run says."""
        try:
            return self.provenance.get("network", {}).get("trained") is False
        except ResultsError:  # results alone can be queried
            return False

    @cached_property
    def skipped(self) -> pd.DataFrame:
        """The rows of `skipped.csv`; none where there is no such file."""
        path = self.path / "skipped.csv"
        results.check_file(self.path, path.name)
        if not path.is_file():
            return pd.DataFrame(columns=list(results.SKIPPED_COLUMNS))
        return results.load_table(path)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """The content of `provenance.json`."""
        return results.load_provenance(self.path)

    @property
    def annotators(self) -> list[dict[str, Any]]:
        """The models that made the masks, as `provenance.json` has them; none for masks by people.

        Raises:
            ResultsError: if the provenance cannot be read.
        """
        annotators: list[dict[str, Any]] = self.provenance.get("data", {}).get("annotators", [])
        return annotators

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The content of `run.toml`; empty where there is none."""
        path = self.path / "run.toml"
        results.check_file(self.path, path.name)
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise ResultsError(f"{path} cannot be read as settings: {error}") from error
        results.check_settings(settings, path)
        return settings
