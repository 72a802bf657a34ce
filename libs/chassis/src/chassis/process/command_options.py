"""Refuse empty and repeated options.

`--key "$KEY"` with an empty variable would select other rows than intended, and of two values the last would
win silently.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

Parse = Callable[[Any, list[str]], list[str]]


class OptionError(Exception):
    """An option is empty or repeated. The text names it."""


def refuse_slips(command: Any) -> None:
    """Make a command and its subcommands raise `OptionError` for an empty or repeated option."""
    for each in _commands(command):
        each.parse_args = partial(_checked, each, each.parse_args)


def _commands(command: Any) -> Iterator[Any]:
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from _commands(each)


def _checked(command: Any, parse: Parse, context: Any, arguments: list[str]) -> list[str]:
    parsed: tuple[dict[str, Any], list[str], list[Any]] = command.make_parser(context).parse_args(
        list(arguments)
    )
    values, _, order = parsed
    for parameter, times in Counter(order).items():
        if (
            times > 1
            and parameter.param_type_name == "option"
            and not (parameter.multiple or parameter.is_flag)
        ):
            raise OptionError(f"{_name(parameter)} is given more than once; give it once")
    for parameter in order:
        parsed_value: Any = values.get(parameter.name)
        is_list = parameter.multiple or parameter.nargs != 1
        for value in (parsed_value or ()) if is_list else [parsed_value]:
            if isinstance(value, str) and not value.strip():
                raise OptionError(f"{_name(parameter)} is empty; omit it or give it a value")
    return parse(context, arguments)


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return max(parameter.opts, key=len)
    return parameter.metavar or parameter.name.upper()
