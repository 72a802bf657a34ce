"""`audit prove`: a proof that an entry stands in the log, as a file for others."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from audit.commands.console import OpenDatabase, query
from audit.handlers.proving import DamagedLogError, NotSealedError, UnknownEntryError, prove_entry
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.terminal import plain_reason

_STANDARD_OUTPUT = "-"


def add_prove(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the command `prove`."""

    @cli.command()
    def prove(
        entry_id: Annotated[int, typer.Argument(metavar="ENTRY_ID", min=1, help="As in the EventLog.")],
        *,
        output: Annotated[
            str | None,
            typer.Option(
                "--output", "-o", metavar="FILE", help="Default ENTRY_ID.tlog-proof; - is standard output."
            ),
        ] = None,
        without_entry: Annotated[
            bool,
            typer.Option(
                "--without-entry", help="Leave the entry out: its reader has it, and gives it as --entry."
            ),
        ] = False,
    ) -> None:
        """Write a proof that an entry stands in the log: a C2SP tlog-proof, for `audit verify-proof`.

        It holds the entry, never its payload. Reads AUDIT_POSTGRES_DSN.
        """
        try:
            proof = query(
                open_database, lambda database: prove_entry(database, entry_id, extra=not without_entry)
            )
        except NotSealedError as error:
            raise CommandError(f"{error}; try again in a few seconds") from None
        except UnknownEntryError as error:
            raise CommandError(str(error)) from None
        except DamagedLogError as error:
            sys.stderr.write(f"prove: {error}; run `audit verify`\n")
            raise typer.Exit(EXIT_NO) from None
        if output == _STANDARD_OUTPUT:
            sys.stdout.buffer.write(proof)
            sys.stdout.flush()
            return
        path = Path(output or f"{entry_id}.tlog-proof")
        try:
            path.write_bytes(proof)
        except OSError as error:
            raise CommandError(f"--output: {plain_reason(error)}") from None
        typer.echo(str(path))
