"""Faults on purpose: kills, damaged files, inputs that cannot be used.

A tiny run, and adding to it, are killed before each of their file operations and made again; every
kind of file of a run and of its cache is cut, emptied, flipped by a bit or removed; networks,
weights, datasets, settings and run folders of a table are given to the commands. Results must be
the same, or there must be one line and exit code 2.

    .venv/bin/python benchmarks/faults.py [KILLS] [--processes N]

KILLS is the number of kills of each scenario; without it, one before every operation.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("tests/faults", "tests/pipeline/test_damaged_cache.py")


def main() -> None:
    """Run all, print what failed and one line of counts; exit with 1 if anything failed."""
    paths = [str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, text=True, capture_output=True
        )
        # What runs say of themselves is of interest only where the script itself has failed.
        return done.stdout if done.stdout.strip() else done.stderr

    told = run("tests/faults/kills.py", *sys.argv[1:])
    tables = run("-m", "pytest", "-v", *TABLES, "--deselect", "tests/faults/test_kills.py")
    *details, kills = told.strip().splitlines()
    counts = dict(re.findall(r"(\d+) (passed|failed|error)", tables))
    found = {kind: int(count) for count, kind in counts.items()}
    failed = found.get("failed", 0) + found.get("error", 0)
    if details or failed or not found:
        print("\n".join(details), tables, sep="\n")
    print(
        f"{kills}; damaged files and bad inputs: {found.get('passed', 0)} rows, {failed} failures"
    )
    sys.exit(bool(details or failed or not found))


if __name__ == "__main__":
    main()
