"""All fits by name: those of this package, and those of others through entry points."""

from __future__ import annotations

from typing import Any

from net2vec.core.plugins import Registry
from net2vec.errors import ConfigError
from net2vec.vocabulary import FITS


def known_fits() -> tuple[str, ...]:
    """Names of all fits, those of installed packages last."""
    return _registry().names


def fit_has_start(name: str) -> bool:
    """Whether the result of a known fit depends on a random start."""
    return FITS[name].has_start if name in FITS else bool(load_fit(name).has_start)


def load_fit(name: str) -> type[Any]:
    """The class of a known fit (`net2vec.tasks.fits.base.Fit`).

    Raises:
        ConfigError: if there is no such fit, or that of another package is broken.
    """
    return _registry().load(name)


def _registry() -> Registry[Any]:
    return Registry(
        "fit",
        "net2vec.tasks.fits.base:Fit",
        {name: fit.target for name, fit in FITS.items()},
        ConfigError,
        group="net2vec.fits",
    )
