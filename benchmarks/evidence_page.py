"""The page of `evidence.py`: tables of finished runs, filled into `evidence.md.jinja`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from net2vec.core.fits import load_fit
from net2vec.runs import Run
from net2vec.spaces import (
    Space,
    compare_spaces,
    nearest_concepts,
    solve_expressions,
    word_space,
    wordnet_space,
)
from net2vec.vocabulary import LDA, PAPER, TASKS

_TEMPLATE = Path(__file__).with_name("evidence.md.jinja")
_FITS = {"paper": "paper's training", "converged": "converged", "lda": "discriminant"}
_TASKS = {"segment": "segmentation", "classify": "classification"}
# Of the form of Table 3, whose own concepts (grass, sky, tree, wood, torso) VOC does not mark.
_EXPRESSIONS = ("sheep + black - white", "horse - brown", "cat - sofa", "person + dog - cat")
_PERMUTATIONS = 999
_NEAR = (("segment", PAPER), ("classify", PAPER), ("segment", LDA))


@dataclass(frozen=True)
class NetworkRuns:
    """The runs of a network.

    Attributes:
        maps: all layers, with the fits that read thresholded maps.
        activations: the deep layers, with the discriminant.
        nulls: the last layer, with the paper's fit on shuffled annotations too.
    """

    maps: Run
    activations: Run
    nulls: Run

    @property
    def title(self) -> str:
        """The name of the network, or of its file of weights."""
        weights = self.maps.provenance["network"]["weights"] or ""
        return Path(weights[5:]).stem if weights.startswith("file:") else self.maps.title

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers."""
        return self.maps.layers

    @property
    def scores(self) -> pd.DataFrame:
        """The scores of the paper's and the converged fit."""
        return self.maps.scores

    def table(self, name: str) -> pd.DataFrame:
        """A table of both runs; `fit` says whose a row is."""
        parts = [self.maps.table(name), self.activations.table(name).assign(fit=LDA)]
        return pd.concat(parts, ignore_index=True)

    def space(self, task: str, fit: str) -> Space:
        """The space of the last layer."""
        run = self.activations if fit == LDA else self.maps
        return run.space(task=task, fit=fit)


def write_page(
    runs: Sequence[NetworkRuns], words: Path, command: str, min_train: int, out: Path
) -> None:
    """Write the page.

    Args:
        runs: of every network.
        words: word vectors, for the comparison of spaces.
        command: that was given, for the page.
        min_train: training images that every concept has.
        out: the page.
    """
    first = runs[0]
    concepts = first.scores.drop_duplicates("concept")
    counts = [
        f"{n} of category *{name}*" for name, n in concepts["category"].value_counts().items()
    ]
    spaces, shared = _spaces(runs, words)
    page = jinja2.Template(
        _TEMPLATE.read_text(encoding="utf-8"), undefined=jinja2.StrictUndefined
    ).render(
        command=command,
        lda_version=load_fit(LDA).version,
        data=first.maps.provenance["data"],
        min_train=min_train,
        counts=", ".join(counts),
        concepts=len(concepts),
        layers="; ".join(_layers(run) for run in runs),
        first=first.title,
        last_layer=first.layers[-1],
        depth=[(run.title, _depth(run)) for run in runs],
        trends="; ".join(_trends(run) for run in runs),
        table_1=_table_1(runs),
        correlation=_correlation(runs),
        ratio=_ratio(runs),
        by_concept=_by_concept(first),
        neighbours=[(run.title, _neighbours(run)) for run in runs],
        sums=_sums(runs),
        spaces=spaces,
        shared=shared,
        permutations=_PERMUTATIONS,
        chance=_chance(runs),
    )
    out.write_text(page + "\n", encoding="utf-8")


def _layers(run: NetworkRuns) -> str:
    grids = {layer: "x".join(map(str, run.maps.layer(layer).attrs["grid"])) for layer in run.layers}
    return f"{run.title}: " + ", ".join(f"`{name}` ({grid})" for name, grid in grids.items())


