"""Interruptions: by Ctrl-C, or by the signals of batch systems and closed terminals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer, current_thread, main_thread
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# While a module is imported a signal is raised again after so many seconds, at most so many times.
_PAUSE, _PAUSES = 0.05, 200


@contextmanager
def interrupted_by_signals(received: list[int]) -> Iterator[None]:
    """Let all signals that end a program interrupt it as Ctrl-C does.

    Libraries may abort, or take it for another error, if they are interrupted while they are
    imported: an interruption waits until that is done, ten seconds at most.

    Args:
        received: the number of the first signal is added.

    Raises:
        KeyboardInterrupt: whatever error follows from a signal.
    """
    pauses = 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pauses
        if _is_importing(frame) and pauses < _PAUSES:
            pauses += 1
            again = Timer(_PAUSE, signal.raise_signal, [number])
            again.daemon = True
            again.start()
        # Some send a signal to the process and to its group: only Ctrl-C may interrupt an ending.
        elif not received or number == signal.SIGINT:
            received.append(number)
            raise KeyboardInterrupt

    before, default = {}, (signal.SIG_DFL, signal.default_int_handler)
    if current_thread() is main_thread():  # others cannot set handlers
        for name in _SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) in default:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    except BaseException:
        if received:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_process(codes: Sequence[int]) -> None:
    """After an interruption, exit with its code; there is at most one.

    Python itself would not: after an interruption of code that a library has generated it ends as
    by SIGINT, and libraries whose import has failed may abort.
    """
    if codes:
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        finally:
            os._exit(codes[0])


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
