"""Commands about probe datasets: `net2vec data ...`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from net2vec.cli.display import TerminalProgress, show_lines
from net2vec.cli.options import AsJson, Device, Sources
from net2vec.cli.settings import read_names, with_dataset_settings
from net2vec.cli.survey import show_left_out, show_survey
from net2vec.errors import ConfigError, DataError
from net2vec.vocabulary import PUBLISHED_DATASETS

data_app = typer.Typer(help="Look into probe datasets, make and check them.", no_args_is_help=True)

_READING = ("category", "reader", "dataset", "split")
_OPENING = (*_READING, "skip_missing", "synonyms", "ignore", "colors")


@data_app.command("info")
@with_dataset_settings(*_OPENING)
def info(
    data: Sources,
    *,
    statements: dict[str, Any],
    mask_size: Annotated[int, typer.Option(min=1, help="Side of the masks counted.")] = 112,
    n: Annotated[int, typer.Option("-n", min=0, help="Concepts to list of each category.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what a dataset is taken for, its concepts, splits and sizes, what would be left out."""
    import pandas as pd

    from net2vec.core.storage import cache_folder
    from net2vec.data import open_datasets
    from net2vec.data.annotations import compile_annotations
    from net2vec.data.left_out import LeftOut
    from net2vec.data.opening import split_fault
    from net2vec.data.optional import left_out_of, missing_of, taken_of
    from net2vec.data.tools import survey_dataset
    from net2vec.pipeline import default_workers
    from net2vec.tasks.choice import choose_concepts

    opened = open_datasets(data, **statements)
    with TerminalProgress() as progress:
        annotations = compile_annotations(
            opened,
            (mask_size, mask_size),
            cache_folder() / "annotations",
            workers=default_workers(),
            progress=progress.stage("reading annotations", len(opened.images)),
            say=progress.say,
        )
    survey = survey_dataset(opened, annotations)
    left_out = pd.DataFrame(
        [
            {"task": task, "concept": item.concept, "reason": item.reason}
            for task in ("segment", "classify")
            for item in choose_concepts(annotations, task).skipped
        ],
        columns=["task", "concept", "reason"],
    )
    passed_over, missing, taken = left_out_of(opened), missing_of(opened), taken_of(opened)
    if as_json:
        document = {
            **survey.as_json(),
            "taken": [{"what": what, "as": taken_as} for what, taken_as in taken],
            "no_run": split_fault(opened),
            "missing": [opened.images[index] for index in missing],
            "left_out": left_out.to_dict(orient="records"),
            "passed_over": [asdict(item) for item in passed_over],
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    show_lines(taken)
    show_survey(survey, n)
    if fault := split_fault(opened):
        show_lines([("no run", fault)])
    if missing:
        passed_over = [
            *passed_over,
            LeftOut(
                "images",
                "named by an index, but not there; a run needs --skip-missing",
                len(missing),
                opened.images[missing[0]],
            ),
        ]
    show_left_out(left_out, passed_over)


@data_app.command("render")
def render(
    out: Annotated[Path, typer.Argument(help="A folder that is new or empty.")],
    images: Annotated[int | None, typer.Option(min=1, help="How many to render.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other pictures.")] = 0,
) -> None:
    """Render `diorama` into a folder, in Broden's layout."""
    from net2vec.data.diorama import Diorama
    from net2vec.data.tools import write_broden
    from net2vec.pipeline import default_workers

    dataset = Diorama(seed=seed) if images is None else Diorama(images, seed)
    with TerminalProgress() as progress:
        advance = progress.stage("rendering", len(dataset.images))
        write_broden(
            dataset, out, size=224, mask_size=112, workers=default_workers(), progress=advance
        )
    typer.echo(out.resolve())


@data_app.command("convert")
@with_dataset_settings(*_OPENING)
def convert(
    data: Annotated[list[str], typer.Argument(metavar="DATA... OUT", help="Datasets, then OUT.")],
    size: Annotated[int, typer.Option(min=1, help="Side of the images.")] = 224,
    mask_size: Annotated[
        int | None, typer.Option(min=1, help="Side of the masks; half of --size by default.")
    ] = None,
    min_frequency: Annotated[int, typer.Option(min=0, help="Images a label must be in.")] = 10,
    min_coverage: Annotated[
        float, typer.Option(min=0, help="Images' worth of pixels that a label must cover in all.")
    ] = 0.5,
    *,
    statements: dict[str, Any],
) -> None:
    """Write any dataset, or several joined, in Broden's layout without their rare labels."""
    from net2vec.data import open_datasets
    from net2vec.data.tools import convert_dataset
    from net2vec.pipeline import default_workers

    if len(data) < 2:
        raise ConfigError("name one or more datasets, and then the folder to write")
    *sources, out = data
    opened = open_datasets(sources, **statements)
    passes = 2 if min_frequency > 0 or min_coverage > 0 else 1
    with TerminalProgress() as progress:
        converted = convert_dataset(
            opened,
            out,
            size=size,
            mask_size=mask_size,
            min_frequency=min_frequency,
            min_coverage=min_coverage,
            workers=default_workers(),
            progress=progress.stage("converting", passes * len(opened.images)),
        )
        if converted.left_out:
            progress.say(
                f"{converted.labels} labels; {len(converted.left_out)} left out, in fewer than "
                f"{min_frequency} images or on less than {min_coverage:g} of one in all: "
                f"{_first_names(converted.left_out)}"
            )
    typer.echo(converted.folder.resolve())


def _first_names(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"


@data_app.command("annotate")
@with_dataset_settings("category", "split")
def annotate(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of images.")],
    model: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="MODEL",
            help="hf:ORG/NAME or hf:FOLDER (semantic, panoptic, CLIPSeg), or file.py:function.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder that is new or empty.")],
    concepts: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="What to look for, separated by commas.",
            show_default="all classes of the model",
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Pixels that the model is less sure of are void.")
    ] = 0.5,
    size: Annotated[int, typer.Option(min=1, help="Side of the images.")] = 224,
    mask_size: Annotated[
        int | None, typer.Option(min=1, help="Side of the masks; half of --size by default.")
    ] = None,
    device: Device = "auto",
    *,
    statements: dict[str, Any],
) -> None:
    """Have a model make the masks of images that have none; an interrupted one goes on."""
    from net2vec.annotators import Request, annotate_images, open_annotator
    from net2vec.core.devices import torch_device
    from net2vec.data.files import refuse_filled
    from net2vec.pipeline import default_workers

    if not images.is_dir():  # loading a model takes a while
        raise DataError(f"{images} is no folder of images")
    refuse_filled(out)
    names = tuple(read_names(concepts)) if concepts else ()
    annotator = open_annotator(model, Request(names, confidence, torch_device(device)))
    with TerminalProgress() as progress:
        annotated = annotate_images(
            images,
            annotator,
            out,
            size=size,
            mask_size=mask_size,
            workers=default_workers(),
            stage=progress.stage,
            say=progress.say,
            **statements,
        )
        progress.say(f"masks by {annotated.record.sentence}")
        if annotated.record.confidence is None:
            progress.say(
                "it does not say how sure it is of a pixel, so --confidence voids none of them"
            )
        progress.say(
            f"{annotated.concepts} concepts; {annotated.void:.0%} of all pixels void; nothing was "
            f"found in {annotated.empty} images"
        )
    typer.echo(annotated.folder.resolve())


