"""The command that finds the concepts of a run in new images: `apply`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from net2vec.cli.completion import complete_concept
from net2vec.cli.display import TerminalProgress, show_table
from net2vec.cli.options import AsJson, Device, Fit, Layer, RunFolder, Trust


def apply(
    run: RunFolder,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Images, or folders of images.")
    ],
    concept: Annotated[
        list[str],
        typer.Option(
            help="A concept to find; may be repeated.",
            show_default=False,
            autocompletion=complete_concept,
        ),
    ],
    layer: Layer = None,
    fit: Fit = None,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = Path("applied"),
    device: Device = "auto",
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Find concepts in images of your own: probabilities, masks and overlays as PNG files."""
    import pandas as pd

    from net2vec.prediction import MapWriter, gather_images, segment_full_size
    from net2vec.runs import open_run
    from net2vec.runs.apply import open_predictor

    opened = open_run(run, trust=trust)
    new_images = gather_images(images)
    for image in new_images:
        image.check()
    predictor = open_predictor(
        opened, "segment", concept, layers=[layer] if layer else (), fit=fit, device=device
    )
    (encoding,) = predictor.encodings
    writer = MapWriter(out, new_images, encoding.names)
    rows = []
    with TerminalProgress() as progress:
        advance = progress.stage("applying", len(new_images) * len(encoding.names))
        for full_size in segment_full_size(predictor.forward, new_images, encoding):
            rows.append(asdict(writer.write(full_size)))
            advance(1)
    table = pd.DataFrame(rows)
    kinds = ["probability", "mask", "overlay"]
    if as_json:
        table[kinds] = table[kinds].map(str)
    else:  # for people, the three as one pattern
        table["files"] = [path.name.replace(".mask.png", ".*.png") for path in table["mask"]]
        table = table.drop(columns=kinds)
    show_table(table, as_json=as_json, title=f"{encoding.layer}, {encoding.fit} fit")
    if not as_json:
        typer.echo(f"files in {out}; * is {', '.join(kinds)}")
