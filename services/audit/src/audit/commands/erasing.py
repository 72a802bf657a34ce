"""`audit erase`: deletes a person's payloads and shows before what it deletes (docs/privacy.md)."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from audit.adapters.payload_erasure import TypeSummary
from audit.commands.eraser import AsJson, Meter, as_eraser
from audit.domain.erasure import needs_search
from audit.handlers.erasing import Erased, Found, erase, find, rewrite_files
from chassis.postgres import Connection
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.login import Actor
from chassis.process.tables import Column, Table, number, print_parts
from chassis.process.terminal import print_json, printable
from contracts.metadata import format_time

FROM_STDIN = "-"
SUBJECTS_SHOWN_MAX = 5


@dataclass(slots=True)
class Report:
    """Result of the command. `erased` is None after a dry run, and if nothing was there."""

    found: Found
    erased: Erased | None = None
    rewritten: list[str] = field(default_factory=list[str])


def add_erase(cli: typer.Typer) -> None:
    """Add the command `erase`."""

    @cli.command(name="erase")
    def erase_command(
        *,
        subject: Annotated[
            list[str],
            typer.Option(
                help="Booking id, telephone number, e-mail address or other text of the person; several times"
                " for several. `-` reads them from standard input, a line each."
            ),
        ],
        contains: Annotated[
            bool | None,
            typer.Option(
                "--contains/--no-contains",
                help="Search all bodies for the subject. Default: unless every subject is a booking's id.",
            ),
        ] = None,
        reason: Annotated[
            str | None,
            typer.Option(help="Why, e.g. a ticket's id: stands in the log for ever if it is an id."),
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
        actor: Actor,
        as_json: AsJson = False,
    ) -> None:
        """Erase payloads of a person: bodies, salts, texts and renderings. Entries and proofs stay.

        On a terminal it asks before it erases; exit code 1 if the answer is no. Reads
        AUDIT_ERASER_POSTGRES_DSN: of a role that may become audit_eraser.
        """
        subjects = _subjects(subject)
        searches = needs_search(subjects) if contains is None else contains
        if searches and not dry_run and any(len(each) == 1 for each in subjects):
            raise CommandError(
                "--subject is one character, which nearly every payload mentions: give more of it"
            )

        async def work(connection: Connection, meter: Meter) -> Report:
            found = await find(connection, subjects, searches_bodies=searches, progress=meter.show_part)
            if not as_json:
                meter.stop()
                print_parts(found_table(found.types))
            report = Report(found)
            if not dry_run:
                confirm(subjects, found, asks=not yes and sys.stdin.isatty())
                report.erased = await erase(connection, subjects, found, actor=actor, reason=reason)
                report.rewritten = await rewrite_files(connection, meter.show_part)
            return report

        report = as_eraser("erase", work)
        if as_json:
            print_json(_data(report, dry_run=dry_run))
        else:
            print_parts(_sentence(report, dry_run=dry_run))


def confirm(subjects: Sequence[str], found: Found, *, asks: bool) -> None:
    """Ask whether to erase what was found; end the command if the answer is no."""
    payloads = sum(each.payloads for each in found.types)
    if not asks or not (payloads or found.renderings):
        return
    shown = [printable(each) for each in subjects[:SUBJECTS_SHOWN_MAX]]
    if len(subjects) > len(shown):
        shown.append(f"{number(len(subjects) - len(shown))} more")
    rows = f"{number(payloads)} payloads and {number(found.renderings)} renderings"
    # Standard output may be a file.
    if not typer.confirm(f"Erase {rows} of {', '.join(shown)} for ever?", err=True):
        typer.echo("nothing was erased", err=True)
        raise typer.Exit(EXIT_NO)


def _subjects(given: Collection[str]) -> list[str]:
    lines = [
        line for each in given for line in (sys.stdin.read().splitlines() if each == FROM_STDIN else [each])
    ]
    subjects = [line.strip() for line in lines if line.strip()]
    if not subjects:
        raise CommandError("--subject is empty: give a booking id, telephone number or e-mail address")
    return subjects


def found_table(types: Sequence[TypeSummary]) -> Table:
    """Return what an erasure concerns, by event type."""
    table = Table(
        Column("event type"),
        Column("payloads", right=True),
        Column("bytes", right=True),
        Column("oldest", leaves=2),
        Column("newest", leaves=1),
        empty="no payload of this subject is stored",
    )
    for each in types:
        times = (format_time(each.oldest), format_time(each.newest))
        table.add(each.event_type, number(each.payloads), number(each.bytes), *times)
    return table


def _sentence(report: Report, *, dry_run: bool) -> str:
    if dry_run:
        payloads = sum(each.payloads for each in report.found.types)
        return f"{number(payloads)} payloads and {number(report.found.renderings)} renderings would be erased"
    rewritten = f"; files written anew: {', '.join(report.rewritten)}" if report.rewritten else ""
    if report.erased is None:
        return f"nothing was erased: nothing of this subject is stored{rewritten}"
    erased = report.erased
    return (
        f"{number(erased.payloads)} payloads and {number(erased.renderings)} renderings erased; entry"
        f" {erased.entry_id} says so (erasure {erased.erasure_id}){rewritten}"
    )


def _data(report: Report, *, dry_run: bool) -> dict[str, Any]:
    found, erased = report.found, report.erased
    done = {"payloads": 0, "renderings": 0, "erasure_id": None, "entry_id": None}
    return {
        "dry_run": dry_run,
        "found": {
            "payloads": sum(each.payloads for each in found.types),
            "renderings": found.renderings,
            "types": [
                {
                    **asdict(each),
                    "oldest": format_time(each.oldest),
                    "newest": format_time(each.newest),
                }
                for each in found.types
            ],
        },
        **(done if erased is None else asdict(erased)),
        "rewritten": report.rewritten,
    }