def _depth(run: NetworkRuns) -> str:
    table = run.table("by_category")
    table = table[table["task"].eq("segment")].set_index(["category", "layer", "method", "fit"])
    columns = [("single", PAPER), ("tuned", LDA), *(("combined", fit) for fit in _FITS)]
    rows = []
    for category in sorted(set(table.index.get_level_values("category"))):
        for layer in run.layers:
            keys = [(category, layer, *column) for column in columns]
            cells = [table.loc[key] if key in table.index else None for key in keys]
            values = [
                "" if cell is None else f"{_score(cell['mean'])} ± {_score(cell['stderr'])}"
                for cell in cells
            ]
            count = table.loc[keys[0], "n"]
            rows.append((f"{category} ({count:.0f})", f"`{layer}`", *values))
    head = ("category (n)", "layer", "single", "single, own threshold")
    return _markdown((*head, *_FITS.values()), rows)


def _trends(run: NetworkRuns) -> str:
    """How the paper's single filters and combinations change from the first layer to the last."""
    table = run.table("by_category")
    table = table[table["task"].eq("segment") & table["fit"].eq(PAPER)]
    told = []
    for category, name in (("object", "objects"), ("color", "colours")):
        for method, what in (("single", "best filter"), ("combined", "all filters")):
            rows = table[table["category"].eq(category) & table["method"].eq(method)]
            ends = [_score(rows["mean"].iloc[place]) for place in (0, -1)]
            told.append(f"{name}, {what} {ends[0]} to {ends[1]}")
    return f"{run.title}, first to last layer: {', '.join(told)}"


def _table_1(runs: Sequence[NetworkRuns]) -> str:
    rows = []
    for run in runs:
        table = run.table("method_comparison").set_index(["layer", "task", "fit", "statistic"])
        for task in TASKS:
            for layer in run.layers:
                cells = []
                for fit in _FITS:
                    row = _row(table, (layer, task, fit, "percent"))
                    cells.append(
                        ""
                        if row is None
                        else f"{row['value']:.0f} ({row['low']:.0f} to {row['high']:.0f})"
                    )
                tuned = _row(table, (layer, task, LDA, "percent_tuned"))
                cells.append("" if tuned is None else f"{tuned['value']:.0f}")
                rows.append((run.title, _TASKS[task], f"`{layer}`", *cells))
    head = ("network", "task", "layer", *_FITS.values(), "discriminant, own thresholds")
    return _markdown(head, rows)


def _correlation(runs: Sequence[NetworkRuns]) -> str:
    rows = []
    for run in runs:
        table = run.table("significant_correlation").set_index(["layer", "fit"])
        for layer in run.layers:
            found = [_row(table, (layer, fit)) for fit in _FITS]
            cells = ["" if row is None else f"{row['percent']:.0f}" for row in found]
            filters = run.maps.layer(layer).sizes["filter"]
            rows.append((run.title, f"`{layer}`", f"{filters:,}", *cells))
    return _markdown(("network", "layer", "filters", *_FITS.values()), rows)


def _ratio(runs: Sequence[NetworkRuns]) -> str:
    kinds = [(task, fit) for task in TASKS for fit in _FITS if (task, fit) != ("classify", LDA)]
    rows = []
    for run in runs:
        table = run.table("improvement").set_index(["layer", "task", "fit"])
        for layer in run.layers:
            found = [_row(table, (layer, *kind)) for kind in kinds]
            cells = ["" if row is None else f"{row['mean_ratio']:.2f}" for row in found]
            rows.append((run.title, f"`{layer}`", *cells))
    head = [f"{_TASKS[task]}, {_FITS[fit]}" for task, fit in kinds]
    return _markdown(("network", "layer", *head), rows)


def _row(table: pd.DataFrame, key: tuple[str, ...]) -> pd.Series | None:
    return table.loc[key] if key in table.index else None


def _by_concept(run: NetworkRuns) -> str:
    def last(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["layer"].eq(run.layers[-1]) & table["task"].eq("segment")]

    intervals = last(run.table("intervals")).set_index(["concept", "method", "fit"])
    concepts = last(run.scores).drop_duplicates("concept")
    columns = [("single", PAPER), *(("combined", fit) for fit in _FITS)]
    rows = []
    for known in concepts.sort_values(["category", "n_train"], ascending=False).itertuples():
        cells = []
        for column in columns:
            row = intervals.loc[(known.concept, *column)]
            low, high = _score(row["low"]), _score(row["high"])
            cells.append(f"{_score(row['value'])} ({low} to {high})")
        images = f"{known.n_train}, {known.n_val}"
        rows.append((known.concept, images, _score(known.baseline), *cells))
    head = ("concept", "images (train, val)", "whole image", "single", *_FITS.values())
    return _markdown(head, rows)


