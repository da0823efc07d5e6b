"""The command line: `net2vec`."""

from net2vec.cli.app import main

__all__ = ["main"]
