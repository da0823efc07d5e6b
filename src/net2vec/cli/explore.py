"""The command that opens a page to look around in runs: `explore`."""

from __future__ import annotations

from typing import Annotated

import typer

from net2vec.cli.options import RunFolders, Trust


def explore(
    runs: RunFolders,
    data: Annotated[
        str | None,
        typer.Option(
            help="The probe dataset: a folder, or hf:ORG/NAME, which is downloaded.",
            show_default="where the runs say",
            metavar="DATA",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page.", show_default="a free one")
    ] = 0,
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's lets others in.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    trust: Trust = False,
) -> None:
    """Look around in finished runs: a page on this machine with everything that a run holds."""
    import webbrowser

    from net2vec.explorer import Explorer
    from net2vec.explorer import explore as serve
    from net2vec.runs import open_run

    def ready(url: str) -> None:
        typer.echo(f"{url}\nCtrl-C ends it.")
        if browser:
            webbrowser.open(url)

    explorer = Explorer([open_run(run, trust=trust) for run in runs], data)
    try:
        serve(explorer, ready, host=host, port=port)
    except KeyboardInterrupt:  # the way to end it
        typer.echo("ended")
