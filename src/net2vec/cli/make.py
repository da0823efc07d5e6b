"""Commands that make something: `demo`, `run`, `report`."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from net2vec.cli.display import TerminalProgress
from net2vec.config import FITS, TASKS, Settings
from net2vec.core.devices import DEVICES
from net2vec.errors import ConfigError, Net2VecError
from net2vec.pipeline import (
    name_runs,
    probe,
    probe_many,
    read_runs,
    run_demo,
    write_report,
)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("demo")(demo)
    app.command("run")(run)
    app.command("report")(report)


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the two runs and the report.")] = Path(
        "net2vec-demo"
    ),
    workers: Annotated[int | None, typer.Option(min=1, help="Threads or processes.")] = None,
) -> None:
    """Probe the embedded network and its random twin with rendered pictures; no download."""
    with TerminalProgress() as progress:
        page = run_demo(out, workers=workers, progress=progress)
    typer.echo(page.resolve())


def run(
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="A name from `net2vec networks`, torchvision:NAME, timm:NAME, "
            "package.module:function or file.py:function; several are probed one after the other."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="diorama, or a folder of annotated images; several are joined."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Repeat the run of a run.toml; options override it.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="A file of several runs, a table [runs.NAME] for each.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="A file, random, or a published name.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Module paths, aliases or globs, separated by commas, or last."),
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help=f"{', '.join(TASKS)}: one or both, separated by commas.")
    ] = None,
    concepts: Annotated[
        str | None,
        typer.Option(
            help="Names of concepts, separated by commas; all by default. "
            "A name with a comma stands in double quotes: '\"door, glass\",cup'."
        ),
    ] = None,
    min_train: Annotated[
        int | None, typer.Option(help="Training images that a concept must be in.")
    ] = None,
    subsets: Annotated[
        str | None,
        typer.Option(help="Numbers of filters for both tasks, separated by commas, or none."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn.")] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join(FITS)}: the paper's training, a convex problem solved to its "
            "optimum, or one beside the other."
        ),
    ] = None,
    nulls: Annotated[
        int | None, typer.Option(help="How often to fit again on shuffled annotations.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many starts the paper's fit gets: seed, seed + 1, ...")
    ] = None,
    device: Annotated[str | None, typer.Option(help=f"One of {', '.join(DEVICES)}.")] = None,
    quantile: Annotated[
        float | None, typer.Option(help="Share of activations above the threshold (tau).")
    ] = None,
    mask_size: Annotated[
        int | None, typer.Option(help="Side of the masks; half the network's input by default.")
    ] = None,
    probe_batch: Annotated[
        int | None,
        typer.Option(
            help="Images that the network sees at a time; by default what suits the device."
        ),
    ] = None,
    mixed_precision: Annotated[
        bool | None,
        typer.Option(
            "--mixed-precision/--full-precision", help="Run the network in half precision."
        ),
    ] = None,
    batch_norm: Annotated[
        str | None,
        typer.Option(
            help="probe: estimate batch-norm statistics on the images; stored: the network's own; "
            "auto: estimate them for random weights."
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="What the classes of masks or class folders are.")
    ] = None,
    synonyms: Annotated[
        Path | None, typer.Option(help="A file of labels that mean the same.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A label to leave out.")] = None,
    colors: Annotated[
        bool | None, typer.Option("--colors/--no-colors", help="Add colours as concepts.")
    ] = None,
    segment_learning_rate: Annotated[float | None, typer.Option()] = None,
    segment_momentum: Annotated[float | None, typer.Option()] = None,
    segment_batch: Annotated[int | None, typer.Option()] = None,
    segment_epochs: Annotated[int | None, typer.Option()] = None,
    segment_subsets: Annotated[str | None, typer.Option()] = None,
    classify_learning_rate: Annotated[float | None, typer.Option()] = None,
    classify_momentum: Annotated[float | None, typer.Option()] = None,
    classify_batch: Annotated[int | None, typer.Option()] = None,
    classify_epochs: Annotated[int | None, typer.Option()] = None,
    classify_drop_after: Annotated[
        int | None, typer.Option(help="Epochs until the learning rate is divided by 10.")
    ] = None,
    classify_subsets: Annotated[str | None, typer.Option()] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads or processes; the numbers do not depend on it."),
    ] = None,
) -> None:
    """Probe a network with annotated images: everything from probing to the report."""
    if out is None:
        raise ConfigError("no folder for the run given; name one with --out")
    given = {
        "network": network[0] if network else None,
        "data": data,
        "weights": weights,
        "layers": _names(layers),
        "tasks": _names(tasks),
        "concepts": _names(concepts),
        "min_train": min_train,
        "seed": seed,
        "fit": fit,
        "nulls": nulls,
        "seeds": seeds,
        "device": device,
        "quantile": quantile,
        "mask_size": mask_size,
        "probe_batch": probe_batch,
        "mixed_precision": mixed_precision,
        "batch_norm": batch_norm,
        "category": category,
        "synonyms": str(synonyms) if synonyms else None,
        "ignore": ignore or None,
        "colors": colors,
    }
    segment = {
        "learning_rate": segment_learning_rate,
        "momentum": segment_momentum,
        "batch": segment_batch,
        "epochs": segment_epochs,
        "subsets": _numbers(subsets if segment_subsets is None else segment_subsets),
    }
    classify = {
        "learning_rate": classify_learning_rate,
        "momentum": classify_momentum,
        "batch": classify_batch,
        "epochs": classify_epochs,
        "drop_after": classify_drop_after,
        "subsets": _numbers(subsets if classify_subsets is None else classify_subsets),
    }
    if runs is not None:
        others = (config, *given.values(), *segment.values(), *classify.values())
        if any(value is not None for value in others):
            raise ConfigError("--runs holds all settings; leave the other options out")
        _make_many(read_runs(runs), out, workers)
        return
    values = _values(config, given, segment, classify)
    if network is not None and len(network) > 1:
        _make_many(name_runs(network, values), out, workers)
        return
    with TerminalProgress() as progress:
        folder = probe(Settings.from_dict(values), out, workers=workers, progress=progress)
    typer.echo((folder / "report" / "index.html").resolve())


def _make_many(runs: dict[str, Settings], out: Path, workers: int | None) -> None:
    with TerminalProgress() as progress:
        outcomes, page = probe_many(runs, out, workers=workers, progress=progress)
    if page is not None:
        typer.echo(page.resolve())
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        named = "; ".join(f"{outcome.name}: {outcome.error}" for outcome in failed)
        raise Net2VecError(f"{len(failed)} of {len(outcomes)} runs failed: {named}")


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The report's folder; RUN/report for one run, report for several."),
    ] = None,
    concept: Annotated[
        list[str] | None, typer.Option(help="A concept to show in pictures; may be repeated.")
    ] = None,
    filter_: Annotated[
        list[int] | None, typer.Option("--filter", help="A filter to show in pictures; likewise.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Where to look for these; the first run's last layer.")
    ] = None,
) -> None:
    """Make the report of one run again, or of several side by side."""
    if out is None:
        out = runs[0] / "report" if len(runs) == 1 else Path("report")
    with TerminalProgress() as progress:
        page = write_report(
            runs,
            out,
            concepts=concept or (),
            filters=filter_ or (),
            layer=layer,
            progress=progress,
        )
    typer.echo(page.resolve())


def _values(
    config: Path | None,
    given: dict[str, Any],
    segment: dict[str, Any],
    classify: dict[str, Any],
) -> dict[str, Any]:
    values: dict[str, Any] = {"segment": {}, "classify": {}}
    if config is not None:
        values = asdict(Settings.from_toml(config))
    elif given["network"] is None or not given["data"]:
        raise ConfigError(
            "name a network and a dataset, for instance --network efficientnet_lite0 --data "
            "diorama, or a --config"
        )
    values |= {key: value for key, value in given.items() if value is not None}
    for key, part in (("segment", segment), ("classify", classify)):
        values[key] = {**values[key], **{k: v for k, v in part.items() if v is not None}}
    return values


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    rows = csv.reader(text.splitlines(), skipinitialspace=True, strict=True)
    try:
        return [name.strip() for row in rows for name in row if name.strip()]
    except csv.Error as error:
        raise ConfigError(
            f"{text} is no list of names: {error}; a name with a comma stands in double quotes, "
            f"others need none"
        ) from error


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    if text.strip() == "none":
        return []
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"subsets must be numbers separated by commas, or none; got {text!r}"
        ) from error
