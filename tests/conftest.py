"""Shapes in signatures are checked in every test."""

from jaxtyping import install_import_hook

install_import_hook("net2vec", "beartype.beartype")
