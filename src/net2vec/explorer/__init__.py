"""The explorer: a local server with a page that looks around in finished runs.

`api` lists the questions that the page, or a notebook, can ask; each is a function from an
`Explorer` to an answer of `answers`. `probe` alone knows networks and datasets, and opens them when
a picture is asked for.
"""

from net2vec.explorer.server import Serving, explore, start
from net2vec.explorer.state import Explorer

__all__ = ["Explorer", "Serving", "explore", "start"]
