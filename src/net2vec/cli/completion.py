"""Completion in a shell: networks, and the runs, layers, fits and concepts that are there."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from net2vec.cli.run_files import concept_names, find_runs, read_run_files

_PREFIXES = ("torchvision:", "timm:", "hf:", "open_clip:")


def complete_run(incomplete: str) -> Iterable[str]:
    """Folders of runs below the folder that has been typed."""
    head, slash, _ = incomplete.rpartition("/")
    base = Path(head + slash)
    for path in find_runs(base):
        name = str(path.relative_to(base))
        if name != ".":
            yield f"{head}{slash}{name}"


def complete_layer(ctx: Any) -> Iterable[str]:
    """Layers of the runs that the command names."""
    for run in _named_runs(ctx):
        yield from read_run_files(run).layers


def complete_fit(ctx: Any) -> Iterable[str]:
    """Fits of the runs that the command names."""
    for run in _named_runs(ctx):
        yield from read_run_files(run).fits


def complete_concept(ctx: Any) -> Iterable[str]:
    """Concepts of the runs that the command names, of one task if it names that."""
    task = ctx.params.get("task")
    for run in _named_runs(ctx):
        yield from concept_names(run, task if isinstance(task, str) else None)


def complete_network(incomplete: str) -> Iterable[str]:
    """Networks that are known by name; the names are kept, for libraries take seconds to load."""
    from net2vec.core.storage import cache_folder, replacing

    libraries = "-".join(version(name) for name in ("net2vec", "torchvision", "timm"))
    path = cache_folder() / "completion" / f"networks-{libraries}.txt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, lasting=False) as temporary:
            temporary.write_text("\n".join(_network_names()), encoding="utf-8")
    names = path.read_text(encoding="utf-8").split("\n")
    # Thousands of names help nobody who has not said from which library.
    return names if ":" in incomplete else [*(n for n in names if ":" not in n), *_PREFIXES]


def _network_names() -> list[str]:
    import timm
    import torchvision

    from net2vec.networks import available_networks

    models = torchvision.models
    return [
        *available_networks(),
        *(f"torchvision:{name}" for name in models.list_models(module=models)),
        *(f"timm:{name}" for name in timm.list_models()),
    ]


def _named_runs(ctx: Any) -> list[Path]:
    # Arguments before an option that lacks its value yet are not parsed.
    named = ctx.params.get("run") or ctx.params.get("runs") or ctx.args
    return [Path(run) for run in (named if isinstance(named, list | tuple) else [named])]


def complete_in_bash(complete: Callable[[], object]) -> None:
    """Complete for bash, which splits words at colons and takes answers as they are typed.

    Args:
        complete: prints the completions of the words in the environment, a line each, and exits.
    """
    # Joined by newlines in the script that typer installs, by spaces where it is asked by hand.
    given = os.environ.get("COMP_WORDS", "")
    words = given.split("\n" if "\n" in given else " ")
    at = int(os.environ.get("COMP_CWORD", "0"))
    typed = words[: at + 1]
    joined: list[str] = []
    for before, word in zip(["", *typed], typed, strict=False):
        if joined and (word == ":" or before == ":"):
            joined[-1] += word
        else:
            joined.append(word)
    os.environ |= {"COMP_WORDS": "\n".join(joined), "COMP_CWORD": str(len(joined) - 1)}
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            complete()
    finally:
        word = joined[-1]
        quoted = word.startswith(("'", '"'))
        prefix = len(word.rpartition(":")[0]) + 1 if ":" in word else 0
        for line in filter(None, printed.getvalue().splitlines()):
            rest = line[prefix:]
            typer.echo(rest if quoted else re.sub(r"([^\w@%+=:,./~-])", r"\\\1", rest))
