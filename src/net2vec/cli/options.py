"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from net2vec.cli.completion import complete_fit, complete_layer, complete_run
from net2vec.cli.settings import setting
from net2vec.vocabulary import TASKS, VECTORS

RunFolder = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Folder of a finished run.", autocompletion=complete_run),
]
RunFolders = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Folders of finished runs.", autocompletion=complete_run),
]
Layer = Annotated[
    str | None,
    typer.Option(help="A layer.", show_default="the run's last", autocompletion=complete_layer),
]
Task = Annotated[
    str,
    typer.Option(
        metavar="segment|classify",
        help="Task of the vectors.",
        autocompletion=lambda: TASKS,
    ),
]
Fit = Annotated[
    str | None,
    typer.Option(
        help="A fit of the run.", show_default="the run's best", autocompletion=complete_fit
    ),
]
Vectors = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="|".join(VECTORS),
        help="Vectors to compare concepts by.",
        show_default="patterns where the fit has them, else weights",
    ),
]
Count = Annotated[int, typer.Option("-n", min=1, help="Rows to show.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Run the code of the run's network, if it is a function in Python."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Sources = Annotated[
    list[str],
    typer.Argument(metavar="DATA...", help="diorama, folders or hf:ORG/NAME; several are joined."),
]
Device = Annotated[str, setting("device")]

OtherSpaces = Annotated[
    list[str] | None,
    typer.Option(
        "--with", help="wordnet, or a file of word vectors or of exported concept vectors."
    ),
]
OtherWords = Annotated[
    Path | None,
    typer.Option(help="A file of `name = word` lines; the word may be a synset, crane.n.04."),
]
WordNetFolder = Annotated[
    Path | None, typer.Option(help="Folder of the WordNet database, if it is not found.")
]
