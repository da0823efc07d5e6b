"""The parts of a layer's name: `path`, `path#CALL`, either of them with `@BASIS`."""

from __future__ import annotations

from pathlib import Path

from net2vec.vocabulary import BASIS_MARK


def split_call(layer: str) -> tuple[str, int | None]:
    """The module path of a layer's name and the call that it asks for, None for the last."""
    name = split_basis(layer)[0]
    path, sign, call = name.rpartition("#")
    return (path, int(call)) if sign and call.isdecimal() else (name, None)


def split_basis(layer: str) -> tuple[str, str]:
    """The name of a layer without its basis, and that of the basis, empty where it has none."""
    name, _, basis = layer.partition(BASIS_MARK)
    return name, basis


def short_name(basis: str) -> str:
    """The name of a basis in the names of layers: of a file without its folder."""
    return Path(basis).name
