"""Commands that make a run or its report: `demo`, `run`, `report`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from net2vec.cli.completion import complete_concept, complete_fit, complete_layer
from net2vec.cli.display import TerminalProgress
from net2vec.cli.options import OtherSpaces, OtherWords, RunFolders, Trust, WordNetFolder
from net2vec.cli.settings import RUN, read_subsets, with_settings
from net2vec.cli.spaces import look_up
from net2vec.config import FITTING, MACHINE, Settings
from net2vec.errors import ConfigError, Net2VecError
from net2vec.vocabulary import TASKS


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the two runs and the report.")] = Path(
        "net2vec-demo"
    ),
    full: Annotated[
        bool, typer.Option("--full", help="All pictures, more layers, more subsets of filters.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Threads or processes.")
    ] = None,
) -> None:
    """Probe the embedded network and its random twin with rendered pictures; no download.

    It ends with the path of the page, and three questions to try.
    """
    from net2vec.pipeline import demo_questions, run_demo

    with TerminalProgress() as progress:
        page = run_demo(out, full=full, workers=workers, progress=progress)
    typer.echo(page.resolve())
    typer.echo("\nOpen the page in a browser. Then try:", err=True)
    for question in demo_questions(out):
        typer.echo(f"  # {question.question}", err=True)
        typer.echo(f"  {_program()} {shlex.join(question.arguments)}", err=True)


def _program() -> str:
    """The words that call this program again."""
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{sys.executable} -m net2vec"
    return "net2vec" if shutil.which("net2vec") else sys.argv[0]


@with_settings
def run(
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", rich_help_panel=RUN)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Repeat the run of a run.toml; options override it.", rich_help_panel=RUN
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            help="File of several runs: settings for all, then a table runs.NAME for each.",
            rich_help_panel=RUN,
        ),
    ] = None,
    subsets: Annotated[
        str | None,
        typer.Option(
            metavar="FILTERS",
            help="Numbers of filters to learn again with, for both tasks, separated by commas, "
            "or none.",
            rich_help_panel=FITTING,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Threads or processes; the numbers do not depend on it.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    keep_activations: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="GB",
            help="Space on disk for activations, which some fits read several times; given back "
            "when the run is finished.",
            show_default="a quarter of what is free",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Compute on the workers of a Dask scheduler, for instance tcp://HOST:8786, or on "
            "local[:N] processes of this machine.",
            show_default="threads or processes, as suits each stage",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    scheduler_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The same, by the file that dask scheduler --scheduler-file writes.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    options: dict[str, Any],
) -> None:
    """Probe a network with annotated images: everything from probing to the report.

    The settings are the same in run.toml. Where the paper states a value, it is the default.
    """
    if out is None:
        raise ConfigError("no folder for the run given; name one with --out")
    if subsets is not None:
        for task in TASKS:
            options.setdefault(task, {}).setdefault("subsets", read_subsets(subsets))
    if runs is not None and (config is not None or options):
        raise ConfigError("--runs holds all settings; leave the other options out")

    from net2vec.pipeline import name_runs, probe, read_runs

    machine: dict[str, Any] = {"workers": workers, "keep_activations": keep_activations}
    many = None
    if runs is not None:
        many = read_runs(runs)
    else:
        networks = options.pop("network", [])
        values = _with_config(config, options | ({"network": networks[0]} if networks else {}))
        if len(networks) > 1:
            many = name_runs(networks, values)
        else:
            settings = Settings.from_dict(values)
    with _cluster(scheduler, scheduler_file) as machine["executor"]:
        if many is not None:
            _probe_many(many, out, machine)
            return
        with TerminalProgress() as progress:
            folder = probe(settings, out, progress=progress, **machine)
    typer.echo((folder / "report" / "index.html").resolve())


@contextmanager
def _cluster(scheduler: str | None, scheduler_file: Path | None) -> Iterator[Any]:
    """The client of a Dask cluster, None where none is asked for."""
    if scheduler is None and scheduler_file is None:
        yield None
        return
    if scheduler is not None and scheduler_file is not None:
        raise ConfigError("--scheduler and --scheduler-file name the same thing; give one of them")
    try:
        from net2vec.core.dask_executor import connected
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'--scheduler needs {error.name}; install it with: pip install "net2vec[cluster]"'
        ) from error
    with connected(scheduler, scheduler_file) as client:
        yield client


def _probe_many(runs: dict[str, Settings], out: Path, machine: dict[str, Any]) -> None:
    from net2vec.pipeline import probe_many

    with TerminalProgress() as progress:
        outcomes, page = probe_many(runs, out, progress=progress, **machine)
    if page is not None:
        typer.echo(page.resolve())
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        named = "; ".join(f"{outcome.name}: {outcome.error}" for outcome in failed)
        raise Net2VecError(f"{len(failed)} of {len(outcomes)} runs failed: {named}")


def _with_config(config: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file, overridden by those given."""
    if config is None and not {"network", "data"} <= set(options):
        raise ConfigError(
            "name a network and a dataset, for instance --network efficientnet_lite0 --data "
            "diorama, or a --config"
        )
    values = {} if config is None else asdict(Settings.from_toml(config))
    for key, value in options.items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    return values


def report(
    runs: RunFolders,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report.", show_default="RUN/report, or report for several"
        ),
    ] = None,
    concept: Annotated[
        list[str] | None,
        typer.Option(
            help="A concept to show in pictures; may be repeated.", autocompletion=complete_concept
        ),
    ] = None,
    filter_: Annotated[
        list[int] | None,
        typer.Option("--filter", help="A filter to show in pictures; may be repeated."),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="Layer of these concepts and filters.",
            show_default="the first run's best",
            autocompletion=complete_layer,
        ),
    ] = None,
    fit: Annotated[
        list[str] | None,
        typer.Option(
            help="A fit whose masks are shown beside the paper's and the best's; may be repeated.",
            autocompletion=complete_fit,
        ),
    ] = None,
    with_: OtherSpaces = None,
    synonyms: OtherWords = None,
    wordnet: WordNetFolder = None,
    trust: Trust = False,
) -> None:
    """Make the report of one run again, or of several side by side."""
    from net2vec.pipeline import write_report

    if out is None:
        out = runs[0] / "report" if len(runs) == 1 else Path("report")
    with TerminalProgress() as progress:
        names = _shared_concepts(runs) if with_ else []
        beside = look_up(with_ or (), names, synonyms, wordnet, progress.say)
        page = write_report(
            runs,
            out,
            concepts=concept or (),
            filters=filter_ or (),
            layer=layer,
            fits=fit or (),
            trust=trust,
            beside=beside,
            progress=progress,
        )
    typer.echo(page.resolve())


def _shared_concepts(folders: Sequence[Path]) -> list[str]:
    """Concepts that all spaces of the runs' last layers have."""
    from net2vec.runs import open_run

    runs = [open_run(folder) for folder in folders]
    spaces = [run.space(task=task) for run in runs for task in run.tasks()]
    return [name for name in spaces[0].names if all(name in space for space in spaces)]
