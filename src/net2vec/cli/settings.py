"""Options for the settings of a run, generated from their declarations."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from net2vec.cli.completion import complete_network
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
            `options`: the settings on the command line alone, as `Settings.from_dict` takes them,
            but for a list of networks.

    Returns:
        The command as typer takes it.
    """
    settings = {"_".join(declared.path): declared for declared in declarations(Settings)}

    @wraps(command)
    def with_options(context: Any, **values: Any) -> None:
        options: dict[str, Any] = {}
        for name, declared in settings.items():
            value = values.pop(name)
            source = context.get_parameter_source(name)
            # By name: newer typers have a copy of click, and so of this enumeration.
            if source is not None and source.name == "COMMANDLINE":
                *parts, key = declared.path
                table = options.setdefault(parts[0], {}) if parts else options
                table[key] = _plain(value, declared)
        command(**values, options=options)

    own = _own_parameters(command, "options")
    parameters = [_parameter(name, declared, declared.group) for name, declared in settings.items()]
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return _with_parameters(with_options, [context, *sorted([*parameters, *own], key=_panel)])


def with_dataset_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of some settings of the dataset.

    Args:
        names: the settings.

    Returns:
        A decorator. The command takes its own parameters and `statements`: the values of the
        settings but for those that are None, as `net2vec.data.open_datasets` takes them.
    """
    settings = {one.path[0]: one for one in declarations(Settings) if len(one.path) == 1}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_statements(**values: Any) -> None:
            statements = {name: values.pop(name) for name in names}
            command(
                **values,
                statements={name: value for name, value in statements.items() if value is not None},
            )

        parameters = [_parameter(name, settings[name], None) for name in names]
        return _with_parameters(
            with_statements, [*_own_parameters(command, "statements"), *parameters]
        )

    return decorate


def _own_parameters(command: Callable[..., None], collected: str) -> list[Parameter]:
    """The parameters of a command but for the one that collects settings, with resolved types."""
    hints = get_type_hints(command, include_extras=True)
    return [
        one.replace(annotation=hints[one.name], kind=Parameter.KEYWORD_ONLY)
        for one in signature(command).parameters.values()
        if one.name != collected
    ]


def _with_parameters(
    function: Callable[..., None], parameters: list[Parameter]
) -> Callable[..., None]:
    function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in parameters}
    return function


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


def _parameter(name: str, declared: Declaration, panel: str | None) -> Parameter:
    kind, default = declared.type, declared.default
    if declared.repeated:
        kind, default = list[str] | None, None
    elif get_origin(kind) is tuple:
        kind, default = str | None, ", ".join(map(str, default)) or None
    elif declared.is_path:
        kind = Path | None
    elif {int, str} <= set(get_args(kind)):  # a number or a text
        kind = str | None
    option: Any = Annotated[kind, _option(declared, panel=panel)]
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
        autocompletion=_completion(declared),
    )


def _completion(declared: Declaration) -> Callable[..., Iterable[str]] | None:
    if declared.path == ("network",):
        return complete_network
    return (lambda: declared.choices) if declared.choices else None


def _plain(value: Any, declared: Declaration) -> Any:
    """The value of a setting from that of its option."""
    if declared.is_path:
        return str(value)
    if declared.repeated or get_origin(declared.type) is not tuple:
        return value
    return read_subsets(value) if int in get_args(declared.type) else read_names(value)


def _panel(parameter: Parameter) -> int:
    return _PANELS.index(parameter.annotation.__metadata__[0].rich_help_panel)
