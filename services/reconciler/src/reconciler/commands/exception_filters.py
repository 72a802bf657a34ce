"""The option `--where`, which selects exceptions as the list's query does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from chassis.process.command_line import CommandError
from reconciler.domain.filter_members import FilterError, members_of_query, parse_members
from reconciler.domain.filters import ExceptionFilter

Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MEMBER=VALUE",
        help="E.g. status=open, severity=low, cause=CAUSE. Several select what has all of them.",
    ),
]


def parse_where(pairs: Sequence[str] | None) -> ExceptionFilter:
    """Return the filter of `--where` options."""
    given: dict[str, str] = {}
    for pair in pairs or ():
        member, equals, value = pair.partition("=")
        if not equals or not value or member in given:
            raise CommandError(f"--where {pair[:80]!a}: expected MEMBER=VALUE, each member once")
        given[member] = value
    return parse_filter(given, lambda member: f"--where {member}")


def parse_filter(given: Mapping[str, str], option: Callable[[str], str]) -> ExceptionFilter:
    """Return the filter of these members; `option` names a wrong one as the person gave it."""
    try:
        return parse_members(members_of_query(given))
    except FilterError as error:
        raise CommandError(f"{option(error.member)}: {error.message}") from error
