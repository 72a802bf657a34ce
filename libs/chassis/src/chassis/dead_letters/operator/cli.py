"""`dead-letters list | show | replay | discard`, the same in every service that has them."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from chassis.dead_letters.history import Discarding, Replaying
from chassis.dead_letters.operator import actions, serializers
from chassis.dead_letters.operator.console import Desk, Progress, print_detail, print_list
from chassis.dead_letters.operator.selection import parse_filter, parse_selection
from chassis.dead_letters.replay import Outcome
from chassis.http.paging import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX
from chassis.messaging.message import Apply
from chassis.postgres.database import Database
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.terminal import print_json, printable
from contracts.reasons import SetAsideReason
from contracts.text import sanitize_for_postgres

CLI_ACTOR = "cli"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as over HTTP.")]
Id = Annotated[str | None, typer.Argument(metavar="ID", help="Of a dead letter, as `list` shows it.")]
Key = Annotated[str | None, typer.Option(help="The message key.")]
Topic = Annotated[str | None, typer.Option(help="As on its card, without a prefix.")]
Actor = Annotated[str, typer.Option(help="Who does this, for the record.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would be done.")]
SetAsideFor = Annotated[
    SetAsideReason | None, typer.Option("--set-aside-reason", help="Why it was set aside.")
]
OlderThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Set aside longer ago, such as 30m, 2h, 7d.")
]
NewerThan = Annotated[str | None, typer.Option(metavar="AGE", help="Set aside since then.")]
Rate = Annotated[float | None, typer.Option(min=0.01, help="Spare the database.")]


def add_dead_letters(
    cli: typer.Typer, consumer: str, open_database: Callable[[], Database], apply: Apply
) -> None:
    """Add the commands to a service's command line; `Desk` tells what they need."""
    group = typer.Typer(no_args_is_help=True)
    desk = Desk(consumer, open_database, apply)
    _add_list(group, desk)
    _add_show(group, desk)
    _add_replay(group, desk)
    _add_discard(group, desk)
    cli.add_typer(
        group, name="dead-letters", help="Messages set aside: look at them, replay or discard them."
    )


def _add_list(group: typer.Typer, desk: Desk) -> None:
    @group.command(name="list", help="List what waits, in the order in which it was set aside.")
    def list_command(
        *,
        key: Key = None,
        topic: Topic = None,
        reason: Annotated[
            SetAsideReason | None,
            typer.Option("--reason", "--set-aside-reason", help="Why it was set aside."),
        ] = None,
        older_than: OlderThan = None,
        newer_than: NewerThan = None,
        limit: Annotated[int, typer.Option(min=1, max=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT,
        as_json: AsJson = False,
    ) -> None:
        wanted = parse_filter(
            key=key, topic=topic, reason=reason, older_than=older_than, newer_than=newer_than, now=desk.now
        )
        items = desk.ask(lambda replayer: actions.list_items(replayer, wanted, limit))
        if as_json:
            print_json({"items": items})
        else:
            print_list(items)


def _add_show(group: typer.Typer, desk: Desk) -> None:
    @group.command(help="One message whole, with its body, and what was done about it.")
    def show(
        dead_letter_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False
    ) -> None:
        letter = desk.ask(lambda replayer: actions.show(replayer, dead_letter_id))
        if as_json:
            print_json(letter)
        else:
            print_detail(letter)


def _add_replay(group: typer.Typer, desk: Desk) -> None:
    @group.command(
        help="Apply what waits: the line of an ID, every line that holds a message of that key, topic, "
        "reason or age, or all. Lines are always taken whole and in order, each up to its first message that "
        "fails again; exit code 1 if one did."
    )
    def replay(
        dead_letter_id: Id = None,
        *,
        key: Key = None,
        topic: Topic = None,
        set_aside_reason: SetAsideFor = None,
        older_than: OlderThan = None,
        newer_than: NewerThan = None,
        everything: Annotated[bool, typer.Option("--all", help="Every line.")] = False,
        reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
        actor: Actor = CLI_ACTOR,
        rate_per_second_max: Rate = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        wanted = parse_filter(
            key=key,
            topic=topic,
            reason=set_aside_reason,
            older_than=older_than,
            newer_than=newer_than,
            now=desk.now,
        )
        selection = parse_selection(dead_letter_id, wanted, everything=everything)
        by = Replaying(
            sanitize_for_postgres(actor), None if reason is None else sanitize_for_postgres(reason)
        )
        lines = desk.ask(lambda replayer: actions.lines(replayer, selection))
        messages = sum(line.messages for line in lines)
        if dry_run:
            _report({"lines": len(lines), "messages": messages}, as_json=as_json)
            return
        with Progress("replaying", messages) as progress:
            outcomes = desk.ask(
                lambda replayer: actions.replay(
                    replayer, lines, by, rate_per_second_max=rate_per_second_max, advance=progress.advance
                )
            )
        _report_replay(outcomes, as_json=as_json)


def _add_discard(group: typer.Typer, desk: Desk) -> None:
    @group.command(
        help="Never apply a message, or all that wait of a key, topic, reason or age: these and no others of "
        "their lines. What waits behind them moves by a replay."
    )
    def discard(
        dead_letter_id: Id = None,
        *,
        key: Key = None,
        topic: Topic = None,
        set_aside_reason: SetAsideFor = None,
        older_than: OlderThan = None,
        newer_than: NewerThan = None,
        reason: Annotated[str, typer.Option(help="Why, for the record.")],
        actor: Actor = CLI_ACTOR,
        rate_per_second_max: Rate = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        wanted = parse_filter(
            key=key,
            topic=topic,
            reason=set_aside_reason,
            older_than=older_than,
            newer_than=newer_than,
            now=desk.now,
        )
        selection = parse_selection(dead_letter_id, wanted)
        if not reason.strip():
            raise CommandError("--reason is empty: say why this is never to be applied")
        by = Discarding(sanitize_for_postgres(actor), sanitize_for_postgres(reason))
        count = desk.ask(lambda replayer: actions.count(replayer, selection))
        if not dry_run:
            with Progress("discarding", count) as progress:
                count = desk.ask(
                    lambda replayer: actions.discard_selected(
                        replayer,
                        selection,
                        by,
                        rate_per_second_max=rate_per_second_max,
                        advance=progress.advance,
                    )
                )
        _report({"messages" if dry_run else "discarded": count}, as_json=as_json)


def _report(counts: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        typer.echo(", ".join(f"{name}: {count}" for name, count in counts.items()))


def _report_replay(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """What was achieved, then each message that failed again: the answer is "no" if there is one."""
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    replayed = sum(outcome.replayed for outcome in outcomes)
    if as_json:
        print_json(
            {"replayed": replayed, "failures": [serializers.failure_item(failure) for failure in failures]}
        )
    else:
        _report({"replayed": replayed, "failed": len(failures)}, as_json=False)
        for failure in failures:
            typer.echo(printable(f"{failure.dead_letter_id} failed again: {failure.error}"))
    if failures:
        raise typer.Exit(EXIT_NO)
