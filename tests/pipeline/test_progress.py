"""Bars of tqdm: one a stage, closed at the end, also where a stage did not end."""

import io
import sys

import pytest

from net2vec.pipeline import analyze
from net2vec.pipeline.progress import TqdmProgress

from builders_runs import small_dataset, small_network
from builders_whole import FAST, squash


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_stages_are_bars_in_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with TqdmProgress() as progress:
        advance = progress.stage("probing", 10)
        advance(4)
        advance(6)
        progress.say("a line")
        progress.stage("learning", 5)(1)
        bars = progress._bars
    printed = terminal.getvalue()
    assert "probing: 100%" in printed
    assert "learning:  20%" in printed or "learning:   0%" in printed
    assert "a line\n" in printed
    assert all(bar.disable for bar in bars)  # closed


def test_without_a_terminal_nothing_is_printed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with TqdmProgress() as progress:
        progress.stage("probing", 2)(2)
    assert sys.stderr.getvalue() == ""


@pytest.mark.usefixtures("unreported")
def test_analyze_shows_bars_unless_it_is_told_not_to(monkeypatch, tmp_path):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    given = {"layers": "3", "transform": squash, "tasks": ("classify",), **FAST}
    analyze(small_network(), small_dataset(), tmp_path / "a", progress=False, **given)
    assert "%|" not in terminal.getvalue()
    analyze(small_network(), small_dataset(), tmp_path / "b", **given)
    assert "probing the network: 100%" in terminal.getvalue()
