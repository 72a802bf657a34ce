"""`audit prove`: a proof that an entry stands in the log, as a file for others."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from audit.adapters.policy_files import read_witness_policy
from audit.commands.console import query
from audit.handlers.proving import DamagedLogError, NotSealedError, UnknownEntryError, prove_entry
from audit.settings import SERVICE, LogReaderSettings
from chassis.postgres import Database
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.local_stack import load_command_settings
from chassis.process.terminal import plain_reason

_STANDARD_OUTPUT = "-"


def add_prove(cli: typer.Typer, open_database: Callable[[LogReaderSettings], Database]) -> None:
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

        It holds the entry, never its payload. Its checkpoint is the newest one that the quorum of witnesses
        has cosigned, if it has the entry, else the newest. Reads AUDIT_POSTGRES_DSN and
        AUDIT_WITNESS_POLICY_FILE.
        """
        settings = load_command_settings(LogReaderSettings, SERVICE)
        policy = read_witness_policy(settings.audit_witness_policy_file)
        try:
            proof = query(
                lambda: open_database(settings),
                lambda database: prove_entry(database, entry_id, policy=policy, extra=not without_entry),
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
