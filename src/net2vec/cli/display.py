"""Output of the commands: progress and tables in a terminal, JSON for scripts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from net2vec.pipeline.progress import Advance


# Seconds until the first line of a stage where there is no terminal, and between lines.
_FIRST_LINE, _BETWEEN_LINES = 10.0, 60.0


class TerminalProgress:
    """Stages as bars with the remaining time, or a line now and then where there is no terminal.

    The lines are for the logs of batch jobs: at most one a minute over all stages.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._next_line = time.monotonic() + _FIRST_LINE
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage of `total` steps."""
        if not self._console.is_terminal:
            return self._lines(name, total)
        task = self._bars.add_task(name, total=total)
        return lambda steps: self._bars.advance(task, steps)

    def _lines(self, name: str, total: int) -> Advance:
        begun, lock = time.monotonic(), Lock()
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            with lock:
                done += steps
                now = time.monotonic()
                if now < self._next_line or not 0 < done < total:
                    return
                self._next_line = now + _BETWEEN_LINES
            elapsed = now - begun
            left = elapsed / done * (total - done)
            self.say(
                f"{name}: {done / total:.0%}, {elapsed:.0f} s elapsed, about {left:.0f} s left"
            )

        return advance

    def counted_stage(self, name: str) -> Callable[[int, int], object]:
        """Begin a stage whose total is given with every step."""
        task = self._bars.add_task(name, total=None)
        return lambda steps, total: self._bars.update(task, advance=steps, total=total)

    def bytes_stage(self, name: str) -> Callable[[int, int | None], object]:
        """Begin a stage measured in bytes that are done, of a total that may be unknown."""
        task = self._bars.add_task(name, total=None)
        return lambda done, total: self._bars.update(task, completed=done, total=total)

    def say(self, text: str) -> None:
        """Print one line for the user."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def show_table(
    table: pd.DataFrame, *, as_json: bool = False, title: str | None = None, digits: int = 3
) -> None:
    """Print a table for people, or its rows as JSON."""
    if as_json:
        typer.echo(json.dumps(records(table), ensure_ascii=False, indent=2))
        return
    from pandas.api.types import is_numeric_dtype
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Names come from data: as text they are printed as they are, whatever brackets they hold.
    heading = None if title is None else Text(title)
    shown = Table(title=heading, title_justify="left", header_style="bold")
    for column in table.columns:
        numeric = is_numeric_dtype(table[column])
        shown.add_column(Text(str(column)), justify="right" if numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*(Text(_cell(value, digits)) for value in row))
    console = Console()
    if not console.is_terminal:  # no terminal says how wide a line may be
        console = Console(width=160)
    console.print(shown)


def show_lines(lines: Sequence[tuple[str, object]]) -> None:
    """Print names with their values."""
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        typer.echo(f"{name:<{width}}  {value}")


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows as plain values; what is missing is null."""
    plain: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return plain


def _cell(value: object, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.{digits}f}"
    return "" if value is None else str(value)
