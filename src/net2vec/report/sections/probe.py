"""What was probed, and how."""

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
from net2vec.report.study import FIT_TITLE, Study
from net2vec.report.wording import count, listing, part, percent
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
    totals = (
        (images, "image probed", "images probed"),
        (int(categories.sum()), "concept", "concepts"),
        (len(run.layers), "layer", "layers"),
        (int(layers["filters"].sum()), "filter", "filters"),
    )
    numbers = [
        KeyNumber(f"{number:,}", one if number == 1 else more) for number, one, more in totals
    ]
    blocks: list[Block] = [
        KeyNumbers((*numbers, *_headline(study))),
        Paragraph(_asked(study, images)),
        *map(Paragraph, _learned(study)),
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
            " exceeds its threshold: its highest value then stands at more positions than it may"
            " be on at, as where it is never active, where its activation saturates, or where what"
            " it sees is repeated. A threshold of 0 belongs to a filter that is almost never"
            " active, and is on wherever it is active at all.",
        ),
    ]
    blocks.extend(_sources(run))
    blocks.extend(_remarks(study, layers))
    blocks.extend(_settings(study))
    return Section("probed", "What was probed", blocks)


def _asked(study: Study, images: int) -> Markup:
    """The question, in the words of a newcomer."""
    run = study.run
    return Markup(
        "The network <b>{network}</b>{weights} looked at {images} of the probe dataset"
        " <b>{data}</b>{splits}, in which it is marked what is where. At {layers} we"
        " recorded where each filter responds most, and asked of each concept: {questions}?"
        " Each question is asked twice: of the single filter that does it best, and of a"
        " weighted combination of all the filters of the layer, learned on the training"
        " images. The learned weights are the concept’s vector. All scores are of validation"
        " images: no weight was learned and no filter chosen on them.{unlabelled}"
    ).format(
        questions=Markup(", and ").join(_QUESTIONS[task] for task in study.tasks),
        network=study.label,
        weights=_weights(run),
        images=count(images, "image"),
        data=run.provenance.get("data", {}).get("name", "of this run"),
        splits=_splits(run),
        layers=count(len(run.layers), "layer"),
        unlabelled=_unlabelled(study),
    )


def _unlabelled(study: Study) -> str:
    """What is taken over the images of both splits, without their annotations."""
    taken = ["the filters’ thresholds"] if "segment" in study.tasks else []
    weights = [str(run.provenance.get("network", {}).get("weights")) for run in study.runs]
    if any("batch norm from" in text for text in weights):
        taken.append("estimated statistics of batch norm")
    if not taken:
        return ""
    return f" Only {listing(taken)}, which see no annotation, are of images of both kinds."


def _learned(study: Study) -> Iterator[str]:
    """Which fit the numbers of the page are of, and what ± means."""
    run = study.run
    if len(run.fits) > 1:
        yield (
            "The weights were learned twice: by the paper’s training, which takes few steps from a"
            " random start, and by a fit that converges. Where the page does not say which, its"
            f" numbers are of the {FIT_TITLE[run.fit]}; “What rests on the training?” shows both."
        )
    elif run.fit == "converged":
        yield (
            "The weights are not those of the paper’s training, which takes few steps from a random"
            " start, but of a fit of the same linear model that converges."
        )
    for other, label in zip(study.runs[1:], study.labels[1:], strict=True):
        if other.fit != run.fit:
            yield f"Those of {label} are of the {FIT_TITLE[other.fit]}."
    repeated = [
        f"{len(of_run.seeds)} starts{f' in {label}' if len(study.runs) > 1 else ''}"
        for of_run, label in zip(study.runs, study.labels, strict=True)
        if of_run.seeds
    ]
    if repeated:
        yield (
            f"The paper’s training was repeated from {listing(repeated)}: the standard deviation of"
            " its numbers over these stands beside them, after ± or as ± sd, where it does not"
            " round to 0."
        )


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
    """One row a layer: filters, grid, how many have a threshold, are never on, or are cut at 0."""
    rows = []
    for name in run.layers:
        layer = run.layer(name)
        grid = np.atleast_1d(layer.attrs.get("grid", ())).tolist()
        rows.append(
            {
                "layer": name,
                "filters": layer.sizes["filter"],
                "grid": "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, grid)) or "none",
                "values": _VALUES[_flag(layer.attrs.get("activation"))],
                "cut": int(np.isfinite(layer["threshold"]).sum()),
                "never_active": int((layer["active_share"] == 0).sum()),
                "zero": int((layer["threshold"] == 0).sum()),
            }
        )
    table = pd.DataFrame(rows)
    # Without a grid there is no threshold that a filter could be below.
    table[["never_active", "zero"]] = table[["never_active", "zero"]].where(table["cut"].gt(0))
    return table


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
                    percent(row["percent"].iloc[0] / 100),
                    f"of concepts {verb} by all filters of {study.layer_of[task]} at least as well"
                    " as by the best one",
                )
            )
    return headline


def _remarks(study: Study, layers: pd.DataFrame) -> list[Block]:
    """What the table of layers should not leave unsaid."""
    remarks = []
    raw = layers[layers["values"] == _VALUES[False]]
    if len(raw):
        cut = raw.loc[raw["cut"] > 0, "layer"]
        on = f" A filter of {listing(cut)} is on where its value is highest, whatever its sign."
        remarks.append(
            f"No activation follows {listing(raw['layer'])}: raw values are used there."
            + (on if len(cut) else "")
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
        dead, zero, total = (int(table[key].sum()) for key in ("never_active", "zero", "cut"))
        if total:
            remarks.append(
                f"{label}: {part(dead, total, 'filter', 'is', 'are')} never on"
                f" ({percent(dead / total)}), {zero:,} {'has' if zero == 1 else 'have'} the"
                " threshold 0."
            )
    return [Paragraph(Markup("<br>").join(remarks), note=True)] if remarks else []


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
