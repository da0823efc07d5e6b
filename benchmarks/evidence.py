"""The paper's findings on photographs, beside its own figures: `docs/evidence.md`.

    python benchmarks/evidence.py VOC --networks NETWORK[=WEIGHTS],LAYER[,LAYER...] ...
        --words VECTORS [--runs FOLDER] [--out docs/evidence.md]

VOC is a folder in the layout of PASCAL VOC. Every network is probed at its layers, named in the
order of depth. At the last two the discriminant is learned as well, which reads activations and
takes the longest; at the last one the paper's training is repeated on shuffled annotations.
Finished runs in FOLDER are used again. The page holds numbers alone, no photographs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evidence_page import NetworkRuns, write_page
from net2vec import open_run
from net2vec.config import ClassifySettings, SegmentSettings, Settings
from net2vec.pipeline.runner import probe
from net2vec.vocabulary import CONVERGED, LDA, PAPER

_MIN_TRAIN = 30
_NULLS = 9
_DEEP = 2


def make_runs(voc: Path, networks: list[str], folder: Path) -> list[NetworkRuns]:
    """Probe every network; see `NetworkRuns`."""
    made = []
    for spec in networks:
        named, *layers = spec.split(",")
        network, _, weights = named.partition("=")
        parts = {
            "maps": (layers, ",".join((PAPER, CONVERGED)), 0),
            "activations": (layers[-_DEEP:], LDA, 0),
            "nulls": (layers[-1:], PAPER, _NULLS),
        }
        found = {}
        for part, (probed, fit, nulls) in parts.items():
            settings = Settings(
                network=network,
                data=(str(voc),),
                weights=weights or None,
                layers=tuple(probed),
                min_train=_MIN_TRAIN,
                colors=True,
                fit=fit,
                nulls=nulls,
                segment=SegmentSettings(subsets=()),
                classify=ClassifySettings(subsets=()),
            )
            out = folder / f"{Path(weights or network).stem}-{part}"
            print(f"{out} ...", file=sys.stderr, flush=True)
            found[part] = open_run(probe(settings, out, report=False))
        made.append(NetworkRuns(**found))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("voc", type=Path)
    parser.add_argument("--networks", nargs="+", required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("build/evidence"))
    parser.add_argument("--out", type=Path, default=Path("docs/evidence.md"))
    asked = parser.parse_args()
    runs = make_runs(asked.voc, asked.networks, asked.runs)
    networks = " ".join(_short(spec) for spec in asked.networks)
    command = f"python benchmarks/evidence.py {asked.voc.name} --networks {networks}"
    command += f" --words {asked.words.name}"
    write_page(runs, asked.words, command, _MIN_TRAIN, asked.out)


def _short(spec: str) -> str:
    """What names a network, without the folders of this machine."""
    named, *layers = spec.split(",")
    files = "=".join(Path(part).name for part in named.split("="))
    return ",".join([files, *layers])


if __name__ == "__main__":
    main()
