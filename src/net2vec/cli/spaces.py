"""Commands about spaces of concepts: compare them, write them for other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray as xr

from net2vec.cli.display import AsJson, TerminalProgress, records, show_table
from net2vec.errors import ConfigError
from net2vec.report import save_comparison
from net2vec.results import group_name
from net2vec.runs import Run, open_run, unique_labels
from net2vec.spaces import (
    Lookup,
    Space,
    compare_spaces,
    file_space,
    load_synonyms,
    save_csv,
    save_projector,
    save_safetensors,
    save_word2vec,
    wordnet_space,
)

ALL = "all"
WORDNET = "wordnet"


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("compare")(compare)
    app.command("export")(export)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs.")],
    layer: Annotated[
        list[str] | None,
        typer.Option(help="A layer of the runs that have it, or all; by default each run's last."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="segment, classify; by default segment.")
    ] = None,
    fit: Annotated[
        list[str] | None,
        typer.Option(help="paper, converged, or all; by default each run's first."),
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with", help="wordnet, or a file of word vectors or of exported concept vectors."
        ),
    ] = None,
    synonyms: Annotated[
        Path | None,
        typer.Option(help="A file of `name = word` lines; the word may be a synset, crane.n.04."),
    ] = None,
    wordnet: Annotated[
        Path | None, typer.Option(help="The folder of the WordNet database, if it is not found.")
    ] = None,
    permutations: Annotated[
        int, typer.Option(min=0, help="Permutations behind the p of similarity.")
    ] = 999,
    out: Annotated[Path, typer.Option(help="Folder of the tables and figures.")] = Path(
        "comparison"
    ),
    as_json: AsJson = False,
) -> None:
    """Compare spaces of concepts: of runs, layers and tasks, of WordNet, of word vectors."""
    opened = [open_run(path) for path in runs]
    spaces, categories = _run_spaces(opened, layer or [], task or ["segment"], fit or [])
    shared = [name for name in spaces[0].names if all(name in space for space in spaces)]
    chosen = load_synonyms(synonyms) if synonyms else {}
    with TerminalProgress() as progress:
        for source in with_ or []:
            known = _look_up(source, shared, chosen, wordnet)
            spaces.append(known.space)
            if known.missing:
                progress.say(_lacking(known, len(shared)))
    found = compare_spaces(spaces, categories=categories, permutations=permutations)
    written = save_comparison(found, out)
    if as_json:
        typer.echo(json.dumps(records(found.distances), ensure_ascii=False, indent=2))
        return
    show_table(found.distances, title=f"On the {len(found.concepts)} concepts that all share")
    for path in written:
        typer.echo(path.resolve())


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    layer: Annotated[str | None, typer.Option(help="A layer, or all; by default the last.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="segment, classify; by default both.")
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option("--format", help="word2vec, safetensors, csv, projector; by default all."),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="paper, converged, or all; by default the run's first."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the files; RUN/vectors by default.")
    ] = None,
) -> None:
    """Write concept vectors for other tools: gensim, NumPy, tables, TensorBoard's projector."""
    opened = open_run(run)
    for name in form or ():
        if name not in _FORMATS:
            raise ConfigError(f"unknown format {name!r}; wanted one of {', '.join(_FORMATS)}")
    folder = out or run / "vectors"
    layers = opened.layers if layer == ALL else [layer or opened.layers[-1]]
    fits = opened.fits if fit == ALL else [fit or opened.fits[0]]
    for view, each in product([opened.at(fit=one) for one in fits], layers):
        suffix = "" if view.fit == opened.fits[0] else f"-{view.fit}"
        for one in task or view.tasks(each):
            vectors = _finite(view.vectors(each, task=one))
            for name in form or _FORMATS:
                extension, save = _FORMATS[name]
                path = folder / f"{group_name(each)}-{one}{suffix}.{extension}"
                save(
                    [str(concept) for concept in vectors["concept"].values],
                    vectors.to_numpy(),
                    path,
                    [str(category) for category in vectors["category"].values],
                )
                typer.echo(path.resolve())


def _finite(vectors: xr.DataArray) -> xr.DataArray:
    """The vectors that other tools can read; which are left out is told."""
    whole = np.isfinite(vectors.values).all(axis=1)
    lost = ", ".join(str(name) for name in vectors["concept"].values[~whole])
    if lost:
        typer.echo(f"left out, since learning has not ended at numbers: {lost}", err=True)
    return vectors[whole]


_Save = Callable[[Sequence[str], np.ndarray, Path, Sequence[str]], None]
_FORMATS: Mapping[str, tuple[str, _Save]] = {
    "word2vec": ("txt", lambda names, vectors, path, _: save_word2vec(names, vectors, path)),
    "safetensors": (
        "safetensors",
        lambda names, vectors, path, _: save_safetensors(names, vectors, path),
    ),
    "csv": (
        "csv",
        lambda names, vectors, path, known: save_csv(names, vectors, path, categories=known),
    ),
    "projector": (
        "tsv",
        lambda names, vectors, path, known: save_projector(names, vectors, path, categories=known),
    ),
}


def _run_spaces(
    runs: Sequence[Run], layers: Sequence[str], tasks: Sequence[str], fits: Sequence[str]
) -> tuple[list[Space], dict[str, str]]:
    """The spaces asked for, each labelled by what tells it apart, and categories of concepts."""
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
        views = run.fits if ALL in fits else (fits or run.fits[:1])
        spaces += [
            run.space(layer, task=task, fit=fit).labelled(
                f"{label} {layer} {task}" + (f" {fit}" if fits else "")
            )
            for layer in here
            for task in tasks
            for fit in views
        ]
        for layer, task in product(here, tasks):
            categories |= run.categories(layer, task=task)
    return spaces, categories


def _look_up(
    source: str, names: Sequence[str], synonyms: Mapping[str, str], wordnet: Path | None
) -> Lookup:
    if source == WORDNET:
        return wordnet_space(names, wordnet, senses=synonyms)
    return file_space(names, Path(source), synonyms=synonyms)


def _lacking(known: Lookup, asked: int) -> str:
    shown = ", ".join(known.missing[:12]) + (", ..." if len(known.missing) > 12 else "")
    return (
        f"{known.space.label} lacks {len(known.missing)} of {asked} concepts: {shown}; "
        f"give it other words with --synonyms"
    )
