"""Commands about spaces of concept vectors: `compare`, `export`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from net2vec.cli.display import TerminalProgress, records, show_table
from net2vec.cli.options import (
    AsJson,
    OtherSpaces,
    OtherWords,
    RunFolder,
    RunFolders,
    Vectors,
    WordNetFolder,
)
from net2vec.errors import ConfigError
from net2vec.vocabulary import ALL, TASKS, VECTORS

if TYPE_CHECKING:
    import xarray as xr

    from net2vec.runs import Run
    from net2vec.spaces import Lookup, Space

WORDNET = "wordnet"
FORMATS = ("word2vec", "safetensors", "csv", "projector")


def compare(
    runs: RunFolders,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer of the runs that have it, or all.", show_default="each run's last"
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(TASKS), help="Task of the vectors.", show_default=TASKS[0]),
    ] = None,
    fit: Annotated[
        list[str] | None,
        typer.Option(help="A fit of the runs, or all.", show_default="each run's best"),
    ] = None,
    as_: Vectors = None,
    with_: OtherSpaces = None,
    synonyms: OtherWords = None,
    wordnet: WordNetFolder = None,
    permutations: Annotated[
        int, typer.Option(min=0, help="Permutations behind the p of similarity.")
    ] = 999,
    out: Annotated[Path, typer.Option(help="Folder of the tables and figures.")] = Path(
        "comparison"
    ),
    as_json: AsJson = False,
) -> None:
    """Compare spaces of concepts: of runs, layers and tasks, of WordNet, of word vectors."""
    from net2vec.report import save_comparison
    from net2vec.runs import open_run
    from net2vec.spaces import compare_spaces

    opened = [open_run(path) for path in runs]
    spaces, categories = _run_spaces(opened, layer or [], task or TASKS[:1], fit or [], as_)
    shared = [name for name in spaces[0].names if all(name in space for space in spaces)]
    with TerminalProgress() as progress:
        known = look_up(with_ or (), shared, synonyms, wordnet, progress.say)
    spaces += [lookup.space for lookup in known]
    comparison = compare_spaces(spaces, categories=categories, permutations=permutations)
    written = save_comparison(comparison, out)
    if as_json:
        typer.echo(json.dumps(records(comparison.distances), ensure_ascii=False, indent=2))
        return
    show_table(
        comparison.distances, title=f"On the {len(comparison.concepts)} concepts that all share"
    )
    for path in written:
        typer.echo(path.resolve())


def export(
    run: RunFolder,
    layer: Annotated[
        str | None, typer.Option(help="A layer, or all.", show_default="the run's last")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(TASKS), help="Task of the vectors.", show_default="both"),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.", show_default="all"
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="A fit of the run, or all.", show_default="the run's best"),
    ] = None,
    as_: Annotated[
        str, typer.Option("--as", metavar="|".join(VECTORS), help="Vectors to write.")
    ] = "weights",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the files.", show_default="RUN/vectors")
    ] = None,
) -> None:
    """Write concept vectors for other tools: gensim, NumPy, tables, TensorBoard's projector."""
    from net2vec.results import group_name
    from net2vec.runs import open_run

    opened = open_run(run)
    for name in form or ():
        if name not in FORMATS:
            raise ConfigError(f"unknown format {name!r}; wanted one of {', '.join(FORMATS)}")
    folder = out or run / "vectors"
    layers = opened.layers if layer == ALL else [layer or opened.layers[-1]]
    fits = opened.fits if fit == ALL else [fit or opened.best_fit]
    for view, each in product([opened.at(fit=one) for one in fits], layers):
        suffix = "" if view.fit == opened.fits[0] else f"-{view.fit}"
        suffix += "" if as_ == "weights" else f"-{as_}"
        for one in task or view.tasks(each):
            vectors = _finite(view.vectors(each, task=one, kind=as_))
            if as_ == "weights" and "filter_scale" in view.arrays(each, task=one):
                note = f"weights of {view.fit} are for activations times filter_scale"
                typer.echo(note, err=True)
            for name in form or FORMATS:
                path = _save(vectors, name, folder / f"{group_name(each)}-{one}{suffix}")
                typer.echo(path.resolve())


