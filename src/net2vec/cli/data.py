"""Commands about probe datasets: `net2vec data ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from net2vec.cli.display import TerminalProgress
from net2vec.data.tools import write_broden

data_app = typer.Typer(help="Look into probe datasets, make and check them.", no_args_is_help=True)


@data_app.command("render")
def render(
    out: Annotated[Path, typer.Argument(help="A folder that is new or empty.")],
    images: Annotated[int, typer.Option(min=1, help="How many to render.")] = 1400,
    seed: Annotated[int, typer.Option(help="Another seed gives other pictures.")] = 0,
) -> None:
    """Render `diorama` into a folder, in Broden's layout."""
    from net2vec.data.diorama import Diorama

    dataset = Diorama(images, seed)
    with TerminalProgress() as progress:
        advance = progress.stage("rendering", images)
        write_broden(dataset, out, size=224, mask_size=112, progress=advance)
    typer.echo(out.resolve())
