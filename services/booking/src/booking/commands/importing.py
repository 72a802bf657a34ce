"""The command `import`: take bookings of another system with their past (docs/import.md)."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from booking.adapters.import_files import FileLine, parse_line, read_lines
from booking.domain.imports import ImportedBooking, ImportRefusedError
from booking.handlers.importing import import_batch
from chassis.postgres import DATABASE_ERRORS, Database
from chassis.process.command_line import EXIT_NO, CommandError, database_failure
from chassis.process.progress import Progress
from chassis.process.terminal import plain_reason, print_json, printable

BATCH_LINES = 100
REFUSALS_SHOWN_MAX = 1000


@dataclass(slots=True)
class Report:
    """Counts of lines, and the first refusals."""

    imported: int = 0
    already_there: int = 0
    refused: int = 0
    refusals: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    def refuse(self, number: int, reason: str) -> None:
        self.refused += 1
        if len(self.refusals) < REFUSALS_SHOWN_MAX:
            self.refusals.append({"line": number, "reason": reason})


def add_import(cli: typer.Typer, open_database: Callable[[], Database]) -> None:
    """Add the command to booking's command line."""

    @cli.command(name="import")
    def import_command(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="One booking a line, as JSON.")],
        *,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    ) -> None:
        """Import bookings with their histories and payments (docs/import.md).

        May be run again: bookings that are here already are left alone. Exit code 1 if a line was refused.
        """
        database = open_database()
        try:
            with file.open("rb") as lines:
                report = asyncio.run(_run(database, lines, file.stat().st_size, dry_run=dry_run))
        except OSError as error:
            raise CommandError(plain_reason(error)) from error
        except DATABASE_ERRORS as error:
            raise database_failure(database.name, error) from error
        _show(report, dry_run=dry_run, as_json=as_json)
        if report.refused:
            raise typer.Exit(EXIT_NO)


async def _run(database: Database, file: BinaryIO, size: int, *, dry_run: bool) -> Report:
    report, seen = Report(), set[int]()
    progress, lines = Progress(), 0
    try:
        await database.start()
        for batch in _batches(read_lines(file)):
            good: list[tuple[int, ImportedBooking]] = []
            for line in batch:
                try:
                    booking = parse_line(line)
                    _refuse_repeated(booking, seen)
                    good.append((line.number, booking))
                except ImportRefusedError as error:
                    report.refuse(line.number, str(error))
            result = await import_batch(database, [booking for _, booking in good], dry_run=dry_run)
            for position in result.taken:
                report.refuse(good[position][0], "id: another booking here has it")
            report.already_there += len(result.known)
            report.imported += len(good) - len(result.known) - len(result.taken)
            lines += len(batch)
            progress.show(f"import: {lines:,} lines read", file.tell(), size)
    finally:
        progress.stop()
        await database.stop()
    return report


def _batches(lines: Iterator[FileLine]) -> Iterator[list[FileLine]]:
    while batch := list(islice(lines, BATCH_LINES)):
        yield batch


def _refuse_repeated(booking: ImportedBooking, seen: set[int]) -> None:
    # Digests instead of the ids: some 10 MB for 100,000 lines.
    for name, value in (("external_id", booking.external_id), ("id", booking.id)):
        digest = hash((name, value))
        if digest in seen:
            raise ImportRefusedError(f"{name}: an earlier line has it too")
        seen.add(digest)


def _show(report: Report, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": dry_run, **asdict(report)})
        return
    for refusal in report.refusals:
        sys.stdout.write(f"line {refusal['line']}: {printable(str(refusal['reason']))}\n")
    verb = "would be imported" if dry_run else "imported"
    sys.stdout.write(
        f"{report.imported} {verb}, {report.already_there} already there, {report.refused} refused\n"
    )
