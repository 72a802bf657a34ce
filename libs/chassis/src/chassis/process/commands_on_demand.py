"""Commands whose modules are imported when the command is used: each starts with what it needs itself."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

Add = Callable[[typer.Typer], None]
"""Adds one command, or one group of commands, to a command line."""


def late(place: str) -> Callable[..., Any]:
    """Return a function that is imported when it is called; `place` is as "audit.main:build"."""
    return partial(_call, place)


def command(place: str, *arguments: object) -> Add:
    """Return a function that imports an `add_…` function and calls it with a command line.

    Args:
        place: the function, as in "audit.commands.verify:add_verify".
        arguments: of the function, behind the command line.
    """
    return lambda cli: _call(place, cli, *arguments)


def group_of(adders: Mapping[str, Add]) -> type[TyperGroup]:
    """Return the class of a command line with these commands, by name, in this order."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = _Commands(adders, self.commands)

    return Group


def _call(place: str, *arguments: object) -> Any:
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)(*arguments)


class _Commands(MutableMapping[str, Any]):
    """Commands by name. One that is asked for is made."""

    def __init__(self, adders: Mapping[str, Add], made: Mapping[str, Any]) -> None:
        self._adders = adders
        self.made = dict(made)

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            cli = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            self._adders[name](cli)
            self.made[name] = typer.main.get_group(cli).commands[name]
        return self.made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self.made[name] = command

    def __delitem__(self, name: str) -> None:
        del self.made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._adders or name in self.made

    def __iter__(self) -> Iterator[str]:
        return iter({**self._adders, **self.made})

    def __len__(self) -> int:
        return len({**self._adders, **self.made})
