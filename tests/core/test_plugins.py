"""The rules that all kinds of plugins share."""

from abc import ABC, abstractmethod
from typing import ClassVar

import pytest

from net2vec.core.messages import did_you_mean
from net2vec.core.plugins import Registry
from net2vec.errors import DataError

HERE = __name__


class Shape(ABC):
    sides: "ClassVar[int]"

    @abstractmethod
    def area(self): ...


class Square(Shape):
    sides = 4

    def area(self):
        return 1


class Other(Square):
    pass


class Bare(Shape):
    pass


SHAPES = Registry("shape", f"{HERE}:Shape", {"square": f"{HERE}:Square"}, DataError, group="shapes")


@pytest.fixture
def install(install_plugin):
    return lambda name, target: install_plugin("shapes", name, target)


def test_installed_plugins_follow_the_built_in_ones(install):
    install("other", f"{HERE}:Other")
    assert SHAPES.names == ("square", "other")
    assert SHAPES.classes() == {"square": Square, "other": Other}
    assert SHAPES.load("other") is Other


def test_a_name_that_is_taken_keeps_its_first_plugin_with_one_warning(install, caplog):
    for name, target in (("square", "Other"), ("other", "Other"), ("other", "Square")):
        install(name, f"{HERE}:{target}")
    for _ in range(2):
        assert SHAPES.classes() == {"square": Square, "other": Other}
    assert [record.getMessage() for record in caplog.records] == [
        f"the shape 'square' of {HERE}:Other is left out: {HERE}:Square has its name",
        f"the shape 'other' of {HERE}:Square is left out: {HERE}:Other has its name",
    ]


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("no.such.module:Shape", "cannot be loaded: ModuleNotFoundError: No module named 'no'"),
        (f"{HERE}:HERE", f"is no subclass of {HERE}.Shape"),
        (f"{HERE}:Bare", "lacks sides, area"),
    ],
)
def test_a_broken_plugin_is_refused_by_name_and_hinders_no_other(install, caplog, target, fault):
    install("broken", target)
    line = f"the shape 'broken' of {target} {fault}; update or uninstall that package"
    with pytest.raises(DataError) as caught:
        SHAPES.load("broken")
    assert str(caught.value) == line
    assert SHAPES.classes() == SHAPES.classes() == {"square": Square}
    assert [record.getMessage() for record in caplog.records] == [line]


def test_an_unknown_name_is_refused_with_what_is_known(install):
    install("other", f"{HERE}:Other")
    with pytest.raises(DataError, match=r"^there is no shape 'Sqare'; did you mean square\?$"):
        SHAPES.load("Sqare")
    with pytest.raises(DataError, match=r"^there is no shape '3'; known are square, other$"):
        SHAPES.load("3")


def test_close_names_are_offered_in_any_case():
    assert did_you_mean("coc", ["COCO", "masks"]) == "did you mean COCO?"
    assert did_you_mean("x", ["COCO"], "known: COCO") == "known: COCO"
