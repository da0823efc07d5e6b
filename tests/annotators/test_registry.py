"""Annotators of other packages, which entry points add."""

import pytest

from net2vec.annotators import Annotator, AnnotatorSource, Request, open_annotator
from net2vec.errors import ConfigError


class Opened(Annotator):
    def annotate(self, image):
        raise NotImplementedError


class Mine(AnnotatorSource):
    usage = "mine:NAME"

    def recognises(self, name):
        return name.startswith("mine:")

    def open(self, name, request):
        return Opened()


def test_an_annotator_of_another_package_is_asked_before_python_functions(install_plugin, caplog):
    install_plugin("net2vec.annotators", "broken", "collections:Counter")
    install_plugin("net2vec.annotators", "mine", f"{__name__}:Mine")
    assert type(open_annotator("mine:model", Request())) is Opened
    assert "the source of annotators 'broken' of collections:Counter is no subclass" in caplog.text
    with pytest.raises(
        ConfigError, match=r"'segformer' names no annotator; wanted .* mine:NAME or"
    ):
        open_annotator("segformer", Request())
