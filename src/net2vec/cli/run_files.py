"""Runs in a folder, described by their small files: for the command `runs` and for completion.

Neither pandas nor xarray is loaded to read them, so that a shell need not wait.
"""

from __future__ import annotations

import csv
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from net2vec.core.locks import is_occupied
from net2vec.vocabulary import TASKS

_SETTINGS, _PROVENANCE, _RESULTS = "run.toml", "provenance.json", "results.zarr"
_CONTENTS = ("network", "weights", "data", "layers", "tasks", "fits", "concepts", "date")
_MAX_DEPTH = 4


@dataclass(frozen=True)
class RunFiles:
    """The content of a run's small files.

    Attributes:
        path: the run's folder.
        settings: the content of `run.toml`.
        provenance: the content of `provenance.json`; empty where the run is not finished.
        layers: names of the probed layers.
        fits: names of the fits.
        concepts: the number of concepts by task.
        fault: the file that cannot be read; empty where there is none.
    """

    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    fits: tuple[str, ...] = ()
    concepts: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""

    @property
    def state(self) -> str:
        """`finished`, `being made` by a process, `unfinished` or `cannot be read: FILE`."""
        if self.fault:
            return f"cannot be read: {self.fault}"
        if self.provenance:
            return "finished"
        return "being made" if is_occupied(self.path) else "unfinished"

    def row(self, folder: Path) -> dict[str, str | None]:
        """A row of the table of `net2vec runs`; before there are results, as `run.toml` asks."""
        place = {"run": _printable(self.path.relative_to(folder))}
        try:
            return {**place, **self._contents(), "state": self.state}
        except (TypeError, AttributeError):  # TOML and JSON of another shape
            unknown = f"cannot be read: {_PROVENANCE if self.provenance else _SETTINGS}"
            return {**place, **dict.fromkeys(_CONTENTS, ""), "state": unknown}

    def _contents(self) -> dict[str, str | None]:
        network, data = (self.provenance.get(part, {}) for part in ("network", "data"))
        sources = [Path(str(name)).name for name in self.settings.get("data", ())]
        values = (
            network.get("name") or self.settings.get("network"),
            network.get("weights") or self.settings.get("weights"),
            data.get("name") or ", ".join(sources),
            ", ".join(self.layers or self.settings.get("layers", ())),
            ", ".join(self.concepts or self.settings.get("tasks", ())),
            ", ".join(self.fits or [str(self.settings.get("fit", ""))]),
            ", ".join(map(str, dict.fromkeys(self.concepts.values()))),
            self.provenance.get("finished") or _changed(self.path / _SETTINGS),
        )
        texts = (None if value is None else _printable(value) for value in values)
        return dict(zip(_CONTENTS, texts, strict=True))


def read_run_files(path: Path) -> RunFiles:
    """Read the small files of a run; a file that cannot be read is named in `fault`."""
    contents: dict[str, Any] = {"path": path}
    name = _SETTINGS
    try:
        if (path / name).exists():
            contents["settings"] = tomllib.loads(_read(path / name).decode("utf-8"))
        name = _PROVENANCE
        if (path / name).exists():
            contents["provenance"] = dict(json.loads(_read(path / name)))
            name = _RESULTS
            contents |= _described(path / name)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        contents["fault"] = name
    return RunFiles(**contents)


def _read(path: Path) -> bytes:
    """The content of a regular file; reading a pipe may never end."""
    if not path.is_file():
        raise OSError(f"{path} is no regular file")
    return path.read_bytes()


def _described(path: Path) -> dict[str, Any]:
    """Layers, fits and the number of concepts by task, from the metadata of `results.zarr`."""
    entries = json.loads(_read(path / ".zmetadata"))["metadata"]
    root = entries[".zattrs"]
    counts = {
        task: max(shapes)
        for task in TASKS
        if (
            shapes := [
                entry["shape"][0]
                for name, entry in entries.items()
                if name.endswith(f"/{task}/concept/.zarray")
            ]
        )
    }
    return {"layers": tuple(root["layers"]), "fits": tuple(root["fits"]), "concepts": counts}


def concept_names(run: Path, task: str | None = None) -> list[str]:
    """The concepts of a finished run, or of one of its tasks, in order; none if it has none."""
    try:
        rows = csv.DictReader(_read(run / "scores.csv").decode("utf-8").splitlines(keepends=True))
        return list(dict.fromkeys(row["concept"] for row in rows if task in (None, row["task"])))
    except (OSError, ValueError, KeyError, csv.Error):
        return []


def find_runs(folder: Path) -> Iterator[Path]:
    """Folders of runs in a folder, itself one of them or up to four folders down, by name.

    Hidden folders and links are not looked into, nor are folders within a run.
    """
    for path, folders, files in os.walk(folder):
        here = Path(path)
        if {_SETTINGS, _PROVENANCE} & set(files):
            yield here
            folders.clear()
        if len(here.relative_to(folder).parts) == _MAX_DEPTH:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _printable(value: object) -> str:
    """A value as text; characters that are no Unicode, as in names of files, are marked."""
    return str(value).encode("utf-8", errors="replace").decode("utf-8")


def _changed(path: Path) -> str:
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return ""
    return changed.isoformat(timespec="seconds")
