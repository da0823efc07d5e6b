"""Commands about networks, their weights and layers: `networks`, `layers`."""

from __future__ import annotations

from typing import Annotated

import typer

from net2vec.cli.completion import complete_network
from net2vec.cli.display import show_lines, show_table
from net2vec.cli.options import AsJson


def networks(
    fetch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Download the weights of a network.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The known networks, with source and licence."""
    from net2vec.networks import available_networks, load_network

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
    import pandas as pd

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
    network: Annotated[
        str,
        typer.Argument(
            help="As `net2vec run --network` takes it.", autocompletion=complete_network
        ),
    ],
    weights: Annotated[
        str | None, typer.Option(help="A file, random, or a published name.")
    ] = None,
    input_: Annotated[
        str | None, typer.Option("--input", help="As `net2vec run --input` takes it.")
    ] = None,
    images: Annotated[
        int, typer.Option(min=1, help="Images of the recording whose memory is listed.")
    ] = 10_000,
    as_json: AsJson = False,
) -> None:
    """A network's layers: names, aliases, shapes, activation, and what recording them takes."""
    import pandas as pd

    from net2vec.core.image_size import parse_size
    from net2vec.networks import list_layers, load_network, with_input_size

    loaded = load_network(network, weights=weights or _shapes_only(network))
    if input_ is not None:
        loaded = with_input_size(loaded, parse_size(input_, "input"))
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
    from net2vec.networks import network_source

    source = network_source(network)
    return "random" if source is not None and source.has_random else None
