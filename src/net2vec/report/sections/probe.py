"""The network, layers and images that were probed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from net2vec.report.content import Column, Table, columns
from net2vec.report.formats import fraction
from net2vec.report.labels import SETUP_TITLE
from net2vec.report.study import Study
from net2vec.runs import Run


@dataclass(frozen=True)
class ProbeFacts:
    """The network, its layers, the images, concepts and settings."""

    images: int
    concepts: int
    filters: int
    tasks: tuple[str, ...]
    setup: Table
    categories: Mapping[str, int]
    layers: Table
    raw: tuple[str, ...]
    called: Mapping[str, int]
    sources: Table | None
    settings: Mapping[str, Table]
    seconds: Table


def probe_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> ProbeFacts:
    """The network, its layers, the images and concepts."""
    run = study.runs[0]
    layers = layer_table(run)
    concepts = study.rows_of_subject("by_concept").drop_duplicates("concept")
    shown = columns(
        "layer",
        filters="count",
        grid="text",
        values="text",
        never_active=("count", "never on"),
        zero=("count", "threshold 0"),
    )
    return ProbeFacts(
        images=int(run.layer().attrs.get("images", 0)),
        concepts=len(concepts),
        filters=int(layers["filters"].sum()),
        tasks=study.tasks,
        setup=_by_run(study, {of: _setup(study, run) for of, run in _named(study)}, "setup"),
        categories={
            str(name): int(number)
            for name, number in concepts["category"].value_counts(sort=False).items()
        },
        layers=Table(layers, shown),
        raw=tuple(layers.loc[layers["values"].eq(False) & layers["cut"].gt(0), "layer"]),
        called={
            name: calls
            for name in run.layers
            if (calls := int(run.layer(name).attrs.get("calls", 1))) > 1
        },
        sources=_sources(run),
        settings={label: Table(rows, columns("setting", "value")) for label, rows in _set(study)},
        seconds=_by_run(study, {of: _seconds(run) for of, run in _named(study)}, "stage"),
    )


def _named(study: Study) -> list[tuple[str, Run]]:
    return list(zip(study.labels, study.runs, strict=True))


def _by_run(study: Study, setup: Mapping[str, Mapping[str, Any]], key: str) -> Table:
    """The setup of each run, a column a run, without rows that are empty for all."""
    frame = pd.DataFrame(setup, columns=study.labels).dropna(how="all")
    frame = frame.rename_axis(key).reset_index()
    form = "seconds" if key == "stage" else "text"
    beside = [Column(label, form, label) for label in study.labels]
    return Table(frame, (Column(key), *beside))


def _setup(study: Study, run: Run) -> dict[str, str]:
    network, data = (run.provenance.get(name, {}) for name in ("network", "data"))
    layers = layer_table(run)
    dead, zero, total = (int(layers[key].sum()) for key in ("never_active", "zero", "cut"))
    peaks = run.provenance.get("peak_memory_bytes", {}).values()
    setup = {
        "weights": network.get("weights"),
        "licence": network.get("licence"),
        "data": data.get("name"),
        "train": data.get("train_images"),
        "val": data.get("val_images"),
        "fits": ", ".join(study.titles[fit] for fit in run.fits),
        "starts": len(run.seeds) or None,
        "never_on": fraction(dead, total) if total else None,
        "zero": f"{zero:,}" if total else None,
        "memory": f"{max(peaks) / 2**30:.1f} GiB" if peaks else None,
    }
    return {
        SETUP_TITLE[key]: f"{value:,}" if isinstance(value, int) else str(value)
        for key, value in setup.items()
        if value not in (None, "")
    }


def layer_table(run: Run) -> pd.DataFrame:
    """A row a layer: filters, grid, how many have a threshold, are never on, or are cut at 0."""
    rows = []
    for name in run.layers:
        layer = run.layer(name)
        grid = np.atleast_1d(layer.attrs.get("grid", ())).tolist()
        activation = layer.attrs.get("activation")
        rows.append(
            {
                "layer": name,
                "filters": layer.sizes["filter"],
                "grid": "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, grid)) or "none",
                "values": None if activation in (None, "") else bool(activation),
                "cut": int(np.isfinite(layer["threshold"]).sum()),
                "never_active": int((layer["active_share"] == 0).sum()),
                "zero": int((layer["threshold"] == 0).sum()),
            }
        )
    table = pd.DataFrame(rows).astype({"values": object})
    # Without a grid there is no threshold that a filter could be below.
    table[["never_active", "zero"]] = table[["never_active", "zero"]].where(table["cut"].gt(0))
    return table


def _sources(run: Run) -> Table | None:
    """From which of several joined datasets the images of each concept come."""
    by_concept = run.provenance.get("data", {}).get("sources", {})
    if not by_concept:
        return None
    frame = pd.DataFrame.from_dict(by_concept, orient="index").fillna(0).astype(int)
    frame = frame.rename_axis("concept")
    counts = tuple(Column(name, "count", name) for name in frame.columns)
    return Table(frame.reset_index(), (Column("concept"), *counts))


def _set(study: Study) -> list[tuple[str, pd.DataFrame]]:
    """The settings of every run that has some."""
    settings = [(label, _flatten(run.settings)) for label, run in _named(study)]
    return [(label, pd.DataFrame(rows, columns=["setting", "value"])) for label, rows in settings]


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted name, value)."""
    rows = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows.extend(_flatten(value, f"{prefix}{key}."))
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            rows.append((prefix + key, shown))
    return rows


def _seconds(run: Run) -> dict[str, float]:
    seconds = run.provenance.get("seconds", {})
    if not isinstance(seconds, Mapping):
        return {}
    return {str(stage): float(value) for stage, value in seconds.items()}
