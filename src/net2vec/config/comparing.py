"""Settings of one run against those of another."""

from __future__ import annotations

from dataclasses import asdict
from functools import reduce

from net2vec.config.settings import Settings
from net2vec.core.fields import declarations


def differences(settings: Settings, other_settings: Settings) -> list[str]:
    """The settings in which two runs differ, as `seed (0 and 1)`."""
    paths = [declared.path for declared in declarations(Settings)]
    pairs = [
        (path, reduce(getattr, path, settings), reduce(getattr, path, other_settings))
        for path in paths
    ]
    return [
        f"{'.'.join(path)} ({_value_text(first)} and {_value_text(second)})"
        for path, first, second in pairs
        if first != second
    ]


def may_follow(settings: Settings, before: Settings, *, finished: bool) -> bool:
    """Whether a run may continue in the folder of one with other settings.

    It may where they differ in nothing but what only adds to a run; to a finished one they must
    not ask for less than what is there.
    """
    adding = {name: getattr(before, name) for name in ("fit", "nulls", "seeds", "truth")}
    if asdict(settings) | adding != asdict(before):
        return False
    keeps_fits = settings.fits[: len(before.fits)] == before.fits
    more = keeps_fits and settings.nulls >= before.nulls and settings.seeds >= before.seeds
    more = more and before.truth in (None, settings.truth)
    return more or not finished


def _value_text(value: object) -> str:
    listed = value if isinstance(value, tuple) else () if value is None else (value,)
    return ", ".join(map(str, listed)) or "none"
