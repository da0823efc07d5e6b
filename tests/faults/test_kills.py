"""A run that is killed anywhere goes on to the same results; `benchmarks/faults.py` tries all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).with_name("kills.py")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_some_kills_leave_the_old_or_the_new_results():
    paths = os.pathsep.join([str(KILLS.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, KILLS, "5"], env=environment, text=True, capture_output=True, timeout=900
    )
    assert "10 kills, 0 failures" in done.stdout, done.stdout + done.stderr
