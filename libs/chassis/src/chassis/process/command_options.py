"""Refuse empty and repeated options, and tell unknown options and commands in one line.

`--key "$KEY"` with an empty variable would select other rows than intended, and of two values the last would
win silently.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from chassis.process.wording import one_of, shown

Parse = Callable[[Any, list[str]], list[str]]


class OptionError(Exception):
    """An option or a command is not as it should be. The text names it."""


def refuse_slips(command: Any) -> None:
    """Make a command and its subcommands raise `OptionError` for a wrong option or an unknown command."""
    command.parse_args = partial(_checked, command, command.parse_args)
    if hasattr(command, "resolve_command"):
        command.resolve_command = partial(_resolved, command, command.resolve_command)


def _resolved(
    group: Any, resolve: Callable[[Any, list[str]], Any], context: Any, arguments: list[str]
) -> Any:
    name = arguments[0]
    if name not in group.commands:
        expected = one_of(list(group.commands), name)
        advice = f"`{context.command_path} -h` says what each does"
        raise OptionError(f"{shown(name)} is no command: expected {expected}; {advice}")
    found, command, rest = resolve(context, arguments)
    refuse_slips(command)
    return found, command, rest


def _checked(command: Any, parse: Parse, context: Any, arguments: list[str]) -> list[str]:
    given = list(arguments)
    try:
        _refuse_empty_and_repeated(command.make_parser(context).parse_args(list(given)))
        return parse(context, arguments)
    except Exception as error:
        message = getattr(error, "format_message", None)
        # Help of a group that was asked for by giving nothing stays help.
        if message is None or (not given and hasattr(command, "commands")):
            raise
        raise OptionError(_worded(message(), _value_of(error, given), context.command_path)) from error


def _refuse_empty_and_repeated(parsed: tuple[dict[str, Any], list[str], list[Any]]) -> None:
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


def _value_of(error: Exception, arguments: Sequence[str]) -> str | None:
    """Return what was given to the option that the parser refused."""
    options = getattr(getattr(error, "param", None), "opts", ())
    for option, value in pairwise(arguments):
        if option in options:
            return value
    return next((each.partition("=")[2] for each in arguments if each.partition("=")[0] in options), None)


def _worded(message: str, value: str | None, command: str) -> str:
    """Return an error of the parser in words, with what came and the command that lists the options."""
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    got = f", got {shown(value)}" if "expected" in message and value is not None else ""
    return f"{message.rstrip('.')}{got}; `{command} -h` lists the options"


_WORDS = (
    (re.compile(r"Invalid value for '?([^':]+)'?(?: / '[^']+')*: "), r"\1: "),
    (re.compile(r"(?:Value error, )?'[^']*' is not one of "), "expected one of "),
    (re.compile(r"Missing (?:option|argument) '?([^'.]+)'?\."), r"\1 is missing"),
    (re.compile(r"No such option: (\S+)"), r"\1 is unknown"),
    (re.compile(r"\(Possible options: ([^)]*)\)"), r"(did you mean \1?)"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"expected \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"expected \1 or less"),
    (re.compile(r"Input should be a valid integer.*"), "expected a whole number such as 50"),
    (re.compile(r"Input should be a valid number.*"), "expected a number such as 2.5"),
    (re.compile(r"Input should be "), "expected one of "),
)


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return max(parameter.opts, key=len)
    return parameter.metavar or parameter.name.upper()
