"""`audit export`: the EventLog as NDJSON."""

import asyncio
import sys
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import typer

from audit.api.responses import ndjson
from audit.commands.console import OpenDatabase
from audit.domain.facts import Status
from audit.domain.filters import EntryFilter, FilterError, entry_filter
from audit.handlers.exports import Exporter, export_entries
from chassis.postgres import DATABASE_ERRORS, Database
from chassis.process.command_line import CommandError, database_failure
from chassis.process.login import login_name
from contracts.metadata import format_time
from contracts.times import TimeError, parse_time


def add_export(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the command `export`."""

    @cli.command()
    def export(
        *,
        event_type: Annotated[str | None, typer.Option(help="E.g. booking.status-changed.")] = None,
        status: Annotated[
            Status | None, typer.Option(help="Result: success, failed, skipped or pending.")
        ] = None,
        source: Annotated[str | None, typer.Option(help="E.g. stripe, booking.")] = None,
        booking_id: Annotated[str | None, typer.Option(help="Entries of this booking.")] = None,
        event_id: Annotated[str | None, typer.Option(help="E.g. evt_1Q2w3e.")] = None,
        by: Annotated[str | None, typer.Option(help="Who did it, e.g. system, stripe.")] = None,
        recorded_from: Annotated[
            str | None, typer.Option("--from", help="Recorded then or later, RFC 3339.")
        ] = None,
        recorded_to: Annotated[str | None, typer.Option("--to", help="Recorded before, RFC 3339.")] = None,
        q: Annotated[str | None, typer.Option("--q", help="Words in order within one field.")] = None,
        complete_until: Annotated[
            bool,
            typer.Option(
                "--complete-until",
                help="Write to standard error the time up to which the export is complete: the next --from.",
            ),
        ] = False,
    ) -> None:
        """Write EventLog entries to standard output, oldest first, one JSON object a line.

        Reads AUDIT_POSTGRES_DSN. Payloads are not exported. The log records the export, with your login name.
        """
        try:
            query = entry_filter(
                event_type=event_type,
                status=status,
                source=source,
                booking_id=booking_id,
                event_id=event_id,
                actor=by,
                recorded_from=_moment("--from", recorded_from),
                recorded_to=_moment("--to", recorded_to),
                text=q,
            )
            until = asyncio.run(_export(open_database(), query))
        except FilterError as error:
            raise CommandError(str(error)) from error
        except DATABASE_ERRORS as error:
            raise database_failure("export", error) from error
        if complete_until:
            sys.stderr.write(f"{format_time(until)}\n")


async def _export(database: Database, query: EntryFilter) -> datetime:
    try:
        await database.start()
        export = await export_entries(database, database, query, Exporter(login_name(), "cli"))
        # Closed also when writing fails: the pool waits for the connection that the export holds.
        async with aclosing(ndjson(export.pages)) as pages:
            async for lines in pages:
                sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
        return export.complete_until
    finally:
        await database.stop()


def _moment(option: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except TimeError as error:
        raise CommandError(f"{option} {text}: {error}") from None
