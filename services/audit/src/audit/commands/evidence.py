"""`audit evidence`: write the evidence of one booking to a file (AU-9)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from audit.adapters.policy_files import read_witness_policy
from audit.commands.console import Keys, log_keys, query
from audit.domain.identifiers import booking_identifier
from audit.handlers.evidence import (
    EvidenceFile,
    EvidenceRequest,
    NothingSealedError,
    TooManyEntriesError,
    WrongProofsError,
    make_evidence,
)
from audit.settings import SERVICE, LogReaderSettings
from chassis.postgres import Database
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.local_stack import load_command_settings
from chassis.process.login import login_name
from chassis.process.terminal import plain_reason, printable

_NOT_SEALED = "not sealed yet: {0}; sealing takes a second or two: make the file again to have them in it"

_NOT_WITNESSED = (
    "the quorum of witnesses has not cosigned all of these entries: make the file again in some seconds,"
    " or see `audit witnesses`"
)


def add_evidence(cli: typer.Typer, open_database: Callable[[LogReaderSettings], Database]) -> None:
    """Add the command `evidence`."""

    @cli.command()
    def evidence(
        *,
        booking: Annotated[str, typer.Option(help="Id of the booking.")],
        out: Annotated[
            Path | None, typer.Option(help="File to write; else evidence-<booking>.html here.")
        ] = None,
        with_payloads: Annotated[
            bool,
            typer.Option("--with-payloads", help="Add the contents of messages: they hold personal data."),
        ] = False,
        key: Keys = None,
    ) -> None:
        """Write the entries of a booking, with their proofs, into one page that checks itself in a browser.

        Without --key the log's keys are those of AUDIT_SIGNING_KEY and AUDIT_MLDSA_KEY. Reads
        AUDIT_POSTGRES_DSN and AUDIT_WITNESS_POLICY_FILE. The log records that the file was made, with your
        login name. Exit code 1 for a booking without entries.
        """
        settings = load_command_settings(LogReaderSettings, SERVICE)
        booking_id = booking_identifier(booking)
        keys = log_keys(key, settings)
        request = EvidenceRequest(
            booking_id,
            keys,
            read_witness_policy(settings.audit_witness_policy_file),
            actor=login_name(),
            through="cli",
            with_payloads=with_payloads,
        )
        path = out or Path(f"evidence-{booking_id.replace(':', '-')}.html")
        # Before the log records that a file was made.
        _refuse_unwritable(path)
        file = _made(open_database(settings), request)
        if file is None:
            typer.echo(f"the log knows of no booking {printable(booking)}", err=True)
            raise typer.Exit(EXIT_NO)
        try:
            path.write_bytes(file.content)
        except OSError as error:
            # Of a full disk the error names no file.
            error.filename = str(path)
            raise CommandError(plain_reason(error)) from error
        typer.echo(f"{printable(str(path))}: {file.proved} entries proved")
        if file.waiting:
            typer.echo(_NOT_SEALED.format(file.waiting), err=True)
        if file.lacks_witnesses:
            typer.echo(_NOT_WITNESSED, err=True)


def _refuse_unwritable(path: Path) -> None:
    """End the command if the file cannot be written; leave what is there as it is."""
    is_new = not path.exists()
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise CommandError(plain_reason(error)) from error


def _made(database: Database, request: EvidenceRequest) -> EvidenceFile | None:
    try:
        return query(lambda: database, lambda reads: make_evidence(reads, reads, request))
    except NothingSealedError:
        raise CommandError(
            "nothing is sealed yet: start the service with AUDIT_SIGNING_KEY, and try again in some seconds"
        ) from None
    except WrongProofsError as error:
        sys.stderr.write(f"evidence: the log does not lead to its checkpoint: {error}; run `audit verify`\n")
        raise typer.Exit(EXIT_NO) from None
    except TooManyEntriesError as error:
        raise CommandError(f"{error}: export them with `audit export --booking-id`") from error