def _finite(vectors: xr.DataArray) -> xr.DataArray:
    """The vectors without those that hold infinities or NaN, which are named on stderr."""
    import numpy as np

    is_finite = np.isfinite(vectors.values).all(axis=1)
    left_out = ", ".join(str(name) for name in vectors["concept"].values[~is_finite])
    if left_out:
        typer.echo(f"left out, since learning has not ended at numbers: {left_out}", err=True)
    return vectors[is_finite]


def _save(vectors: xr.DataArray, form: str, path: Path) -> Path:
    """Write vectors (concept, filter) in one of `FORMATS`; return the path with its extension."""
    from net2vec.spaces import save_csv, save_projector, save_safetensors, save_word2vec

    names = [str(concept) for concept in vectors["concept"].values]
    categories = [str(category) for category in vectors["category"].values]
    values = vectors.to_numpy()
    extension = {"word2vec": "txt", "projector": "tsv"}.get(form, form)
    path = path.with_name(f"{path.name}.{extension}")
    if form == "word2vec":
        save_word2vec(names, values, path)
    elif form == "safetensors":
        save_safetensors(names, values, path)
    elif form == "csv":
        save_csv(names, values, path, categories=categories)
    else:
        save_projector(names, values, path, categories=categories)
    return path


def _run_spaces(
    runs: Sequence[Run],
    layers: Sequence[str],
    tasks: Sequence[str],
    fits: Sequence[str],
    kind: str | None,
) -> tuple[list[Space], dict[str, str]]:
    """The requested spaces, with labels that are unique, and the categories of concepts."""
    from net2vec.runs import shared_fit, unique_labels

    named = len({fit for run in runs for fit in run.fits}) > 1
    best = shared_fit(runs)
    spaces: list[Space] = []
    categories: dict[str, str] = {}
    for run, label in zip(runs, unique_labels(list(runs)), strict=True):
        here = [layer for layer in run.layers if layer in layers or ALL in layers]
        if not layers:
            here = list(run.layers[-1:])
        if not here:
            raise ConfigError(
                f"{run.path} has none of the layers {', '.join(layers)}; it has "
                f"{', '.join(run.layers)}"
            )
        views = run.fits if ALL in fits else (fits or [best or run.best_fit])
        spaces += [
            run.space(layer, task=task, fit=fit, kind=kind).labelled(
                f"{label} {layer} {task}" + (f" {fit}" if named else "")
            )
            for layer in here
            for task in tasks
            for fit in views
        ]
        for layer, task in product(here, tasks):
            categories |= run.categories(layer, task=task)
    return spaces, categories


def look_up(
    sources: Sequence[str],
    names: Sequence[str],
    synonyms: Path | None,
    wordnet: Path | None,
    say: Callable[[str], None],
) -> list[Lookup]:
    """Concepts in the spaces that `--with` names; what they lack is told.

    Raises:
        SpaceError: if a source, or the file of synonyms, is not there or cannot be read.
    """
    from net2vec.spaces import file_space, load_synonyms, wordnet_space

    words = load_synonyms(synonyms) if synonyms else {}
    lookups = []
    for source in sources:
        known = (
            wordnet_space(names, wordnet, senses=words)
            if source == WORDNET
            else file_space(names, Path(source), synonyms=words)
        )
        if known.missing:
            say(_lacking(known, len(names)))
        lookups.append(known)
    return lookups


def _lacking(lookup: Lookup, names: int) -> str:
    shown = ", ".join(lookup.missing[:12]) + (", ..." if len(lookup.missing) > 12 else "")
    return (
        f"{lookup.space.label} lacks {len(lookup.missing)} of {names} concepts: {shown}; "
        f"give it other words with --synonyms"
    )
