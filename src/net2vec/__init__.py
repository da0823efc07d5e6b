"""How concepts are encoded by the filters of a convolutional network.

`analyze` probes a network given in Python, `open_run` opens a finished run. The command line,
`net2vec`, does the same and more.
"""

from net2vec.errors import Net2VecError
from net2vec.pipeline import analyze
from net2vec.runs import Run, open_run
from net2vec.spaces import Space

__all__ = ["Net2VecError", "Run", "Space", "analyze", "open_run"]
