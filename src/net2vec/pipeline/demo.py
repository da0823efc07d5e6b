"""The whole method on what comes with the package: a real network beside its random twin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from net2vec.config import (
    BOTH,
    PAPER,
    SEGMENT_SUBSETS,
    ClassifySettings,
    SegmentSettings,
    Settings,
)
from net2vec.data import open_dataset
from net2vec.pipeline.progress import Progress, SilentProgress
from net2vec.pipeline.reporting import write_report
from net2vec.pipeline.runner import probe

NETWORK = "efficientnet_lite0"
DATA = "diorama"
# From the stem to the last block, a layer for every second halving of the grid and the two last.
LAYERS = ("bn1", "blocks.2.1.bn2", "blocks.4.1.bn1", "blocks.6.0.bn2")

# Fewer of the largest sizes than the paper's: they hardly differ, and they take the longest.
_SUBSETS = tuple(size for size in SEGMENT_SUBSETS if size not in (160, 192))


def run_demo(out: Path, *, workers: int | None = None, progress: Progress | None = None) -> Path:
    """Probe the embedded network and its random twin with `diorama`, and report on both.

    Args:
        out: holds `trained`, `random` and `report` afterwards.
        workers: threads; the numbers do not depend on it.
        progress: told of stages.

    Returns:
        The page of the report.

    Raises:
        Net2VecError: the weights are not installed, or `out` holds something else.
    """
    progress = progress or SilentProgress()
    dataset = open_dataset(DATA)  # one for both runs: it remembers what it has rendered
    runs = []
    for name, weights in (("trained", None), ("random", "random")):
        settings = Settings(
            network=NETWORK,
            data=(DATA,),
            weights=weights,
            layers=LAYERS,
            device="cpu",
            fit=BOTH,
            segment=SegmentSettings(subsets=_SUBSETS),
        )
        if weights is not None:  # a control needs no subsets and no second fit
            settings = replace(
                settings,
                fit=PAPER,
                segment=SegmentSettings(subsets=()),
                classify=ClassifySettings(subsets=()),
            )
        runs.append(
            probe(settings, out / name, dataset=dataset, workers=workers, progress=progress)
        )
    return write_report(runs, out / "report", dataset=dataset, progress=progress)
