"""The commands that take a step on exceptions: one step each, on one exception or on several (REC-9)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from chassis import clock
from chassis.postgres import Database
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.local_stack import load_command_settings
from chassis.process.login import login_name
from chassis.process.terminal import printable
from contracts.ids import has_id_form
from contracts.text import sanitize_for_postgres
from contracts.times import TimeError, parse_time
from reconciler.adapters.exception_queries import ExceptionWithHistory
from reconciler.api.responses import exception_detail
from reconciler.commands.console import AsJson, OpenDatabase, choice, print_result, query
from reconciler.commands.exception_tables import ID_CHARACTERS, proposal_text
from reconciler.domain import step_requests
from reconciler.domain.clocks import Reading
from reconciler.domain.decisions import StepRefusedError
from reconciler.domain.exceptions import PERSONS_RESOLUTIONS
from reconciler.domain.step_requests import AMOUNT_MINOR_UNITS_MAX, OCCURRENCES_MAX, StepRequest
from reconciler.handlers.exception_lookup import AmbiguousIdError, UnknownExceptionError, find_id
from reconciler.handlers.exception_workflow import take_step
from reconciler.settings import SERVICE, OfflineSettings

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of exceptions, or their ends.")]
By = Annotated[str, typer.Option("--by", default_factory=login_name, help="Who takes the step; you.")]
Reason = Annotated[str, typer.Option(help="Why, in one line.")]
Amount = Annotated[
    int | None,
    typer.Option(min=0, max=AMOUNT_MINOR_UNITS_MAX, help="Size of the difference in minor units."),
]
Occurrences = Annotated[
    int | None, typer.Option(min=1, max=OCCURRENCES_MAX, help="How often more it may be seen.")
]

Until = Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 time.")]

TakenStep = ExceptionWithHistory | str
"""The exception after the step, or why the step was refused."""


def add_steps(group: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the commands to the group `exceptions`."""

    def take(ids: Sequence[str], by: str, request: StepRequest, *, as_json: bool) -> None:
        check_name("--by", by)
        _take(open_database, ids, request, as_json=as_json)

    @group.command(help="Take open exceptions on: you become their assignee.")
    def acknowledge(ids: Ids, *, by: By, as_json: AsJson = False) -> None:
        take(ids, by, step_requests.acknowledging(by), as_json=as_json)

    @group.command(help="Give exceptions to a person.")
    def assign(
        ids: Ids,
        *,
        to: Annotated[str, typer.Option(help="The person's id.")],
        by: By,
        as_json: AsJson = False,
    ) -> None:
        check_name("--to", to)
        take(ids, by, step_requests.assigning(by, to), as_json=as_json)

    @group.command(help="Open exceptions again that are acknowledged, suppressed or resolved.")
    def reopen(ids: Ids, *, reason: Reason, by: By, as_json: AsJson = False) -> None:
        take(ids, by, step_requests.reopening(by, line_of("--reason", reason)), as_json=as_json)

    @group.command(help="Write a text into the history of exceptions.")
    def comment(
        ids: Ids, *, text: Annotated[str, typer.Option(help="The text.")], by: By, as_json: AsJson = False
    ) -> None:
        take(ids, by, step_requests.commenting(by, line_of("--text", text)), as_json=as_json)

    @group.command(help="Take the last step back, if a person took it.")
    def revert(ids: Ids, *, reason: Reason, by: By, as_json: AsJson = False) -> None:
        take(ids, by, step_requests.taking_back(by, line_of("--reason", reason)), as_json=as_json)

    _add_resolve(group, take)
    _add_suppress(group, take)


def _add_resolve(group: typer.Typer, take: Callable[..., None]) -> None:
    names = ", ".join(PERSONS_RESOLUTIONS)

    @group.command(help="Resolve exceptions. `fixed` comes back when a run sees the problem again.")
    def resolve(
        ids: Ids,
        *,
        as_: Annotated[str, typer.Option("--as", metavar="RESOLUTION", help=f"{names}.")],
        reason: Reason,
        up_to: Amount = None,
        by: By,
        as_json: AsJson = False,
    ) -> None:
        code = choice("--as", as_, PERSONS_RESOLUTIONS)
        limit = load_command_settings(OfflineSettings, SERVICE).reconciler_second_person_above
        text = line_of("--reason", reason)
        request = step_requests.resolving(by, code, text, up_to=up_to, second_person_above=limit)
        take(ids, by, request, as_json=as_json)


def _add_suppress(group: typer.Typer, take: Callable[..., None]) -> None:
    @group.command(
        help="Let exceptions rest until the first of: a time, a larger difference, more sightings."
    )
    def suppress(
        ids: Ids,
        *,
        until: Until = None,
        beyond: Amount = None,
        occurrences: Occurrences = None,
        reason: Reason,
        by: By,
        as_json: AsJson = False,
    ) -> None:
        request = step_requests.suppressing(
            by, line_of("--reason", reason), until=moment_of(until), beyond=beyond, occurrences=occurrences
        )
        take(ids, by, request, as_json=as_json)


def _take(open_database: OpenDatabase, ids: Sequence[str], request: StepRequest, *, as_json: bool) -> None:
    """Take the step on each exception, in a transaction of its own, and print what became of it.

    Exits with 1 if a step was refused.
    """

    async def take_all(database: Database) -> list[tuple[str, TakenStep]]:
        return [(text, await _take_one(database, text, request)) for text in ids]

    taken = query(open_database, take_all)
    reading = Reading(clock.now(), load_command_settings(OfflineSettings, SERVICE).targets)
    items = [
        {"id": text, "refused": outcome} if isinstance(outcome, str) else exception_detail(*outcome, reading)
        for text, outcome in taken
    ]
    lines = [_line(text, outcome) for text, outcome in taken]
    print_result({"items": items}, *lines, as_json=as_json)
    if any(isinstance(outcome, str) for _, outcome in taken):
        raise typer.Exit(EXIT_NO)


async def _take_one(database: Database, text: str, request: StepRequest) -> TakenStep:
    try:
        async with database.transaction() as connection:
            exception_id = await find_id(connection, text)
            taken = await take_step(
                connection, exception_id, request, expects=lambda _version: True, now=clock.now()
            )
    except (StepRefusedError, UnknownExceptionError, AmbiguousIdError) as error:
        return str(error)
    return taken or f"there is no exception {exception_id}"


def _line(text: str, outcome: TakenStep) -> str:
    if isinstance(outcome, str):
        return printable(f"{text}: refused: {outcome}")
    state, title = outcome[0].state, outcome[0].title
    proposal = state.workflow.proposal
    # Without it, a resolution that waits for a second person reads as if nothing had happened.
    proposed = f", proposed {proposal_text(proposal.code, proposal.by)}" if proposal else ""
    return printable(
        f"{state.id[-ID_CHARACTERS:]}: {state.status}{proposed}, version {state.version}: {title}"
    )


def check_name(option: str, name: str) -> None:
    """Refuse a name that is no id."""
    # Names stand in the history, which keeps no personal data.
    if not has_id_form(name):
        raise CommandError(f"{option} {printable(name)[:80]}: expected an id such as ana or user-7")


def moment_of(until: str | None) -> datetime | None:
    """Return the time of `--until`."""
    try:
        return None if until is None else parse_time(until)
    except TimeError as error:
        raise CommandError(f"--until: {error}") from error


def line_of(option: str, text: str) -> str:
    """Return the text of an option as it is stored; refuse an empty one."""
    stripped = sanitize_for_postgres(text.strip())
    if not stripped:
        raise CommandError(f"{option} is empty")
    return stripped
