"""How concepts are encoded by the filters of a convolutional network.

`analyze` probes a network given in Python, `open_run` opens a finished run. The command line,
`net2vec`, does the same and more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from net2vec.errors import Net2VecError
    from net2vec.pipeline import analyze, dissect
    from net2vec.runs import Run, open_run
    from net2vec.spaces import Space

__all__ = ["Net2VecError", "Run", "Space", "analyze", "dissect", "open_run"]

# Importing a part of the package must not load all of it.
_HOMES = {
    "Net2VecError": "net2vec.errors",
    "Run": "net2vec.runs",
    "Space": "net2vec.spaces",
    "analyze": "net2vec.pipeline",
    "dissect": "net2vec.pipeline",
    "open_run": "net2vec.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'net2vec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
