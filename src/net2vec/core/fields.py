"""Dataclass fields that declare their own documentation and limits.

A field made by `declare` holds all that is to be known of it: from its declaration come the checks
and their messages, the attributes in the class's docstring, and whatever else lists the fields
(options of a program, a page of documentation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cache
from inspect import cleandoc
from math import inf
from textwrap import fill
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from net2vec.errors import ConfigError

Class = TypeVar("Class", bound=type)


@dataclass(frozen=True)
class Interval:
    """Admissible numbers; `str` names them as error messages and documentation do."""

    low: float
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        high = inf if self.high is None else self.high
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < high if self.open_high else value <= high)

    def __str__(self) -> str:
        if self.high is None:
            return f"{self.low} or more"
        if self.high == inf and self.open_low:
            return f"above {self.low} and finite"
        if self.open_low or self.open_high:
            return f"in {'[('[self.open_low]}{self.low}, {self.high}{'])'[self.open_high]}"
        return f"in {self.low} to {self.high}"


@dataclass(frozen=True)
class Declaration:
    """The declaration of a setting: its help, group, unit and limits.

    Attributes:
        help: a sentence without a full stop, for one line of documentation.
        group: heading under which the field is listed.
        unit: unit of a number, or kind of a text, in one word.
        unset: meaning of a default that is None or empty.
        usual: value that an error message proposes; the default if it is None.
        limits: admissible numbers.
        choices: admissible texts.
        noun: name of one element of a list, in error messages; empty for the field's name.
        repeated: whether an option takes one element and may be repeated, instead of a list
            separated by commas.
        is_path: whether the text is the path of a file.
        negation: name of the option that switches a flag off.
        path: name of the field, after those of the fields that hold its dataclass.
        type: its type, without strings.
        default: its default; `...` if it has none.
    """

    help: str
    group: str
    unit: str = ""
    unset: str = ""
    usual: Any = None
    limits: Interval | None = None
    choices: tuple[str, ...] = ()
    noun: str = ""
    repeated: bool = False
    is_path: bool = False
    negation: str = ""
    path: tuple[str, ...] = ()
    type: Any = None
    default: Any = ...


def declare(help: str, group: str, *, default: Any = MISSING, **more: Any) -> Any:
    """A dataclass field with a declaration; `more` are other attributes of `Declaration`."""
    return field(default=default, metadata={"declaration": Declaration(help, group, **more)})


def declarations(kind: type, path: tuple[str, ...] = ()) -> Iterator[Declaration]:
    """The declared fields of a dataclass in order, and then those of the dataclasses it holds."""
    types = field_types(kind)
    for entry in fields(kind):
        if "declaration" in entry.metadata:
            declared: Declaration = entry.metadata["declaration"]
            default = ... if entry.default is MISSING else entry.default
            here = (*path, entry.name)
            yield replace(declared, path=here, type=types[entry.name], default=default)
    for name, inner in types.items():
        if is_dataclass(inner):
            yield from declarations(cast(type, inner), (*path, name))


@cache
def field_types(kind: type) -> dict[str, Any]:
    """Types of a dataclass's fields by name, without strings."""
    return get_type_hints(kind)


def documented(kind: Class) -> Class:
    """List the declared fields of a dataclass as attributes in its docstring."""
    lines = [
        fill(f"{one.path[-1]}: {one.help}.", 95, initial_indent=4 * " ", subsequent_indent=8 * " ")
        for one in declarations(kind)
        if len(one.path) == 1
    ]
    kind.__doc__ = "\n".join([cleandoc(kind.__doc__ or ""), "", "Attributes:", *lines])
    return kind


def check_fields(values: Any, prefix: str = "") -> None:
    """Check the declared fields of a dataclass instance against their limits and choices.

    Raises:
        ConfigError: a value is not admissible.
    """
    for declared in declarations(type(values)):
        if len(declared.path) > 1:  # checked by the dataclass that holds it
            continue
        value = getattr(values, declared.path[0])
        plural = isinstance(value, tuple)
        each = value if plural else () if value is None else (value,)
        name = f"{prefix}{declared.path[0]}"
        if declared.limits is not None and not all(one in declared.limits for one in each):
            usual = declared.default if declared.usual is None else declared.usual
            wanted = f"{declared.noun}, {declared.limits}" if plural else declared.limits
            got = list(value) if plural else value
            raise ConfigError(f"{name} must be {wanted}, got {got}; usual is {usual}")
        unknown = [one for one in each if declared.choices and one not in declared.choices]
        if unknown:
            raise ConfigError(
                f"unknown {declared.noun or name} {unknown[0]!r}; wanted one of "
                f"{', '.join(declared.choices)}"
            )


def from_plain(kind: type, values: object, source: str) -> Any:
    """A dataclass from plain values, as a TOML file holds them; tables become dataclasses.

    Args:
        kind: dataclass to make.
        values: a mapping from names of fields to values, or the dataclass itself; lists may
            stand for tuples, and a text for a list with this one element.
        source: where the values are from, for error messages.

    Raises:
        ConfigError: a key is unknown, or a value is of the wrong type.
        TypeError: a field without a default is missing.
    """
    if isinstance(values, kind):
        return values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source} must be a table, got {values!r}")
    known = {entry.name: entry.type for entry in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{source} has unknown {', '.join(unknown)}; known are {', '.join(known)}"
        )
    converted: dict[str, Any] = {}
    for key, value in values.items():
        wanted = field_types(kind)[key]
        if is_dataclass(wanted):
            converted[key] = from_plain(wanted, value, f"{source}: {key}")  # type: ignore[arg-type]
        elif get_origin(wanted) is tuple:
            listed = (value,) if isinstance(value, str) else value
            element = get_args(wanted)[0]
            if not isinstance(listed, list | tuple) or not all(_is(v, element) for v in listed):
                raise ConfigError(f"{source}: {key} must be a list, got {value!r}")
            converted[key] = tuple(listed)
        elif not _is(value, wanted):
            raise ConfigError(f"{source}: {key} must be of type {known[key]}, got {value!r}")
        else:
            converted[key] = value
    return kind(**converted)


def _is(value: object, annotation: Any) -> bool:
    """Whether a value is of a type; an int is a float too, but a bool is no int."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else kinds)
