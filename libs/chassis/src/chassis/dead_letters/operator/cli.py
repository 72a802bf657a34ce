"""The commands `dead-letters list | show | replay | discard`, the same in every service that has them."""

import os
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from chassis.dead_letters.history import DiscardedBy, Outcome, ReplayedBy
from chassis.dead_letters.operator import serializers
from chassis.dead_letters.operator.actions import Actions
from chassis.dead_letters.operator.console import CommandContext, advance, print_detail, print_list
from chassis.dead_letters.operator.selection import build_filter, parse_age, parse_id, parse_target
from chassis.dead_letters.queries import DeadLetter, Filter
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX
from chassis.messaging.message import Apply
from chassis.postgres.database import Database
from chassis.postgres.stored_rows import UnreadableRow
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.login import Actor
from chassis.process.progress import Progress
from chassis.process.terminal import print_json, printable
from contracts.reasons import SetAsideReason
from contracts.text import sanitize_for_postgres

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as over HTTP.")]
Id = Annotated[str | None, typer.Argument(metavar="ID", help="Of a dead letter, as `list` shows it.")]
Key = Annotated[str | None, typer.Option(help="The message key.")]
Topic = Annotated[str | None, typer.Option(help="The topic, without a prefix.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would be done.")]
SetAsideFor = Annotated[
    SetAsideReason | None, typer.Option("--set-aside-reason", help="Why it was set aside.")
]
OlderThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Set aside longer ago, such as 30m, 2h, 7d.")
]
NewerThan = Annotated[str | None, typer.Option(metavar="AGE", help="Set aside since then.")]
Rate = Annotated[
    float | None, typer.Option(min=0.01, help="At most so many messages a second, to spare the database.")
]


def add_dead_letters(
    cli: typer.Typer, consumer: str, open_database: Callable[[], Database], apply: Apply
) -> None:
    """Add the commands to a service's command line. The arguments are those of `CommandContext`."""
    group = typer.Typer(no_args_is_help=True)
    context = CommandContext(consumer, open_database, apply)
    _add_list(group, context)
    _add_show(group, context)
    _add_replay(group, context)
    _add_discard(group, context)
    cli.add_typer(group, name="dead-letters", help="Messages set aside: list, show, replay or discard them.")


def _add_list(group: typer.Typer, context: CommandContext) -> None:
    @group.command(name="list", help="List waiting messages, in the order in which they were set aside.")
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
        criteria = _criteria(context, key, topic, reason, older_than, newer_than)

        async def read(actions: Actions) -> tuple[Sequence[DeadLetter | UnreadableRow], int]:
            return await actions.list_letters(criteria, rows_max=limit), await actions.count(criteria)

        letters, total = context.run(read)
        items = serializers.items(letters)
        if as_json:
            print_json({"items": items})
        else:
            print_list(items, total)


def _add_show(group: typer.Typer, context: CommandContext) -> None:
    @group.command(help="Show one message whole, with its body and the actions on it.")
    def show(
        dead_letter_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False
    ) -> None:
        letter = serializers.detail(*context.run(lambda actions: actions.show(parse_id(dead_letter_id))))
        if as_json:
            print_json(letter)
        else:
            print_detail(letter)


def _add_replay(group: typer.Typer, context: CommandContext) -> None:
    @group.command(
        help="Apply waiting messages: the line of an ID, every line that holds a message of that key, topic, "
        "reason or age, or all. A line is all waiting messages of a topic and key. It is always replayed "
        "whole and in order, up to its first message that fails again. Exit code 1 if one failed."
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
        actor: Actor,
        rate_per_second_max: Rate = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        criteria = _criteria(context, key, topic, set_aside_reason, older_than, newer_than)
        target = parse_target(dead_letter_id, criteria, everything=everything)
        by = ReplayedBy(
            sanitize_for_postgres(actor), None if reason is None else sanitize_for_postgres(reason)
        )
        keys = context.run(lambda actions: actions.waiting_keys(target))
        plan = serializers.replay_plan(keys)
        if dry_run:
            _print_counts(plan, as_json=as_json)
            return
        with Progress() as progress:
            advanced = advance(progress, "replaying", plan["messages"])
            outcome = context.run(
                lambda actions: actions.replay(
                    keys, by, rate_per_second_max=rate_per_second_max, advance=advanced
                )
            )
        counts = f"replayed: {outcome.done}, failed: {len(outcome.failures)}"
        _print_outcome("replayed", outcome, counts, "failed again", as_json=as_json)


def _add_discard(group: typer.Typer, context: CommandContext) -> None:
    @group.command(
        help="Never apply a message, or all waiting messages of a key, topic, reason or age, and no others "
        "of their lines. Messages behind them move by a replay. Exit code 1 if one cannot be discarded."
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
        actor: Actor,
        rate_per_second_max: Rate = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        criteria = _criteria(context, key, topic, set_aside_reason, older_than, newer_than)
        target = parse_target(dead_letter_id, criteria)
        if not reason.strip():
            raise CommandError("--reason is empty: say why this is never to be applied")
        by = DiscardedBy(sanitize_for_postgres(actor), sanitize_for_postgres(reason))
        messages = context.run(lambda actions: actions.count(target))
        if dry_run:
            _print_counts({"messages": messages}, as_json=as_json)
            return
        with Progress() as progress:
            advanced = advance(progress, "discarding", messages)
            outcome = context.run(
                lambda actions: actions.discard(
                    target, by, rate_per_second_max=rate_per_second_max, advance=advanced
                )
            )
        counts = f"discarded: {outcome.done}"
        _print_outcome("discarded", outcome, counts, "was not discarded", as_json=as_json)


def _criteria(
    context: CommandContext,
    key: str | None,
    topic: str | None,
    reason: SetAsideReason | None,
    older_than: str | None,
    newer_than: str | None,
) -> Filter:
    """Return the filter of a command's options. Ages count back from the database's time."""
    older, newer = (None if age is None else parse_age(age) for age in (older_than, newer_than))
    now = None if older is None and newer is None else context.run(Actions.now)
    return build_filter(
        topic=topic,
        key=None if key is None else os.fsencode(key),
        reason=reason,
        set_aside_before=None if now is None or older is None else now - older,
        set_aside_since=None if now is None or newer is None else now - newer,
    )


def _print_counts(counts: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        typer.echo(", ".join(f"{name}: {count}" for name, count in counts.items()))


def _print_outcome(done: str, outcome: Outcome, counts: str, failed: str, *, as_json: bool) -> None:
    """Print the counts, then each message that failed. Exit with "no" if there is one."""
    if as_json:
        print_json({done: outcome.done, "failures": serializers.failures(outcome)})
    else:
        typer.echo(counts)
        for failure in outcome.failures:
            typer.echo(printable(f"{failure.dead_letter_id} {failed}: {failure.error}"))
    if outcome.failures:
        raise typer.Exit(EXIT_NO)
