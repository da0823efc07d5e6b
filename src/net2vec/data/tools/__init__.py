"""What the `net2vec data` commands do: convert, check, fetch, count."""

from net2vec.data.tools.broden_writer import write_broden

__all__ = ["write_broden"]
