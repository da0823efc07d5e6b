"""All sources of annotators; a new one is a file here and a line in `_SOURCES`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from net2vec.annotators.base import Annotator, AnnotatorSource, Request
from net2vec.errors import ConfigError

_SOURCES = (
    "grounded_models:GroundedModels",  # before the next one, which takes any name with hf:
    "transformers_models:SegmentationModels",
    "python:PythonAnnotators",  # the last one: it takes any name with a colon
)
"""Modules of this package, each with its source; the first that recognises a name has it."""


def open_annotator(name: str, request: Request) -> Annotator:
    """The annotator of a name.

    Args:
        name: `hf:ORG/NAME`, `hf:FOLDER`, `file.py:function` or `package.module:function`. Code that
            the last two name is run.
        request: concepts and settings.

    Raises:
        ConfigError: if no source has such annotators, or a package is not installed.
        NetworkError, DataError: as `AnnotatorSource.open`.
    """
    for source in _sources():
        if source.recognises(name):
            try:
                return source.open(name, request)
            except ImportError as error:
                hint = f"; {source.install}" if source.install else ""
                raise ConfigError(f"{name} cannot be opened: {error}{hint}") from error
    usages = " or ".join(source.usage for source in _sources())
    raise ConfigError(f"{name!r} names no annotator; wanted {usages}")


@cache
def _sources() -> tuple[AnnotatorSource, ...]:
    names = (target.split(":") for target in _SOURCES)
    return tuple(
        getattr(import_module(f"net2vec.annotators.{module}"), source)() for module, source in names
    )
