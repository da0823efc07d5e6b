"""The benchmarks run and both ways agree, at a tiny size that says nothing about speed."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_line_of_markdown_each():
    names = ("single", "classification", "everything")
    header, rule, *lines = run("run.py", "--small", *names).splitlines()
    assert header.count("|") == rule.count("|") == 7
    assert [line.count("|") for line in lines] == [7, 7, 7]
    assert "counts of 10 concepts equal" in lines[0]


def test_an_explorer_is_asked_all_that_its_pages_ask():
    told = run("explorer.py", "30", "40", "200")
    assert [line.count("|") for line in told.splitlines()[:11]] == [5] * 11
    assert "peak memory" in told


def test_a_folder_is_made_and_compiled():
    assert "peak memory" in run("annotations.py", "12")


@pytest.mark.slow
def test_statistics_are_honest_in_small_worlds():
    """Coverage, size and power hold their bounds, wide as so few draws make them."""
    printed = run("honesty.py", "--small")
    rows = [line.strip("|").split(" | ") for line in printed.splitlines() if line]
    kinds = [[cell.strip() for cell in row[:-1]] for row in rows]
    fits = [*product(("segment", "classify"), ("paper", "converged")), ("segment", "lda")]
    for task, fit in fits:
        for method in ("single", "combined"):
            assert ["two filters a concept", task, fit, method] in kinds
            assert sum(row[1:4] == [task, fit, method] for row in kinds) == 3
    assert sum(row[0].startswith(("set IoU", "accuracy")) for row in kinds) == 16


def test_costs_are_measured_and_predicted(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from cost_model import Costs, Size, predict

    costs = Costs(1e-6, 5e-4, 1e-7, 6e-4, 3e-7, 0.01, 4e8, 6e8)
    small, large = (predict(Size(images, 256, 1000, 1), costs) for images in (10**5, 4 * 10**5))
    assert large.total == pytest.approx(4 * small.total, rel=0.01)
    assert large.worker == small.worker
    assert predict(Size(10**5, 256, 1000, 8), costs).total < small.total
    assert predict(Size(10**8, 256, 1000), costs).bottleneck == "positions"
    assert predict(Size(10**6, 32_768, 1000), costs).bottleneck == "parent"
    assert predict(Size(10**4, 32_768, 20_000), costs).bottleneck == "table"
    assert predict(Size(10**6, 256, 1000, 64), costs).bottleneck == "concept"
