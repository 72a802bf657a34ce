"""`reconciler card-report`: what today's rate cards would ask for the stored bookings."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from chassis import clock
from chassis.postgres import DATABASE_ERRORS, Database
from chassis.process.command_line import CommandError, database_failure
from chassis.process.environment import load_settings
from chassis.process.progress import Progress
from chassis.process.tables import Column, Table, number
from chassis.process.terminal import printable
from contracts.money import Money
from contracts.times import TimeError, parse_time
from reconciler.adapters.booking_view import ViewMismatchError
from reconciler.commands.console import AsJson, print_result
from reconciler.domain.card_report import Apart, CardReport, CardRow
from reconciler.handlers.card_report import fill
from reconciler.settings import SERVICE, ViewSettings

APART: dict[Apart, str] = {
    "agreed": "have an agreed price, which no card knows",
    "unreadable": "have a snapshot that cannot be read: a run reports them",
    "card_gone": "name a rate card of which no version is in force",
    "service_gone": "are of a service that the card in force does not have",
    "other_currency": "are in another currency than the card in force",
    "not_priced": "cannot be priced by the card in force",
}


def add_card_report(cli: typer.Typer) -> None:
    """Add the command `card-report`."""

    @cli.command()
    def card_report(
        *,
        since: Annotated[
            str | None,
            typer.Option(metavar="TIME", help="RFC 3339; only bookings that start at this time or later."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Show what today's rate cards would ask for confirmed, begun and completed bookings.

        Reads every booking and opens no exception: a card's later version changes no agreed price. Reads
        RECONCILER_BOOKING_VIEW_DSN.
        """
        report = asyncio.run(_report(CardReport(clock.now(), _parse(since))))
        print_result(_as_json(report), _table(report.rows), *_lines(report), as_json=as_json)


def _parse(since: str | None) -> datetime | None:
    try:
        return None if since is None else parse_time(since)
    except TimeError as error:
        raise CommandError(f"--since {printable(since or '')}: {error}") from error


async def _report(report: CardReport) -> CardReport:
    settings = load_settings(ViewSettings)
    dsn = settings.reconciler_booking_view_dsn.get_secret_value()
    view = Database(dsn, application_name=f"{SERVICE}-card-report", read_only=True)
    try:
        await view.start()
        with Progress() as progress:

            def show(read: int, total: int) -> None:
                progress.show(f"{read:,} of about {total:,} bookings", read, total)

            return await fill(report, view, settings.zone, show)
    except ViewMismatchError as error:
        raise CommandError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise database_failure("RECONCILER_BOOKING_VIEW_DSN", error) from error
    finally:
        await view.stop()


def _table(rows: Sequence[CardRow]) -> Table:
    table = Table(
        Column("service"),
        Column("rate card in force", leaves=2),
        Column("bookings", right=True),
        Column("same", right=True, leaves=1),
        Column("dearer", right=True),
        Column("cheaper", right=True),
        Column("stored", right=True, leaves=4),
        Column("today", right=True, leaves=3),
        Column("difference", right=True),
        empty="no confirmed, begun or completed booking has a price of a rate card",
    )
    for row in rows:
        amounts = (str(Money(amount, row.currency)) for amount in (row.stored, row.today, row.difference))
        counts = (number(count) for count in (row.bookings, row.same, row.dearer, row.cheaper))
        table.add(row.service, row.rate_card, *counts, *amounts)
    return table


def _lines(report: CardReport) -> list[str]:
    lines = [f"{number(count)} bookings {APART[reason]}" for reason, count in sorted(report.apart.items())]
    return [*lines, "a report only: no exception was opened"]


def _as_json(report: CardReport) -> dict[str, Any]:
    return {
        "at": report.at.isoformat(),
        "since": None if report.since is None else report.since.isoformat(),
        "rows": [
            {
                "service": row.service,
                "rate_card": row.rate_card,
                "bookings": row.bookings,
                "same": row.same,
                "dearer": row.dearer,
                "cheaper": row.cheaper,
                "stored": {"amount": row.stored, "currency": row.currency},
                "today": {"amount": row.today, "currency": row.currency},
                "difference": {"amount": row.difference, "currency": row.currency},
            }
            for row in report.rows
        ],
        "apart": dict(report.apart),
    }
