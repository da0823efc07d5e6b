"""Commands about networks: which there are, their weights, their layers."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from net2vec.cli.display import AsJson, show_lines, show_table
from net2vec.networks import available_networks, list_layers, load_network, network_source


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("networks")(networks)
    app.command("layers")(layers)


def networks(
    fetch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Download the weights of a network.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The known networks, with source and licence."""
    if fetch is not None:
        network = load_network(fetch)
        show_lines(
            [
                ("network", network.name),
                ("weights", network.weights),
                ("licence", network.licence),
                ("digest", network.digest),
            ]
        )
        return
    table = pd.DataFrame(
        [
            {
                "network": name,
                "task": entry.task,
                "training_set": entry.training_set,
                "layers": ", ".join(entry.layers),
                "licence": entry.licence,
                "source": entry.source,
            }
            for name, entry in available_networks().items()
        ]
    )
    show_table(table, as_json=as_json)


def layers(
    network: Annotated[str, typer.Argument(help="As `net2vec run --network` takes it.")],
    weights: Annotated[
        str | None, typer.Option(help="A file, random, or a published name.")
    ] = None,
    images: Annotated[
        int, typer.Option(min=1, help="Images for which the memory of a recording is told.")
    ] = 10_000,
    as_json: AsJson = False,
) -> None:
    """A network's layers: names, aliases, shapes, activation, and what recording them takes."""
    loaded = load_network(network, weights=weights or _shapes_only(network))
    rows = [
        {
            "layer": info.path,
            "aliases": ", ".join(info.aliases),
            "module": info.kind,
            "shape": "x".join(map(str, info.shape)) if info.shape else "",
            "calls": info.calls,
            "activation": {True: "yes", False: "no", None: ""}[info.activation],
            "probed": "yes" if info.path in loaded.layers else "",
            "recording_mb": round(info.recording_bytes(images) / 2**20, 1),
        }
        for info in list_layers(loaded)
    ]
    if as_json:
        show_table(pd.DataFrame(rows), as_json=True)
        return
    show_lines(
        [
            ("network", network),
            ("input", loaded.preprocessing),
            ("probed", "the layers of a run that names none"),
            ("recording_mb", f"memory that recording the layer takes for {images:,} images"),
        ]
    )
    show_table(pd.DataFrame(rows), digits=1)


def _shapes_only(network: str) -> str | None:
    """Random weights where there is a choice: shapes do not depend on them, downloads do."""
    source = network_source(network)
    return "random" if source is not None and source.has_random else None
