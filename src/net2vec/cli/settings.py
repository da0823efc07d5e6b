"""Options for the settings of a run, generated from their declarations."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from net2vec.config import GROUPS, Settings
from net2vec.core.fields import Declaration, declarations
from net2vec.errors import ConfigError

RUN = "Run"
"""Heading of the options of `net2vec run` that are no settings."""

_PANELS = (RUN, *GROUPS)


def setting(name: str) -> Any:
    """The option of one setting, for a command that takes few of them."""
    return _option(next(one for one in declarations(Settings) if one.path == (name,)), panel=None)


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting.

    Args:
        command: takes its own options, each in a panel of `RUN` or the groups of settings, and
            `given`: the settings on the command line alone, as `Settings.from_dict` takes them,
            but for a list of networks.

    Returns:
        The command as typer takes it.
    """
    settings = {"_".join(declared.path): declared for declared in declarations(Settings)}

    @wraps(command)
    def with_given(context: Any, **values: Any) -> None:
        given: dict[str, Any] = {}
        for name, declared in settings.items():
            value = values.pop(name)
            source = context.get_parameter_source(name)
            # By name: newer typers have a copy of click, and so of this enumeration.
            if source is not None and source.name == "COMMANDLINE":
                *parts, key = declared.path
                table = given.setdefault(parts[0], {}) if parts else given
                table[key] = _plain(value, declared)
        command(**values, given=given)

    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints[one.name])
        for one in signature(command).parameters.values()
        if one.name != "given"
    ]
    made = [_parameter(name, declared) for name, declared in settings.items()]
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


def _parameter(name: str, declared: Declaration) -> Parameter:
    kind, default = declared.type, declared.default
    if declared.repeated:
        kind, default = list[str] | None, None
    elif get_origin(kind) is tuple:
        kind, default = str | None, ", ".join(map(str, default)) or None
    elif declared.is_path:
        kind = Path | None
    option: Any = Annotated[kind, _option(declared, panel=declared.group)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=option)


def _option(declared: Declaration, *, panel: str | None) -> Any:
    names = f"--{'-'.join(declared.path)}" + (
        f"/--{declared.negation}" if declared.negation else ""
    )
    return typer.Option(
        names.replace("_", "-"),
        help=f"{declared.help}.",
        metavar=declared.unit.upper() or "|".join(declared.choices) or None,
        show_default=declared.unset or declared.default not in (None, ()),
        rich_help_panel=panel,
    )


def _plain(value: Any, declared: Declaration) -> Any:
    """The value of a setting from that of its option."""
    if declared.is_path:
        return str(value)
    if declared.repeated or get_origin(declared.type) is not tuple:
        return value
    return read_subsets(value) if int in get_args(declared.type) else read_names(value)


def _panel(parameter: Parameter) -> int:
    return _PANELS.index(parameter.annotation.__metadata__[0].rich_help_panel)
