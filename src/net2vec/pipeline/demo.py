"""The whole method on what comes with the package: a real network beside its random twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from net2vec.config import ClassifySettings, SegmentSettings, Settings
from net2vec.core.executors import ProcessExecutor, map_items
from net2vec.data import open_dataset
from net2vec.pipeline.inputs import default_workers
from net2vec.pipeline.progress import Progress, SilentProgress
from net2vec.pipeline.reporting import write_report, write_tables
from net2vec.pipeline.runner import probe
from net2vec.runs import best_views, open_run
from net2vec.vocabulary import ALL, LDA

NETWORK = "efficientnet_lite0"


@dataclass(frozen=True)
class Extent:
    """The pictures, layers and subsets of a demo.

    Attributes:
        data: the pictures.
        layers: of the network.
        subsets: numbers of filters; the largest take the longest.
    """

    data: str
    layers: tuple[str, ...]
    subsets: tuple[int, ...]


# Outputs of stages of 14x14 and 7x7 cells, 112 and 192 filters: the method's cost grows with both.
SHORT = Extent("diorama:400", ("blocks.4", "blocks.5"), (1, 8))
# From the stem to the last block, a layer for every second halving of the grid and the two last.
FULL = Extent(
    "diorama", ("bn1", "blocks.2.1.bn2", "blocks.4.1.bn1", "blocks.6.0.bn2"), (1, 4, 16, 64, 128)
)


def run_demo(
    out: Path,
    *,
    full: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Probe the embedded network and its random twin with `diorama`, and report on both.

    Args:
        out: holds `trained`, `random` and `report` afterwards.
        full: whether with all pictures, more layers and larger subsets of filters.
        workers: threads or processes; the numbers do not depend on it.
        progress: reports the stages to the user.

    Returns:
        The page of the report.

    Raises:
        Net2VecError: the weights are not installed, or `out` holds something else.
    """
    progress = progress or SilentProgress()
    workers = workers or default_workers()
    extent = FULL if full else SHORT
    dataset = open_dataset(extent.data)  # one for both runs: it remembers what it has rendered
    runs = []
    for name, weights in (("trained", None), ("random", "random")):
        settings = Settings(
            network=NETWORK,
            data=(extent.data,),
            weights=weights,
            layers=extent.layers,
            device="cpu",
            fit=ALL,
            segment=SegmentSettings(subsets=extent.subsets),
            classify=ClassifySettings(subsets=extent.subsets),
        )
        if weights is not None:  # a control needs the best fit alone, and no subsets
            settings = replace(
                settings,
                fit=LDA,
                segment=SegmentSettings(subsets=()),
                classify=ClassifySettings(subsets=()),
            )
        runs.append(
            probe(
                settings,
                out / name,
                dataset=dataset,
                workers=workers,
                progress=progress,
                report=False,
            )
        )
    return _write_reports(runs, out / "report", workers, progress)


@dataclass(frozen=True)
class Suggestion:
    """A question to a finished demo.

    Attributes:
        question: in words.
        arguments: of the command line program.
    """

    question: str
    arguments: tuple[str, ...]


def demo_questions(out: Path) -> list[Suggestion]:
    """Three questions to a finished demo whose answers are worth reading.

    Args:
        out: the folder that `run_demo` was given.
    """
    folder = out / "trained"
    run = open_run(folder)
    layer = best_views([run])[0].best_layer("segment") or run.layers[-1]
    last = run.scores[(run.scores["layer"] == run.layers[-1]) & (run.scores["method"] == "single")]
    best = last[last["task"] == "segment"].nlargest(1, "val").iloc[0]
    on_layer = ("--layer", layer)
    expression = "grass + blue - green"
    return [
        Suggestion("What is encoded like a cow?", ("nearest", str(folder), "cow", *on_layer)),
        Suggestion(
            "Grass that is blue and not green?", ("solve", str(folder), expression, *on_layer)
        ),
        Suggestion(
            f"What else does the filter find that finds {best['concept']} best?",
            ("filter", str(folder), str(int(best["best_filter"]))),
        ),
    ]


def _write_reports(runs: Sequence[Path], out: Path, workers: int, progress: Progress) -> Path:
    """The report of both runs, and the tables of each; return the page."""
    parts: list[tuple[tuple[Path, ...], Path | None]] = [(tuple(runs), out)]
    parts += [((run,), None) for run in runs]
    advance = progress.stage("report and tables", len(parts))
    for _ in map_items(ProcessExecutor(workers), _write_part, dict.fromkeys(parts, 1)):
        advance(1)
    return out / "index.html"


def _write_part(part: tuple[tuple[Path, ...], Path | None]) -> None:
    folders, out = part
    if out is None:
        write_tables(open_run(folders[0]))
    else:
        write_report(folders, out)
