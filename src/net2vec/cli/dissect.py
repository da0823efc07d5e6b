"""The command that counts detectors as Network Dissection does: `dissect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from net2vec.cli.completion import complete_layer
from net2vec.cli.display import TerminalProgress, show_table
from net2vec.cli.options import AsJson, Count, RunFolder, Trust


def dissect(
    run: RunFolder,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer; may be repeated.",
            show_default="all with a grid",
            autocompletion=complete_layer,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="The probe dataset: a folder, or hf:ORG/NAME, which is downloaded.",
            show_default="where the run says",
        ),
    ] = None,
    cut: Annotated[float, typer.Option(help="IoU that a detector exceeds.")] = 0.04,
    out: Annotated[
        Path | None, typer.Option(help="CSV file of every filter's best concept.", dir_okay=False)
    ] = None,
    n: Count = 10,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Network Dissection's own measure: filters that detect a concept, over all images."""
    import pandas as pd

    from net2vec.pipeline import count_detectors, detectors
    from net2vec.pipeline import dissect as dissect_run
    from net2vec.results import save_table
    from net2vec.runs import open_run

    opened = open_run(run, trust=trust)
    with TerminalProgress() as progress:
        found = dissect_run(opened, layer, data=data, progress=progress)
    best = pd.concat(
        [
            detectors(dissected, cut=0, run=opened).assign(layer=name)
            for name, dissected in found.items()
        ],
        ignore_index=True,
    )
    best = best[["layer", *best.columns.drop("layer")]]
    if out is not None:
        save_table(best, out)
    sure = best[best["iou"] > cut]
    if as_json:
        show_table(sure, as_json=True)
        return
    heading = f"{opened.title}: detectors, IoU above {cut:g}"
    show_table(count_detectors(opened, found, cut), title=heading)
    first = sure.sort_values("iou", ascending=False, kind="stable").head(n)
    show_table(first, title="the surest")
    typer.echo(
        "iou: of Network Dissection, over all images; set_iou: of this run, over the validation "
        "images with the concept"
    )
    if out is not None:
        typer.echo(f"{len(best)} filters in {out}")