def _neighbours(run: NetworkRuns) -> str:
    concepts = run.scores.drop_duplicates("concept")
    objects = list(concepts.loc[concepts["category"].eq("object"), "concept"])
    near = [nearest_concepts(_only(run.space(t, f), objects)) for t, f in _NEAR]
    rows = []
    for concept in sorted(objects, key=lambda name: (name != "dog", name)):
        count = 5 if concept == "dog" else 3
        cells = [table[table["concept"].eq(concept)].head(count) for table in near]
        rows.append((concept, *(_listed(cell["neighbour"], cell["cosine"]) for cell in cells)))
    return _markdown(("object", *(f"{_TASKS[task]}, {_FITS[fit]}" for task, fit in _NEAR)), rows)


def _only(space: Space, names: Sequence[str]) -> Space:
    return space.restrict([name for name in names if name in space])


def _sums(runs: Sequence[NetworkRuns]) -> str:
    rows = []
    for run in runs:
        for fit in (PAPER, LDA):
            solved = solve_expressions(run.space("segment", fit), _EXPRESSIONS, 3)
            for expression, answer in solved.groupby("expression", sort=False):
                listed = _listed(answer["concept"], answer["cosine"])
                rows.append((run.title, expression, _FITS[fit], listed))
    return _markdown(("network", "sum", "fit", "nearest"), rows)


def _spaces(runs: Sequence[NetworkRuns], words: Path) -> tuple[str, int]:
    """The table, and the number of concepts that all spaces share."""
    names = runs[0].space("segment", PAPER).names
    wordnet = wordnet_space(names).space.labelled("WordNet")
    vectors = word_space(names, words).space.labelled("word vectors")
    # The discriminant has no classifier of its own.
    kinds = [(t, fit) for t in TASKS for fit in _FITS if (t, fit) != ("classify", LDA)]
    made = {
        (run.title, _TASKS[task], _FITS[fit]): run.space(task, fit)
        for run in runs
        for task, fit in kinds
    }
    labelled = [space.labelled(", ".join(key)) for key, space in made.items()]
    compared = compare_spaces([*labelled, wordnet, vectors], permutations=_PERMUTATIONS)
    table = compared.distances.set_index(["space", "other"])

    def cells(space: str, other: str) -> tuple[str, str]:
        row = table.loc[(space, other)]
        return f"{row['distance']:.0f}", f"{_score(row['rsa'], 2)} (p = {_score(row['p'])})"

    rows = [
        (*key, *cells(space.label, "WordNet"), *cells(space.label, "word vectors"))
        for key, space in zip(made, labelled, strict=True)
    ]
    rows.append(("WordNet", "", "", "", "", *cells("WordNet", "word vectors")))
    measured = [
        f"{other}: {what}"
        for other in ("WordNet", "word vectors")
        for what in ("D", "rank correlation")
    ]
    head = ("network", "task", "fit", *measured)
    return _markdown(head, rows), len(compared.concepts)


def _chance(runs: Sequence[NetworkRuns]) -> str:
    rows = []
    for run in runs:
        table = run.nulls.table("evidence")
        for (layer, task, method), mine in table.groupby(["layer", "task", "method"], sort=False):
            least = 1 / (mine["nulls"] + 1)
            above = f"{(mine['p'] < least * 1.001).sum()} of {len(mine)}"
            what = "all filters" if method == "combined" else "best single filter"
            cells = (above, f"{least.sum():.1f}", mine["nulls"].iloc[0])
            rows.append((run.title, f"`{layer}`", _TASKS[task], what, *cells))
    head = ("network", "layer", "task", "what", "above all nulls", "by chance", "nulls")
    return _markdown(head, rows)


def _listed(names: Iterable[str], cosines: Iterable[float]) -> str:
    return ", ".join(
        f"{name} {_score(cosine, 2)}" for name, cosine in zip(names, cosines, strict=True)
    )


def _score(value: float, digits: int = 3) -> str:
    """As .123 or -.123."""
    text = f"{round(value, digits) + 0.0:.{digits}f}"  # no -.000
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _markdown(head: Sequence[object], rows: Iterable[Iterable[object]]) -> str:
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (head, *rows)]
    lines.insert(1, "| " + " | ".join(["---"] * len(head)) + " |")
    return "\n".join(lines) + "\n"
