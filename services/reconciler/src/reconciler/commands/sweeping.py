"""`reconciler sweep`: requests a sweep of Stripe's lists, shows its progress and what it has found."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from chassis.postgres import Database
from chassis.process.command_line import CommandError
from chassis.process.login import login_name
from chassis.process.tables import Column, Facts, Table, number
from chassis.process.terminal import printable
from contracts.times import TimeError, parse_time
from reconciler.adapters.sweep_queries import SweepFound, SweepRecord
from reconciler.commands.console import AsJson, OpenDatabase, print_result, query
from reconciler.handlers.sweep_queries import NotBegunError, wait_for_sweep
from reconciler.handlers.sweep_requests import SinceInFutureError, request_sweep

COUNTS = ("seen", "known", "pending", "missed", "compared", "mismatches", "requests")


def add_sweep(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the command `sweep`."""

    @cli.command()
    def sweep(
        *,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Count only: publish nothing, open no exception.")
        ] = False,
        since: Annotated[
            str | None,
            typer.Option(metavar="TIME", help="RFC 3339; default: where the last finished sweep ended."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Sweep Stripe's lists for missed events and wrong payments.

        A running service with STRIPE_API_KEY does it. Reads RECONCILER_POSTGRES_DSN.
        """
        moment = _parse(since)

        async def request_and_wait(database: Database) -> tuple[SweepRecord, Sequence[SweepFound]]:
            try:
                async with database.transaction() as connection:
                    requested = await request_sweep(
                        connection, trigger="cli", requested_by=login_name(), since=moment, is_dry_run=dry_run
                    )
            except SinceInFutureError as error:
                raise CommandError(f"--since: {error}") from None
            with Console(stderr=True).status("sweep requested") as status:
                return await wait_for_sweep(
                    database, requested.id, lambda record: status.update(_progress(record))
                )

        done, found = query(open_database, request_and_wait, NotBegunError)
        data = {**asdict(done), "found": [asdict(each) for each in found]}
        print_result(data, _counts(done), _found(found), as_json=as_json)
        if done.status == "failed":
            raise CommandError(f"sweep {done.id} failed: {done.error}")


def _parse(since: str | None) -> datetime | None:
    try:
        return None if since is None else parse_time(since)
    except TimeError as error:
        raise CommandError(f"--since {since}: {error}; write it as 2026-11-30T00:00:00Z") from error


def _progress(sweep: SweepRecord) -> str:
    counts = ", ".join(f"{getattr(sweep, name)} {name}" for name in COUNTS)
    waits = f"; waits: {sweep.error}" if sweep.error and sweep.status == "running" else ""
    return printable(f"{sweep.status} ({sweep.step or 'events'}): {counts}{waits}")


def _counts(sweep: SweepRecord) -> Facts:
    facts = Facts()
    facts.add("sweep", sweep.id)
    facts.add("status", f"{sweep.status}, dry run" if sweep.dry_run else sweep.status)
    for name in COUNTS:
        facts.add(name, number(getattr(sweep, name)))
    return facts


def _found(found: Sequence[SweepFound]) -> Table:
    table = Table(
        Column("severity"),
        Column("type", leaves=1),
        Column("booking"),
        Column("title", wraps=30),
        empty="found nothing: Stripe and booking agree",
    )
    for each in found:
        table.add(each.severity, each.type, each.booking_id or "", each.title)
    return table
