"""Findings that depend on the fit: the first fit of a run beside each of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from net2vec.analysis import ALL
from net2vec.report.content import Column, Drawing, Table, as_shares, by_task, columns
from net2vec.report.figures import (
    draw_fit_curves,
    draw_fit_sharing,
    draw_fits_by_category,
)
from net2vec.report.labels import FINDING_TITLE, RULE_TITLE, about_fit
from net2vec.report.sections.verdicts import LEAST_FAILURES, is_clear, verdicts
from net2vec.report.study import ComparedFits, Study
from net2vec.vocabulary import FITS


@dataclass(frozen=True)
class FitsFacts:
    """The paper's findings with every fit."""

    layer_of: Mapping[str, str]
    pairs: tuple[PairFacts, ...]
    fits: tuple[tuple[str, str], ...]
    least: int
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PairFacts:
    """Two fits of the subject, compared."""

    pair: ComparedFits
    scores: Table
    verdicts: Mapping[str, Table]
    by_category: Mapping[str, Drawing]
    wins: Table
    failures: Table
    peaks: Table
    falling: Table
    curves: Mapping[str, Drawing]
    rules: Table
    sharing: Table
    sharing_drawn: Mapping[str, Drawing]
    vectors: Table


def fits_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> FitsFacts | None:
    """The paper's findings with every fit. None where the subject has one fit only."""
    if not study.pairs or not study.tasks:
        return None
    pairs = tuple(_pair_facts(study, tables, pair) for pair in study.pairs)
    fits = tuple((study.titles[fit], about_fit(fit)) for fit in study.runs[0].fits)
    entries = [(study.titles[fit], FITS[fit].entry) for fit in study.runs[0].fits if fit in FITS]
    return FitsFacts(
        layer_of=study.layer_of,
        pairs=pairs,
        fits=fits,
        least=LEAST_FAILURES,
        entries=tuple((title, entry) for title, entry in entries if entry),
    )


def _pair_facts(study: Study, tables: Mapping[str, pd.DataFrame], pair: ComparedFits) -> PairFacts:
    tables = {**tables, **study.fits_of(pair)}
    fits = study.rows_shown(tables["fits"])
    concepts = study.rows_shown(tables["fits_by_concept"])
    of_subject = tables["fits_by_concept"].query("network == @study.label")
    layers = study.layers_having(tables["fits_subsets"])
    drops = _of_pair(study.rows_shown(tables["fits_drops"], layer_of=layers), pair)
    curves = study.rows_shown(tables["fits_subsets"], layer_of=layers)
    curves = _of_pair(curves, pair).query("category == @ALL")
    suffix = "" if pair == study.pairs[0] else f"_{pair.other}"

    def drawn(name: str, draw: Callable[..., Figure], table: pd.DataFrame, **options: Any) -> Any:
        tasks = [task for task in study.tasks if task in set(table["task"])]
        name = f"fits_{name}{suffix}"
        return by_task(name, tasks, draw, table, fits=pair.titles, **options)

    return PairFacts(
        pair=pair,
        scores=Table(
            as_shares(fits, "as_good", "worse"),
            (
                *columns("task", "layer", n="count"),
                *_column_pair(pair, "{}", "number", ""),
                Column("ratio", "number", "ratio"),
                Column("as_good", "percent", "second at least as good"),
                Column("trained", "count", "with 50 or more training images"),
                Column("worse", "percent", "of these worse by more than 0.01"),
            ),
            "fits",
        ),
        verdicts={
            task: _verdicts(fits[fits["task"] == task], drops[drops["task"] == task], pair)
            for task in study.tasks
        },
        by_category=drawn(
            "by_category",
            draw_fits_by_category,
            tables["fits_by_category"],
            layers=study.run.layers,
        ),
        wins=_table_one(study, tables["fits"], pair),
        failures=_failures(study, fits, concepts, pair),
        peaks=Table(
            drops[drops["category"] == ALL].assign(fit=lambda rows: rows["fit"].map(pair.titles)),
            columns(
                "task",
                "fit",
                "rule",
                filters="count",
                peak=("number", "highest mean"),
                full=("number", "with all filters"),
                drop="signed",
                stderr="number",
            ),
            "fits_drops",
        ),
        falling=_falling(drops, pair),
        curves=drawn("subsets", draw_fit_curves, curves),
        rules=_rules(study.rows_shown(tables["fits_rules"], layer_of=layers), pair),
        sharing=Table(
            as_shares(fits, "same_filter"),
            (
                *columns("task", "layer"),
                *_column_pair(pair, "shared_{}", "number", "concepts a filter, "),
                *columns(
                    shared_by_chance=("number", "by chance"),
                    same_filter=("percent", "same filter in both"),
                ),
                *_column_pair(pair, "single_{}", "number", "score of the filter alone, "),
            ),
            "fits",
        ),
        sharing_drawn=drawn("sharing", draw_fit_sharing, of_subject, layers=study.run.layers),
        vectors=_vectors(fits, pair),
    )


def _column_pair(pair: ComparedFits, key: str, form: str, heading: str) -> tuple[Column, Column]:
    """A column of each fit."""
    first, second = (
        Column(key.format(fit), form, f"{heading}{title}") for fit, title in pair.titles.items()
    )
    return first, second


