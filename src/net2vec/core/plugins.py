"""Plugins: classes that are found by name, of this package and of others.

A kind of plugin (network sources, readers, bases, fits, annotators) is one `Registry`. It lists the
built-in ones as `name: "module:class"`; entry points of installed packages add others. Modules are
imported when a class is first asked for. All kinds follow the same rules:

- A built-in plugin keeps its name, and of two installed ones of a name the first is used, in the
  order of their modules. The other one is left out with a warning.
- An installed plugin that is broken is left out with a warning where all plugins are asked, and
  refused where it is named.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from net2vec.core.messages import class_and_line, did_you_mean
from net2vec.errors import Net2VecError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Plugin = TypeVar("Plugin")


@dataclass(frozen=True)
class Registry(Generic[Plugin]):
    """The plugins of one kind, by name.

    Attributes:
        kind: the kind in messages, such as "basis".
        base: the class that all are derived from, as `module:class`.
        builtin: the plugins of this package, by name, as `module:class`.
        error: the class of errors that are raised.
        group: entry points in this group add plugins of other packages.
    """

    kind: str
    base: str
    builtin: Mapping[str, str]
    error: type[Net2VecError]
    group: str

    @property
    def installed(self) -> dict[str, EntryPoint]:
        """The entry points of other packages by name, without those of a name that is taken."""
        taken, points = dict(self.builtin), {}
        for point in entry_points_of(self.group):
            if point.name in taken:
                left_out = f"the {self.kind} {point.name!r} of {point.value} is left out"
                _warn(f"{left_out}: {taken[point.name]} has its name")
            else:
                taken[point.name], points[point.name] = point.value, point
        return points

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all plugins, the built-in ones first; nothing is imported."""
        return (*self.builtin, *self.installed)

    def load(self, name: str) -> type[Plugin]:
        """The class of a plugin.

        Raises:
            Net2VecError: of the class `error`, if there is none of this name, or one of another
                package cannot be imported, or is no complete subclass of `base`.
        """
        if name in self.builtin:
            return cast(type[Plugin], _attribute(self.builtin[name]))
        point = self.installed.get(name)
        if point is None:
            hint = did_you_mean(name, self.names, f"known are {', '.join(self.names)}")
            raise self.error(f"there is no {self.kind} {name!r}; {hint}")
        try:
            plugin: Any = point.load()
        except Exception as error:  # the package may fail in any way
            fault = f"cannot be loaded: {class_and_line(error)}"
        else:
            if not (fault := self._fault(plugin)):
                return cast(type[Plugin], plugin)
        raise self.error(
            f"the {self.kind} {name!r} of {point.value} {fault}; update or uninstall that package"
        )

    def classes(self) -> dict[str, type[Plugin]]:
        """All plugins by name, the built-in ones first, without installed ones that are broken."""
        classes = {}
        for name in self.names:
            try:
                classes[name] = self.load(name)
            except self.error as error:
                _warn(f"{error}")
        return classes

    def _fault(self, plugin: object) -> str:
        base = _attribute(self.base)
        if not (isinstance(plugin, type) and issubclass(plugin, base)):
            return f"is no subclass of {self.base.replace(':', '.')}"
        stated = [
            name for name, kind in base.__annotations__.items() if kind.startswith("ClassVar")
        ]
        missing = [name for name in stated if not hasattr(plugin, name)]
        missing += sorted(getattr(plugin, "__abstractmethods__", ()))
        return f"lacks {', '.join(missing)}" if missing else ""


@cache
def entry_points_of(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, by name and module."""
    from importlib.metadata import entry_points  # takes a tenth of the time of a --help

    return tuple(sorted(entry_points(group=group), key=lambda point: (point.name, point.value)))


@cache
def _warn(line: str) -> None:
    """Write a warning once, however often plugins are asked."""
    logging.getLogger("net2vec").warning(line)


def _attribute(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