@data_app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(PUBLISHED_DATASETS)}.")],
    out: Annotated[Path, typer.Option(help="Folder in which NAME is made.")] = Path(),
    archive: Annotated[
        Path | None, typer.Option("--from", help="A copy of the archive obtained otherwise.")
    ] = None,
) -> None:
    """Download a published dataset and unpack it; an interrupted download goes on."""
    from net2vec.data.tools import fetch_dataset

    with TerminalProgress() as progress:
        fetched = fetch_dataset(
            name,
            out,
            archive=archive,
            download_progress=progress.bytes_stage("downloading"),
            unpack_progress=progress.counted_stage("unpacking"),
        )
        for line in (f"from {fetched.source}", *fetched.warnings):
            progress.say(line)
    typer.echo(fetched.folder.resolve())


@data_app.command("describe")
def describe(
    data: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a dataset.")],
    out: Annotated[
        str | None, typer.Argument(metavar="[-]", help="- prints the description.")
    ] = None,
) -> None:
    """Write FOLDER/dataset.toml, a first description from what is seen, to be corrected."""
    from net2vec.data.tools import describe_folder, write_description

    if out not in (None, "-"):
        raise ConfigError(f"got {out!r}; the description goes into the folder, or with - to here")
    if out == "-":
        typer.echo(describe_folder(data)[1], nl=False)
    else:
        typer.echo(write_description(data))


@data_app.command("check")
@with_dataset_settings(*_READING)
def check(
    data: Annotated[str, typer.Argument(metavar="DATA", help="diorama, or a folder.")],
    *,
    statements: dict[str, Any],
) -> None:
    """Read everything and list every fault with file and reason; exit code 1 if there is any."""
    from net2vec.data.tools import check_dataset
    from net2vec.pipeline import default_workers

    with TerminalProgress() as progress:
        checked = check_dataset(
            data,
            workers=default_workers(),
            progress=progress.counted_stage("reading"),
            **statements,
        )
        for what, note in checked.notes:
            progress.say(f"{what}: {note}")
        for item in checked.left_out:
            progress.say(
                f"left out ({item.what}, {item.reason}): {item.count}, such as {item.example}"
            )
    for fault in checked.faults:
        typer.echo(fault)
    if checked.faults:
        raise typer.Exit(1)
    typer.echo("no faults")
