"""Commands that query finished runs: `runs`, `scores`, `nearest`, `solve`, `filter`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from net2vec.cli.completion import complete_concept
from net2vec.cli.display import show_table
from net2vec.cli.options import AsJson, Count, Fit, Layer, RunFolder, Task, Vectors
from net2vec.cli.run_files import find_runs, read_run_files
from net2vec.errors import ResultsError


def runs(
    folder: Annotated[Path, typer.Argument(help="Folder that holds runs.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """The runs in a folder, finished or not: network, data, layers, fits, date and state."""
    if not folder.is_dir():
        raise ResultsError(f"{folder} is no folder; name one that holds runs")
    import pandas as pd

    from net2vec.results import settle

    rows = []
    for path in find_runs(folder):
        with suppress(ResultsError):  # what a killed process has left here cannot be moved
            settle(path)
        rows.append(read_run_files(path).row(folder))
    if not rows and not as_json:
        raise ResultsError(
            f"{folder} holds no run; a run is a folder with a run.toml, up to four folders down"
        )
    if not as_json:
        for row in rows:
            row["date"] = str(row["date"])[:16].replace("T", " ")
    show_table(pd.DataFrame(rows), as_json=as_json)


def scores(
    run: RunFolder,
    layer: Layer = None,
    task: Task = "segment",
    fit: Fit = None,
    n: Count = 20,
    as_json: AsJson = False,
) -> None:
    """The best-encoded concepts of a layer: single filter beside combination."""
    from net2vec.runs import open_run

    opened = open_run(run)
    opened = opened.at(fit=fit or opened.best_fit)
    arrays = opened.arrays(layer, task=task)
    name = layer or opened.layers[-1]
    rows = opened.scores
    rows = rows[(rows["layer"] == name) & (rows["task"] == task)]
    both = rows[rows["method"].isin(["single", "combined"])]
    table = both.pivot_table(
        index=["concept", "category", "best_filter", "n_train", "concept_size"],
        columns="method",
        values="val",
        sort=False,
    ).reset_index()
    distance = arrays["start_distance"].to_series().rename("start_distance")
    table = table.merge(distance, left_on="concept", right_index=True)
    table = table.sort_values("combined", ascending=False, kind="stable").head(n)
    order = ["concept", "category", "single", "combined", "best_filter", "n_train"]
    table = table[[*order, "concept_size"] + (["start_distance"] if opened.has_start() else [])]
    table.columns.name = None
    if opened.has_start():
        moved = opened.hardly_moved(layer, task=task)
        table["hardly_moved"] = table["concept"].isin(moved)
    show_table(
        table, as_json=as_json, title=f"{opened.title}, {name}, {task}, {opened.fit}: scores"
    )


def nearest(
    run: RunFolder,
    concept: Annotated[
        str, typer.Argument(help="Name of a concept.", autocompletion=complete_concept)
    ],
    layer: Layer = None,
    task: Task = "segment",
    fit: Fit = None,
    as_: Vectors = None,
    n: Count = 5,
    as_json: AsJson = False,
) -> None:
    """The concepts whose vectors are nearest to a concept's, by cosine."""
    from net2vec.runs import open_run

    space = open_run(run).space(layer, task=task, fit=fit, kind=as_)
    table = space.nearest(concept, n)
    if space.find(concept) in (space.hardly_moved or ()):
        typer.echo(
            f"the vector of {space.find(concept)} has hardly moved from its random start: its "
            f"neighbours mean little",
            err=True,
        )
    show_table(table, as_json=as_json, title=space.label)


def solve(
    run: RunFolder,
    expression: Annotated[str, typer.Argument(help='For instance "grass + blue - green".')],
    layer: Layer = None,
    task: Task = "segment",
    fit: Fit = None,
    as_: Vectors = None,
    n: Count = 5,
    as_json: AsJson = False,
) -> None:
    """Concept arithmetic: the concepts nearest to a sum of vectors."""
    from net2vec.runs import open_run

    space = open_run(run).space(layer, task=task, fit=fit, kind=as_)
    show_table(space.solve(expression, n), as_json=as_json, title=space.label)


def filter_(
    run: RunFolder,
    index: Annotated[int, typer.Argument(min=0, help="Number of a filter.")],
    layer: Layer = None,
    task: Task = "segment",
    fit: Fit = None,
    n: Count = 10,
    as_json: AsJson = False,
) -> None:
    """A filter: the concepts that it finds by itself, and its weight in their vectors."""
    from net2vec.runs import open_run

    opened = open_run(run)
    opened = opened.at(fit=fit or opened.best_fit)
    table = opened.filter(index, layer, task=task).head(n)
    if task == "classify":
        table = table.drop(columns="iou")
    title = f"{opened.title}, {layer or opened.layers[-1]}, {task}, {opened.fit}: filter {index}"
    show_table(table, as_json=as_json, title=title)
