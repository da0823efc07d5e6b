"""Options for the settings of a run, generated from their declarations."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import Field, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from net2vec.config import GROUPS, Settings
from net2vec.core.fields import Declaration, declarations, field_types
from net2vec.errors import ConfigError

RUN = "Run"
"""Heading of the options of `net2vec run` that are no settings."""

_PANELS = (RUN, *GROUPS)


def setting(name: str) -> Any:
    """The option of one setting, for a command that takes few of them."""
    entry, declared = next(found for found in declarations(Settings) if found[0].name == name)
    return _option(entry, declared, name, panel=None)


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting.

    Args:
        command: takes its own options, which belong to a panel of `RUN` and the groups of
            settings, and `given`: the settings on the command line alone, as `Settings.from_dict`
            takes them, but for a list of networks.

    Returns:
        The command as typer takes it.
    """
    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints[one.name], kind=Parameter.KEYWORD_ONLY)
        for one in signature(command).parameters.values()
        if one.name != "given"
    ]
    settings = {f"{part}_{entry.name}".lstrip("_"): (part, entry, declared)
                for part, entry, declared in _all_settings()}  # fmt: skip

    @wraps(command)
    def with_given(context: Any, **values: Any) -> None:
        given: dict[str, Any] = {}
        for flag, (part, entry, declared) in settings.items():
            value = values.pop(flag)
            source = context.get_parameter_source(flag)
            # By name: newer typers have a copy of click, and so of this enumeration.
            if source is not None and source.name == "COMMANDLINE":
                table = given.setdefault(part, {}) if part else given
                table[entry.name] = _plain(value, _type(part, entry), declared)
        command(**values, given=given)

    made = [
        _parameter(flag, _type(part, entry), entry, declared)
        for flag, (part, entry, declared) in settings.items()
    ]
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    listed = [context, *sorted([*made, *own], key=_panel)]
    with_given.__signature__ = Signature(listed)  # type: ignore[attr-defined]
    with_given.__annotations__ = {one.name: one.annotation for one in listed}
    return with_given


def read_names(text: str) -> list[str]:
    """Names separated by commas; those with a comma stand in double quotes.

    Raises:
        ConfigError: a quote is left open.
    """
    rows = csv.reader(text.splitlines(), skipinitialspace=True, strict=True)
    try:
        return [name.strip() for row in rows for name in row if name.strip()]
    except csv.Error as error:
        raise ConfigError(
            f"{text} is no list of names: {error}; a name with a comma stands in double quotes, "
            f"others need none"
        ) from error


def read_subsets(text: str) -> list[int]:
    """Numbers of filters separated by commas; none for `none`.

    Raises:
        ConfigError: the text is neither.
    """
    if text.strip() == "none":
        return []
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"subsets must be numbers separated by commas, or none; got {text!r}"
        ) from error


def _all_settings() -> Iterator[tuple[str, Field[Any], Declaration]]:
    """Every setting: the field of `Settings` that holds it (empty for itself), and its field."""
    for entry, declared in declarations(Settings):
        yield "", entry, declared
    for part, kind in field_types(Settings).items():
        for entry, declared in declarations(kind) if is_dataclass(kind) else ():  # type: ignore[arg-type]
            yield part, entry, declared


def _type(part: str, entry: Field[Any]) -> Any:
    kind = field_types(Settings)[part] if part else Settings
    return field_types(kind)[entry.name]


def _parameter(flag: str, kind: Any, entry: Field[Any], declared: Declaration) -> Parameter:
    default = entry.default
    if declared.repeated:
        kind, default = list[str] | None, None
    elif get_origin(kind) is tuple:
        kind, default = str | None, _listed(default)
    elif declared.is_path:
        kind = Path | None
    option = Annotated[kind, _option(entry, declared, flag, panel=declared.group)]
    return Parameter(flag, Parameter.KEYWORD_ONLY, default=default, annotation=option)


def _option(entry: Field[Any], declared: Declaration, flag: str, *, panel: str | None) -> Any:
    names = [f"--{flag.replace('_', '-')}"]
    if declared.negation:
        names = [f"{names[0]}/--{declared.negation.replace('_', '-')}"]
    return typer.Option(
        *names,
        help=f"{declared.help}.",
        metavar=declared.unit.upper() or "|".join(declared.choices) or None,
        show_default=declared.unset or entry.default not in (None, ()),
        rich_help_panel=panel,
    )


def _listed(default: Any) -> str | None:
    return ", ".join(map(str, default)) or None


def _plain(value: Any, kind: Any, declared: Declaration) -> Any:
    """The value of a setting from that of its option."""
    if declared.is_path:
        return str(value)
    if declared.repeated or get_origin(kind) is not tuple:
        return value
    return read_subsets(value) if get_args(kind)[0] is int else read_names(value)


def _panel(parameter: Parameter) -> int:
    return _PANELS.index(parameter.annotation.__metadata__[0].rich_help_panel)
