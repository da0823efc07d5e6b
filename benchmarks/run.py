"""All benchmarks, a line of Markdown each: `run.py [--small] [--pairs N] [NAME ...]`.

Ends with exit code 1 where a reach is missed. With `--small` everything runs once at a tiny size,
which says that it runs and agrees, and nothing about speed.
"""

from __future__ import annotations

import argparse
import sys

from measure import HEADER
from rivals import rivals
from speed.classification import classification
from speed.converged import converged
from speed.recording import recording
from speed.segmentation import learning, sweep
from speed.single_filters import single_filters
from speed.whole import everything, growth

BENCHMARKS = {
    "learning": learning,
    "sweep": sweep,
    "single": single_filters,
    "recording": recording,
    "classification": classification,
    "everything": everything,
    "growth": growth,
}
BY_NAME = {**BENCHMARKS, "converged": converged, "rivals": rivals}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help=f"of {', '.join(BY_NAME)}; all but the last two without"
    )
    parser.add_argument("--small", action="store_true", help="tiny sizes, one pair each")
    parser.add_argument("--pairs", type=int, default=5, help="how often both ways are timed")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(BY_NAME)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    print(HEADER, flush=True)
    missed = 0
    for name in asked.names or BENCHMARKS:
        for line in BY_NAME[name](small=asked.small, pairs=1 if asked.small else asked.pairs):
            print(line, flush=True)
            missed += not (line.agrees if asked.small else line.met)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
