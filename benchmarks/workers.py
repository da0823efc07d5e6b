"""Wall times by number of workers: `python benchmarks/workers.py [DATA [OPTIONS OF net2vec run]]`.

A real scheduler and workers, processes connected by TCP, learn all fits with nulls of a layer: with
one worker and with two. Prints seconds of both by stage and in all, their ratio and whether all
numbers have the same bits. Nothing else should run meanwhile; both runs begin with the annotations
compiled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xarray as xr

from chaos import Cluster

RUN = ("--network", "efficientnet_lite0", "--layers", "blocks.4.1.bn1", "--fit", "all", "--nulls",
       "19", "--subsets", "none")  # fmt: skip
TABLES = ("scores.csv", "skipped.csv")


def main() -> None:
    """Print lines of seconds; exit with 1 if a number differs."""
    data = sys.argv[1] if len(sys.argv) > 1 else "diorama:120"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    options = (*RUN, *sys.argv[2:])
    net2vec = (sys.executable, "-m", "net2vec", "run", *options, "--data", data, "--out")
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NET2VEC_CACHE"] = str(folder / "cache")
        # Compiles the annotations and warms the disk's cache, unmeasured.
        warm = ("--nulls", "0", "--fit", "paper", "--segment-epochs", "1", "--classify-epochs", "1")
        _run(*net2vec, str(folder / "warm"), *warm)
        for workers in (1, 2):
            place = folder / f"cluster-{workers}"
            place.mkdir()
            cluster = Cluster(place, workers)
            try:
                begun = time.perf_counter()
                _run(*net2vec, str(folder / str(workers)), "--scheduler-file", str(cluster.file))
                seconds.append(time.perf_counter() - begun)
            finally:
                cluster.kill_all()
        one, two = folder / "1", folder / "2"
        same = all((one / table).read_bytes() == (two / table).read_bytes() for table in TABLES)
        trees = [xr.open_datatree(run / "results.zarr", engine="zarr") for run in (one, two)]
        same = same and trees[0].identical(trees[1])
        stages = [
            json.loads((run / "provenance.json").read_text())["seconds"] for run in (one, two)
        ]
    for name, taken in stages[0].items():
        print(f"{name}: {taken:.1f} s, {stages[1][name]:.1f} s")
    first, second = seconds
    print(
        f"1 worker {first:.1f} s, 2 workers {second:.1f} s, ratio {first / second:.2f}; "
        f"{'the same bits' if same else 'DIFFERENT BITS'}"
    )
    sys.exit(not same)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
