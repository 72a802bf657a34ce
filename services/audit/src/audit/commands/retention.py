"""`audit retention`: drops payloads that are too old, in whole months (docs/privacy.md)."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from audit.adapters.payload_retention import MonthOfPayloads
from audit.commands.eraser import AsJson, Meter, as_eraser
from audit.domain.retention import RetentionError, first_kept_month, parse_days
from audit.handlers.erasing import rewrite_files
from audit.handlers.retention import Expiring, apply_retention, plan_retention
from chassis import clock
from chassis.postgres import Connection
from chassis.process.command_line import CommandError
from chassis.process.login import Actor
from chassis.process.tables import Column, Table, number, print_parts
from chassis.process.terminal import print_json
from contracts.metadata import format_time


def add_retention(cli: typer.Typer) -> None:
    """Add the command `retention`."""

    @cli.command(name="retention")
    def retention_command(
        *,
        older_than: Annotated[
            str, typer.Option(metavar="DAYS", help="E.g. 400d. Months that are wholly older are dropped.")
        ],
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be dropped.")] = False,
        actor: Actor,
        as_json: AsJson = False,
    ) -> None:
        """Drop payloads that are too old. Entries and proofs stay; answers say since when payloads are kept.

        Reads AUDIT_ERASER_POSTGRES_DSN: of a role that may become audit_eraser.
        """
        try:
            first_kept = first_kept_month(clock.now(), parse_days(older_than))
        except RetentionError as error:
            raise CommandError(f"--older-than {error}") from None

        async def work(connection: Connection, meter: Meter) -> Expiring | None:
            if dry_run:
                return await plan_retention(connection, first_kept)
            dropped = await apply_retention(connection, first_kept, actor=actor)
            await rewrite_files(connection, meter.show_part)
            return dropped

        dropped = as_eraser("retention", work)
        if as_json:
            print_json(_data(dropped, dry_run=dry_run))
        elif dropped is None or not (dropped.payloads or dropped.renderings or dropped.months):
            print_parts(f"no payload is older than the month {first_kept:%Y-%m}: nothing to drop")
        else:
            verb = "would be dropped" if dry_run else "dropped"
            print_parts(
                months_table(dropped.months),
                f"{number(dropped.payloads)} payloads and {number(dropped.renderings)} renderings {verb};"
                f" payloads are kept since {format_time(dropped.retained_from)}",
            )


def months_table(months: Sequence[MonthOfPayloads]) -> Table:
    """Return the months that a retention drops."""
    table = Table(
        Column("month"),
        Column("payloads", right=True),
        Column("bytes", right=True),
        empty="no whole month is older",
    )
    for each in months:
        table.add(each.month, number(each.payloads), number(each.bytes))
    return table


def _data(expiring: Expiring | None, *, dry_run: bool) -> dict[str, Any]:
    if expiring is None:
        return {"dry_run": dry_run, "retained_from": None, "months": [], "payloads": 0, "renderings": 0}
    return {
        "dry_run": dry_run,
        "retained_from": format_time(expiring.retained_from),
        "months": [
            {"month": each.month, "payloads": each.payloads, "bytes": each.bytes} for each in expiring.months
        ],
        "payloads": expiring.payloads,
        "renderings": expiring.renderings,
    }