def _of_pair(rows: pd.DataFrame, pair: ComparedFits) -> pd.DataFrame:
    return rows[rows["fit"].isin(pair.names)]


def _verdicts(fits: pd.DataFrame, drops: pd.DataFrame, pair: ComparedFits) -> Table:
    findings = verdicts(fits.iloc[0], drops, pair.reference, pair.other)
    category = findings["category"].where(findings["category"].eq(""), ": " + findings["category"])
    return Table(
        findings.assign(finding=findings["finding"].map(FINDING_TITLE) + category),
        (
            Column("finding"),
            Column("reference", heading=pair.reference_title),
            *([Column("spread", heading="± sd")] if findings["spread"].any() else []),
            Column("other", heading=pair.other_title),
            Column("chance", heading="by chance"),
            Column("verdict"),
        ),
        "fits",
    )


def _table_one(study: Study, fits: pd.DataFrame, pair: ComparedFits) -> Table:
    """Table 1 of all runs; those without the second fit have the reference's share alone."""
    reference, other = pair.names
    compared = set(fits["network"])
    names = {"percent": f"percent_{reference}", "percent_sd": f"percent_{reference}_sd"}
    without_second = [
        run.at(fit=reference)
        .table("combined_vs_single")
        .assign(network=label)
        .rename(columns=names)
        for run, label in zip(study.runs, study.labels, strict=True)
        if label not in compared and reference in run.fits
    ]
    rows = pd.concat([fits, *without_second], ignore_index=True)
    rows = as_shares(rows, f"percent_{reference}", f"percent_{other}")
    return Table(
        rows,
        (
            *columns("network", "layer", "task"),
            *_column_pair(pair, "{}", "number", "mean, "),
            *_column_pair(pair, "percent_{}", "percent", "Table 1, "),
            Column(f"failures_{reference}", "count", f"failures, {pair.reference_title}"),
            Column("failures_both", "count", "of these remain"),
        ),
        "fits",
    )


def _failures(
    study: Study, fits: pd.DataFrame, concepts: pd.DataFrame, pair: ComparedFits
) -> Table:
    """Concepts that lose by the combination, against the single filter of the first fit."""
    reference, other = pair.names
    losing = concepts[concepts[f"combined_{reference}"] < concepts[f"single_{reference}"]]
    stuck = {
        task: study.run.hardly_moved(study.layer_of[task], task=task, fit=reference)
        for task in study.tasks
    }
    marked = {
        task: int(losing.loc[losing["task"] == task, "concept"].isin(names).sum())
        for task, names in stuck.items()
    }
    return Table(
        fits.assign(
            stuck=fits["task"].map(marked),
            new=fits[f"failures_{other}"] - fits["failures_both"],
        ),
        (
            *columns("task", "layer", n="count"),
            Column(f"failures_{reference}", "count", f"lose, {pair.reference_title}"),
            Column("stuck", "count", "of these hardly moved"),
            Column("failures_both", "count", f"of these lose, {pair.other_title}"),
            Column("new", "count", f"others lose, {pair.other_title}"),
        ),
        "fits_by_concept",
    )


def _falling(drops: pd.DataFrame, pair: ComparedFits) -> Table:
    """The categories whose mean clearly drops after its optimum, of subsets by weight."""
    rows = drops[drops["rule"].eq("weight") & drops["category"].ne(ALL)]
    rows = rows[[is_clear(row) for _, row in rows.iterrows()]] if len(rows) else rows
    return Table(
        rows.assign(fit=rows["fit"].map(pair.titles)),
        columns("task", "category", "fit", filters="count", drop="number", stderr="number"),
        "fits_drops",
    )


def _rules(rules: pd.DataFrame, pair: ComparedFits) -> Table:
    """Subsets of the same fit and size, chosen by every rule."""
    if "fit" in rules:
        rules = _of_pair(rules, pair).assign(fit=lambda rows: rows["fit"].map(pair.titles))
    return Table(
        as_shares(rules, "better", "worse"),
        (
            *columns("task", *(["fit"] if "fit" in rules else []), filters="count"),
            *(
                Column(rule, "number", title)
                for rule, title in RULE_TITLE.items()
                if rule in rules and rules[rule].notna().any()
            ),
            *columns(difference="signed", stderr="number"),
            Column("better", "percent", f"concepts better by {RULE_TITLE['path']}"),
            Column("worse", "percent", "worse"),
        ),
        "fits_rules",
    )


def _vectors(fits: pd.DataFrame, pair: ComparedFits) -> Table:
    """Whether vectors and neighbours are the same, and whether neighbours are alike."""
    names = [f"category_{fit}" for fit in pair.names]
    # Of one category, or of one each, the nearest concept could not be of another.
    decides = fits["category_by_chance"].between(0, 100, inclusive="neither")
    names.append("category_by_chance")
    rows = as_shares(fits, *names)
    rows[names] = rows[names].where(decides)
    rows = rows.dropna(how="all", subset=["cosine", "neighbours", *names])
    return Table(
        rows,
        (
            *columns("task", "layer", cosine="number"),
            Column("neighbours", "percent", "same neighbours"),
            *columns(neighbours_by_chance=("percent", "same neighbours, by chance")),
            *_column_pair(pair, "category_{}", "percent", "same category, "),
            *columns(category_by_chance=("percent", "same category, by chance")),
        ),
        "fits",
    )
