"""All sources of annotators; a new one is a file here and a line in `SOURCES`."""

from __future__ import annotations

from net2vec.annotators.base import Annotator, AnnotatorSource, Request
from net2vec.core.plugins import Registry
from net2vec.errors import ConfigError

_HERE = "net2vec.annotators"
SOURCES: Registry[AnnotatorSource] = Registry(
    "source of annotators",
    f"{_HERE}.base:AnnotatorSource",
    {
        "grounded": f"{_HERE}.grounded_models:GroundedModels",  # before hf, which takes its names
        "hf": f"{_HERE}.transformers_models:SegmentationModels",
        "python": f"{_HERE}.python:PythonAnnotators",  # last: it takes any name with a colon
    },
    ConfigError,
    group="net2vec.annotators",
)
"""The first source that recognises a name has it; installed ones are asked before the last."""


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


def _sources() -> tuple[AnnotatorSource, ...]:
    *first, last = SOURCES.builtin
    classes = SOURCES.classes()
    return tuple(classes[name]() for name in (*first, *SOURCES.installed, last) if name in classes)
