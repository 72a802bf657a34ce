"""Options that mean what their caller thinks they mean: none empty, none twice.

`--key "$KEY"` with an empty variable would select something else than was meant, and of two values the last
would count without a word.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

Parse = Callable[[Any, list[str]], list[str]]


class OptionError(Exception):
    """An option is empty or given twice: the message names it."""


def refuse_slips(command: Any) -> None:
    """Make a command and all below it raise `OptionError` for an empty or a repeated option."""
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
        given: Any = values.get(parameter.name)
        for value in given if parameter.multiple or parameter.nargs != 1 else [given]:
            if isinstance(value, str) and not value.strip():
                raise OptionError(f"{_name(parameter)} is empty; leave it away or give it a value")
    return parse(context, arguments)


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return max(parameter.opts, key=len)
    return parameter.metavar or parameter.name.upper()
