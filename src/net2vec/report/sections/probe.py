"""What was probed, how, and what had to be left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from net2vec.report.content import (
    MARK,
    Block,
    Column,
    Glossary,
    KeyNumber,
    KeyNumbers,
    Paragraph,
    Section,
    Table,
)
from net2vec.report.study import Study, count, listing, percent
from net2vec.runs import HARDLY_MOVED, Run

_QUESTIONS = {
    "segment": Markup("can the filters <b>segment</b> it, that is say which pixels show it"),
    "classify": Markup("can they <b>classify</b> it, that is say which images contain it"),
}


def probe_section(study: Study) -> Section:
    """The network, its layers, the images and concepts, and the words of the report."""
    run = study.run
    layers = layer_table(run)
    concepts = study.by_concept[study.by_concept["network"] == study.label]
    categories = concepts.drop_duplicates("concept")["category"].value_counts(sort=False)
    images = int(run.layer().attrs.get("images", 0))
    blocks: list[Block] = [
        KeyNumbers(
            (
                KeyNumber(f"{images:,}", "images probed"),
                KeyNumber(f"{int(categories.sum()):,}", "concepts"),
                KeyNumber(f"{len(run.layers):,}", "layers"),
                KeyNumber(f"{int(layers['filters'].sum()):,}", "filters"),
                *_headline(study),
            )
        ),
        Paragraph(
            Markup(
                "The network <b>{network}</b>{weights} looked at {images} of the probe dataset"
                " <b>{data}</b>{splits}, in which it is marked what is where. At {layers} we"
                " recorded where each filter responds most, and asked of each concept: {questions}?"
                " Each question is asked twice: of the single filter that does it best, and of a"
                " weighted combination of all the filters of the layer, learned on the training"
                " images. The learned weights are the concept’s vector. All scores are of"
                " validation images, which nothing was learned or chosen on."
            ).format(
                questions=Markup(", and ").join(_QUESTIONS[task] for task in study.tasks),
                network=study.label,
                weights=_weights(run),
                images=count(images, "image"),
                data=run.provenance.get("data", {}).get("name", "of this run"),
                splits=_splits(run),
                layers=count(len(run.layers), "layer"),
            )
        ),
        Paragraph(
            "Concepts come in "
            + count(len(categories), "category", "categories")
            + ": "
            + listing(f"{name} ({number})" for name, number in categories.items())
            + "."
        ),
        Glossary(MARK, HARDLY_MOVED),
        Table(
            layers,
            (
                Column("layer", "layer"),
                Column("filters", "filters", "count"),
                Column("grid", "grid"),
                Column("values", "values"),
                Column("never_active", "never on", "count"),
                Column("zero", "threshold 0", "count"),
            ),
            "The layers, from the image to the output. A filter is never on where no value"
            " exceeds its threshold; a threshold of 0 belongs to a filter that is almost never"
            " active, and is on wherever it is active at all.",
        ),
    ]
    blocks.extend(_sources(run))
    blocks.extend(_remarks(study, layers))
    blocks.extend(_settings(study))
    return Section("probed", "What was probed", blocks)


def _sources(run: Run) -> Iterator[Block]:
    """From which of several joined datasets the images of each concept come."""
    by_concept = run.provenance.get("data", {}).get("sources", {})
    if not by_concept:
        return
    frame = pd.DataFrame.from_dict(by_concept, orient="index").fillna(0).astype(int)
    names = list(frame.columns)
    shared = int((frame > 0).sum(axis=1).gt(1).sum())
    yield Table(
        frame.rename_axis("concept").reset_index(),
        (Column("concept", "concept"), *(Column(name, name, "count") for name in names)),
        f"Images of each concept by the dataset that they come from: {shared:,} of {len(frame):,}"
        " concepts are in several",
        searchable=True,
        folded=True,
    )


def layer_table(run: Run) -> pd.DataFrame:
    """One row a layer: its filters, grid, and how many filters are never on or cut at 0."""
    rows = []
    for name in run.layers:
        layer = run.layer(name)
        grid = np.atleast_1d(layer.attrs.get("grid", ())).tolist()
        rows.append(
            {
                "layer": name,
                "filters": layer.sizes["filter"],
                "grid": "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(str(side) for side in grid),
                "values": _VALUES[_flag(layer.attrs.get("activation"))],
                "never_active": int((layer["active_share"] == 0).sum()),
                "zero": int((layer["threshold"] == 0).sum()),
            }
        )
    return pd.DataFrame(rows)


def left_out_section(study: Study) -> Section:
    """What was skipped and why, and which vectors have hardly left their start."""
    blocks: list[Block] = []
    skipped = study.run.skipped
    if skipped.empty:
        blocks.append(Paragraph("Nothing was skipped."))
    else:
        reasons = skipped.groupby(["task", "reason"], sort=False, dropna=False)
        counted = reasons.agg(number=("reason", "size"), example=("concept", "first"))
        blocks.append(
            Table(
                counted.reset_index(),
                (
                    Column("task", "task"),
                    Column("reason", "reason"),
                    Column("number", "left out", "count"),
                    Column("example", "for instance"),
                ),
                f"Why {count(len(skipped), 'item')} of the plan were not computed.",
            )
        )
        blocks.append(
            Table(
                skipped,
                (
                    Column("layer", "layer"),
                    Column("task", "task"),
                    Column("concept", "concept"),
                    Column("filters", "filters", "count"),
                    Column("reason", "reason"),
                ),
                "Everything that was left out",
                csv="skipped",
                searchable=True,
                folded=True,
            )
        )
    for task in study.tasks:
        stuck = sorted(study.run.hardly_moved(study.layer, task=task))
        total = len(study.last(study.by_concept, task))
        if stuck:
            blocks.append(
                Paragraph(
                    f"On {study.layer}, learning to {task} moved the vectors of {len(stuck)} of"
                    f" {count(total, 'concept')} by less than {HARDLY_MOVED:g} of the length of"
                    " their random start: the paper’s training takes few and small steps for rare"
                    f" or small concepts. They carry the mark {MARK} wherever they are shown, and"
                    f" their neighbours mean little: {listing(stuck, 30)}."
                )
            )
    return Section("left-out", "What was left out, and what to distrust", blocks)


_VALUES = {
    True: "after an activation",
    False: "raw: no activation follows",
    None: "not known",
}


def _flag(value: Any) -> bool | None:
    return None if value is None or value == "" else bool(value)


def _weights(run: Run) -> str:
    network = run.provenance.get("network", {})
    said = [f"{key}: {network[key]}" for key in ("weights", "licence") if network.get(key)]
    return f" ({'; '.join(said)})" if said else ""


def _splits(run: Run) -> str:
    data = run.provenance.get("data", {})
    if not {"train_images", "val_images"} <= set(data):
        return ""
    return f" ({data['train_images']:,} for training, {data['val_images']:,} for validation)"


def _headline(study: Study) -> list[KeyNumber]:
    headline = []
    for task, verb in (("segment", "segmented"), ("classify", "classified")):
        row = study.last(study.wins, task)
        if len(row):
            headline.append(
                KeyNumber(
                    f"{row['percent'].iloc[0]:.0f} %",
                    f"of concepts {verb} by all filters of {study.layer} at least as well as by"
                    " the best one",
                )
            )
    return headline


def _remarks(study: Study, layers: pd.DataFrame) -> list[Block]:
    """What the table of layers should not leave unsaid."""
    remarks = []
    raw = layers.loc[layers["values"] == _VALUES[False], "layer"]
    if len(raw):
        remarks.append(
            f"No activation follows {listing(raw)}: raw values are used there, so that a filter is"
            " on where its value is highest, whatever its sign."
        )
    for name in study.run.layers:
        calls = int(study.run.layer(name).attrs.get("calls", 1))
        if calls > 1:
            remarks.append(
                f"{name} is called {calls} times in a pass; recorded is what its last call puts out"
                " unless the name says another."
            )
    for run, label in zip(study.runs, study.labels, strict=True):
        table = layer_table(run)
        dead, zero, total = (int(table[key].sum()) for key in ("never_active", "zero", "filters"))
        remarks.append(
            f"{label}: {dead:,} of {count(total, 'filter')} are never on"
            f" ({percent(dead / total)}), {zero:,} have the threshold 0."
        )
    return [Paragraph(Markup("<br>").join(remarks), note=True)]


def _settings(study: Study) -> list[Block]:
    """How the runs were set, and what they took."""
    blocks: list[Block] = []
    for run, label in zip(study.runs, study.labels, strict=True):
        if rows := _flatten(run.settings):
            blocks.append(
                Table(
                    pd.DataFrame(rows, columns=["setting", "value"]),
                    (Column("setting", "setting"), Column("value", "value")),
                    f"Settings of {label}",
                    folded=True,
                )
            )
    spent = [
        {"stage": stage, label: value}
        for run, label in zip(study.runs, study.labels, strict=True)
        for stage, value in _seconds(run).items()
    ]
    if spent:
        frame = pd.DataFrame(spent).groupby("stage", sort=False).first().reset_index()
        labels = [label for label in study.labels if label in frame]
        blocks.append(
            Table(
                frame,
                (Column("stage", "stage"), *(Column(label, label, "seconds") for label in labels)),
                "Seconds spent by stage" + _memory(study),
                folded=True,
            )
        )
    return blocks


def _memory(study: Study) -> str:
    """The highest peak of any stage of any run."""
    peaks = [
        peak for run in study.runs for peak in run.provenance.get("peak_memory_bytes", {}).values()
    ]
    return f", and {max(peaks) / 2**30:.1f} GiB of memory at most" if peaks else ""


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
