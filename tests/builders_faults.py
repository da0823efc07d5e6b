"""Commands that must end in one line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from net2vec.cli import main

_HANGS_AFTER_SECONDS = 180


def call(arguments, capsys) -> tuple[int, str, str]:
    """The exit code, the output and the messages of a command; an error if it hangs."""
    capsys.readouterr()
    with _alarm(), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def assert_refused(arguments, expected: str, capsys) -> None:
    """See to it that a command ends with exit code 2 and one line that has a text in it."""
    code, out, err = call(arguments, capsys)
    assert (code, out) == (2, ""), (out, err)
    (line,) = [line for line in err.splitlines() if line.startswith("net2vec: ")]
    assert "Traceback" not in err
    assert expected in line, line
    assert len(line) < 1500


@contextmanager
def _alarm() -> Iterator[None]:
    def hang(*_: object) -> None:
        raise AssertionError(f"no end after {_HANGS_AFTER_SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(_HANGS_AFTER_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
